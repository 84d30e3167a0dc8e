#!/usr/bin/env python3
"""docs/attacks.md has a row for each attack, and each row is true as far as a script can see: attacks.py ROOT

The attacks are the ATK and SEC rows of tests/requirements.txt. A row of the page is `| id | attack | what happens here |
seen as | played by |`. It fails when an attack has no row or two, when an event or a code in "seen as" does not exist,
when a file in "played by" does not exist or does not name the ID, and when nothing plays a row that requirements.txt
does not let off ("review")."""
import pathlib
import re
import sys

from requirements import read_rows

ROW = re.compile(r'^\| ((?:ATK|SEC)-T?\d+) \|(.*)\|$')
EVENT = re.compile(r'`([a-z_]+\.[a-z_-]+)`')
CODE = re.compile(r'\b(?:TLS|X509|PROTO|PEER|GW)_[A-Z0-9_]+\b')
FILE = re.compile(r'`([a-z][\w./-]+)`|\b((?:rows|inside|wire)\.c)\b')


def words(path, macro):
    return set(re.findall(rf'^{macro}\((?:\w+, *")?([\w.-]+)', path.read_text(), re.M))


def faults(root, listed, events, codes):
    page, seen = root / 'docs/attacks.md', set()
    for number, line in enumerate(page.read_text().splitlines(), 1):
        match = ROW.match(line)
        if match is None:
            continue
        row, cells = match[1], [cell.strip() for cell in match[2].split('|')]
        at = f'docs/attacks.md:{number}: {row}'
        if row in seen or row not in listed:
            yield f'{at}: ' + ('a second row' if row in seen else 'requirements.txt has no such row')
        seen.add(row)
        if len(cells) != 4 or not all(cells):
            yield f'{at}: not five columns with something in each'
            continue
        yield from (f'{at}: no event {word}' for word in EVENT.findall(cells[2]) if word not in events)
        yield from (f'{at}: no code {word}' for word in CODE.findall(cells[2]) if word not in codes)
        files = [name or f'tests/attack/{short}' for name, short in FILE.findall(cells[3])]
        if cells[3].startswith('review: ') and listed.get(row, ('', ''))[1].startswith('review: '):
            continue
        if not files:
            yield f'{at}: nothing plays it'
        for name in files:
            path = root / name
            if not path.is_file():
                yield f'{at}: no file {name}'
            elif re.search(rf'\b{row}\b', path.read_text(errors='replace')) is None:
                yield f'{at}: {name} does not name it'
    yield from (f'docs/attacks.md: no row for {row}' for row in listed if row not in seen)


def main():
    root = pathlib.Path(sys.argv[1])
    rows = {row: what for group in read_rows(root / 'tests/requirements.txt').values() for row, what in group.items()}
    listed = {row: what for row, what in rows.items() if row.startswith(('ATK-', 'SEC-'))}
    found = list(faults(root, listed, words(root / 'gateway/events.def', 'GW_E'), words(root / 'base/include/hb/err.def', 'HB_E')))
    print('\n'.join(found + [f'{len(listed)} attacks, {len(found)} faults']))
    sys.exit(1 if found or not listed else 0)


if __name__ == '__main__':
    main()

#!/usr/bin/env python3
"""Every requirement has a test that names it: requirements.py ROOT [-v]

requirements.txt lists the rows, with their level (M must, S should, P our own decision) and a mark where one has no test:
    open              nobody has written it yet; the mark must go when somebody has
    review: REASON    it cannot have one (what is left out of the source, what only a reader can see)
A row is tested when a test or a dialogue names its ID. It fails when an M row has neither a test nor a mark, when an
open row has a test, and when a test names a row that is not listed (a slip of the pen). Rows of level S and P without a
test are printed, no more. -v also prints where each row is tested."""
import collections
import pathlib
import re
import sys

SUFFIXES = {'.c', '.h', '.py', '.json', '.txt', '.def'}
# the list itself; reasons why a test of somebody else's does not apply
NOT_TESTS = {'requirements.py', 'requirements.txt', 'config.json'}
ROW = re.compile(r'^([A-Z][A-Z0-9]*-T?\d+) ([MSP])(?: (open|review: \S.*))?$')
ID = re.compile(r'\b([A-Z][A-Z0-9]*)-(T?\d+)\b')


def read_rows(path):
    """{id: (level, mark)} of each group, in the order of the file."""
    groups, rows = {}, None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith('group '):
            rows = groups.setdefault(line.split()[1], {})
        elif line and not line.startswith('#'):
            match = ROW.match(line)
            if match is None or rows is None or any(match[1] in other for other in groups.values()):
                sys.exit(f'{path}:{number}: not a row, or one that was there before: {line}')
            rows[match[1]] = match[2], match[3] or ''
    return groups


def mentions(root):
    """{id: {file, ...}}"""
    found = collections.defaultdict(set)
    for folder in 'tests', 'fixtures/dialogues', 'fixtures/peers':
        for path in sorted((root / folder).rglob('*')):
            parts = path.relative_to(root).parts
            if path.suffix in SUFFIXES and path.name not in NOT_TESTS and path.is_file() and not any(p.endswith('-wrong') for p in parts):
                for prefix, number in ID.findall(path.read_text(errors='replace')):
                    found[f'{prefix}-{number}'].add(path.relative_to(root).as_posix())
    return found


def main():
    root = pathlib.Path(sys.argv[1])
    groups, found, failed = read_rows(root / 'tests/requirements.txt'), mentions(root), False
    known = {row for rows in groups.values() for row in rows}
    prefixes = {row.split('-')[0] for row in known}
    for group, rows in groups.items():
        missing = [row for row, (level, mark) in rows.items() if level == 'M' and not mark and row not in found]
        done = [row for row, (_, mark) in rows.items() if mark == 'open' and row in found]
        unmarked = [row for row, (level, mark) in rows.items() if level != 'M' and not mark and row not in found]
        marked = [row for row, (_, mark) in rows.items() if mark == 'open' and row not in found]
        tested = sum(row in found for row in rows)
        print(f'{group}: {len(rows)} rows, {tested} with a test, {len(marked)} open')
        for what, names in (('open', marked), ('S and P without a test', unmarked), ('MUST HAVE A TEST', missing),
                            ('HAS A TEST NOW: take "open" away in requirements.txt', done)):
            if names:
                print(f'  {what}: {" ".join(names)}')
        failed = failed or bool(missing or done)
        if '-v' in sys.argv:
            for row in rows:
                print(f'    {row} {" ".join(sorted(found[row])) if row in found else rows[row][1] or "-"}')
    slips = sorted(row for row in found if row not in known and row.split('-')[0] in prefixes)
    for row in slips:
        print(f'NO SUCH ROW: {row} in {" ".join(sorted(found[row]))}')
    sys.exit(1 if failed or slips else 0)


if __name__ == '__main__':
    main()

"""The commands of README.md: indented blocks behind a line <!-- walk: NAME -->, in their order, as they stand there."""
import re
import textwrap


def blocks(path):
    """[(name, text)]"""
    lines = path.read_text().splitlines()
    found = []
    for i, line in enumerate(lines):
        named = re.fullmatch(r' *<!-- walk: ([a-z-]+) -->', line)
        if not named:
            continue
        text = []
        for row in lines[i + 1:]:
            if row.strip() and not row.startswith('    '):
                break
            text.append(row)
        found.append((named[1], textwrap.dedent('\n'.join(text)).strip('\n') + '\n'))
    return found

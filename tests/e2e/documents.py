"""What stands in our documents and is run by tests: indented blocks behind a line <!-- NAME -->, as they stand there."""
import re
import textwrap


def blocks(path, named_like=r'[a-z.-]+'):
    """[(name, text)], in their order."""
    lines = path.read_text().splitlines()
    found = []
    for i, line in enumerate(lines):
        named = re.fullmatch(rf' *<!-- ({named_like}) -->', line)
        if not named:
            continue
        text = []
        for row in lines[i + 1:]:
            if row.strip() and not row.startswith('    '):
                break
            text.append(row)
        found.append((named[1], textwrap.dedent('\n'.join(text)).strip('\n') + '\n'))
    return found

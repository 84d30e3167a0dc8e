#!/usr/bin/env python3
"""Walks README.md's way in a clean Debian 12, then looks at the unit under systemd: run.py [NAME...]; the last line counts.

Needs root: a tree of its own, namespaces, systemd as the first process in them. It stops at the first block of README
that does not go as it must; what comes behind would say nothing."""
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'e2e'))

import installed
import unit
import way
from support import attempt
from tree import KEPT, Tree


class Count:
    def __init__(self):
        self.passed = self.failed = 0

    def row(self, name, seconds, function, *args):
        """Plays a row and prints it. True if it went as it must."""
        start = time.monotonic()
        note, problem = attempt(seconds, function, *args)
        good = problem is None
        self.passed, self.failed = self.passed + good, self.failed + (not good)
        print(f'{"ok  " if good else "FAIL"} {name} ({time.monotonic() - start:.1f} s){f": {note}" if good and note else ""}')
        if not good:
            print(f'     {problem}')
        sys.stdout.flush()
        return good


def play(tree, count, names):
    if not count.row('a clean Debian 12, with Dovecot', 1200, tree.make) or not count.row('what the reader brings along', 120, way.brought, tree):
        return
    for name, text, after in way.steps():
        if not count.row(f'README: {name}', 900, way.walk, tree, name, text, after):
            return
    for function in installed.CASES + unit.CASES:
        if not names or any(n in function.__name__ for n in names):
            count.row(f'{function.__module__}: {function.__name__.replace("_", " ")}', 300, function, tree)


def main():
    count = Count()
    KEPT.mkdir(parents=True, exist_ok=True)
    tree = Tree(tempfile.mkdtemp(prefix='tree.', dir=KEPT))
    try:
        play(tree, count, sys.argv[1:])
    finally:
        tree.close()
    print(f'{count.passed} passed, {count.failed} failed')
    return 1 if count.failed else 0


if __name__ == '__main__':
    sys.exit(main())

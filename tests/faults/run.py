#!/usr/bin/env python3
"""Plays faults and prints what was lost: run.py --gateway PROGRAM --release PROGRAM [--all] [NAME...]; the last line counts rows.

A row fails when a session was lost that the fault itself did not end, or a byte of one, or when the gateway said or did
something else than it must (a Failure, a sanitizer's report, an exit code)."""
import argparse
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'e2e'))

import backends
import clocks
import crowds
import deaths
import descriptors
import machine
import reloads
from load import Echo
from support import World, attempt

MODULES = (backends, clocks, crowds, deaths, descriptors, machine, reloads)
LINE = '{:<52} {:>9} {:>9} {:>6}  {}'


def play(w, function, seconds):
    """(outcome or None, problem or None)"""
    def row():
        with Echo(w) as echo:
            return function(w, echo)
    outcome, problem = attempt(seconds, row)
    if outcome is not None and (outcome.lost or outcome.bytes_lost):
        problem = f'lost: {outcome.lost[:5]}'
    return outcome, problem


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--gateway', required=True)
    parser.add_argument('--release', required=True)
    parser.add_argument('--all', action='store_true')
    parser.add_argument('names', nargs='*')
    args = parser.parse_args()
    rows = [(f'{m.__name__}: {name}', f) for m in MODULES for name, f in m.ROWS + (m.LONG if args.all else [])]
    rows = [r for r in rows if not args.names or any(n == 'faults' or n in r[0] for n in args.names)]
    if not rows:
        print('0 passed, 0 failed')
        return 0
    w = World(args.gateway, args.release)
    passed = failed = 0
    print('ended: sessions that the fault itself ended; lost: others; bytes: of sessions that went on')
    print(LINE.format('fault', 'ended', 'lost', 'bytes', ''))
    try:
        for name, function in rows:
            start = time.monotonic()
            outcome, problem = play(w, function, 600 if args.all else 240)
            took = f'({time.monotonic() - start:.1f} s)'
            good = problem is None
            passed, failed = passed + good, failed + (not good)
            if outcome is not None:
                print(LINE.format(name, outcome.ended, len(outcome.lost), outcome.bytes_lost, f'{outcome.note} {took}'))
            if not good:
                print(f'FAIL {name} {took}\n     {problem}')
            sys.stdout.flush()
    finally:
        w.close()
    print(f'{passed} passed, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())

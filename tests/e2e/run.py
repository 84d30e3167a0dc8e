#!/usr/bin/env python3
"""Runs the end-to-end cases: run.py --gateway PROGRAM --release PROGRAM [NAME...]; the last line counts them."""
import argparse
import sys
import time

import cases_attacks
import cases_clients
import cases_command
import cases_demo
import cases_external
import cases_faults
import cases_http
import cases_kubernetes
import cases_limits
import cases_machines
import cases_migrate
import cases_names
import cases_news
import cases_policy
import cases_pool
import cases_probe
import cases_processes
import cases_service
import cases_sight
import cases_tls
import cases_transparent
import cases_upstream
from support import Dovecot, Postfix, World, attempt


def show_logs(world, since):
    """The end of each log that was written to during a case that failed."""
    for path in sorted(world.folder.rglob('*.log')):
        if path.stat().st_mtime >= since:
            tail = path.read_text(errors='replace').splitlines()[-15:]
            print(f'     --- {path.name}', *(f'     {line[:400]}' for line in tail), sep='\n')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--gateway', required=True)
    parser.add_argument('--release', required=True)
    parser.add_argument('--all', action='store_true')
    parser.add_argument('names', nargs='*')
    args = parser.parse_args()
    modules = (cases_command, cases_policy, cases_tls, cases_faults, cases_processes, cases_service, cases_clients,
               cases_transparent, cases_upstream, cases_attacks, cases_external, cases_limits, cases_sight, cases_pool, cases_names, cases_news, cases_http,
               cases_probe, cases_machines, cases_kubernetes, cases_migrate, cases_demo)
    cases = [c for m in modules for c in m.CASES]
    if args.names:
        cases = [c for c in cases if any(n in c.__name__ for n in args.names)]
    world = World(args.gateway, args.release)
    passed = failed = 0
    try:
        if any(c in cases_clients.CASES for c in cases):
            world.dovecot, world.postfix, world.delivered = Dovecot(world), Postfix(world), 0
        for case in cases:
            start, began = time.monotonic(), time.time()
            _, problem = attempt(240, case, world)
            took = time.monotonic() - start
            print(f'{"ok  " if problem is None else "FAIL"} {case.__name__} ({took:.1f} s)' + (f'\n     {problem}' if problem else ''),
                  flush=True)
            if problem is not None:
                show_logs(world, began)
            passed, failed = passed + (problem is None), failed + (problem is not None)
    finally:
        world.close()
    print(f'{passed} passed, {failed} failed')
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()

#!/usr/bin/env python3
"""The engine against everybody else's: run.py --gateway PROGRAM [--all] [--peer NAME] [--row WORDS]

Prints a table, a column for each peer and role (s: hauberk is the server, c: the client), and behind it the reasons
of what is not tried and of what failed. The last line counts the cells."""
import argparse
import functools
import sys
import traceback

import ending
import harness
import nss
import programs
import tools
import trixie
from harness import Failure, free_port
from rows import rows
from table import Table

ROLES = ('server', 'client')


def cell(table, world, row, peer, role, act):
    try:
        act()
        table.put(row, peer, role, 'ok')
    except Failure as e:
        table.put(row, peer, role, 'FAIL', str(e))
    except Exception:  # a cell that breaks is a cell that fails; the others still run
        table.put(row, peer, role, 'FAIL', traceback.format_exc(limit=4))


def run_row(table, world, echo, greeter, row):
    """Both roles of a row, one gateway each; peers one after the other, since the log is read between them."""
    for role in ROLES:
        if world.stopping.is_set():
            return
        ports = {p: free_port() for p in table.peers}
        backends = {p: free_port() for p in table.peers}
        if role == 'server':
            pairs = [(f'tls://127.0.0.1:{ports[p]}', f'127.0.0.1:{(greeter if p.greeted else echo).port}') for p in table.peers]
            options = harness.server_options(world, row)
        else:
            pairs = [(f'tcp://127.0.0.1:{ports[p]}', f'tls://127.0.0.1:{backends[p]}') for p in table.peers]
            options = harness.client_options(world, row)
        front, problem = None, ''
        able = [p for p in table.peers if not p.lacks(role, row)]
        for p in table.peers:
            if p not in able:
                table.put(row, p, role, 'n.a.', f'{p.name}: {p.lacks(role, row)}')
        if not able:
            continue
        try:
            front = harness.Front(world, pairs, options)
            for p in able:
                cell(table, world, row, p, role,
                     (lambda p=p: harness.run_server_cell(world, row, p, front, ports[p])) if role == 'server' else
                     (lambda p=p: harness.run_client_cell(world, row, p, front, ports[p], backends[p])))
            front.stop()
        except Failure as e:
            problem = str(e)
        finally:
            if front is not None:
                front.started.stop()
        if problem:
            for p in able:
                table.put(row, p, role, 'FAIL', f'the gateway: {problem}')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--gateway', required=True)
    parser.add_argument('--build', default='build/interop', help='folder for what peers need')
    parser.add_argument('--all', action='store_true')
    parser.add_argument('--peer', action='append')
    parser.add_argument('--row', default='')
    parser.add_argument('--trixie', help='a tree of Debian 13, for younger peers')
    args = parser.parse_args()
    known = [tools.OpenSSL(), tools.GnuTLS(), *programs.peers(), nss.NSS(), *(trixie.peers(args.trixie) if args.trixie else [])]
    peers = [p for p in known
             if (args.all or p.quick or args.peer) and (not args.peer or p.name in args.peer)]
    wanted = [r for r in rows() if args.row in r.name]
    world = ending.Run(args.gateway)
    table = Table(peers, ROLES, 's    c', 'hauberk as server, client', 'hauberk as')
    try:
        echo, greeter = harness.Echo(), harness.Echo(b'at your service\n')
        world.build = harness.pathlib.Path(args.build).resolve()
        world.build.mkdir(parents=True, exist_ok=True)
        for p in peers:
            p.prepare(world)
        table.progress = args.all and len(ROLES) * len(peers) * len(wanted)
        world.everything([functools.partial(run_row, table, world, echo, greeter, r) for r in wanted])
    except KeyboardInterrupt:
        sys.exit('interrupted')
    finally:
        left = world.close()
    table.show(wanted)
    table.explain()
    marks = table.marks()
    print(f'{marks.count("n.a.")} cells are explained above')
    failed = marks.count('FAIL') + ending.told(left)
    print(f'{marks.count("ok")} passed, {failed} failed')
    sys.exit(1 if failed or 'ok' not in marks else 0)


if __name__ == '__main__':
    main()

#!/usr/bin/env python3
"""The engine against everybody else's: run.py --gateway PROGRAM [--all] [--peer NAME] [--row WORDS] [--self-check]

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
import tls_faults
import tools
import trixie
from harness import Failure, free_port
from rows import rows
from table import Table

ROLES = ('server', 'client')


def cells(world, row, role, peers, options, behind):
    """(peer, what went wrong or None) of each, one after the other, since the log is read between them. behind(peer): the
    port of the plaintext service."""
    ports, backends = {p: free_port() for p in peers}, {p: free_port() for p in peers}
    pairs = [(f'tls://127.0.0.1:{ports[p]}', f'127.0.0.1:{behind(p)}') if role == 'server' else
             (f'tcp://127.0.0.1:{ports[p]}', f'tls://127.0.0.1:{backends[p]}') for p in peers]
    made, front, problem = {}, None, None
    try:
        front = harness.Front(world, pairs, options)
        for p in peers:
            made[p] = None
            try:
                if role == 'server':
                    harness.run_server_cell(world, row, p, front, ports[p])
                else:
                    harness.run_client_cell(world, row, p, front, ports[p], backends[p])
            except Failure as e:
                made[p] = str(e)
            except Exception:  # a cell that breaks is a cell that fails; the others still run
                made[p] = traceback.format_exc(limit=4)
        front.stop()
    except Failure as e:
        problem = f'the gateway: {e}'
    finally:
        if front is not None:
            front.started.stop()
    return [(p, problem or made.get(p)) for p in peers]


def options(world, row, role):
    return (harness.server_options if role == 'server' else harness.client_options)(world, row)


def run_row(table, world, behind, row):
    """Both roles of a row, one gateway each."""
    for role in ROLES:
        if world.stopping.is_set():
            return
        able = [p for p in table.peers if not p.lacks(role, row)]
        for p in table.peers:
            if p not in able:
                table.put(row, p, role, 'n.a.', f'{p.name}: {p.lacks(role, row)}')
        for p, problem in cells(world, row, role, able, options(world, row, role), behind) if able else []:
            table.put(row, p, role, 'FAIL' if problem else 'ok', problem or '')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--gateway', required=True)
    parser.add_argument('--build', default='build/interop', help='folder for what peers need')
    parser.add_argument('--all', action='store_true')
    parser.add_argument('--peer', action='append')
    parser.add_argument('--row', default='')
    parser.add_argument('--self-check', action='store_true', help='that cells find faults, instead of the table')
    parser.add_argument('--markdown', action='store_true', help='the short form, too, as docs/interop.md has it')
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

        def behind(peer):
            return (greeter if peer.greeted else echo).port
        if args.self_check:
            return tls_faults.self_check(world, peers, wanted, cells, options, behind)
        world.everything([functools.partial(run_row, table, world, behind, r) for r in wanted])
    except KeyboardInterrupt:
        sys.exit('interrupted')
    finally:
        left = world.close()
    table.show(wanted)
    table.explain()
    if args.markdown:
        def column(cell):
            return cell[1].name, f'TLS {max(cell[0].version, "1.1")}, {cell[2]}'.replace('1.1', '1.1 and 1.0')
        table.short('peer', [p.name for p in peers], [f'TLS {v}, {r}' for v in ('1.3', '1.2', '1.1 and 1.0') for r in ROLES], column)
    marks = table.marks()
    print('with ' + ', '.join(f'{p.name} {p.version()}' for p in peers))
    print(f'{marks.count("n.a.")} cells are explained above')
    failed = marks.count('FAIL') + ending.told(left)
    print(f'{marks.count("ok")} passed, {failed} failed')
    return 1 if failed or 'ok' not in marks else 0


if __name__ == '__main__':
    sys.exit(main())

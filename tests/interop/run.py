#!/usr/bin/env python3
"""The engine against everybody else's: run.py --gateway PROGRAM [--all] [--peer NAME] [--row WORDS]

Prints a table, a column for each peer and role (s: hauberk is the server, c: the client), and behind it the reasons
of what is not tried and of what failed. The last line counts the cells."""
import argparse
import concurrent.futures
import sys
import threading
import traceback

import harness
import nss
import programs
import tools
import trixie
from harness import Failure, World, free_port
from rows import rows

ROLES = ('server', 'client')


class Table:
    """Cells by (row, peer, role): 'ok', 'n.a.' or 'FAIL', with what there is to say of the latter two."""

    def __init__(self, peers):
        self.peers, self.cells, self.lock = peers, {}, threading.Lock()

    def put(self, row, peer, role, mark, why=''):
        with self.lock:
            self.cells[row, peer, role] = (mark, why)
            if mark == 'FAIL':
                print(f'FAIL {row.name}, {peer.name}, hauberk as {role}: {why}', flush=True)

    def show(self, all_rows):
        width = max(len(r.name) for r in all_rows)
        reasons = {}
        print(f'{"":{width}} ' + ' '.join(f'{p.name:^9.9}' for p in self.peers))
        print(f'{"hauberk as server, client":{width}} ' + ' '.join(f'{"s    c":^9}' for _ in self.peers))
        for row in all_rows:
            line = []
            for peer in self.peers:
                for role in ROLES:
                    mark, why = self.cells[row, peer, role]
                    if mark == 'n.a.':
                        number = reasons.setdefault(f'{peer.name}: {why}', len(reasons) + 1)
                        mark = f'({number})'
                    line.append(f'{mark:^4}')
            print(f'{row.name:{width}} ' + ' '.join(f'{a}{b} ' for a, b in zip(line[::2], line[1::2])))
        for text, number in reasons.items():
            print(f'({number}) n.a. with {text}')


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
                table.put(row, p, role, 'n.a.', p.lacks(role, row))
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
    world = World(args.gateway, args.gateway)
    table = Table(peers)
    try:
        echo, greeter = harness.Echo(), harness.Echo(b'at your service\n')
        world.build = harness.pathlib.Path(args.build).resolve()
        world.build.mkdir(parents=True, exist_ok=True)
        for p in peers:
            p.prepare(world)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda r: run_row(table, world, echo, greeter, r), wanted))
    finally:
        world.close()
    table.show(wanted)
    marks = [m for m, _ in table.cells.values()]
    print(f'{marks.count("n.a.")} cells are explained above')
    print(f'{marks.count("ok")} passed, {marks.count("FAIL")} failed')
    sys.exit(1 if 'FAIL' in marks else 0)


if __name__ == '__main__':
    main()

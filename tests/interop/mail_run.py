#!/usr/bin/env python3
"""The gateway between real clients and real servers: mail_run.py --gateway PROGRAM [--all] [--client NAME] [--server NAME]
[--proto NAME] [--self-check]

Prints a table for each protocol: a row for each client and for where its TLS begins, a column for each server, under it
the gateway's own leg to that server (p: plaintext, s: STARTTLS, t: TLS from the first byte). Behind it the reasons of what
is not tried, and the versions of everybody. The last line counts the cells."""
import argparse
import dataclasses
import functools
import sys
import traceback

import ending
import harness
import mail_address
import mail_cells
import mail_faults
import mail_lines
import mail_programs
import mail_same
import mail_servers
import mail_tools
import mail_trees
from harness import Failure
from mail_cells import EXTERNAL, FRONTS, LEGS, NAMES, PROTOCOLS, run_cell
from table import Table


@dataclasses.dataclass(frozen=True)
class Row:
    proto: str
    client: object
    front: str

    @property
    def name(self):
        return f'{self.client.name} ({self.front})'


def clients(tree):
    younger = [mail_lines.OpenSSL35(tree)] if tree else []
    return [mail_lines.OpenSSL(), *younger, mail_lines.GnuTLS(), *mail_tools.clients(), *mail_programs.clients()]


def left_out(row, leg, everything):
    """The short run takes each client to each server with STARTTLS on both legs, and on none; and once with a certificate.
    One client alone goes to each server's port of TLS from the first byte: what comes out there is not the client's doing."""
    if leg == 'implicit':
        return not everything and (row.client.name != mail_lines.OpenSSL.name or row.front == 'external')
    return not everything and (row.front == 'implicit') == (leg == 'starttls')


def try_cell(table, world, row, server, leg, everything):
    if world.stopping.is_set():
        return
    if row.client.broken and everything:  # with --all everybody must be there
        table.put(row, server, leg, 'FAIL', row.client.broken)
        return
    lacks = row.client.broken or row.client.lacks(row.proto, row.front, server.name, leg)
    cannot = (server.no_implicit if leg == 'implicit' and row.proto not in server.implicit else None) or (
        server.no_master if row.front == 'external' else None)
    why = f'{row.client.name}: {lacks}' if lacks else f'{server.name}: {cannot}' if cannot else ''
    if why or left_out(row, leg, everything):
        table.put(row, server, leg, 'n.a.' if why else '-', why)
        return
    try:
        run_cell(world, server, row.proto, row.client, row.front, leg)
        table.put(row, server, leg, 'ok')
    except Failure as e:
        table.put(row, server, leg, 'FAIL', str(e))
    except Exception as e:  # a cell that breaks is a cell that fails; the others still run
        where = traceback.extract_tb(e.__traceback__)[-1]
        table.put(row, server, leg, 'FAIL', f'{e!r} at {where.filename}:{where.lineno}')


def run_server(table, world, rows, server, everything):
    """All cells of one server, one after the other: the log is read between them, and joe has one mailbox."""
    mine = [r for r in rows if r.proto in server.ports]
    if server.broken:
        for row in mine:
            for leg in LEGS:
                table.put(row, server, leg, 'FAIL' if everything else 'n.a.', f'{server.name}: {server.broken}')
        return
    for row in mine:
        for leg in LEGS:
            try_cell(table, world, row, server, leg, everything)
    for leg, gateway in server.gateways.items():
        try:
            gateway.stop()
        except Failure as e:
            table.put(mine[0], server, leg, 'FAIL', f'the gateway: {e}')


def show(table, rows, servers):
    for proto in PROTOCOLS:
        mine = [r for r in rows if r.proto == proto]
        columns = [s for s in servers if proto in s.ports]
        if mine and columns:
            print()
            table.title = NAMES[proto]
            table.show(mine, columns)
    print()
    table.explain()


def self_check(world, rows, servers):
    """mail_faults.py, one server for each protocol; how many cells were not red."""
    mail_faults.stranger(world)
    found, wrong, jobs, taken = [], [], [], set()
    for s in (s for s in servers if not s.broken):
        jobs.append(functools.partial(mail_faults.try_faults, world, [r for r in rows if r.proto in set(s.ports) - taken], s, found, wrong))
        taken |= set(s.ports)
    world.everything(jobs)
    world.everything([functools.partial(mail_address.try_faults, world, s, found, wrong) for s in servers if s.hears and not s.broken])
    mail_same.try_faults(world, [s for s in servers if not s.broken], found, wrong)
    for fault in (*mail_faults.FAULTS, 'address', 'same'):
        print(f'{fault}: {sum(n.startswith(fault + ":") for n in found)} cells are red, {sum(n.startswith(fault + ":") for n in wrong)} are not')
    print(f'{len(found)} passed, {len(wrong)} failed')
    return len(wrong) + (not found)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--gateway', required=True)
    parser.add_argument('--build', default='build/interop', help='folder for what clients need')
    parser.add_argument('--all', action='store_true')
    parser.add_argument('--client', action='append')
    parser.add_argument('--server', action='append')
    parser.add_argument('--proto', action='append')
    parser.add_argument('--markdown', action='store_true', help='the short form, too, as docs/interop.md has it')
    parser.add_argument('--trixie', help='a tree of Debian 13, for a younger client')
    parser.add_argument('--self-check', action='store_true', help='that each cell finds faults, instead of the table')
    args = parser.parse_args()
    world = ending.Run(args.gateway)
    world.build = harness.pathlib.Path(args.build).resolve()
    world.build.mkdir(parents=True, exist_ok=True)
    servers = [*mail_servers.servers(), mail_trees.Exim(), mail_trees.Cyrus(), mail_trees.Courier()]
    used = [c for c in clients(args.trixie) if not args.client or c.name in args.client]
    rows = [Row(p, c, f) for p in args.proto or PROTOCOLS for c in used if p in c.protocols for f in FRONTS if f != 'external' or p in EXTERNAL]
    try:
        mail_cells.credentials(world)
        for s in servers:
            s.begin(world)
        servers = [s for s in servers if not args.server or s.name in args.server]
        for c in used:
            c.broken = c.prepare(world)
        if args.self_check:
            return self_check(world, rows, servers)
        for s in servers:
            if not s.broken:
                s.front(world)
        table = Table(servers, LEGS, 'p   s   t', '', 'leg to the server:')
        addresses = Table([s for s in servers if s.hears], mail_address.LEGS, 'p   s', "the client's address", 'leg to the server:')
        same, same_rows = Table(servers, LEGS, 'p   s   t', 'as with no gateway', 'leg to the server:'), mail_same.rows({p for s in servers for p in s.ports})
        told_rows = mail_address.rows({p for s in addresses.peers for p in s.ports})
        table.progress = args.all and len(LEGS) * sum(r.proto in s.ports for r in rows for s in servers)
        world.everything([functools.partial(run_server, table, world, rows, s, args.all) for s in servers])
        if not args.client:
            world.everything([functools.partial(mail_address.run_server, addresses, world, told_rows, s, args.all) for s in addresses.peers])
            world.everything([functools.partial(mail_same.run_server, same, world, same_rows, s, args.all) for s in servers])
        versions = [f'{x.name} {x.version()}' for x in [*servers, *used] if not x.broken]
    except KeyboardInterrupt:
        sys.exit('interrupted')
    finally:
        left = world.close()
    show(table, rows, servers)
    for other, its_rows in ((addresses, told_rows), (same, same_rows)):
        if other.cells:
            print()
            other.show(its_rows)
            other.explain()
    if args.markdown:
        legs = [f'{front}, {leg}' for front in FRONTS for leg in LEGS]
        names = [NAMES[p] for p in PROTOCOLS]
        table.short('client', [c.name for c in used], names, lambda c: (c[0].client.name, NAMES[c[0].proto]))
        table.short('server', [s.name for s in servers], names, lambda c: (c[1].name, NAMES[c[0].proto]))
        table.short('server', [s.name for s in servers], legs, lambda c: (c[1].name, f'{c[0].front}, {c[2]}'))
    marks = table.marks() + addresses.marks() + same.marks()
    print('with ' + ', '.join(versions))
    print(f'{marks.count("n.a.")} cells are explained above' + (f', {marks.count("-")} are left to --all' if '-' in marks else ''))
    failed = marks.count('FAIL') + ending.told(left)
    print(f'{marks.count("ok")} passed, {failed} failed')
    return 1 if failed or 'ok' not in marks else 0


if __name__ == '__main__':
    sys.exit(main())

"""The client's address at real servers: a balancer tells it to the gateway in a PROXY header, the gateway tells it to the
server in one of its ways, both legs behind STARTTLS or the server's in clear; and what counts is the server's own log.

A cell is one of the mail matrix (a message goes through, mail_cells.py) whose client stands behind that balancer: once
with an address of IPv4, once of IPv6. Requirements ADDR-01, 02, 04, 10, 13, 20."""
import dataclasses
import itertools
import re
import time

from harness import Failure, check
from mail_cells import NAMES, PROTOCOLS, run_cell, told
from mail_lines import Terminal
from support import Gateway, upgrade

WAYS = {'proxy-v1': 'PROXY v1', 'proxy-v2': 'PROXY v2', 'command': 'XCLIENT or ID'}
LEGS = ('plain', 'starttls')
SPEAKS = {'command': {'imap', 'pop3', 'smtp', 'submission', 'lmtp'}}  # elsewhere hauberk has no such command
SERIAL = itertools.count(1)


class Balanced(Terminal):
    """A terminal behind a balancer that speaks for `address`."""
    name = 'behind a balancer'

    def __init__(self, address):
        self.address = address
        self.header = (f'PROXY TCP6 {address} 2001:db8::7:7 4711 143\r\n' if ':' in address else
                       f'PROXY TCP4 {address} 198.51.100.7 4711 143\r\n').encode()

    def run(self, cell, talk):
        c = upgrade(cell.world, cell.port, cell.proto, first=self.header)

        def say(text, want):
            c.send(text + '\r\n' if isinstance(text, str) else text)
            got = b''
            while True:
                line = c.line().encode('latin-1') + b'\r\n'
                got += line
                if re.match(want, line):
                    return got
                check(not re.match(rb'(a\d (NO|BAD)|-ERR|NO|[45]\d\d[ -])', line) or len(got) > len(line), f'behind {text!r:.60}: {line!r}')
        try:
            talk(cell, say)
        finally:
            c.close()


@dataclasses.dataclass(frozen=True)
class Row:
    way: str
    proto: str

    @property
    def name(self):
        return f'{WAYS[self.way]}, {NAMES[self.proto]}'


def rows(protocols):
    return [Row(w, p) for w in WAYS for p in PROTOCOLS if p in protocols and p in SPEAKS.get(w, PROTOCOLS)]


def front(world, server, way, tell=None):
    """The server's gateways, one for each leg. tell: what they say in place of `way`, as a fault."""
    ports = {p: port for p, port in (server.ports if way == 'command' else server.proxied).items() if p in SPEAKS.get(way, PROTOCOLS)}
    options = ('--accept-proxy', '127.0.0.1', '--client-address', tell or way)
    trust = ('--backend-name', 'mail.test', '--backend-ca', world.certs / 'ca.crt')
    server.gateways = {'plain': Gateway(world, list(ports.items()), *options),
                       'starttls': Gateway(world, [(p, f'{p}+starttls://127.0.0.1:{n}') for p, n in ports.items()], *trust, *options)}


def in_log(server, want, seconds):
    end = time.monotonic() + seconds
    while not re.search(want, text := server.log.read_text(errors='replace')):
        if time.monotonic() > end:
            raise Failure(f'{want!r} is not in the log: {text[-600:]}')
        time.sleep(0.05)


def run_address(world, server, row, leg, seconds=10):
    """Both families of addresses; each but once in a run."""
    for family in ('192.0.2.{}', '2001:db8::{:x}'):
        address = family.format(next(SERIAL))
        gateway = server.gateway('starttls', leg)
        before = len([e for e in gateway.events('session.end') if e['bytes_in'] > 0])
        run_cell(world, server, row.proto, Balanced(address), 'starttls', leg)
        ours = told(gateway, before)[0]['peer']
        check(ours in (f'{address}:4711', f'[{address}]:4711'), f'our own log says {ours}')
        in_log(server, server.names(row.proto, re.escape(address)), seconds)


def run_server(table, world, all_rows, server, everything):
    for way in WAYS:
        for row in (r for r in all_rows if r.way == way and r.proto not in server.ports):
            for leg in LEGS:
                table.put(row, server, leg, '')
        mine = [r for r in all_rows if r.way == way and r.proto in server.ports]
        possible = [r for r in mine if not server.broken and not server.no_address(r.way, r.proto)]
        if possible:
            front(world, server, way)
        for row, leg in ((r, x) for r in mine for x in LEGS):
            if world.stopping.is_set():
                return
            if row not in possible:
                why = server.broken or server.no_address(row.way, row.proto)
                table.put(row, server, leg, 'FAIL' if server.broken and everything else 'n.a.', f'{server.name}: {why}')
            elif leg == 'plain' and not everything:
                table.put(row, server, leg, '-')
            else:
                try:
                    run_address(world, server, row, leg)
                    table.put(row, server, leg, 'ok')
                except (Failure, OSError) as e:
                    table.put(row, server, leg, 'FAIL', f'{e}')
        for gateway in server.gateways.values() if possible else ():
            gateway.stop()


def try_faults(world, server, found, wrong):
    """Each protocol of the server, with a gateway that keeps the address to itself: all must be red."""
    for way in WAYS:
        mine = [r for r in rows(server.ports) if r.way == way and not server.no_address(way, r.proto)]
        if not mine:
            continue
        front(world, server, way, 'off')
        for row in mine:
            name = f'address: {row.name}, {server.name} (starttls)'
            try:
                run_address(world, server, row, 'starttls', 2)
                wrong.append(name)
                print(f'FAIL {name}: green', flush=True)
            except (Failure, OSError) as e:
                found.append(name)
                print(f'red: {name}: {f"{e!r}"[:150]}', flush=True)
        for gateway in server.gateways.values():
            gateway.stop()

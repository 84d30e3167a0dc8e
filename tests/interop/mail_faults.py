"""Faults on purpose: what each cell of the mail matrix must find out. mail_run.py --self-check puts every client before a
gateway with each fault, with one server for each protocol; a cell that is green then proves nothing.

name, issuer   the gateway's certificate is another host's, is from nobody the client trusts
upstream       the server's certificate is not what the gateway was told to expect
clear          the gateway's leg to the server is in clear where the cell says STARTTLS
line           the last line of a text is lost (in scripts and IMAP's literals, which are counted: is changed)
none           there is no fault: what is not tried otherwise is tried, and must not succeed"""
import socket

from harness import check
from mail_cells import LEGS, run_cell
from support import run, splice

LINE, SCRIPT = b'the end\r\n', b'fileinto "INBOX"'
LOST = {'imap': (LINE, LINE.replace(b'end', b'eng')), 'sieve': (SCRIPT, SCRIPT.replace(b'INBOX', b'OTHER'))}


def stranger(world):
    """A certificate of the right name that nobody has signed."""
    path = world.certs / 'stranger'
    code, _, err = run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj',
                        '/CN=mail.test', '-addext', 'subjectAltName=DNS:mail.test,DNS:localhost,IP:127.0.0.1', '-keyout', f'{path}.key',
                        '-out', f'{path}.crt'])
    check(code == 0, f'openssl req: {err!r}')
    return path.name


def spoil(source, to, old, new):
    """Copies until the end; a piece of `old` that may go on in the next read is kept back."""
    kept = b''
    try:
        while data := source.recv(65536):
            data = (kept + data).replace(old, new)
            held = next((n for n in range(len(old) - 1, 0, -1) if data.endswith(old[:n])), 0)
            data, kept = data[:len(data) - held], data[len(data) - held:]
            to.sendall(data)
        to.sendall(kept)
        to.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def spoiled(port, proto):
    """The port of a proxy that loses what it shall in both directions."""
    listening = socket.create_server(('127.0.0.1', 0))
    old, new = LOST.get(proto, (LINE, b''))
    splice(listening, port, lambda a, b: spoil(a, b, old, new))
    return listening.getsockname()[1]


def front(world, server, fault):
    """The gateways of a server with a fault; the legs they are to be tried on."""
    if fault in ('name', 'issuer'):
        server.front(world, certs=('other' if fault == 'name' else 'stranger',))
        return LEGS[1:2]
    if fault == 'upstream':
        server.front(world, expects='other.test')
    elif fault == 'none':
        server.front(world)
        return LEGS
    elif fault == 'line':
        ports = {p: server.plain_ports.get(p, server.ports[p]) for p in server.ports}
        server.front(world, plain={p: spoiled(port, p) for p, port in ports.items()})
        return LEGS[:1]
    else:
        server.front(world)
        server.gateways['plain'], server.gateways['starttls'] = server.gateways['starttls'], server.gateways['plain']
        server.gateways['implicit'].stop()
        server.gateways['implicit'] = server.gateways['starttls']
    return LEGS[1:]


FAULTS = ('name', 'issuer', 'upstream', 'clear', 'line', 'none')


def try_faults(world, rows, server, found, wrong):
    """Every fault with every client of the server; adds cells to found, and what was not found out to wrong."""
    for fault in FAULTS:
        for leg in front(world, server, fault):
            for row in rows:
                if row.front == 'external' and (server.no_master or fault != 'none'):
                    continue  # its cells differ in the login alone
                if leg == 'implicit' and row.proto not in server.implicit:
                    continue
                if world.stopping.is_set():
                    return
                lacks = row.client.lacks(row.proto, row.front, server.name, leg)
                if row.client.broken or (lacks is None) == (fault == 'none') or fault in row.client.blind:
                    continue
                name = f'{fault}: {row.name}, {row.proto}, {server.name} ({leg})'
                try:
                    run_cell(world, server, row.proto, row.client, row.front, leg)
                    wrong.append(name)
                    print(f'FAIL {name}: green', flush=True)
                except Exception as e:  # red in whichever way
                    found.append(name)
                    print(f'red: {name}: {f"{e!r}"[:150]}', flush=True)
        for gateway in set(server.gateways.values()):
            gateway.stop()

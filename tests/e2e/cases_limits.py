"""Lists and limits: who is refused hears it where the protocol can say so, costs nothing, and nobody else notices."""
import socket
import ssl
import time

from cases_policy import listeners, login_imap, with_server
from support import Gateway, Line, check, equal, upgrade, wait_port

NOBODY = ('--limit-exempt', '192.0.2.0/24')  # loopback counts, too


def refusals(g):
    return [(e['code'], e['peer'].rsplit(':', 1)[0]) for e in g.events('client.refused')]


@with_server
def connections_per_address(w, server):
    with Gateway(w, listeners(server, 'imap', 'pop3', 'smtp', 'imaps'), *NOBODY, '--connections-per-address', '3') as g:
        time.sleep(0.2)  # the probes of wait_port are gone
        held = [upgrade(w, g.port('imap'), 'imap') for _ in range(3)]
        for scheme, want in (('imap', b'* BYE [UNAVAILABLE] Backend not available\r\n'),
                             ('pop3', b'-ERR [SYS/TEMP] Backend not available\r\n'),
                             ('smtp', b'421 4.3.2 mail.test Service not available, closing transmission channel\r\n'), ('imaps', b'')):
            c = Line(g.port(scheme))
            equal(c.rest(), want, f'{scheme}: one too many')
            c.close()
        login_imap(held[0])
        held.pop().close()
        time.sleep(0.2)
        again = upgrade(w, g.port('imap'), 'imap')
        login_imap(again)
        again.close()
        equal(refusals(g), [('GW_LIMIT_ADDRESS', '127.0.0.1')], 'told once a minute')
        for c in held:
            c.close()
    with Gateway(w, listeners(server, 'imap'), '--connections-per-address', '1') as g:
        held = [upgrade(w, g.port('imap'), 'imap') for _ in range(3)]  # loopback is exempt unless somebody says otherwise
        for c in held:
            c.close()


@with_server
def announced_addresses_count(w, server):
    """Behind a balancer the client's own address counts."""
    with Gateway(w, listeners(server, 'imap'), *NOBODY, '--connections-per-address', '1', '--accept-proxy', '127.0.0.1',
                 wait=False) as g:
        wait_port(g.port('imap'), g.process)

        def visit(addr):
            c = Line(g.port('imap'))
            c.send(f'PROXY TCP4 {addr} 198.51.100.7 4711 143\r\n')
            return c, c.line()

        first, said = visit('203.0.113.1')
        check(said.startswith('* OK'), said)
        other, said = visit('203.0.113.2')
        check(said.startswith('* OK'), said)
        again, said = visit('203.0.113.1')
        equal(said, '* BYE [UNAVAILABLE] Backend not available', 'the second of that address')
        for c in (first, other, again):
            c.close()


@with_server
def allow_and_deny(w, server):
    def visit(g, source):
        s = socket.create_connection(('127.0.0.1', g.port('imap')), 5, (source, 0))
        try:
            return s.recv(100)[:4]
        except ConnectionResetError:
            return b''
        finally:
            s.close()

    rows = [(('--deny', '127.0.0.2'), {'127.0.0.1': b'* OK', '127.0.0.2': b''}),
            (('--allow', '127.0.0.0/30'), {'127.0.0.3': b'* OK', '127.0.0.4': b''}),
            (('--allow', '127.0.0.0/8', '--deny', '127.0.0.9'), {'127.0.0.8': b'* OK', '127.0.0.9': b''})]
    for options, visits in rows:
        with Gateway(w, listeners(server, 'imap'), *options) as g:
            for source, want in visits.items():
                equal(visit(g, source), want, f'{options}: {source}')
            time.sleep(0.1)
            equal([code for code, _ in refusals(g)], ['GW_DENIED'], f'{options}: log')


@with_server
def handshakes_a_second(w, server):
    """Ten seconds' worth at once, and then no handshake is begun; who is in stays in."""
    with Gateway(w, listeners(server, 'imaps'), *NOBODY, '--handshakes-per-network', '1') as g:
        inside = Line(g.port('imaps'))
        inside.start_tls(w.client_context())
        inside.line()
        good = 0
        for _ in range(16):
            c = Line(g.port('imaps'))
            try:
                c.start_tls(w.client_context())
                good += 1
            except (ssl.SSLError, OSError):
                pass
            c.close()
        check(good < 12, f'{good} of 16 were let in')
        check(('GW_LIMIT_RATE', '127.0.0.1') in refusals(g), f'{refusals(g)}')
        inside.send('a NOOP\r\n')
        inside.until('a ')
        inside.close()


CASES = [connections_per_address, announced_addresses_count, allow_and_deny, handshakes_a_second]

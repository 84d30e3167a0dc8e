"""Bad input and bad backends: the client gets the matrix's answer or a clean close, the log one line that says why,
and a session that was there before goes on."""
import signal
import socket
import time

from cases_policy import listeners, login_imap, with_server
from mailserver import MailServer
from support import Failure, Gateway, Line, check, equal, free_port, upgrade, wait_port


class Witness:
    """A session that must not notice anything."""

    def __init__(self, w, g):
        self.c, self.n = upgrade(w, g.port('imap'), 'imap'), 0
        login_imap(self.c)

    def alive(self):
        self.n += 1
        self.c.send(f'w{self.n} NOOP\r\n')
        self.c.expect(f'w{self.n} OK done')

    def close(self):
        self.c.send('z LOGOUT\r\n')
        self.c.until('z ')
        self.c.close()


@with_server
def injection(w, server):
    """GEN-03, ATK-31: OK, then an alert record, then the end; the injected command is never answered, never at the backend."""
    rows = [('imap', b'a STARTTLS\r\nb NOOP\r\n', b'a OK Begin TLS negotiation now\r\n'),
            ('pop3', b'STLS\r\nCAPA\r\n', b'+OK Begin TLS negotiation\r\n'),
            ('smtp', b'EHLO c\r\nSTARTTLS\r\nNOOP\r\n', b'250-mail.test\r\n250 STARTTLS\r\n220 2.0.0 Ready to start TLS\r\n'),
            ('lmtp', b'LHLO c\r\nSTARTTLS\r\nNOOP\r\n',
             b'250-mail.test\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250 STARTTLS\r\n220 2.0.0 Ready to start TLS\r\n'),
            ('sieve', b'STARTTLS\r\nNOOP\r\n', b'OK "Begin TLS negotiation now"\r\n'),
            ('nntp', b'STARTTLS\r\nNOOP\r\n', b'382 Continue with TLS negotiation\r\n'),
            ('acap', b'a STARTTLS\r\nb NOOP\r\n', b'a OK "Begin TLS negotiation now"\r\n')]
    with Gateway(w, listeners(server, *(r[0] for r in rows))) as g:
        witness = Witness(w, g)
        for scheme, sent, answer in rows:
            c = Line(g.port(scheme))
            c.until('OK' if scheme == 'sieve' else '')
            c.send(sent)
            got = c.rest()
            equal(got[:len(answer)], answer, f'{scheme}: answer')
            alert = got[len(answer):]
            check(len(alert) == 7 and alert[:2] == b'\x15\x03' and alert[3:] == b'\x00\x02\x02\x0a', f'{scheme}: alert {alert!r}')
            c.close()
            witness.alive()
        codes = [e['code'] for e in g.events('session.end')]
        equal(codes.count('PROTO_INJECTION'), len(rows), f'injections in the log {codes}')
        equal(len(g.events('starttls.injection')), len(rows), 'events')
        for scheme in ('smtp', 'pop3', 'sieve', 'nntp', 'acap'):
            check(b'NOOP' not in server.received[scheme], f'{scheme}: at the backend')
        witness.close()


@with_server
def not_tls(w, server):
    """Garbage where a ClientHello belongs, on both kinds of port."""
    with Gateway(w, listeners(server, 'imap', 'imaps')) as g:
        witness = Witness(w, g)
        for scheme in ('imap', 'imaps'):
            for garbage in (b'GET / HTTP/1.1\r\n\r\n', b'\x80\x2e\x01\x00\x02', b'\x00' * 600, b'\x16\x03\x01\xff\xff'):
                c = Line(g.port(scheme))
                if scheme == 'imap':
                    c.line()
                    c.send('a STARTTLS\r\n')
                    c.line()
                c.send(garbage)
                got = c.rest()
                check(len(got) == 7 and got[0] == 0x15, f'{scheme} {garbage[:8]}: {got!r}')
                c.close()
        witness.alive()
        witness.close()


@with_server
def strange_lines(w, server):
    rows = [(b'a LOGIN ' + b'x' * (10 << 20) + b'\r\n', b'a BAD Command line too long\r\n'),
            (b'a NO\0OP\r\n', b'* BYE Invalid character in command\r\n'), (b'a NOOP\nb NOOP\r\n', b'* BYE Invalid character in command\r\n')]
    with Gateway(w, listeners(server, 'imap')) as g:
        witness = Witness(w, g)
        for sent, want in rows:
            c = Line(g.port('imap'))
            c.line()
            try:
                c.send(sent)
            except OSError:
                pass  # it closed while we were talking
            equal(c.rest()[:len(want)], want, f'{sent[:20]!r}')
            c.close()
        c = Line(g.port('imap'))
        c.line()
        for byte in b'a STARTTLS\r\n':
            c.send(bytes([byte]))
        c.expect('a OK Begin TLS negotiation now')
        c.close()
        witness.alive()
        witness.close()


@with_server
def client_vanishes(w, server):
    """At each stage: after the greeting, in half a line, in half a handshake, logged in, in the middle of a message."""
    with Gateway(w, listeners(server, 'imap', 'smtp')) as g:
        witness = Witness(w, g)

        def reset(c):
            c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
            c.sock.close()

        for stage in range(5):
            c = Line(g.port('smtp' if stage == 4 else 'imap'))
            c.line()
            if stage == 1:
                c.send('a NO')
            if stage == 2:
                c.send('a STARTTLS\r\n')
                c.line()
                c.send(b'\x16\x03\x01\x02\x00\x01\x00\x01')
            if stage >= 3:
                c.close()
                c = upgrade(w, g.port('smtp' if stage == 4 else 'imap'), 'smtp' if stage == 4 else 'imap')
            if stage == 3:
                login_imap(c)
            if stage == 4:
                c.send('EHLO c\r\n')
                c.until('250 ')
                for command in ('MAIL FROM:<a@b>', 'RCPT TO:<c@d>', 'DATA'):
                    c.send(command + '\r\n')
                    c.line()
                c.send('half a mess')
                time.sleep(0.3)
            reset(c)
        time.sleep(0.3)
        witness.alive()
        equal(len(server.mailbox), 3, 'messages: the half one was never ended for the backend (GEN-20)')
        codes = {e['code'] for e in g.events('session.end')}
        check(codes <= {'GW_CLIENT_RESET', 'GW_CLIENT_GONE', 'TLS_TRUNCATED', 'OK'}, f'codes {codes}')
        witness.close()


@with_server
def client_that_never_reads(w, server):
    server.mailbox.append(b'x' * (64 << 20))
    with Gateway(w, listeners(server, 'imap')) as g:
        witness = Witness(w, g)
        before = memory(g.children()[0])
        c = upgrade(w, g.port('imap'), 'imap')
        login_imap(c)
        c.send('b SELECT INBOX\r\n')
        c.until('b ')
        c.send('c FETCH 4 BODY[]\r\n')
        time.sleep(1.0)
        for _ in range(5):
            witness.alive()
        grown = memory(g.children()[0]) - before
        check(grown < 24 << 10, f'the gateway grew by {grown} KiB for a client that does not read 64 MiB')
        c.close()
        witness.close()


def memory(pid):
    """Private memory in KiB."""
    with open(f'/proc/{pid}/smaps_rollup', encoding='ascii') as f:
        return sum(int(line.split()[1]) for line in f if line.startswith('Private'))


def backend_down(w):
    rows = [('imap', '* BYE [UNAVAILABLE] Backend not available'), ('pop3', '-ERR [SYS/TEMP] Backend not available'),
            ('smtp', '421 4.3.2 mail.test Service not available, closing transmission channel'),
            ('lmtp', '421 4.3.2 mail.test Service not available, closing transmission channel'),
            ('sieve', 'BYE (TRYLATER) "Backend not available"'), ('nntp', '400 Backend not available'),
            ('acap', '* BYE (TRYLATER) "Backend not available"')]
    for mode in ('required', 'optional'):
        with Gateway(w, [(s, free_port()) for s, _ in rows], '--tls', mode, wait=False) as g:
            time.sleep(0.3 if 'asan' not in str(w.gateway_program) else 1.0)
            for n, (scheme, want) in enumerate(rows, 1):
                if mode == 'required' and scheme in ('sieve', 'acap'):  # nobody greets again
                    c = Line(g.port(scheme))
                    c.until('OK' if scheme == 'sieve' else '')
                    c.send('STARTTLS\r\n' if scheme == 'sieve' else 's STARTTLS\r\n')
                    c.line()
                    c.start_tls(w.client_context())
                elif mode == 'required':
                    c = upgrade(w, g.port(scheme), scheme)
                else:
                    c = Line(g.port(scheme))
                c.expect(want)
                equal(c.rest(), b'', f'{scheme}: behind it')
                c.close()
                time.sleep(0.1)
                equal([e['code'] for e in g.events('session.end')][-1], 'GW_BACKEND_REFUSED', 'the log')
                equal(len(g.events('backend.unreachable')), n, 'events')


def backend_faults(w):
    """A backend that answers nonsense, closes at each step, or dies under a session."""
    rows = [({'greet': b'\x00\xff\xfe garbage\r\n'}, 'PROTO_BACKEND_GREETING'), ({'greet': b'220 wrong protocol\r\n'}, 'PROTO_BACKEND_GREETING'),
            ({'greet': b'* BYE overloaded\r\n'}, 'PROTO_BACKEND_REFUSED'), ({'greet': b''}, None), ({'close_at': 'NOOP'}, 'PROTO_BACKEND_LOST')]
    for faults, want in rows:
        server = MailServer(faults)
        with Gateway(w, listeners(server, 'imap')) as g:
            c = upgrade(w, g.port('imap'), 'imap')
            c.send('a NOOP\r\n')
            if want is not None:
                c.expect('* BYE [UNAVAILABLE] Backend not available')
                c.rest()
                equal(g.session()['code'], want, f'{faults}')
            c.close()
        server.stop()


@with_server
def backend_dies_under_sessions(w, server):
    with Gateway(w, listeners(server, 'imap', 'smtp')) as g:
        c = upgrade(w, g.port('imap'), 'imap')
        login_imap(c)
        d = upgrade(w, g.port('smtp'), 'smtp')
        d.send('EHLO c\r\n')
        d.until('250 ')
        server.drop_all()
        d.expect('421 4.3.2 mail.test Service not available, closing transmission channel')
        equal(d.rest(), b'', 'SMTP, behind it')
        equal(c.rest(), b'', 'IMAP in relay')
        g.session(2)
        codes = sorted(e['code'] for e in g.events('session.end') if e['bytes_in'] > 0)
        check(set(codes) <= {'GW_BACKEND_CLOSED', 'GW_BACKEND_RESET', 'PROTO_BACKEND_LOST', 'PROTO_QUIT'}, f'{codes}')
        Witness(w, g).close()  # the listener itself is fine


@with_server
def drain(w, server):
    """SIGTERM: nobody new, everybody is told goodbye in its protocol's words (R13), exit 0."""
    g = Gateway(w, listeners(server, 'imap', 'pop3', 'smtp', 'sieve', 'acap'))
    clear = Line(g.port('imap'))
    clear.line()
    imap = upgrade(w, g.port('imap'), 'imap')
    login_imap(imap)
    smtp = upgrade(w, g.port('smtp'), 'smtp')
    smtp.send('EHLO c\r\n')
    smtp.until('250 ')
    acap = upgrade(w, g.port('acap'), 'acap')
    sieve = upgrade(w, g.port('sieve'), 'sieve')
    pop3 = upgrade(w, g.port('pop3'), 'pop3')
    pop3.send('CAPA\r\n')
    pop3.until('.')
    g.process.send_signal(signal.SIGTERM)
    clear.expect('* BYE Server shutting down')
    imap.expect('* BYE Server shutting down')
    smtp.expect('421 4.3.2 mail.test Service shutting down and closing transmission channel')
    acap.expect('* BYE "Server shutting down"')
    sieve.expect('BYE (TRYLATER) "Server shutting down"')
    pop3.send('CAPA\r\n')
    pop3.expect('-ERR [SYS/TEMP] Server shutting down')
    for c in (clear, imap, smtp, sieve, acap, pop3):
        equal(c.rest(), b'', 'behind the goodbye')
        c.close()
    try:
        Line(g.port('imap')).line()
        raise Failure('a new session was served while draining')
    except (OSError, Failure) as e:
        check('was served' not in str(e), str(e))
    equal(g.process.wait(20), 0, 'exit code')
    g.stop()


@with_server
def second_signal_ends_at_once(w, server):
    g = Gateway(w, listeners(server, 'pop3'))
    c = upgrade(w, g.port('pop3'), 'pop3')
    c.send('CAPA\r\n')
    c.until('.')
    g.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    check(g.process.poll() is None, 'it waits for a POP3 client to be told')
    g.process.send_signal(signal.SIGTERM)
    equal(g.process.wait(10), 0, 'exit code')
    c.close()
    g.stop()


@with_server
def truncation_is_passed_on_as_an_abort(w, server):
    """ATK-43: TCP's end without close_notify is not an end."""
    with Gateway(w, listeners(server, 'imap')) as g:
        c = upgrade(w, g.port('imap'), 'imap')
        login_imap(c)
        raw = socket.socket(fileno=c.sock.detach())
        raw.shutdown(socket.SHUT_WR)
        end = g.session()
        equal(end['code'], 'TLS_TRUNCATED', 'the log')
        raw.close()


@with_server
def many_half_handshakes(w, server):
    """Slow clients hold their own place and nothing else."""
    with Gateway(w, listeners(server, 'imap', 'imaps')) as g:
        witness = Witness(w, g)
        slow = [socket.create_connection(('127.0.0.1', g.port('imaps'))) for _ in range(300)]
        for s in slow:
            s.sendall(b'\x16\x03\x01\x01\x00\x01')
        for _ in range(5):
            witness.alive()
        Witness(w, g).close()
        for s in slow:
            s.close()
        witness.close()


@with_server
def slow_clients(w, server):
    """SEC-10: nothing, half a line, half a ClientHello, which a byte now and then makes no longer: each ends by its own
    deadline; a session beside them goes on. (One that never reads: client_that_never_reads.)"""
    port, path = free_port(), w.folder / 'slow.conf'
    path.write_text(f'log = "json"\ntimeouts {{ handshake = 5 }}\ncertificate c {{ chain = "{w.certs}/ecdsa-p256.crt" key = "{w.certs}/ecdsa-p256.key" }}\n'
                    f'listener l {{ listen = "imap://127.0.0.1:{port}" backend = "127.0.0.1:{server.port["imap"]}" host = "mail.test" '
                    f'preauth-timeout = "10" }}\n')
    with Gateway(w, [], '--config', path, certs=(), wait=False) as g:
        g.ports['imap'] = port
        wait_port(port, g.process)
        witness = Witness(w, g)
        clients = []
        for begin in ('', 'a CAPAB', 'a STARTTLS\r\n'):
            c = Line(port, 60)
            c.line()
            c.send(begin)
            clients.append(c)
        hello = b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc'
        check(clients[2].line().startswith('a OK'), 'go-ahead')
        clients[2].send(hello)
        gone = time.monotonic() + 60
        while time.monotonic() < gone and len([e for e in g.events('session.end') if e['code'] != 'GW_CLIENT_GONE']) < 3:
            try:  # more of a hello that never ends
                clients[2].send(b'\0')
            except OSError:
                pass
            witness.alive()
            time.sleep(0.5)
        ends = sorted(e['code'] for e in g.events('session.end') if e['code'] != 'GW_CLIENT_GONE')
        equal(ends, ['GW_HANDSHAKE_TIMEOUT', 'GW_IDLE', 'GW_IDLE'], 'how they ended')
        check(all(b'BYE' in c.rest() for c in clients[:2]), 'who said nothing was told goodbye')
        witness.close()


def idle_memory(w):
    """What an idle session costs in user space, with the release build."""
    server = MailServer()
    number = 400
    with Gateway(w, listeners(server, 'imap'), program=w.release_program) as g:
        upgrade(w, g.port('imap'), 'imap').close()
        time.sleep(0.3)
        before = memory(g.children()[0])
        clients = [upgrade(w, g.port('imap'), 'imap') for _ in range(number)]
        for c in clients:
            login_imap(c)
        time.sleep(0.3)
        each = (memory(g.children()[0]) - before) / number
        print(f'     idle session: {each:.2f} KiB of user-space memory, both legs, TLS 1.3, {number} sessions')
        check(each <= 2, f'{each:.2f} KiB for an idle session')
        for c in clients:
            c.close()
    server.stop()


CASES = [injection, not_tls, strange_lines, client_vanishes, client_that_never_reads, backend_down, backend_faults,
         backend_dies_under_sessions, drain, second_signal_ends_at_once, truncation_is_passed_on_as_an_abort,
         many_half_handshakes, slow_clients, idle_memory]

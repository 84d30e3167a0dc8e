"""Attacks on STARTTLS over sockets, cut at each byte, the two parts sent apart: one outcome, its event, its counter.

tests/attack plays every attack at every cut without sockets; here the program itself is asked, for those where it matters
which bytes come with which read (SEC-01, SEC-09, ATK-01 to ATK-07), and what reached the backend is compared byte by byte."""
import socket
import ssl
import threading
import time

from cases_policy import listeners
from cases_sight import get, parse
from cases_upstream import IN_CLEAR, server_context, trust, wait_log
from mailserver import MailServer, apart
from support import Dovecot, Failure, Gateway, Line, check, equal, free_port, upgrade, wait_port

# what comes before STARTTLS, STARTTLS, its answers up to the go-ahead, a command that must never be seen
CLIENTS = {
    'imap': (b'', b's STARTTLS\r\n', b's OK Begin TLS negotiation now\r\n', b'n XBEHIND\r\n'),
    'pop3': (b'CAPA\r\n', b'STLS\r\n', b'+OK Capability list follows\r\nSTLS\r\n.\r\n+OK Begin TLS negotiation\r\n', b'XBEHIND\r\n'),
    'smtp': (b'EHLO c\r\n', b'STARTTLS\r\n', b'250-mail.test\r\n250 STARTTLS\r\n220 2.0.0 Ready to start TLS\r\n', b'NOOP BEHIND\r\n'),
    'submission': (b'EHLO c\r\n', b'STARTTLS\r\n', b'250-mail.test\r\n250 STARTTLS\r\n220 2.0.0 Ready to start TLS\r\n',
                   b'NOOP BEHIND\r\n'),
    'lmtp': (b'LHLO c\r\n', b'STARTTLS\r\n', b'250-mail.test\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250 STARTTLS\r\n'
             b'220 2.0.0 Ready to start TLS\r\n', b'NOOP BEHIND\r\n'),
    'acap': (b'', b's STARTTLS\r\n', b's OK "Begin TLS negotiation now"\r\n', b'n XBEHIND\r\n'),
    'sieve': (b'', b'STARTTLS\r\n', b'OK "Begin TLS negotiation now"\r\n', b'NOOP "BEHIND"\r\n'),
    'nntp': (b'', b'STARTTLS\r\n', b'382 Continue with TLS negotiation\r\n', b'HELP BEHIND\r\n'),
    'http': (b'', b'OPTIONS * HTTP/1.1\r\nHost: m\r\nUpgrade: TLS/1.0\r\nConnection: Upgrade\r\n\r\n',
             b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: TLS/1.0, HTTP/1.1\r\nConnection: Upgrade\r\n\r\n',
             b'GET /BEHIND HTTP/1.1\r\nHost: m\r\n\r\n'),
}
ALERT = b'\x15\x03'  # ... and its level and description
LEGS = ('imap', 'pop3', 'smtp', 'acap')  # where the embedded server knows STARTTLS


def counted(port, event, want, family='events', label='event', seconds=15):
    """The counter of an event, once it stands at what is wanted (the last session may still be closing)."""
    end = time.monotonic() + seconds
    while True:
        got = parse(get(port, '/metrics')[2]).get(f'hauberk_{family}_total{{{label}="{event}"}}', 0)
        if got == want:
            return
        if got > want or time.monotonic() > end:
            raise Failure(f'{event}: the counter says {got}, and {want} happened')
        time.sleep(0.05)


def greeted(port, scheme):
    c = Line(port)
    if scheme != 'http':
        c.until('OK' if scheme == 'sieve' else '')
    return c


def backends(server):
    return [(s, server.port[{'submission': 'smtp', 'lmtp': 'smtp', 'http': 'imap'}.get(s, s)]) for s in CLIENTS]


def injection_at_every_cut(w):
    """ATK-01, ATK-02, SEC-01, GEN-03: however the bytes come, it is injection: the alert, the event, the counter, no backend."""
    server, metrics, played = MailServer(), free_port(), 0
    with Gateway(w, backends(server), '--metrics', f'127.0.0.1:{metrics}') as g:
        wait_port(metrics)
        for scheme, (hello, starttls, answer, command) in CLIENTS.items():
            for behind in (command, b'BEH', b'\n'):
                stream = hello + starttls + behind
                first = 0 if behind == command else len(hello + starttls) - 1
                for cut in range(first, len(stream)):
                    c = greeted(g.port(scheme), scheme)
                    c.send(stream[:cut])
                    apart(c.sock)
                    try:
                        c.send(stream[cut:])
                    except OSError:
                        pass  # it has closed: nobody waits for the second half of an attack
                    got = c.rest()
                    c.close()
                    played += 1
                    equal(got[:len(answer)], answer, f'{scheme}, cut {cut}: in clear')
                    alert = got[len(answer):]
                    check(len(alert) == 7 and alert[:2] == ALERT and alert[5:] == b'\x02\x0a', f'{scheme}, cut {cut}: {alert!r}')
        counted(metrics, 'starttls.injection', played)
        equal(len(g.events('starttls.injection')), played, 'events')
        equal({e['code'] for e in g.events('session.end') if e['bytes_in'] > 0}, {'PROTO_INJECTION'}, 'codes')
        equal(sum(server.connections.values()), 0, 'links to a backend')
    server.stop()


def backend_injection_at_every_cut(w):
    """ATK-05, ATK-06, SEC-01, CLI-01: the same toward a backend: the event, the counter, and no byte of it to the client."""
    go = {'imap': b'h2 OK go\r\n', 'pop3': b'+OK go\r\n', 'smtp': b'220 go\r\n', 'acap': b'h1 OK "go"\r\n'}
    behind = {'imap': b'* CAPABILITY PUSHED\r\nh3 OK\r\n', 'pop3': b'+OK PUSHED\r\n', 'smtp': b'250 PUSHED\r\n', 'acap': b'* ACAP (PUSHED)\r\n'}
    server, metrics, played = MailServer({'tls': server_context(w)}), free_port(), 0
    with Gateway(w, [(s + 's', f'{s}+starttls://127.0.0.1:{server.port[s]}') for s in LEGS], *trust(w),
                 '--metrics', f'127.0.0.1:{metrics}') as g:
        wait_port(metrics)
        probes = dict(server.in_clear)
        for scheme in LEGS:
            for cut in range(len(go[scheme] + behind[scheme])):
                server.faults.update(answer=go[scheme], behind=behind[scheme], cut=cut)
                c = Line(g.port(scheme + 's'))
                c.start_tls(w.client_context())
                got = c.rest()
                c.close()
                played += 1
                check(b'PUSHED' not in got, f'{scheme}, cut {cut}: the client got {got!r}')
        counted(metrics, 'backend.injection', played)
        equal(len(g.events('backend.injection')), played, 'events')
        equal([e['code'] for e in g.events('session.end')].count('PEER_INJECTION'), played, 'codes')
        for scheme in LEGS:
            heard = server.in_clear[scheme][len(probes[scheme]):]
            check(heard.replace(IN_CLEAR[scheme], b'') == b'', f'{scheme}: in clear {heard[:200]!r}')
    server.stop()


# the client face's other end: its greeting, its list with %s for STARTTLS's line, that line, its go-ahead, a refusal, an answer
# that is none, and what asks for TLS
HTTP_TLS = b'Upgrade: TLS/1.2, HTTP/1.1\r\nConnection: Upgrade\r\n'
SMTP_END = (b'220 b\r\n', b'250-b\r\n%s250 NOOP\r\n', b'250-STARTTLS\r\n', b'220 go\r\n', b'502 no\r\n', b'354 odd\r\n', b'STARTTLS')
SIEVE_LIST = b'"IMPLEMENTATION" "b"\r\n"SASL" ""\r\n%sOK\r\n'
SERVERS = {
    'imap': (b'* OK b\r\n', b'* CAPABILITY IMAP4rev1%s\r\n%t OK\r\n', b' STARTTLS', b'%t OK go\r\n', b'%t BAD no\r\n', b'+ odd\r\n', b'STARTTLS'),
    'pop3': (b'+OK b\r\n', b'+OK\r\n%s.\r\n', b'STLS\r\n', b'+OK go\r\n', b'-ERR no\r\n', b'+ odd\r\n', b'STLS'),
    'smtp': SMTP_END, 'submission': SMTP_END, 'lmtp': SMTP_END,
    'acap': (b'* ACAP (IMPLEMENTATION "b")%s\r\n', b'', b' (STARTTLS)', b'%t OK "go"\r\n', b'%t BAD "no"\r\n', b'+ "odd"\r\n', b'STARTTLS'),
    'sieve': (SIEVE_LIST, b'', b'"STARTTLS"\r\n', b'OK\r\n', b'NO "no"\r\n', b'odd\r\n', b'STARTTLS'),
    'nntp': (b'200 b\r\n', b'101 list\r\nVERSION 2\r\n%s.\r\n', b'STARTTLS\r\n', b'382 go\r\n', b'580 no\r\n', b'340 odd\r\n', b'STARTTLS'),
    'http': (b'', b'', HTTP_TLS, b'HTTP/1.1 101 S\r\n' + HTTP_TLS + b'\r\n', b'HTTP/1.1 200 OK\r\n%sContent-Length: 0\r\n\r\n',
             b'HTTP/1.1 101 S\r\n\r\n', b''),
}
# what is tried on the backend's network, the code, the event
TRIED = (('behind', 'PEER_INJECTION', 'backend.injection'), ('half', 'PEER_INJECTION', 'backend.injection'),
         ('no tls', 'PEER_INJECTION', 'backend.injection'), ('stripped', 'PEER_NO_STARTTLS', 'backend.no_starttls'),
         ('refused', 'PEER_STARTTLS_REFUSED', 'backend.dialogue'), ('odd', 'PEER_STARTTLS_ODD', 'backend.dialogue'),
         ('endless', 'PEER_TOO_LONG', 'backend.dialogue'), ('dies', 'PEER_CLOSED', None))


class BadServer:
    """A server of one protocol that does as it is told when it is asked for STARTTLS. heard: all that came to it."""

    def __init__(self, scheme):
        self.scheme, self.what, self.heard = scheme, '', b''
        self.listening = socket.create_server(('127.0.0.1', 0), backlog=64)
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listening.accept()
            except OSError:
                return
            with sock:
                try:
                    self.serve(sock)
                except OSError:
                    pass

    def serve(self, sock):
        greeting, lists, line, go, no, odd, asks = SERVERS[self.scheme]
        offered = b'' if self.what == 'stripped' else line
        buffer = b''
        sock.sendall(greeting.replace(b'%s', offered))
        while data := sock.recv(65536):
            self.heard += data
            buffer += data
            while b'\r\n' in buffer:
                text, buffer = buffer.split(b'\r\n', 1)
                tag = text.split(b' ')[0]
                if asks not in text or (self.scheme == 'http' and text):
                    sock.sendall(lists.replace(b'%s', offered).replace(b'%t', tag) if self.scheme != 'http' else b'')
                    continue
                said = {'refused': no, 'stripped': no, 'odd': odd, 'endless': b'x' * 1000000, 'behind': go + b'PUSHED\r\n', 'half': go + b'PUS',
                        'no tls': go, 'dies': b''}[self.what]
                sock.sendall(said.replace(b'%s', offered).replace(b'%t', tag))
                if self.what == 'no tls' and sock.recv(65536):
                    sock.sendall(b'PUSHED\r\n')
                if self.what == 'dies':
                    return

    def stop(self):
        self.listening.close()


def backend_attacks_in_every_protocol(w):
    """CLI-01, CLI-04, ATK-05, ATK-06, ATK-13, ATK-15, ATK-16, ATK-17, SEC-01, SEC-02: each client face, each event once for each session, in the
    log and in the counters; nothing of it reaches the client, nothing of the client's the server."""
    servers, metrics, numbers = {s: BadServer(s) for s in SERVERS}, free_port(), {}
    listen = [(f'{s}s', f'{s}+starttls://127.0.0.1:{server.port}') for s, server in servers.items()]
    with Gateway(w, listen, *trust(w), '--metrics', f'127.0.0.1:{metrics}') as g:
        wait_port(metrics)
        for what, code, event in TRIED:
            for server in servers.values():
                server.what = what
            for scheme in servers:
                c = Line(g.port(f'{scheme}s'))
                c.start_tls(w.client_context())
                try:
                    c.send('GET /CLIENT HTTP/1.1\r\nHost: m\r\n\r\n' if scheme == 'http' else 'CLIENT NOOP\r\n')
                except OSError:
                    pass
                got = c.rest()
                c.close()
                check(b'PUS' not in got, f'{scheme}, {what}: the client got {got!r}')
            for name in (code, event):
                numbers[name] = numbers.get(name, 0) + len(servers)
            counted(metrics, code, numbers[code], 'sessions_ended', 'code')
            if event is not None:
                counted(metrics, event, numbers[event])
                equal(len(g.events(event)), numbers[event], f'{what}: events')
        equal([e['code'] for e in g.events('session.end') if e['code'] != 'GW_CLIENT_GONE'],
              [code for _, code, _ in TRIED for _ in servers], 'codes, in order')
    for scheme, server in servers.items():
        check(b'CLIENT' not in server.heard, f'{scheme}: the client was relayed in clear')
        server.stop()


class Drip:
    """TLS whose every byte is a segment of its own."""

    def __init__(self, line, context):
        self.line, self.inward, self.outward = line, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.inward, self.outward, server_hostname='mail.test')
        self.do(self.tls.do_handshake)

    def flush(self):
        data = self.outward.read()
        for i in range(len(data)):
            self.line.sock.sendall(data[i:i + 1])

    def do(self, step, *args):
        while True:
            try:
                result = step(*args)
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                data = self.line.sock.recv(65536)
                if not data:
                    raise Failure('the connection ended inside TLS') from None
                self.inward.write(data)

    def until(self, word):
        data = b''
        while word not in data:
            data += self.do(self.tls.read, 65536)
        return data


def what_reaches_the_backend(w):
    """ATK-03, ATK-07, ATK-10, SEC-03: said in clear: nothing arrives; inside TLS, a byte in each segment: all, and nothing else."""
    asks = {'imap': (b'i LIST "" "INSIDE"\r\n', b'i BAD'), 'pop3': (b'USER INSIDE\r\n', b'+OK'), 'smtp': (b'EHLO INSIDE\r\n', b'250 '),
            'acap': (b'i NOOP\r\n', b'i OK')}
    fixation = {'imap': b'f LOGIN CLEAR CLEAR\r\n', 'pop3': b'USER CLEAR\r\nPASS CLEAR\r\n',
                'smtp': b'EHLO CLEAR\r\nMAIL FROM:<CLEAR@b>\r\nRCPT TO:<CLEAR@b>\r\nDATA\r\n', 'acap': b'f AUTHENTICATE "PLAIN" "CLEAR"\r\n'}
    dial = {'imap': b'h3 CAPABILITY\r\n', 'pop3': b'CAPA\r\n', 'smtp': b'EHLO mail.test\r\n', 'acap': b''}
    for legs in ('clear', 'starttls'):
        server = MailServer({'tls': server_context(w)} if legs == 'starttls' else None)
        urls = listeners(server, *LEGS) if legs == 'clear' else [(s, f'{s}+starttls://127.0.0.1:{server.port[s]}') for s in LEGS]
        with Gateway(w, urls, *(trust(w) if legs == 'starttls' else ())) as g:
            for scheme in LEGS:
                hello, starttls, answer, _ = CLIENTS[scheme]
                c = greeted(g.port(scheme), scheme)
                for i in range(len(fixation[scheme])):
                    c.sock.sendall(fixation[scheme][i:i + 1])
                c.sock.sendall(hello + starttls)
                got = b''
                while not got.endswith(answer):
                    got += c.sock.recv(65536)
                tls = Drip(c, w.client_context())
                ask, want = asks[scheme]
                tls.do(tls.tls.write, ask)
                tls.until(want)
                c.close()
                equal(server.received[scheme], (IN_CLEAR[scheme] + dial[scheme] if legs == 'starttls' else b'') + ask, f'{scheme}, {legs}: at the backend')
        server.stop()


FORGED = ('("x-originating-ip" "203.0.113.9")', '("x\\-originating-ip" "203.0.113.9")', '("\\x-originating-ip" "203.0.113.9")',
          '("X-Originating-IP" "203.0.113.9")', '("name" "x" "x-orig\\inating-ip" "203.0.113.9")',
          '({16+}\r\nx-originating-ip "203.0.113.9")', '("x-originating-ip" {11+}\r\n203.0.113.9)', '(x-originating-ip "203.0.113.9")')


def forged_client_address(w):
    """SEC-08, ADDR-21: an ID that speaks for somebody else, spelt so that Dovecot, which trusts us, would understand it."""
    dovecot = Dovecot(w, 'dovecot-id', extra='login_trusted_networks = 127.0.0.0/8\nauth_verbose = yes')
    for way in ('direct', 'off', 'command'):
        believed = []
        with Gateway(w, [('imap', dovecot.imap)], '--client-address', way.replace('direct', 'off')) as g:
            for n, forged in enumerate(FORGED):
                user = f'user{n}-{way}'
                c = Line(dovecot.imap) if way == 'direct' else upgrade(w, g.port('imap'), 'imap')
                c.send(f'a ID {forged}\r\n')
                if way != 'direct':
                    c.until('a OK')
                c.send(f'b LOGIN {user} secret\r\n')
                c.until('b OK')
                c.close()
                wait_log(dovecot.folder / 'log', f'Login: user=<{user}>')
                line = [l for l in (dovecot.folder / 'log').read_text().splitlines() if f'Login: user=<{user}>' in l][0]
                believed += [forged] if 'rip=203.0.113.9' in line else []
        if way != 'direct':
            equal(believed, [], f'client-address = {way}: what Dovecot believed behind the gateway')
        else:
            check(FORGED[0] in believed and len(believed) > 2, f'Dovecot believes only {believed}: the test has lost its sense')
    w.stop(dovecot.process)


CASES = [forged_client_address, injection_at_every_cut, backend_injection_at_every_cut, backend_attacks_in_every_protocol, what_reaches_the_backend]

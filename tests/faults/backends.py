"""Servers behind the gateway that refuse, hang, close at each step, or answer garbage.

Every fault has a listener of its own, once with that server alone and once in a pool whose second server is good; all of them
are played at the same time, while the load goes on at a listener with a good server. Alone: the client hears in its protocol
that the backend is not available (or what of its reply there was, and the end), the log says why. In a pool: what happens before
the client has seen anything of the server ends no session."""
import socket
import struct
import threading

from cases_upstream import server_context
from load import TIMEOUT, End, Load, Outcome
from support import Failure, Gateway, Line, check, equal, free_port, serve, wait_for, wait_port

GREETING = b'* OK [CAPABILITY IMAP4rev1%s] bad server\r\n'
PLAIN, STARTTLS = GREETING % b'', GREETING % b' STARTTLS'
GONE = b'* BYE [UNAVAILABLE] Backend not available\r\n'
LITERAL = b'* 1 FETCH (BODY[] {100000}\r\n' + b'x' * 70000


class Stop(Exception):
    pass


class Bad:
    """Does with each connection what the script says: bytes are sent; 'read WORD' waits for a line that holds it; 'close',
    'reset', 'hang', 'tls' (a handshake)."""

    def __init__(self, script, context):
        self.script, self.context = script, context
        self.listening = socket.create_server(('127.0.0.1', free_port()))
        self.port, self.open = self.listening.getsockname()[1], []
        serve(self.listening, lambda sock: threading.Thread(target=self.serve, args=(sock,), daemon=True).start())

    def serve(self, sock):
        try:
            got = b''
            for step in self.script:
                sock, got = self.step(sock, step, got)
        except (OSError, ValueError, Stop):
            pass
        finally:
            sock.close()

    def step(self, sock, step, got):
        if isinstance(step, bytes):
            sock.sendall(step)
        elif step == 'close':
            raise Stop
        elif step == 'reset':
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            raise Stop
        elif step == 'hang':
            while sock.recv(4096):
                pass
            raise Stop
        elif step == 'tls':
            return self.context.wrap_socket(sock, server_side=True), b''
        else:
            word = step[5:].encode()
            while word not in got:
                data = sock.recv(4096)
                if not data:
                    raise Stop
                got += data
            got = got[got.index(word) + len(word):]
        return sock, got

    def stop(self):
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()


class Refusing:
    def __init__(self, *_):
        self.port = free_port()

    def stop(self):
        pass


class Hanging:
    """Its queue is full: the system answers nobody."""

    def __init__(self, *_):
        self.listening = socket.socket()
        self.listening.bind(('127.0.0.1', free_port()))
        self.listening.listen(0)
        self.port, self.queue = self.listening.getsockname()[1], []
        for _ in range(4):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(('127.0.0.1', self.port))
            self.queue.append(s)

    def stop(self):
        for s in self.queue + [self.listening]:
            s.close()


ASKED = [STARTTLS, 'read CAPABILITY', b'* CAPABILITY IMAP4rev1 STARTTLS\r\nh1 OK done\r\n']
GO = ASKED + ['read STARTTLS', b'h2 OK go\r\n']
IN = [PLAIN, 'read LOGIN', b'a OK in\r\n']
# a reset may take with it what was sent before
RESET = ('GW_BACKEND_REFUSED', 'GW_BACKEND_RESET', 'PROTO_BACKEND_LOST', 'PEER_CLOSED')
IN_TLS = GO + ['tls', 'read CAPABILITY', b'* CAPABILITY IMAP4rev1\r\nh3 OK\r\n', 'read LOGIN', b'a OK in\r\n']

# name, what the server does, is TLS wanted of it, codes the log may show: before the client has seen anything of the server
BEFORE = [
    ('refuses', Refusing, False, ('GW_BACKEND_REFUSED',)),
    ('hangs at connect', Hanging, False, ('GW_BACKEND_TIMEOUT',)),
    ('closes at connect', ['close'], False, ('PROTO_BACKEND_LOST',)),
    ('resets at connect', ['reset'], False, RESET),
    ('hangs before its greeting', ['hang'], False, ('GW_BACKEND_TIMEOUT',)),
    ('half a greeting, closes', [b'* OK [CAPAB', 'close'], False, ('PROTO_BACKEND_LOST',)),
    ('half a greeting, resets', [b'* OK [CAPAB', 'reset'], False, RESET),
    ('half a greeting, hangs', [b'* OK [CAPAB', 'hang'], False, ('GW_BACKEND_TIMEOUT',)),
    ('garbage for a greeting', [b'\x00\xff\x80garbage\r\n\r\n', 'hang'], False, ('PROTO_BACKEND_GREETING',)),
    ('a greeting without an end', [b'* OK ' + b'x' * 300000, 'hang'], False, ('PROTO_BACKEND_GREETING',)),
    ('greets with BYE', [b'* BYE full\r\n', 'close'], False, ('PROTO_BACKEND_REFUSED',)),
    ('closes behind its greeting', [STARTTLS, 'close'], True, ('PEER_CLOSED',)),
    ('garbage for capabilities', [STARTTLS, 'read CAPABILITY', b'\xff\xfe\r\n', 'hang'], True, ('PEER_REPLY',)),
    ('does not offer STARTTLS', [PLAIN, 'read CAPABILITY', b'* CAPABILITY IMAP4rev1\r\nh1 OK\r\n', 'read STARTTLS',
                                 b'h2 BAD what\r\n', 'hang'], True, ('PEER_NO_STARTTLS',)),
    ('closes at STARTTLS', ASKED + ['read STARTTLS', 'close'], True, ('PEER_CLOSED',)),
    ('resets at STARTTLS', ASKED + ['read STARTTLS', 'reset'], True, RESET),
    ('refuses STARTTLS', ASKED + ['read STARTTLS', b'h2 NO not now\r\n', 'hang'], True, ('PEER_STARTTLS_REFUSED',)),
    ('closes behind its go-ahead', GO + ['close'], True, ('PROTO_BACKEND_LOST',)),
    ('resets behind its go-ahead', GO + ['reset'], True, RESET),
    ('hangs behind its go-ahead', GO + ['hang'], True, ('GW_BACKEND_TIMEOUT',)),
    ('text for a ServerHello', GO + ['read \x16', b'* OK not TLS at all\r\n', 'hang'], True, ('PEER_INJECTION',)),
    ('half a ServerHello', GO + ['read \x16', b'\x16\x03\x03\x00\x7a\x02\x00', 'close'], True, ('PROTO_BACKEND_LOST',)),
    ('closes inside TLS', GO + ['tls', 'close'], True, ('PEER_CLOSED',)),
]
# the same, where patience is half a minute
SLOW = [
    ('hangs behind its greeting', [STARTTLS, 'hang'], True, ('PEER_SILENT',)),
    ('hangs at STARTTLS', ASKED + ['hang'], True, ('PEER_SILENT',)),
    ('hangs inside TLS', GO + ['tls', 'hang'], True, ('PEER_SILENT',)),
]
# the client has spoken to the server; what it gets behind its LOGIN, code in the log
BEHIND = [
    ('closes at LOGIN', [PLAIN, 'read LOGIN', 'close'], False, ('PROTO_BACKEND_LOST',)),
    ('resets at LOGIN', [PLAIN, 'read LOGIN', 'reset'], False, RESET),
    ('half an answer to LOGIN', [PLAIN, 'read LOGIN', b'a OK', 'close'], False, ('PROTO_BACKEND_LOST',)),
    ('garbage at LOGIN', [PLAIN, 'read LOGIN', b'\x00\x00\xff', 'close'], False, ('PROTO_BACKEND_LOST',)),
    ('closes in the middle of a message', IN + ['read FETCH', LITERAL, 'close'], False, b'a OK in\r\n' + LITERAL, ('PROTO_BACKEND_LOST',)),
    ('closes in the middle of a message, in TLS', IN_TLS + ['read FETCH', LITERAL, 'close'], True, b'a OK in\r\n' + LITERAL,
     ('GW_BACKEND_RESET',)),
]


class Player(threading.Thread):
    """One client of a listener: logs in, asks for a message, keeps what it was told."""

    def __init__(self, w, port):
        super().__init__(daemon=True)
        self.w, self.port, self.got, self.problem, self.own = w, port, b'', None, 0
        self.start()

    def run(self):
        try:
            c = Line(self.port, 3 * TIMEOUT)
            self.own = c.sock.getsockname()[1]
            c.line()
            c.send('s STARTTLS\r\n')
            c.line()
            c.start_tls(self.w.client_context())
            c.send('a LOGIN joe secret\r\nb FETCH 1 BODY[]\r\n')
            while data := c.sock.recv(65536):
                self.got += data
        except (OSError, Failure) as e:
            self.problem = repr(e)


class Servers:
    """A gateway, and a listener for each of some backends: [(name, servers, is TLS wanted)]; the last one is the load's."""

    def __init__(self, w, rows, echo):
        self.ports = [free_port() for _ in range(len(rows) + 1)]
        text = f'''log = "json"
certificate c {{ chain = "{w.certs}/ecdsa-p256.crt" key = "{w.certs}/ecdsa-p256.key" }}
defaults {{ host = "mail.test" backend-ca = "{w.certs}/ca.crt" backend-name = "mail.test" }}
timeouts {{ connect = 1 greeting = 5 handshake = 5 }}
'''
        for port, (name, servers, tls) in zip(self.ports, rows + [('the load', [echo.port['imap']], False)]):
            urls = ', '.join(f'"imap+starttls://127.0.0.1:{s}"' if tls else f'"127.0.0.1:{s}"' for s in servers)
            text += (f'backend b{port} {{ servers = {{{urls}}} }}\n'
                     f'listener l{port} {{ listen = "imap://127.0.0.1:{port}" backend = "b{port}" }}\n')
        path = w.folder / f'backends-{self.ports[0]}.conf'
        path.write_text(text)
        self.g = Gateway(w, [], '--config', path, certs=())
        for port in self.ports:
            wait_port(port, self.g.process)


def play(w, echo, rows, servers):
    """All at once, under load. [(row, player, code in the log)], outcome of the load"""
    s = Servers(w, [(r[0], servers[r[0]], r[2]) for r in rows], echo)
    with s.g as g:
        load = Load(w, s.ports[-1], 8, 2)
        players = [Player(w, port) for port in s.ports[:-1]]
        for p, row in zip(players, rows):
            p.join(3 * TIMEOUT)
            check(not p.is_alive(), f'{row[0]}: the client is still there')
        load.moves()
        outcome = load.end()
        find = lambda p: [e['code'] for e in g.events('session.end')
                          if e['peer'].endswith(f':{p.own}') and e['listener'].endswith(f':{p.port}')]
        wait_for('a line for each session', lambda: all(find(p) for p in players))
        return [(row, p, find(p)[0]) for row, p in zip(rows, players)], outcome


def make(w, rows):
    context = server_context(w)
    return {name: what(w) if isinstance(what, type) else Bad(what, context) for name, what, *_ in rows}


def alone(w, echo, rows):
    bad = make(w, rows)
    played, outcome = play(w, echo, rows, {name: [b.port] for name, b in bad.items()})
    for row, p, code in played:
        name, want = row[0], row[3] if len(row) > 4 else GONE
        equal((name, p.got, p.problem), (name, want, None), 'what the client was told')
        check(code in row[-1], f'{name}: the log says {code}')
    for b in bad.values():
        b.stop()
    return outcome + Outcome(len(played), [], 0, f'{len(played)} kinds of server')


def pool(w, echo, rows):
    """The same servers, each with a good one behind it: nobody notices."""
    context = server_context(w)
    bad, good = make(w, rows), {False: Bad(IN + ['close'], context), True: Bad(IN_TLS + ['close'], context)}
    played, outcome = play(w, echo, rows, {row[0]: [bad[row[0]].port, good[row[2]].port] for row in rows})
    lost = [End(p.own, f'{row[0]}: {p.got!r} {p.problem} {code}') for row, p, code in played if not p.got.startswith(b'a OK in')]
    for b in [*bad.values(), *good.values()]:
        b.stop()
    return outcome + Outcome(0, lost, 0, f'{len(played)} kinds of server')


ROWS = [('a server alone: refuses, hangs, closes, garbage', lambda w, echo: alone(w, echo, BEFORE + BEHIND)),
        ('the same with a good server in the pool', lambda w, echo: pool(w, echo, BEFORE))]
LONG = [('a server alone that hangs later', lambda w, echo: alone(w, echo, SLOW)),
        ('the same with a good server in the pool, too', lambda w, echo: pool(w, echo, SLOW))]

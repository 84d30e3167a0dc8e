"""One cell of the table: a peer and the gateway, in one of the two roles, for one row.

server: client program -> hauberk (tls://) -> an echo in plaintext
client: we -> hauberk (tcp://) -> server program over TLS, which echoes

One gateway serves a row in each role, with a listener for each peer; its log tells what was negotiated."""
import os
import pathlib
import select
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'e2e'))
from support import Failure, World, check, free_port, read_events  # noqa: E402,F401

PSK_ID, PSK_KEY = 'interop', '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f'
LINE = b'across the wire and back again 0123456789'
SECONDS = 20


class Echo(socketserver.ThreadingTCPServer):
    """The plaintext service behind the gateway."""
    daemon_threads, allow_reuse_address, request_queue_size = True, True, 64

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            try:
                self.request.sendall(self.server.greeting)
                while data := self.request.recv(65536):
                    self.request.sendall(data)
            except OSError:
                pass

    def __init__(self, greeting=b''):
        super().__init__(('127.0.0.1', 0), self.Handler)
        self.greeting = greeting
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()


def listening(port):
    """Asked of the kernel: a probing connection would be a failed handshake for the server."""
    for table in ('/proc/net/tcp', '/proc/net/tcp6'):
        for line in open(table, encoding='ascii').read().splitlines()[1:]:
            words = line.split()
            if words[3] == '0A' and int(words[1].rsplit(':', 1)[1], 16) == port:
                return True
    return False


def wait_listening(process, port, log, seconds=SECONDS):
    end = time.monotonic() + seconds
    while not listening(port):
        if process.poll() is not None:
            raise Failure(f'it ended with {process.returncode} before it listened: {tail(log)}')
        if time.monotonic() > end:
            raise Failure(f'it does not listen: {tail(log)}')
        time.sleep(0.02)


def tail(path, n=400):
    return pathlib.Path(path).read_text(errors='replace')[-n:]


class Started:
    """A program we started, its output in a file, an open pipe to its input."""
    serial = 0

    def __init__(self, world, argv, env=None, log=None):
        Started.serial += 1
        self.log = world.folder / (log or f'peer-{Started.serial}.log')
        with open(self.log, 'wb') as out:
            self.process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.PIPE, stdout=out, stderr=out,
                                            env={**os.environ, **(env or {})}, start_new_session=True)

    def say(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def output(self):
        return self.log.read_bytes()

    def wait_for(self, data, seconds=SECONDS):
        end = time.monotonic() + seconds
        while data not in self.output():
            if self.process.poll() is not None and data not in self.output():
                raise Failure(f'it ended with {self.process.returncode}: {tail(self.log)}')
            if time.monotonic() > end:
                raise Failure(f'no answer: {tail(self.log)}')
            time.sleep(0.01)

    def end_of_input(self):
        try:
            self.process.stdin.close()
        except OSError:
            pass

    def wait(self, seconds=SECONDS):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired as e:
            raise Failure(f'it did not end: {tail(self.log)}') from e

    def stop(self, seconds=10):
        self.end_of_input()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def talk(world, argv, turns=None, env=None, ends=True):
    """Runs a client that joins its input and output to the connection: says LINE and waits for it to come back, for
    each of the turns; what a turn names besides is typed before. ends: end of input ends the client. Returns what it said."""
    p = Started(world, argv, env)
    try:
        for n, before in enumerate(turns or [b'']):
            line = LINE + b' turn %d' % n
            if before:
                time.sleep(0.2)  # its reader takes a command only at the start of what one read brings
                p.say(before)
                time.sleep(0.2)
            p.say(line + b'\n')
            p.wait_for(line)
        if ends:
            p.end_of_input()
            p.wait()
        return p.output()
    finally:
        p.stop()


def program(world, argv, env=None, seconds=SECONDS):
    """Runs a client that does all by itself; 0 is good."""
    p = Started(world, argv, env)
    try:
        code = p.wait(seconds)
        check(code == 0, f'it ended with {code}: {tail(p.log)}')
    finally:
        p.stop()


class Front:
    """The gateway of one row in one role."""

    def __init__(self, world, pairs, options):
        argv = [world.gateway_program, 'run', '--log', 'json', '--host', 'mail.test', *options]
        for listen, backend in pairs:
            argv += ['--listen', listen, '--backend', backend]
        self.started, self.seen = Started(world, argv), 0
        for listen, _ in pairs:
            wait_listening(self.started.process, int(listen.rsplit(':', 1)[1]), self.started.log)

    def sessions(self, count=0, seconds=SECONDS):
        """The closing lines since the last call; waits for at least so many."""
        end = time.monotonic() + seconds
        while True:
            ended = read_events(self.started.output().decode(), 'session.end', 'backend.tls')
            new = ended[self.seen:]
            if len([e for e in new if e['event'] == 'session.end']) >= count or time.monotonic() > end:
                self.seen = len(ended)
                return new
            time.sleep(0.02)

    def stop(self):
        self.started.stop(15)
        text = self.started.log.read_text()
        check('Sanitizer' not in text and 'runtime error' not in text, f'sanitizer report:\n{text[-3000:]}')
        check(self.started.process.returncode == 0, f'the gateway ended with {self.started.process.returncode}')


def right(row, role):
    """What the gateway's log says of a session that is the row's."""
    prefix = 'backend_' if role == 'client' else ''
    want = {'version' if role == 'server' else 'backend_tls': 'TLSv' + row.version.replace('1.0', '1')}
    if row.group:
        want[prefix + 'group'] = row.group
    if row.suite:
        want[prefix + 'suite'] = f'TLS_{row.suite}'
    if row.alpn:
        want[prefix + 'alpn'] = row.alpn
    want[prefix + 'resumed'] = 'yes' if row.resume else 'no'
    if row.client_cert and role == 'server':
        want['client_cert'] = {'client': 'alice@mail.test', 'client-rsa': 'bob@mail.test'}[row.client_cert]
    if row.retry and role == 'server':
        want['retried'] = 'yes'
    if row.psk or row.signature():
        want[prefix + 'signature'] = row.signature()  # how it begins
    return want


def matches(row, session, role):
    """The first thing that differs is the failure."""
    for key, value in right(row, role).items():
        if key.endswith('signature'):
            found = session.get(key, '')
            check(found.startswith(value) and (value or not found), f'{key} is {found} ({brief(session)})')
        else:
            check(session.get(key) == value, f'{key} is {session.get(key)}, not {value} ({brief(session)})')


def brief(session):
    keys = ('code', 'why', 'alert', 'from', 'version', 'suite', 'group', 'signature', 'backend_tls', 'backend_suite')
    return ' '.join(f'{k}={session[k]}' for k in keys if session.get(k))


def told(sessions):
    """What the gateway had to say about a failed cell."""
    return '; '.join(brief(s) for s in sessions) or 'the gateway saw no session'


def server_options(world, row):
    options = ['--profile', 'legacy' if row.legacy else 'intermediate', '--tls-min', row.version, '--tls-max', row.version,
               '--cert', world.certs / f'{row.cert}.crt', '--key', world.certs / f'{row.cert}.key']
    if row.group:
        options += ['--groups', row.group]
    if row.client_cert:
        options += ['--client-auth', 'require', '--client-ca', world.certs / 'ca.crt']
    if row.alpn:
        options += ['--alpn', 'strict', '--alpn-protocols', f'nntp,{row.alpn}']
    if row.psk:
        options += ['--psk-file', psk_file(world)]
    return options


def client_options(world, row):
    options = ['--backend-profile', 'legacy' if row.legacy else 'intermediate', '--backend-tls-min', row.version,
               '--backend-tls-max', row.version, '--backend-name', 'mail.test', '--backend-ca', world.certs / 'ca.crt']
    if row.group and not row.retry:
        options += ['--backend-groups', row.group]
    if row.client_cert:
        options += ['--backend-cert', world.certs / f'{row.client_cert}.crt', '--backend-key', world.certs / f'{row.client_cert}.key']
    if row.alpn:
        options += ['--backend-alpn', f'nntp,{row.alpn}']
    if row.psk:
        options += ['--backend-psk-file', psk_file(world)]
    return options


def dh_file(world):
    """A group of RFC 7919 for servers whose own is none of it (T12-04)."""
    path = world.folder / 'ffdhe2048.pem'
    if not path.exists():
        subprocess.run(['openssl', 'genpkey', '-genparam', '-algorithm', 'DH', '-pkeyopt', 'group:ffdhe2048', '-out', path],
                       check=True, capture_output=True)
    return path


def psk_file(world):
    path = world.folder / 'psk'
    if not path.exists():
        path.touch(0o600)
        path.write_text(f'{PSK_ID}:{PSK_KEY}\n')
    return path


def exchange(port, kind):
    """Our half in the client role: sends through the gateway what the peer answers in its way."""
    sent, want = {'echo': (LINE * 5000,) * 2, 'line': (LINE + b'\n', LINE), 'reverse': (LINE + b'\n', LINE[::-1]),
                  'http': (b'GET / HTTP/1.0\r\n\r\n', b'HTTP/1.0 200')}[kind]
    with socket.create_connection(('127.0.0.1', port), 10) as s:
        got, rest = b'', memoryview(sent)
        end = time.monotonic() + SECONDS
        while want not in got:
            check(time.monotonic() < end, f'no answer through the gateway, {len(got)} bytes so far')
            readable, writable, _ = select.select([s], [s] if rest else [], [], 1)
            if writable:
                rest = rest[s.send(rest[:65536]):]
            if readable:
                data = s.recv(65536)
                check(data, f'the gateway closed after {len(got)} of {len(want)} bytes')
                got += data


def run_server_cell(world, row, peer, front, port):
    front.sessions()
    try:
        peer.connect(world, row, port)
    except Failure as e:
        raise Failure(f'{e}; {told(front.sessions(1, 3))}') from e
    sessions = [s for s in front.sessions(2 if row.resume else 1) if s['event'] == 'session.end']
    check(len(sessions) == (2 if row.resume else 1), f'{len(sessions)} sessions: {told(sessions)}')
    matches(row, sessions[-1], 'server')
    check(sessions[-1].get('bytes_in', 0) > 0 and sessions[-1].get('bytes_out', 0) > 0, 'no data went both ways')


def run_client_cell(world, row, peer, front, port, backend):
    front.sessions()
    server = peer.serve(world, row, backend)
    try:
        wait_listening(server.process, backend, server.log)
        for _ in range(2 if row.resume else 1):
            try:
                peer.exchange(row, port, server)
            except (Failure, OSError) as e:
                raise Failure(f'{e}; {told(front.sessions(1, 3))}; the server: {tail(server.log)}') from e
            sessions = front.sessions(1)
        matches(row, sessions[-1], 'client')
    finally:
        server.stop()

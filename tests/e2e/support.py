"""What the end-to-end cases share: processes, ports, certificates, the gateway, real servers.

Processes are stopped by id, and only those that were started here; everything lives in one temporary folder."""
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Failure(Exception):
    """A case that did not go as it must."""


def check(condition, what):
    if not condition:
        raise Failure(what)


def equal(got, want, what):
    if got != want:
        short = lambda v: (v[:300] + b'...' if isinstance(v, bytes) and len(v) > 300 else v)
        raise Failure(f'{what}: got {short(got)!r}, want {short(want)!r}')


class TooLong(Exception):
    pass


def ring(*_):
    raise TooLong


def attempt(seconds, function, *args):
    """(what it returned, None), or (None, why it failed): nothing that goes wrong in it ends the others."""
    signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        return function(*args), None
    except TooLong:
        return None, f'did not end within {seconds} s'
    except Failure as e:
        return None, str(e)
    except Exception:  # what breaks has failed
        return None, traceback.format_exc(limit=4)
    finally:
        signal.alarm(0)


def serve(listening, each):
    """each(socket) for whoever connects, in a thread of ours, until `listening` is closed."""
    def run():
        while True:
            try:
                sock, _ = listening.accept()
            except OSError:
                return
            each(sock)
    threading.Thread(target=run, daemon=True).start()


def copy(a, b):
    """All that a says goes to b, to the end."""
    try:
        while data := a.recv(65536):
            b.sendall(data)
        b.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def splice(listening, to, copy=copy):
    """Whoever connects is connected to a port of ours."""
    def each(sock):
        other = socket.create_connection(('127.0.0.1', to))
        for pair in ((sock, other), (other, sock)):
            threading.Thread(target=copy, args=pair, daemon=True).start()
    serve(listening, each)


def read_events(log, *names):
    """The events of a JSON log, those of these names if any is given. A reader may see half of the last line."""
    lines = [json.loads(x) for x in log.splitlines() if x.startswith('{') and x.endswith('}')]
    return [e for e in lines if not names or e['event'] in names]


PORTS = {'lock': threading.Lock(), 'given': set()}


def can_bind(family, host, port):
    try:
        with socket.socket(family) as s:
            if family == socket.AF_INET6:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            s.bind((host, port))
        return True
    except OSError:
        return False


ANY = [(socket.AF_INET, '0.0.0.0')] + ([(socket.AF_INET6, '::')] if can_bind(socket.AF_INET6, '::', 0) else [])


def free_port():
    """A port of its own for each call: below those the kernel gives to outgoing connections, and never twice."""
    with PORTS['lock']:
        while len(PORTS['given']) < 15000:
            port = random.randrange(12000, 32000)
            if port not in PORTS['given']:
                PORTS['given'].add(port)
                if all(can_bind(family, host, port) for family, host in ANY):
                    return port
    raise Failure('no free port is left')


def wait_for(what, test, seconds=15):
    """What test() returns, as soon as it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = test()
        if value:
            return value
        time.sleep(0.05)
    raise Failure(f'{what}: not within {seconds} s')


def wait_port(port, process=None, seconds=15, host='127.0.0.1'):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process is not None and process.poll() is not None:
            raise Failure(f'it ended with {process.returncode} before it listened')
        try:
            socket.create_connection((host, port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise Failure(f'nothing listens on port {port}')


def run(argv, data=b'', seconds=60, env=None):
    """Runs a client to its end: (exit code, stdout, stderr)."""
    try:
        p = subprocess.run(argv, input=data, capture_output=True, timeout=seconds, check=False,
                           env={**os.environ, **(env or {})})
    except subprocess.TimeoutExpired as e:
        raise Failure(f'{argv[0]} did not end within {seconds} s: {(e.stdout or b"")[-300:]!r}') from e
    return p.returncode, p.stdout, p.stderr


class World:
    """Everything a run of the suite made, and its end."""

    def __init__(self, gateway, release):
        self.gateway_program, self.release_program = gateway, release
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='hauberk-e2e-'))
        self.folder.chmod(0o755)
        self.certs = self.folder / 'certs'
        self.processes = []
        code, _, err = run([sys.executable, ROOT / 'fixtures/certs/make_certs.py', str(self.certs)])
        check(code == 0, f'no certificates: {err.decode()}')

    def start(self, argv, log, **kw):
        with open(self.folder / log, 'ab') as out:
            p = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=out, stderr=out, **kw)
        self.processes.append(p)
        return p

    def stop(self, p, sig=signal.SIGTERM, seconds=15):
        if p.poll() is None:
            p.send_signal(sig)
            try:
                p.wait(seconds)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        if p in self.processes:
            self.processes.remove(p)

    def close(self):
        for p in list(self.processes):
            self.stop(p, signal.SIGTERM, 5)
        shutil.rmtree(self.folder, ignore_errors=True)

    def client_context(self, **kw):
        context = ssl.create_default_context(cafile=str(self.certs / 'ca.crt'))
        for key, value in kw.items():
            setattr(context, key, value)
        return context


class Gateway:
    """A gateway in front of backends: listeners is [(scheme, backend: a port or a URL)]; port(scheme) tells where it listens."""

    serial = 0

    def __init__(self, world, listeners, *options, certs=('ecdsa-p256',), program=None, wait=True):
        Gateway.serial += 1
        self.world, self.ports = world, {}
        self.log = world.folder / f'gateway-{Gateway.serial}.log'
        argv = [program or world.gateway_program, 'run', '--log', 'json', *options]
        if '--config' not in options:
            argv += ['--host', 'mail.test']
        if '--sandbox' not in options and program is None:
            # in the sandbox nothing looks for leaks at the end: every other one runs outside
            argv += ['--sandbox', 'off' if Gateway.serial % 2 else 'on']
        for name in certs:
            argv += ['--cert', world.certs / f'{name}.crt', '--key', world.certs / f'{name}.key']
        for scheme, backend in listeners:
            self.ports[scheme] = free_port()
            backend = f'127.0.0.1:{backend}' if isinstance(backend, int) else backend
            argv += ['--listen', f'{scheme}://127.0.0.1:{self.ports[scheme]}', '--backend', backend]
        self.process = world.start(argv, self.log.name)
        if wait:
            for port in self.ports.values():
                wait_port(port, self.process)
            self.skip = len(self.events('session.end'))

    def port(self, scheme):
        return self.ports[scheme]

    def events(self, name=None):
        return read_events(self.log.read_text(), *([name] if name else []))

    def children(self, name='worker'):
        """Process ids of the gateway's workers, keeper or admin."""
        found = []
        for pid in pathlib.Path(f'/proc/{self.process.pid}/task/{self.process.pid}/children').read_text().split():
            if f'hauberk: {name}' in pathlib.Path(f'/proc/{pid}/cmdline').read_text():
                found.append(int(pid))
        return found

    def session(self, n=1, seconds=10, proto=None):
        """The n-th session's closing line since the last call of forget(); probes of wait_port do not count."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = [e for e in self.events('session.end') if e['bytes_in'] > 0 and (proto is None or e['proto'] == proto)]
            if len(found) >= n:
                return found[n - 1]
            time.sleep(0.05)
        raise Failure(f'session {n} has no closing line: {[e["code"] for e in self.events("session.end")]}')

    def stop(self):
        self.world.stop(self.process)
        text = self.log.read_text()
        check('Sanitizer' not in text and 'runtime error' not in text, f'sanitizer report:\n{text[-3000:]}')
        check(self.process.returncode == 0, f'the gateway ended with {self.process.returncode}:\n{text[-1500:]}')

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            self.world.stop(self.process)


class Line:
    """A client that speaks lines over a socket, and can turn it into TLS."""

    def __init__(self, port, timeout=15, source='0.0.0.0', host='127.0.0.1'):
        self.sock = socket.create_connection((host, port), timeout, (source, 0))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = self.sock.getsockname()[1]
        self.buffer, self.transcript = b'', []

    def send(self, text):
        data = text if isinstance(text, bytes) else text.encode()
        self.transcript += [f'C: {line}' for line in data.decode('latin-1').splitlines()]
        self.sock.sendall(data)

    def line(self):
        while b'\n' not in self.buffer:
            data = self.sock.recv(65536)
            if not data:
                raise Failure(f'the connection ended; so far {self.buffer!r}')
            self.buffer += data
        line, self.buffer = self.buffer.split(b'\n', 1)
        text = line.rstrip(b'\r').decode('latin-1')
        self.transcript.append(f'S: {text}')
        return text

    def expect(self, *lines):
        for want in lines:
            equal(self.line(), want, 'line from the gateway')

    def until(self, prefix):
        lines = [self.line()]
        while not lines[-1].startswith(prefix):
            lines.append(self.line())
        return lines

    def rest(self):
        """Everything up to the end of the stream."""
        data = self.buffer
        self.buffer = b''
        try:
            while more := self.sock.recv(65536):
                data += more
        except (ConnectionResetError, ssl.SSLError):
            pass
        return data

    def start_tls(self, context, name='mail.test'):
        self.sock = context.wrap_socket(self.sock, server_hostname=name)
        self.transcript.append(f'   -- TLS: {self.sock.version()}, {self.sock.cipher()[0]} --')

    def close(self):
        self.sock.close()


def upgrade(world, port, scheme, context=None, host='127.0.0.1', first=b''):
    """A client that went through STARTTLS of the given scheme, its greeting read. first: what it says before anything, as a
    balancer does."""
    c = Line(port, host=host)
    c.send(first)
    c.until('OK' if scheme == 'sieve' else '')
    if scheme in ('smtp', 'submission', 'lmtp'):
        c.send(('LHLO' if scheme == 'lmtp' else 'EHLO') + ' client.test\r\n')
        c.until('250 ')
    word, good = {'imap': ('s STARTTLS', 's OK'), 'pop3': ('STLS', '+OK'), 'acap': ('s STARTTLS', 's OK'),
                  'sieve': ('STARTTLS', 'OK'), 'nntp': ('STARTTLS', '382')}.get(
        scheme, ('STARTTLS', '220'))
    c.send(word + '\r\n')
    check(c.line().startswith(good), f'{word} was refused: {c.transcript}')
    c.start_tls(context or world.client_context())
    if scheme in ('acap', 'sieve'):
        c.until('OK' if scheme == 'sieve' else '')
    return c


class Dovecot:
    """Debian's Dovecot, IMAP, POP3, LMTP and ManageSieve below one folder; in plaintext, or (tls) only behind STARTTLS."""

    def __init__(self, world, name='dovecot', tls=False, extra='', mechanisms='plain login'):
        self.imap, self.pop3, self.lmtp, self.sieve = free_port(), free_port(), free_port(), free_port()
        self.folder = world.folder / name
        for sub in ('run', 'state', 'mail', 'scripts'):
            (self.folder / sub).mkdir(parents=True)
        root = os.getuid() == 0
        me = 'nobody' if root else os.environ.get('USER', 'nobody')
        if root:
            shutil.chown(self.folder / 'mail', 'nobody')
            shutil.chown(self.folder / 'scripts', 'nobody')
        users = 'uid=nobody gid=nogroup' if root else f'uid={os.getuid()} gid={os.getgid()}'
        services = '' if root else '\n'.join(
            f'service {s} {{\n  chroot =\n}}' for s in ('imap-login', 'pop3-login', 'managesieve-login', 'anvil')) + (
            f'\ndefault_login_user = {me}\ndefault_internal_user = {me}\ndefault_internal_group = {me}\n')
        plain = 'ssl = no\ndisable_plaintext_auth = no'
        own_tls = f'''
ssl = required
ssl_cert = <{world.certs}/ecdsa-p256.crt
ssl_key = <{world.certs}/ecdsa-p256.key'''
        config = f'''
base_dir = {self.folder}/run
state_dir = {self.folder}/state
log_path = {self.folder}/log
protocols = imap pop3 lmtp sieve
postmaster_address = postmaster@mail.test
listen = 127.0.0.1
{own_tls if tls else plain}
{extra}
auth_mechanisms = {mechanisms}
mail_location = maildir:{self.folder}/mail/%u
first_valid_uid = 0
first_valid_gid = 0
mail_max_userip_connections = 0
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = {users} home={self.folder}/mail/%u
}}
service imap-login {{
  inet_listener imap {{
    port = {self.imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {self.pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {self.lmtp}
  }}
}}
service managesieve-login {{
  inet_listener sieve {{
    port = {self.sieve}
  }}
}}
protocol lmtp {{
  mail_plugins = sieve
}}
plugin {{
  sieve = file:{self.folder}/scripts/%u/all;active={self.folder}/scripts/%u/active
}}
{services}
'''
        (self.folder / 'dovecot.conf').write_text(config)
        self.process = world.start(['dovecot', '-F', '-c', self.folder / 'dovecot.conf'], f'{self.folder.name}.out')
        for port in (self.imap, self.pop3, self.lmtp, self.sieve):
            wait_port(port, self.process)


class Postfix:
    """Debian's Postfix, one smtpd in front of a maildir; its own master, queue and configuration.
    extra: lines of main.cf, for an instance called `name`; more: lines of master.cf."""

    def __init__(self, world, name='postfix', extra='', port=None, more=()):
        if os.getuid() != 0:
            raise Failure('Postfix starts only as root (its master refuses anybody else)')
        self.smtp = port or free_port()
        folder = self.folder = world.folder / name
        for sub in ('etc', 'queue', 'data', 'mail'):
            (folder / sub).mkdir(parents=True)
        shutil.chown(folder / 'data', 'postfix')
        shutil.chown(folder / 'mail', 'nobody')
        self.mail = folder / 'mail'
        (folder / 'etc/main.cf').write_text(f'''
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
myhostname = backend.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = mail.test
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = static:joe/
virtual_minimum_uid = 1
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_mailbox_limit = 0
message_size_limit = 100000000
smtpd_recipient_restrictions = permit_mynetworks, reject
maillog_file = {folder}/data/maillog
maillog_file_prefixes = {folder}
alias_maps =
alias_database =
smtputf8_enable = no
{extra}
''')
        services = [f'127.0.0.1:{self.smtp} inet n - n - - smtpd', 'cleanup unix n - n - 0 cleanup',
                    'qmgr unix n - n 300 1 qmgr', 'rewrite unix - - n - - trivial-rewrite',
                    'bounce unix - - n - 0 bounce', 'defer unix - - n - 0 bounce', 'trace unix - - n - 0 bounce',
                    'verify unix - - n - 1 verify', 'virtual unix - n n - - virtual', 'error unix - - n - - error',
                    'anvil unix - - n - 1 anvil', 'scache unix - - n - 1 scache', 'proxymap unix - - n - - proxymap',
                    'tlsmgr unix - - n 1000? 1 tlsmgr', 'postlog unix-dgram n - n - 1 postlogd', *more]
        (folder / 'etc/master.cf').write_text('\n'.join(services) + '\n')
        code, out, err = run(['postfix', '-c', str(folder / 'etc'), 'check'])
        check(code == 0, f'postfix check: {out}{err}')
        self.process = world.start(['/usr/lib/postfix/sbin/master', '-c', folder / 'etc', '-d'], 'postfix.out')
        wait_port(self.smtp, self.process)

    def messages(self, count, seconds=20):
        """The delivered messages, once there are this many."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            files = sorted((self.mail / 'joe/new').glob('*')) if (self.mail / 'joe/new').exists() else []
            if len(files) >= count:
                return [f.read_bytes() for f in files]
            time.sleep(0.1)
        raise Failure(f'{count} messages did not arrive')

"""One cell of the mail matrix: a client, a real server behind the gateway, a protocol, and where TLS is.

front   the client's leg: 'starttls'; 'implicit'; or 'external': STARTTLS, and a certificate in place of a password
leg     the gateway's leg to the server: 'plain', 'starttls', or 'implicit', TLS from the first byte

What a cell proves: a message that the server was given past the gateway came to the client through it, or one that
the client sent is in the server's store; scripts and articles go there and come back. The text holds lines that look
like commands and like ends. The gateway's log must say that both legs were protected as the cell says."""
import itertools
import re
import shutil
import time

from harness import Failure, check, tail
from support import run

MAIL, NEWS, SCRIPTS = ('smtp', 'submission', 'lmtp'), 'nntp', 'sieve'
READ = ('imap', 'pop3')
PROTOCOLS = (*READ, *MAIL, SCRIPTS, NEWS)
NAMES = {'imap': 'IMAP', 'pop3': 'POP3', 'smtp': 'SMTP', 'submission': 'submission', 'lmtp': 'LMTP', 'sieve': 'ManageSieve',
         'nntp': 'NNTP'}
FRONTS, LEGS = ('starttls', 'implicit', 'external'), ('plain', 'starttls', 'implicit')
EXTERNAL = ('imap', 'pop3', 'submission', 'sieve', 'nntp')  # protocols with a login
SENDER, RECIPIENT = 'alice@example.org', 'joe@mail.test'
USER, PASSWORD, MASTER = 'joe', 'secret', 'gateway'
# how sessions may end that went well: some say no QUIT, some no close_notify
ENDS = {'PROTO_QUIT', 'PROTO_BACKEND_LOST', 'GW_CLIENT_GONE', 'GW_BACKEND_CLOSED', 'GW_BACKEND_RESET', 'TLS_TRUNCATED'}
SERIAL = itertools.count(1)
TEXT = [b'STARTTLS', b'.', b'..', b'a1 LOGOUT', b'QUIT', b'250 OK', b'{3}', b')', b'* BYE', b''] + [
    b'%04d a line among four hundred, so that it takes more than one record' % n for n in range(400)] + [b'the end']


def credentials(world):
    """A certificate for joe, by his CN; and the password of the backends' user who may be anybody."""
    path = world.certs / USER
    code, _, err = run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj',
                        f'/CN={USER}', '-addext', 'extendedKeyUsage=clientAuth', '-addext', 'basicConstraints=critical,CA:FALSE',
                        '-CA', f'{world.certs}/ca.crt', '-CAkey', f'{world.certs}/ca.key', '-keyout', f'{path}.key', '-out', f'{path}.crt'])
    check(code == 0, f'openssl req: {err!r}')
    (world.certs / 'master').write_text(PASSWORD + '\n')
    (world.certs / 'master').chmod(0o600)


class Cell:
    """What a client is given (front, port, message, folder, ca, ...) and what it says it got (check_read, check_sent)."""

    def __init__(self, world, server, proto, front, leg):
        self.world, self.server, self.proto, self.front, self.leg = world, server, proto, front, leg
        self.subject = f'interop-{next(SERIAL)}'
        self.ca, self.cert, self.key = (world.certs / name for name in ('ca.crt', f'{USER}.crt', f'{USER}.key'))
        self.folder = world.folder / self.subject
        self.folder.mkdir()
        head = {'nntp': [f'From: {SENDER}', f'Newsgroups: {server.group}', f'Subject: {self.subject}',
                         f'Message-ID: {self.message_id}']}.get(
            proto, [f'From: {SENDER}', f'To: {RECIPIENT}', f'Subject: {self.subject}', f'Message-ID: {self.message_id}',
                    'Date: Thu, 26 Nov 2026 01:00:00 +0000'])
        self.message = '\r\n'.join(head).encode() + b'\r\n\r\n' + self.body

    @property
    def message_id(self):
        return f'<{self.subject}@example.org>'

    @property
    def implicit(self):
        return self.front == 'implicit'

    @property
    def external(self):
        return self.front == 'external'

    @property
    def password(self):
        """With a certificate there is none: a client that would rather use it must fail."""
        return 'nosecret' if self.external else PASSWORD

    @property
    def scheme(self):
        return self.proto + ('s' if self.implicit else '')

    @property
    def port(self):
        return self.server.gateway(self.front, self.leg).port(self.scheme)

    @property
    def body(self):
        return b'\r\n'.join(TEXT) + b'\r\n'

    @property
    def script(self):
        return b'require ["fileinto"];\r\n# STARTTLS ' + self.subject.encode() + b'\r\n# {3+}\r\nfileinto "INBOX";\r\n'

    @property
    def login(self):
        """Whether there is to be one; on port 25 and for LMTP as a rule not."""
        return self.proto not in ('smtp', 'lmtp') or (self.proto, self.leg) in self.server.logins

    def write(self, name, text, mode=0o600):
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        return path

    def same(self, got, what):
        """The message, whatever headers were put before it and whichever way lines end."""
        got = got.replace(b'\r\n', b'\n').lstrip(b'\n')
        head, _, body = got.partition(b'\n\n')
        check(re.search(rb'(?mi)^Subject: %s$' % self.subject.encode(), head) is not None, f'{what}: another message: {head[:400]!r}')
        check(body.rstrip(b'\n').split(b'\n') == TEXT, f'{what}: not the text that was sent: {different(body, TEXT)}')

    def check_sent(self):
        self.same(self.server.delivered(self.subject, self.proto), 'in the store')

    def check_text(self, got, want, what):
        got, want = got.replace(b'\r\n', b'\n').strip(), want.replace(b'\r\n', b'\n').strip()
        check(got == want, f'{what}: {got[:300]!r}')

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def different(body, lines):
    for n, (a, b) in enumerate(zip(body.rstrip(b'\n').split(b'\n'), lines)):
        if a != b:
            return f'line {n} is {a[:100]!r}'
    return f'{len(body)} bytes'


def told(gateway, before, seconds=10):
    """The closing lines of the sessions behind the first `before`, once there is one."""
    end = time.monotonic() + seconds
    while True:
        ended = [e for e in gateway.events('session.end') if e['bytes_in'] > 0][before:]
        if ended or time.monotonic() > end:
            return ended
        time.sleep(0.02)


def run_cell(world, server, proto, client, front, leg):
    """Raises Failure, with what the gateway had to say."""
    gateway = server.gateway(front, leg)
    before = len([e for e in gateway.events('session.end') if e['bytes_in'] > 0])
    cell = Cell(world, server, proto, front, leg)
    try:
        if proto in READ:
            server.put(cell.message)
        getattr(client, proto)(cell)
        if proto in MAIL:
            cell.check_sent()
        sessions = told(gateway, before)
        check(sessions, 'the gateway saw no session')
        for s in sessions:
            check(s['proto'] == proto and s.get('version', '').startswith('TLSv1.'), f'the client was not inside TLS: {brief([s])}')
            check(s.get('client_cert') == (USER if cell.external else None), f'a client certificate: {s.get("client_cert")}')
            check(not client.group or s.get('group') == client.group, f'the group is {s.get("group")}')
            check(s['code'] in ENDS | server.ends | client.ends.get(proto, set()), f'the log has no such end for it: {brief([s])}')
            check(s.get('backend_tls', '').startswith('TLSv1.') == (leg != 'plain'), f'the leg to the server: {brief([s])}')
    except (Failure, OSError) as e:
        more = f'\nthe server: {tail(server.log)}' if server.log and server.log.exists() else ''
        raise Failure(f'{e}; {brief(told(gateway, before, 1))}{more}') from e
    finally:
        cell.close()


def brief(sessions):
    keys = ('proto', 'code', 'why', 'alert', 'from', 'version', 'backend_tls', 'bytes_in', 'bytes_out')
    return '; '.join(' '.join(f'{k}={s[k]}' for k in keys if s.get(k)) for s in sessions) or 'the gateway saw no session'

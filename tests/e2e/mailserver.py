"""A plaintext mail server in memory: IMAP, POP3, SMTP, ACAP and more over one mailbox of three messages.

For the demo, for tests without a real server, and for faults that real servers do not have. Every byte that
reached it is kept in `received`, so that a test can say what never did. User joe, password secret.

MailServer(faults={...}) changes its behaviour:
    'greet'     bytes instead of the greeting              'hang'      accepts and says nothing
    'close_at'  closes when a line holds this text         'starttls'  advertises STARTTLS of its own
    'tls'       an SSLContext: STARTTLS works; nobody logs in before it. With it:
    'behind'    bytes right behind the go-ahead            'answer'    bytes instead of the go-ahead
    'hidden'    STARTTLS works and is not listed         'cut'       where 'answer' and 'behind' are sent apart
    'ehlo'      further lines of EHLO's answer
"""
import base64
import fcntl
import hashlib
import hmac
import re
import socket
import struct
import termios
import threading
import time

USER, PASSWORD = 'joe', 'secret'

MESSAGES = [
    (f'From: alice@example.org\r\nTo: joe@mail.test\r\nSubject: {subject}\r\nDate: Mon, 0{i} Jun 2026 10:00:00 +0000\r\n'
     f'Message-ID: <{i}@example.org>\r\n\r\n{text}\r\n').encode()
    for i, (subject, text) in enumerate([('Hello', 'The first message.'), ('Mail and mail', 'A hauberk is a coat of mail.'),
                                         ('Dots', '.\r\n..\r\nlines that begin with dots')], 1)]


def apart(sock):
    """Waits until the other end's system has all that was sent, and its program most likely, too: what is sent next is a
    segment, and a read, of its own."""
    while struct.unpack('i', fcntl.ioctl(sock, termios.TIOCOUTQ, b'\0' * 4))[0] > 0:
        time.sleep(0.0002)
    time.sleep(0.001)


class Gone(Exception):
    """The client left, or a fault says that we do."""


class Connection:
    def __init__(self, server, sock, protocol):
        self.server, self.sock, self.protocol = server, sock, protocol
        self.buffer, self.tls = b'', False

    def send(self, text):
        self.sock.sendall(text if isinstance(text, bytes) else text.encode())

    def say(self, *lines):
        self.send(''.join(line + '\r\n' for line in lines))

    def fill(self):
        data = self.sock.recv(262144)
        if not data:
            raise Gone
        with self.server.lock:
            self.server.received[self.protocol] += data
            if not self.tls:
                self.server.in_clear[self.protocol] += data
        self.buffer += data

    def line(self):
        while b'\n' not in self.buffer:
            self.fill()
        line, self.buffer = self.buffer.split(b'\n', 1)
        line = line.rstrip(b'\r').decode('latin-1')
        stop = self.server.faults.get('close_at')
        if stop and stop in line:
            raise Gone
        return line

    def octets(self, n):
        parts, have = [self.buffer], len(self.buffer)
        while have < n:
            self.buffer = b''
            self.fill()
            parts.append(self.buffer)
            have += len(self.buffer)
        data = b''.join(parts)
        self.buffer = data[n:]
        return data[:n]

    def offers_tls(self):
        faults = self.server.faults
        return not self.tls and ('starttls' in faults or ('tls' in faults and 'hidden' not in faults))

    def start_tls(self, answer):
        faults = self.server.faults
        said = faults.get('answer', answer.encode() + b'\r\n') + faults.get('behind', b'')
        self.send(said[:faults.get('cut', 0)])
        apart(self.sock)
        self.send(said[faults.get('cut', 0):])
        self.sock = faults['tls'].wrap_socket(self.sock, server_side=True)
        self.buffer, self.tls = b'', True

    def can_start_tls(self):
        return 'tls' in self.server.faults and not self.tls

    def until_dot(self):
        parts, tail = [], b'\r\n'
        data = self.buffer
        while True:
            at = (tail + data).find(b'\r\n.\r\n')
            if at >= 0:
                end = at + 5 - len(tail)
                parts.append(data[:end])
                self.buffer = data[end:]
                break
            parts.append(data)
            tail = (tail + data)[-4:]
            self.buffer = b''
            self.fill()
            data = self.buffer
        body = b''.join(parts)[:-3]
        return (b'\r\n' + body).replace(b'\r\n..', b'\r\n.')[2:]


def imap(c):
    server, selected, logged_in = c.server, False, False
    plain = 'IMAP4rev1 LITERAL+ IDLE UIDPLUS AUTH=PLAIN'
    caps = plain + (' STARTTLS' if c.offers_tls() else '')
    c.say(f'* OK [CAPABILITY {caps}] embedded server ready')
    while True:
        line = c.line()
        while True:
            m = re.search(r'\{(\d+)(\+?)\}$', line)
            if not m:
                break
            if not m[2]:
                c.say('+ go ahead')
            line = line[:m.start()] + '"' + c.octets(int(m[1])).decode('latin-1') + '"' + c.line()
        tag, _, rest = line.partition(' ')
        verb, _, args = rest.partition(' ')
        verb = verb.upper()
        if verb == 'UID':
            verb, _, args = args.partition(' ')
            verb = verb.upper()
        if verb == 'STARTTLS' and c.can_start_tls():
            c.start_tls(f'{tag} OK go')
            caps = plain
        elif verb == 'CAPABILITY':
            c.say(f'* CAPABILITY {caps}', f'{tag} OK done')
        elif verb == 'NOOP':
            c.say(f'{tag} OK done')
        elif verb == 'LOGOUT':
            c.say('* BYE see you', f'{tag} OK bye')
            raise Gone
        elif verb == 'LOGIN':
            words = [w[0] or w[1] for w in re.findall(r'"([^"]*)"|(\S+)', args)]
            logged_in = words == [USER, PASSWORD]
            c.say(f'{tag} OK [CAPABILITY {caps}] logged in' if logged_in else f'{tag} NO [AUTHENTICATIONFAILED] no')
        elif verb == 'AUTHENTICATE':
            _, _, initial = args.partition(' ')
            if not initial:
                c.say('+ ')
                initial = c.line()
            logged_in = base64.b64decode(initial).split(b'\0')[1:] == [USER.encode(), PASSWORD.encode()]
            c.say(f'{tag} OK logged in' if logged_in else f'{tag} NO [AUTHENTICATIONFAILED] no')
        elif not logged_in:
            c.say(f'{tag} BAD log in first')
        elif verb in ('SELECT', 'EXAMINE'):
            selected = True
            c.say('* FLAGS (\\Seen)', f'* {len(server.mailbox)} EXISTS', '* 0 RECENT', '* OK [UIDVALIDITY 1] ok',
                  f'{tag} OK [READ-WRITE] selected')
        elif verb == 'LIST':
            c.say('* LIST () "/" INBOX', f'{tag} OK done')
        elif verb == 'SEARCH':
            c.say('* SEARCH ' + ' '.join(str(i + 1) for i in range(len(server.mailbox))), f'{tag} OK done')
        elif verb == 'FETCH' and selected:
            first, last = 1, len(server.mailbox)
            m = re.match(r'(\d+)(?::(\d+|\*))?', args)
            if m:
                first = int(m[1])
                last = last if m[2] == '*' else int(m[2] or m[1])
            for i in range(first, min(last, len(server.mailbox)) + 1):
                body = server.mailbox[i - 1]
                c.send(f'* {i} FETCH (UID {i} BODY[] {{{len(body)}}}\r\n'.encode() + body + b')\r\n')
            c.say(f'{tag} OK done')
        elif verb == 'APPEND':
            server.mailbox.append(re.search(r'"((?:From|Subject|[A-Z]).*)"$', args, re.S)[1].encode('latin-1'))
            c.say(f'{tag} OK [APPENDUID 1 {len(server.mailbox)}] done')
        elif verb == 'IDLE':
            c.say('+ idling')
            c.line()
            c.say(f'{tag} OK done')
        else:
            c.say(f'{tag} BAD unknown')


def pop3(c):
    box, user, logged_in = c.server.mailbox, None, False
    c.say('+OK embedded server ready <1.2@mail.test>')
    while True:
        verb, _, arg = c.line().partition(' ')
        verb = verb.upper()
        if verb == 'CAPA':
            c.say('+OK', 'USER', 'UIDL', 'TOP', 'SASL PLAIN', *(['STLS'] if c.offers_tls() else []), '.')
        elif verb == 'STLS' and c.can_start_tls():
            c.start_tls('+OK go')
        elif verb == 'QUIT':
            c.say('+OK bye')
            raise Gone
        elif verb == 'USER':
            user = arg
            c.say('+OK')
        elif verb == 'PASS':
            logged_in = (user, arg) == (USER, PASSWORD)
            c.say('+OK logged in' if logged_in else '-ERR [AUTH] no')
        elif verb == 'AUTH' and arg.upper().startswith('PLAIN'):
            initial = arg[6:]
            if not initial:
                c.say('+ ')
                initial = c.line()
            logged_in = base64.b64decode(initial).split(b'\0')[1:] == [USER.encode(), PASSWORD.encode()]
            c.say('+OK logged in' if logged_in else '-ERR [AUTH] no')
        elif verb == 'NOOP':
            c.say('+OK')
        elif not logged_in:
            c.say('-ERR log in first')
        elif verb == 'STAT':
            c.say(f'+OK {len(box)} {sum(map(len, box))}')
        elif verb in ('LIST', 'UIDL'):
            row = (lambda i: f'{i} {len(box[i - 1])}') if verb == 'LIST' else (lambda i: f'{i} uid{i}')
            if arg:
                c.say('+OK ' + row(int(arg)))
            else:
                c.say('+OK', *[row(i + 1) for i in range(len(box))], '.')
        elif verb in ('RETR', 'TOP'):
            body = box[int(arg.split()[0]) - 1]
            body = re.sub(rb'(?m)^\.', b'..', body)
            c.send(b'+OK\r\n' + body + (b'' if body.endswith(b'\r\n') else b'\r\n') + b'.\r\n')
        else:
            c.say('-ERR unknown')


def smtp(c):
    server = c.server
    c.say('220 embedded server ESMTP')
    while True:
        line = c.line()
        verb = line.split(' ')[0].upper()
        if verb == 'EHLO':
            c.say('250-embedded', '250-PIPELINING', '250-8BITMIME', '250-CHUNKING',
                  *(['250-STARTTLS'] if c.offers_tls() else []), *c.server.faults.get('ehlo', []), '250 AUTH PLAIN LOGIN')
        elif verb == 'STARTTLS' and c.can_start_tls():
            c.start_tls('220 go')
        elif verb in ('HELO', 'MAIL', 'RCPT', 'RSET', 'NOOP'):
            c.say('250 ok')
        elif verb == 'AUTH':
            initial = line.split(' ')[2:]
            if not initial:
                c.say('334 ')
                initial = [c.line()]
            good = base64.b64decode(initial[0]).split(b'\0')[1:] == [USER.encode(), PASSWORD.encode()]
            c.say('235 2.7.0 in' if good else '535 5.7.8 no')
        elif verb == 'DATA':
            c.say('354 go')
            server.mailbox.append(c.until_dot())
            c.say('250 queued')
        elif verb == 'BDAT':
            words = line.split()
            server.chunks += c.octets(int(words[1]))
            if words[-1].upper() == 'LAST':
                server.mailbox.append(bytes(server.chunks))
                server.chunks.clear()
            c.say('250 ok')
        elif verb == 'QUIT':
            c.say('221 bye')
            raise Gone
        else:
            c.say('502 unknown')


def acap(c):
    """RFC 2244: enough for its examples: a login, a search, an unknown command."""
    def greet():
        c.say('* ACAP (IMPLEMENTATION "embedded") (SASL "CRAM-MD5" "PLAIN")' + (' (STARTTLS)' if c.offers_tls() else ''))
    greet()
    logged_in = False
    while True:
        line = c.line()
        tag, _, rest = line.partition(' ')
        verb, _, args = rest.partition(' ')
        verb = verb.upper()
        if verb == 'STARTTLS' and c.can_start_tls():
            c.start_tls(f'{tag} OK "go"')
            greet()
        elif verb == 'NOOP':
            c.say(f'{tag} OK "done"')
        elif verb == 'LOGOUT':
            c.say('* BYE "see you"', f'{tag} OK "bye"')
            raise Gone
        elif verb == 'AUTHENTICATE' and '"CRAM-MD5"' in args.upper():
            challenge = '<1896.697170952@mail.test>'
            c.say(f'+ "{challenge}"')
            want = hmac.new(PASSWORD.encode(), challenge.encode(), hashlib.md5).hexdigest()
            logged_in = c.line() == f'"{USER} {want}"'
            c.say(f'{tag} OK "logged in"' if logged_in else f'{tag} NO "no"')
        elif verb == 'SEARCH' and logged_in:
            c.say(f'{tag} ENTRY "abook/joe" "Joe" {{9}}\r\njoe@a.org', f'{tag} MODTIME "20260601100000"',
                  f'{tag} OK "SEARCH completed"')
        else:
            c.say(f'{tag} BAD "unknown, or not now"')


def sieve(c):
    """RFC 5804: its list, and the commands that need nobody to be logged in."""
    caps = ['"IMPLEMENTATION" "embedded"', '"SASL" "PLAIN"', '"SIEVE" "fileinto"', '"VERSION" "1.0"'] + (
        ['"STARTTLS"'] if c.server.faults.get('starttls') else [])
    c.say(*caps, 'OK')
    while True:
        verb, _, args = c.line().partition(' ')
        if verb.upper() == 'CAPABILITY':
            c.say(*caps, 'OK')
        elif verb.upper() == 'LOGOUT':
            c.say('OK "bye"')
            raise Gone
        else:
            c.say('OK "done"' if verb.upper() == 'NOOP' else 'NO "unknown, or not now"')


def nntp(c):
    """RFC 3977: its list, the time, and articles that go nowhere."""
    caps = ['VERSION 2', 'READER', 'POST', 'STREAMING'] + (['STARTTLS'] if c.server.faults.get('starttls') else [])
    c.say('200 embedded')
    while True:
        verb, _, args = c.line().partition(' ')
        if verb.upper() == 'CAPABILITIES':
            c.say('101 list', *caps, '.')
        elif verb.upper() == 'POST':
            c.say('340 send it')
            c.until_dot()
            c.say('240 thanks')
        elif verb.upper() == 'TAKETHIS':
            c.until_dot()
            c.say('239 ' + args)
        elif verb.upper() == 'QUIT':
            c.say('205 bye')
            raise Gone
        else:
            c.say({'MODE': '200 reader', 'DATE': '111 20260601100000'}.get(verb.upper(), '500 unknown'))


PROTOCOLS = {'imap': imap, 'pop3': pop3, 'smtp': smtp, 'acap': acap, 'sieve': sieve, 'nntp': nntp}


class MailServer:
    """Listens on a port of its own for each protocol until stop()."""

    def __init__(self, faults=None):
        self.faults, self.lock = faults or {}, threading.Lock()
        self.mailbox, self.chunks = list(MESSAGES), bytearray()
        self.received = {p: b'' for p in PROTOCOLS}
        self.in_clear = {p: b'' for p in PROTOCOLS}
        self.connections = {p: 0 for p in PROTOCOLS}
        self.sockets, self.port, self.open = [], {}, []
        for protocol in PROTOCOLS:
            listening = socket.create_server(('127.0.0.1', 0), backlog=512)
            self.sockets.append(listening)
            self.port[protocol] = listening.getsockname()[1]
            threading.Thread(target=self.accept, args=(listening, protocol), daemon=True).start()

    def accept(self, listening, protocol):
        while True:
            try:
                sock, _ = listening.accept()
            except OSError:
                return
            self.connections[protocol] += 1
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.open.append(sock)
            threading.Thread(target=self.serve, args=(sock, protocol), daemon=True).start()

    def serve(self, sock, protocol):
        c = Connection(self, sock, protocol)
        try:
            if 'hang' in self.faults:
                time.sleep(3600)
            if 'greet' in self.faults:
                c.send(self.faults['greet'])
                c.fill()
            PROTOCOLS[protocol](c)
        except (Gone, OSError, ValueError, IndexError, TypeError):
            pass
        finally:
            sock.close()

    def drop_all(self):
        """Breaks every open connection, as a server that dies does."""
        for sock in self.open:
            try:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
                sock.shutdown(socket.SHUT_RDWR)
                sock.close()
            except OSError:
                pass
        self.open.clear()

    def stop(self):
        for sock in self.sockets:
            sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        self.drop_all()

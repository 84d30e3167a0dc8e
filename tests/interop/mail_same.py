"""As with no gateway in between: each conversation of mail_talks.py is had twice, with the server itself as the gateway's leg
reaches it, and inside TLS through the gateway. Every line of the answers must be the same, but for numbers that are new
each time (NEW) and for what lists hold that is not for clients (HIDDEN).

A conversation that the server itself does not go along with, because it has no such extension, is n.a."""
import base64
import dataclasses
import difflib
import re
import string
import zlib

from harness import Failure
from mail_cells import LEGS, NAMES, PASSWORD, USER
from mail_talks import AUTH, TALKS
from support import Line, upgrade

TIMEOUT = 25
PLAIN, WRONG = (base64.b64encode(f'\0{USER}\0{x}'.encode()).decode() for x in (PASSWORD, 'wrong'))
FAILED = re.compile(r'\S+ (NO|BAD)\b|-ERR|NO\b|BYE|[45]\d\d ')
NEW = [  # what differs from one session to the next
    (r'\d\d:\d\d:\d\d', 'TIME'), (r'(UIDVALIDITY|UIDNEXT|APPENDUID|HIGHESTMODSEQ|MODSEQ|UNSEEN) \(?\d+( \d+)?\)?', r'\1 N'),
    (r'queued as \w+', 'queued as ID'), (r'OK id=[\w-]+', 'OK id=ID'), (r'MAILBOXID \(\S+\)', 'MAILBOXID ID'), (r'<\S+> \S{15,} Saved', 'Saved'),
    (r'\([\d. +]+ secs?', ''), (r'[Ss]ession=?\W+[^>]+>', 'session'), (r'SESSIONID=<[^>]+>', 'SESSIONID'), (r'\d+ octets|\+OK 1 \d+|^1 \d+$|RFC822.SIZE \d+', 'SIZE'),
]
# What lists hold that is not for clients (GEN-11, GEN-16, SASL-02, SEC-08), or not any more (GEN-09: MODE READER was said)
HELLO = r'250-(STARTTLS|XCLIENT.*|AUTH|AUTH EXTERNAL)$'
HIDDEN = {'imap': r' (STARTTLS|LOGINDISABLED|(LOGIN|MAILBOX)-REFERRALS)(?= |$)', 'pop3': '^(STLS|XCLIENT)$',
          'smtp': HELLO, 'submission': HELLO, 'lmtp': HELLO, 'sieve': '^"(STARTTLS|XCLIENT)"$',
          'nntp': '^(STARTTLS|MODE-READER|COMPRESS DEFLATE)$'}


class Unlike(Failure):
    """The server answered with a refusal where the conversation goes on."""


class Deflated:
    """A socket behind COMPRESS DEFLATE (RFC 4978, RFC 8054)."""

    def __init__(self, sock):
        self.sock, self.out, self.into = sock, zlib.compressobj(9, zlib.DEFLATED, -15), zlib.decompressobj(-15)

    def sendall(self, data):
        self.sock.sendall(self.out.compress(data) + self.out.flush(zlib.Z_SYNC_FLUSH))

    def recv(self, size):
        while data := self.sock.recv(size):
            if text := self.into.decompress(data):
                return text
        return b''

    def close(self):
        self.sock.close()


@dataclasses.dataclass(frozen=True)
class Row:
    proto: str
    talk: str

    @property
    def name(self):
        return f'{NAMES[self.proto]}: {self.talk}'


def rows(protocols):
    return [Row(p, t) for p in TALKS if p in protocols for t in TALKS[p]]


def until(c, want, said):
    """Lines up to one that begins like this."""
    pattern = re.compile(want)
    while True:
        line = c.line()
        said.append(line)
        if pattern.match(line):
            return
        if FAILED.match(line):
            raise Unlike(f'it says {line!r}')


def converse(server, c, text):
    """All that the server said."""
    said, sent = [], ''
    for line in text.strip().split('\n'):
        kind, rest = line[:2], line[3:]
        if kind == 'C:':
            sent += rest + '\r\n'
            continue
        if sent:
            c.send(string.Template(sent).substitute(PLAIN=PLAIN, WRONG=WRONG, GROUP=server.group).encode())
            sent = ''
        if kind == 'S:':
            until(c, rest, said)
        elif line == '!compress':
            c.sock = Deflated(c.sock)
        elif line == '!deliver':
            box = server.box()
            box.append('INBOX', None, None, b'Subject: another\r\n\r\nx\r\n')
            box.logout()
    return said


def direct(world, server, proto, leg):
    """A connection to the server itself, as the gateway has it."""
    if leg == 'plain':
        c = Line({**server.ports, **server.plain_ports}[proto])
    elif leg == 'starttls':
        return upgrade(world, server.ports[proto], proto)
    else:
        c = Line(server.implicit[proto])
        c.start_tls(world.client_context())
    c.until('OK' if proto == 'sieve' else '')
    return c


def talk(server, proto, c, text):
    c.sock.settimeout(TIMEOUT)
    try:
        if proto in ('smtp', 'submission', 'lmtp'):
            c.send(('LHLO' if proto == 'lmtp' else 'EHLO') + ' client.test\r\n')
            c.until('250 ')
        return converse(server, c, text)
    finally:
        c.close()


def plain_words(proto, said):
    """Without what is new each time, and what is hidden. A list of IMAP's behind a login stands in the OK or before it."""
    out = []
    for line in said:
        for pattern, word in NEW:
            line = re.sub(pattern, word, line)
        if proto == 'imap' and (found := re.match(r'(\S+ OK )\[(CAPABILITY .*?)\] (.*)', line)):
            out += [f'* {found[2]}', found[1] + found[3]]
        else:
            out.append(line)
    if proto == 'imap':  # COMPRESS is for those who are logged in
        out = [x.replace(' COMPRESS=DEFLATE', '') if ' AUTH=' in x else x for x in out]
    shown = [y for x in out if (y := re.sub(HIDDEN[proto], '', x.rstrip()))]
    return sorted(shown) if proto == 'nntp' else shown  # whose lists have no order


def differences(want, got):
    """The words that differ, of the lines that differ."""
    told = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, want, got, False).get_opcodes():
        there, here = ' '.join(want[a:b]).split(), ' '.join(got[c:d]).split()
        if kind != 'equal':
            told.append(f'only there: {" ".join(w for w in there if w not in here)!r:.150}, only here: {" ".join(w for w in here if w not in there)!r:.150}')
    return '; '.join(told)


def fill(server, proto):
    if proto in ('imap', 'pop3'):
        server.put(b'Subject: the same\r\n\r\n.\r\nQUIT\r\n')


def compare(world, server, row, leg, ours=None):
    """Raises Unlike if the server itself will not, Failure if it is another conversation through the gateway."""
    text = (AUTH if (row.proto, leg) in server.logins else '') + '\n' + TALKS[row.proto][row.talk]
    fill(server, row.proto)
    try:
        want = plain_words(row.proto, talk(server, row.proto, direct(world, server, row.proto, leg), text))
    except (Failure, OSError) as e:
        raise Unlike(f'{e}') from e
    fill(server, row.proto)
    try:
        got = plain_words(row.proto, talk(server, row.proto, upgrade(world, ours or server.gateway('starttls', leg).port(row.proto), row.proto), text))
    except Unlike as e:
        raise Failure(f'through the gateway {e}') from e
    if got != want:
        raise Failure(differences(want, got) or 'other lines of the same words')


def try_faults(world, servers, found, wrong):
    """The gateway leads to another server of the protocol: all must be red."""
    for server in servers:
        server.front(world)
    for row in rows({p for s in servers for p in s.ports}):
        speak = [s for s in servers if row.proto in s.ports]
        for server, other in zip(speak, speak[1:] + speak[:1]):
            name = f'same: {row.name}, {server.name} ({other.name})'
            try:
                if (row.talk, 'starttls') in server.silent:
                    continue
                compare(world, server, row, 'starttls', other.gateway('starttls', 'starttls').port(row.proto))
                wrong.append(name)
                print(f'FAIL {name}: green', flush=True)
            except Unlike:
                continue
            except (Failure, OSError) as e:
                found.append(name)
                print(f'red: {name}: {f"{e!r}"[:150]}', flush=True)
    for gateway in (g for s in servers for g in s.gateways.values()):
        gateway.stop()


def run_server(table, world, all_rows, server, everything):
    mine = [r for r in all_rows if r.proto in server.ports]
    for row in (r for r in all_rows if r not in mine):
        for leg in LEGS:
            table.put(row, server, leg, '')
    if not server.broken:
        server.front(world)
    for row, leg in ((r, x) for r in mine for x in LEGS):
        if world.stopping.is_set():
            return
        mark, why = 'ok', ''
        if server.broken:
            mark, why = 'FAIL' if everything else 'n.a.', server.broken
        elif leg == 'implicit' and row.proto not in server.implicit:
            mark, why = 'n.a.', server.no_implicit
        elif (row.talk, leg) in server.silent:
            mark, why = 'n.a.', server.silent[row.talk, leg]
        elif not everything and (leg != 'starttls' or (server.slow and row.talk.endswith('wrong'))):
            mark = '-'
        else:
            try:
                compare(world, server, row, leg)
            except Unlike as e:
                mark, why = 'n.a.', f'{row.name}: {e}'
            except (Failure, OSError) as e:
                mark, why = 'FAIL', f'{e}'
        table.put(row, server, leg, mark, f'{server.name}: {why}' if mark == 'n.a.' else why)
    for gateway in server.gateways.values() if not server.broken else ():
        gateway.stop()

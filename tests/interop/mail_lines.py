"""Clients that join a terminal to a connection: openssl s_client and gnutls-cli. What is typed is here, protocol by
protocol: a line, and how the last line of its answer begins. They ask for STARTTLS in their own words."""
import base64
import re
import subprocess
import time

import trixie
from harness import SECONDS, Failure, check, tail
from mail_cells import PASSWORD, RECIPIENT, SENDER, USER
from mail_tools import Client, must

GREETINGS = {'imap': rb'\* OK', 'pop3': rb'\+OK', 'sieve': rb'OK', 'nntp': rb'20[01] '}
PLAIN = base64.b64encode(f'\0{USER}\0{PASSWORD}'.encode()).decode()


def stuffed(data):
    """Content up to its dot (RFC 5321 4.5.2)."""
    return re.sub(rb'(?m)^\.', b'..', data) + b'.\r\n'


class Typed:
    """A session with such a client; say() gives what came since. Its errors, and OpenSSL's memories of STARTTLS, are
    kept apart from what the server says."""

    def __init__(self, cell, argv):
        self.out, self.err, self.at = cell.folder / 'typed.out', cell.folder / 'typed.err', 0
        with open(self.out, 'wb') as out, open(self.err, 'wb') as err:
            self.program = subprocess.Popen([str(a) for a in argv], stdin=subprocess.PIPE, stdout=out, stderr=err)

    def say(self, text, want):
        """Types it, with CRLF; want: a regular expression for the line that ends the answer."""
        if text:
            text = text.encode() + b'\r\n' if isinstance(text, str) else text
            self.program.stdin.write(text)
            self.program.stdin.flush()
        end = time.monotonic() + SECONDS
        while True:
            gone = self.program.poll() is not None
            found = re.search(rb'(?m)^' + want + rb'.*\r?\n', new := self.out.read_bytes()[self.at:])
            if found:
                self.at += found.end()
                return new[:found.end()]
            if gone or time.monotonic() > end:
                raise Failure(f'no {want!r} behind {text!r:.60}: {new[-300:]!r} {tail(self.err)!r}')
            time.sleep(0.005)

    def end(self):
        self.program.stdin.close()
        self.program.wait(SECONDS)

    def stop(self):
        if self.program.poll() is None:
            self.program.kill()
            self.program.wait()


class Terminal(Client):
    """A client that talks lines; argv() runs it."""
    protocols = ('imap', 'pop3', 'smtp', 'submission', 'lmtp', 'sieve', 'nntp')

    def argv(self, cell):
        raise NotImplementedError

    def run(self, cell, talk):
        t = Typed(cell, self.argv(cell))
        try:
            if cell.implicit or cell.proto == 'sieve':  # which greets again behind STARTTLS
                t.say(None, GREETINGS.get(cell.proto, rb'220 '))
            talk(cell, t.say)
            t.end()
        finally:
            t.stop()

    def imap(self, cell):
        self.run(cell, imap)

    def pop3(self, cell):
        self.run(cell, pop3)

    def smtp(self, cell):
        self.run(cell, smtp)

    submission = lmtp = smtp

    def sieve(self, cell):
        self.run(cell, sieve)

    def nntp(self, cell):
        self.run(cell, nntp)


def imap(cell, say):
    say('a1 AUTHENTICATE EXTERNAL =' if cell.external else f'a1 LOGIN {USER} {PASSWORD}', rb'a1 OK')
    say('a2 SELECT INBOX', rb'a2 OK')
    got = say('a3 FETCH 1 (BODY.PEEK[])', rb'a3 OK')
    found = re.search(rb'BODY\[\] \{(\d+)\}\r?\n', got)
    check(found is not None, f'no literal: {got[:300]!r}')
    cell.same(got[found.end():found.end() + int(found[1])], 'fetched')
    say('a4 LOGOUT', rb'a4 OK')


def pop3(cell, say):
    if cell.external:
        say('AUTH EXTERNAL =', rb'\+OK')
    else:
        say(f'USER {USER}', rb'\+OK')
        say(f'PASS {PASSWORD}', rb'\+OK')
    got = say('RETR 1', rb'\.\r?$')
    cell.same(re.sub(rb'(?m)^\.', b'', got[got.index(b'\n') + 1:]), 'retrieved')
    say('QUIT', rb'\+OK')


def smtp(cell, say):
    say('LHLO client.test' if cell.proto == 'lmtp' else 'EHLO client.test', rb'250 ')
    if cell.login:
        say('AUTH EXTERNAL =' if cell.external else f'AUTH PLAIN {PLAIN}', rb'235 ')
    for line in (f'MAIL FROM:<{SENDER}>', f'RCPT TO:<{RECIPIENT}>'):
        say(line, rb'250 ')
    say('DATA', rb'354 ')
    say(stuffed(cell.message), rb'250 ')
    say('QUIT', rb'221 ')


def sieve(cell, say):
    say('AUTHENTICATE "EXTERNAL" ""' if cell.external else f'AUTHENTICATE "PLAIN" "{PLAIN}"', rb'OK')
    script = cell.script
    say(b'PUTSCRIPT "%s" {%d+}\r\n%s\r\n' % (cell.subject.encode(), len(script), script), rb'OK')
    got = say(f'GETSCRIPT "{cell.subject}"', rb'OK')
    cell.check_text(re.split(rb'\{\d+\}\r?\n', got, 1)[1].rsplit(b'\nOK', 1)[0], script, 'the script')
    say('LOGOUT', rb'OK')


def nntp(cell, say):
    say('MODE READER', rb'20[01] ')
    if cell.external:
        say('AUTHINFO SASL EXTERNAL =', rb'281 ')
    else:
        say(f'AUTHINFO USER {USER}', rb'381 ')
        say(f'AUTHINFO PASS {PASSWORD}', rb'281 ')
    say('POST', rb'340 ')
    say(stuffed(cell.message), rb'240 ')
    check(say(f'GROUP {cell.server.group}', rb'211 ') != b'', 'GROUP')
    got = say(f'ARTICLE {cell.message_id}', rb'\.\r?$')
    cell.same(re.sub(rb'(?m)^\.', b'', got[got.index(b'\n') + 1:]), 'the article')
    say('QUIT', rb'205 ')


class OpenSSL(Terminal):
    name, packages, program = 'openssl s_client', ('openssl',), ('openssl',)

    def argv(self, cell):
        words = {'submission': 'smtp'}
        return [*self.program, 's_client', *(('-groups', self.group) if self.group else ()), *(() if cell.implicit else ('-starttls', words.get(cell.proto, cell.proto))), '-connect',
                f'127.0.0.1:{cell.port}', '-servername', 'mail.test', '-verify_hostname', 'mail.test', '-CAfile', cell.ca,
                '-verify_return_error', '-quiet', *(('-cert', cell.cert, '-key', cell.key) if cell.external else ())]


class OpenSSL35(OpenSSL):
    """That of the next Debian, from the tree that trixie.py tells of: STARTTLS, and nothing but X25519MLKEM768 behind it."""
    name, group = 'OpenSSL 3.5 ML-KEM', 'X25519MLKEM768'

    def __init__(self, tree):
        self.program = trixie.program(tree, 'openssl')

    def version(self):
        return must([*self.program, 'version']).decode().split()[1]


class GnuTLS(Terminal):
    name, packages = 'gnutls-cli', ('gnutls-bin',)

    def argv(self, cell):
        words = {'submission': 'smtp'}
        return ['gnutls-cli', *(() if cell.implicit else (f'--starttls-proto={words.get(cell.proto, cell.proto)}',)), '-p', cell.port,
                '--sni-hostname=mail.test', '--verify-hostname=mail.test', f'--x509cafile={cell.ca}',
                *((f'--x509certfile={cell.cert}', f'--x509keyfile={cell.key}') if cell.external else ()), '127.0.0.1']

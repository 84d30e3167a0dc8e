"""Clients of the mail matrix that are libraries: Python's in this process, others' in small programs of ours
(peers/mail/), which are all called PROTOCOL starttls|implicit PORT CA FILE LOGIN, or PROTOCOL external PORT CA FILE LOGIN
CERTIFICATE KEY, and say there what they do."""
import imaplib
import nntplib
import platform
import pathlib
import poplib
import shutil
import smtplib
import warnings

from harness import Failure, check
from mail_cells import RECIPIENT, SENDER, USER
from mail_tools import Client, must

PEERS = pathlib.Path(__file__).resolve().parent / 'peers/mail'
warnings.filterwarnings('ignore', category=DeprecationWarning)


class Python(Client):
    name, protocols = 'Python', ('imap', 'pop3', 'smtp', 'submission', 'lmtp', 'nntp')

    def version(self):
        return platform.python_version()

    def lacks(self, proto, front, server, leg):
        if (proto, front) == ('lmtp', 'implicit'):
            return 'smtplib.LMTP has no TLS from the first byte'
        if front == 'external' and proto in ('pop3', 'nntp'):
            return 'poplib and nntplib know no SASL'
        return None

    def context(self, cell):
        context = cell.world.client_context()
        if cell.external:
            context.load_cert_chain(cell.cert, cell.key)
        return context

    def imap(self, cell):
        context = self.context(cell)
        if cell.implicit:
            box = imaplib.IMAP4_SSL('localhost', cell.port, ssl_context=context, timeout=30)
        else:
            box = imaplib.IMAP4('localhost', cell.port, timeout=30)
            check(box.starttls(context)[0] == 'OK', 'STARTTLS')
        if cell.external:
            box.authenticate('EXTERNAL', lambda _: USER.encode())
        else:
            box.login(USER, cell.password)
        check(box.select('INBOX')[0] == 'OK', 'SELECT')
        cell.same(box.fetch('1', '(BODY[])')[1][0][1], 'fetched')
        check(box.append('INBOX', None, None, cell.message)[0] == 'OK', 'APPEND')
        check(box.noop()[0] == 'OK', 'NOOP')
        cell.same(box.fetch('2', '(BODY[])')[1][0][1], 'appended')
        box.logout()

    def pop3(self, cell):
        context = self.context(cell)
        if cell.implicit:
            pop = poplib.POP3_SSL('localhost', cell.port, context=context, timeout=30)
        else:
            pop = poplib.POP3('localhost', cell.port, timeout=30)
            pop.stls(context)
        pop.user(USER)
        pop.pass_(cell.password)
        cell.same(b'\n'.join(pop.retr(1)[1]), 'retrieved')
        pop.quit()

    def smtp(self, cell):
        context = self.context(cell)
        if cell.implicit:
            s = smtplib.SMTP_SSL('localhost', cell.port, context=context, timeout=30)
        else:
            s = (smtplib.LMTP if cell.proto == 'lmtp' else smtplib.SMTP)('localhost', cell.port)
            s.starttls(context=context)
        if cell.external:
            s.ehlo()
            s.auth('EXTERNAL', lambda challenge=None: USER)
        elif cell.login:
            s.login(USER, cell.password)
        s.sendmail(SENDER, [RECIPIENT], cell.message)
        s.quit()

    submission = lmtp = smtp

    def nntp(self, cell):
        context = self.context(cell)
        if cell.implicit:
            c = nntplib.NNTP_SSL('localhost', cell.port, ssl_context=context, readermode=True, timeout=30)
        else:
            c = nntplib.NNTP('localhost', cell.port, readermode=True, timeout=30)
            c.starttls(context)
        c.login(USER, cell.password)
        c.post(cell.message)
        c.group(cell.server.group)
        cell.same(b'\n'.join(c.article(cell.message_id)[1].lines), 'the article')
        c.quit()


class Program(Client):
    """argv and env run it."""
    env = {}

    def argv(self, cell):
        raise NotImplementedError

    def call(self, cell, file):
        must([*self.argv(cell), cell.proto, cell.front, cell.port, cell.ca, file, f'{USER}:{cell.password}' if cell.login else '',
              *((cell.cert, cell.key) if cell.external else ())], env=self.env)

    def imap(self, cell):
        self.call(cell, cell.folder / 'mail')
        cell.same((cell.folder / 'mail').read_bytes(), 'fetched')

    pop3 = imap

    def smtp(self, cell):
        self.call(cell, cell.write('mail', cell.message))

    submission = lmtp = smtp

    def nntp(self, cell):
        path = cell.write('article', cell.message)
        self.call(cell, path)
        cell.same(path.read_bytes(), 'the article')


class Go(Program):
    name, protocols = 'Go', ('pop3', 'smtp', 'submission', 'nntp')

    def prepare(self, world):
        self.program = world.build / 'mail-go'
        must(['go', 'build', '-o', self.program, PEERS / 'mail.go'],
             env={'GOCACHE': str(world.build / 'go-cache'), 'GO111MODULE': 'off', 'CGO_ENABLED': '0'}, seconds=200)

    def argv(self, cell):
        return [self.program]

    def version(self):
        return must(['go', 'version']).decode().split()[2]


class Node(Program):
    """imapflow for IMAP, nodemailer for the others."""
    name, protocols = 'Node', ('imap', 'smtp', 'submission', 'lmtp')
    modules = ('imapflow@1.0.188', 'nodemailer@6.10.1')

    def lacks(self, proto, front, server, leg):
        return 'imapflow knows no EXTERNAL' if (proto, front) == ('imap', 'external') else None

    def prepare(self, world):
        self.env = {'MODULES': str(world.build / 'node')}
        if not shutil.which('npm'):
            return 'there is no npm, and Debian has neither imapflow nor a nodemailer of today'
        done = world.build / 'node/complete'
        if not done.exists() or done.read_text() != str(self.modules):
            (world.build / 'node').mkdir(exist_ok=True)
            try:
                must(['npm', 'install', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', world.build / 'node', *self.modules],
                     seconds=120)
            except Failure as e:
                return f'npm installs nothing here ({str(e).splitlines()[-1][:100]})'
            done.write_text(str(self.modules))
        return None

    def argv(self, cell):
        return ['node', PEERS / 'mail.js']

    def version(self):
        return must(['node', '--version']).decode().strip() + ' (' + ', '.join(self.modules).replace('@', ' ') + ')'


class Perl(Program):
    """Net::SMTP, Net::POP3, Net::NNTP of Perl itself; Mail::IMAPClient."""
    name, packages, protocols = 'Perl', ('libmail-imapclient-perl',), ('imap', 'pop3', 'smtp', 'submission', 'nntp')

    def lacks(self, proto, front, server, leg):
        return 'Net::NNTP knows no SASL' if (proto, front) == ('nntp', 'external') else None

    def argv(self, cell):
        return ['perl', PEERS / 'mail.pl']

    def version(self):
        return must(['perl', '-e', 'print $^V']).decode()


def clients():
    return [Python(), Go(), Node(), Perl()]

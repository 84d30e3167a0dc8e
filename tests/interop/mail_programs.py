"""Clients of the mail matrix that are libraries: Python's in this process, others' in small programs of ours (peers/)."""
import imaplib
import nntplib
import platform
import poplib
import smtplib
import warnings

from harness import check
from mail_cells import GROUP, PASSWORD, RECIPIENT, SENDER, USER
from mail_tools import Client

warnings.filterwarnings('ignore', category=DeprecationWarning)


class Python(Client):
    name, protocols = 'Python', ('imap', 'pop3', 'smtp', 'submission', 'lmtp', 'nntp')

    def version(self):
        return platform.python_version()

    def lacks(self, proto, front):
        if (proto, front) == ('lmtp', 'implicit'):
            return 'smtplib.LMTP has no TLS from the first byte'
        return None

    def context(self, cell):
        return cell.world.client_context()

    def imap(self, cell):
        context = self.context(cell)
        if cell.implicit:
            box = imaplib.IMAP4_SSL('localhost', cell.port, ssl_context=context, timeout=30)
        else:
            box = imaplib.IMAP4('localhost', cell.port, timeout=30)
            check(box.starttls(context)[0] == 'OK', 'STARTTLS')
        box.login(USER, PASSWORD)
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
        pop.pass_(PASSWORD)
        cell.same(b'\n'.join(pop.retr(1)[1]), 'retrieved')
        pop.quit()

    def smtp(self, cell):
        context = self.context(cell)
        if cell.implicit:
            s = smtplib.SMTP_SSL('localhost', cell.port, context=context, timeout=30)
        else:
            s = (smtplib.LMTP if cell.proto == 'lmtp' else smtplib.SMTP)('localhost', cell.port)
            s.starttls(context=context)
        if cell.login:
            s.login(USER, PASSWORD)
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
        c.login(USER, PASSWORD)
        c.post(cell.message)
        c.group(GROUP)
        cell.same(b'\n'.join(c.article(cell.message_id)[1].lines), 'the article')
        c.quit()


def clients():
    return [Python()]

"""Clients of the mail matrix that are programs of their own: fetchers, senders, mail readers. Each is told everything on
its command line or in a file of the cell's folder; what one cannot do has its reason here."""
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time

from harness import check
from mail_cells import PASSWORD, RECIPIENT, SENDER, USER
from support import run


class Client:
    """name: row. protocols: what it speaks; a method for each. lacks(): why a cell is not tried. prepare(): may give a
    reason why nothing of it can be tried."""
    name, protocols, packages, broken = '', (), (), None
    no_starttls = no_implicit = no_external = None  # reasons
    group = None  # the only one it offers
    ends = {}  # protocol -> ends of sessions in our log that are the client's own way
    blind = {}  # fault of mail_faults.py -> why it does not find it

    def prepare(self, world):
        return None

    def lacks(self, proto, front, server, leg):
        return {'starttls': self.no_starttls, 'implicit': self.no_implicit, 'external': self.no_external}[front]

    def version(self):
        return debian(self.packages[0]) if self.packages else ''


def debian(package):
    return run(['dpkg-query', '-W', '-f', '${Version}', package])[1].decode()


def must(argv, data=b'', seconds=60, env=None):
    """Runs it to a good end; its output."""
    code, out, err = run([str(a) for a in argv], data, seconds, env)
    check(code == 0, f'{argv[0]} ended with {code}: {(out + err)[-600:].decode(errors="replace")}')
    return out


class Curl(Client):
    name, packages = 'curl', ('curl',)
    protocols = ('imap', 'pop3', 'smtp', 'submission')

    def lacks(self, proto, front, server, leg):
        if (proto, front, server, leg) == ('imap', 'starttls', 'Courier', 'plain'):
            return 'in TLS it still obeys the LOGINDISABLED from before, unless AUTH= is listed; Courier lists none in clear'
        return None

    def curl(self, cell, path, *options, login=True):
        scheme = cell.scheme.replace('submission', 'smtp')
        if cell.external:
            options = (*options, '--cert', cell.cert, '--key', cell.key, '--login-options', 'AUTH=EXTERNAL', '-u', f'{USER}:')
            login = False
        return must(['curl', '-sS', '--max-time', '50', '--ssl-reqd', '--cacert', cell.ca, '--resolve',
                     f'mail.test:{cell.port}:127.0.0.1', *(['-u', f'{USER}:{cell.password}'] if login else []), *options,
                     f'{scheme}://mail.test:{cell.port}/{path}'])

    def imap(self, cell):
        cell.same(self.curl(cell, 'INBOX;MAILINDEX=1'), 'fetched')
        other = cell.message.replace(b'\r\n\r\n', b'\r\nX-Appended: yes\r\n\r\n', 1)
        self.curl(cell, 'INBOX', '-T', cell.write('other', other))
        check(cell.server.messages()[1:] == [other], 'the appended message is not in the store')

    def pop3(self, cell):
        cell.same(self.curl(cell, '1'), 'retrieved')

    def smtp(self, cell):
        self.curl(cell, 'client.test', '--mail-from', SENDER, '--mail-rcpt', RECIPIENT, '-T', cell.write('mail', cell.message),
                  login=cell.login)

    submission = smtp


class Swaks(Client):
    name, packages = 'swaks', ('swaks',)
    protocols = ('smtp', 'submission', 'lmtp')
    no_external = 'EXTERNAL is not among its mechanisms'
    blind = {'name': '--tls-verify looks at the chain, not at the name'}

    def smtp(self, cell):
        auth = ['--auth', 'PLAIN', '--auth-user', USER, '--auth-password', PASSWORD] if cell.login else []
        must(['swaks', '--server', '127.0.0.1', '-p', cell.port, '--tlsc' if cell.implicit else '--tls', '--tls-verify', '--tls-ca-path',
              cell.ca, '--tls-sni', 'mail.test', '--protocol', 'LMTP' if cell.proto == 'lmtp' else 'ESMTP', '-f', SENDER, '-t',
              RECIPIENT, '--data', f'@{cell.write("mail", cell.message)}', *auth])

    submission = lmtp = smtp


class Mbsync(Client):
    """Both ways: joe's message comes, one of the local folder goes."""
    name, packages, protocols = 'mbsync', ('isync',), ('imap',)

    def imap(self, cell):
        other = cell.message.replace(b'\r\n', b'\n').replace(b'\n\n', b'\nX-Local: yes\n\n', 1)
        for sub in ('new', 'cur', 'tmp'):
            (cell.folder / 'local' / sub).mkdir(parents=True)
        cell.write('local/cur/1.1.client:2,S', other)
        own = f'ClientCertificate {cell.cert}\nClientKey {cell.key}\nAuthMechs EXTERNAL' if cell.external else 'AuthMechs *'
        cell.write('mbsyncrc', f'''
IMAPAccount here
Host localhost
Port {cell.port}
User {USER}
Pass "{cell.password}"
SSLType {'IMAPS' if cell.implicit else 'STARTTLS'}
CertificateFile {cell.ca}
{own}

IMAPStore far
Account here

MaildirStore near
Inbox {cell.folder}/local

Channel all
Far :far:
Near :near:
Sync All
SyncState *
''')
        must(['mbsync', '-c', cell.folder / 'mbsyncrc', 'all'])
        found = [p.read_bytes() for sub in ('new', 'cur') for p in (cell.folder / 'local' / sub).iterdir()]
        pulled = [m for m in found if b'\nX-Local' not in m]
        check(len(pulled) == 1, f'{len(pulled)} messages were pulled')
        cell.same(pulled[0], 'pulled')
        pushed = [m for m in cell.server.messages() if b'\nX-Local' in m]
        check(len(pushed) == 1, f'{len(pushed)} messages were pushed')
        cell.same(pushed[0], 'pushed')


class Fetchmail(Client):
    name, packages, protocols = 'fetchmail', ('fetchmail',), ('imap', 'pop3')

    def lacks(self, proto, front, server, leg):
        return 'it has EXTERNAL for IMAP alone' if (proto, front) == ('pop3', 'external') else None

    def imap(self, cell):
        own = f'sslcert "{cell.cert}" sslkey "{cell.key}"' if cell.external else ''
        rc = cell.write('fetchmailrc', f'''
poll localhost service {cell.port} protocol {cell.proto} {'auth external' if cell.external else ''}
  user "{USER}" password "{cell.password}" {'ssl' if cell.implicit else ''} sslproto "TLS1.2+" sslcertck sslcertfile "{cell.ca}" {own}
  keep fetchall mda "cat >>{cell.folder}/mail"
''')
        must(['fetchmail', '--nodetach', '--nosyslog', '-f', rc, '--pidfile', cell.folder / 'pid', '--idfile', cell.folder / 'ids'],
             env={'HOME': str(cell.folder), 'LC_ALL': 'C'})
        cell.same((cell.folder / 'mail').read_bytes(), 'fetched')

    pop3 = imap


class Getmail(Client):
    """It begins to listen for the end of its child only after it was made (6.18.11, forkchild() in baseclasses.py; each of its
    destinations has one): behind one that is quicker it sits for a minute and fails. So the child takes a second."""
    name, packages, protocols = 'getmail', ('getmail6',), ('imap', 'pop3')
    no_starttls = no_external = 'its retrievers know TLS from the first byte, or none'

    def imap(self, cell):
        kind = 'SimpleIMAPSSLRetriever' if cell.proto == 'imap' else 'SimplePOP3SSLRetriever'
        cell.write('getmailrc', f'''
[retriever]
type = {kind}
server = localhost
port = {cell.port}
username = {USER}
password = {PASSWORD}
ca_certs = {cell.ca}
[destination]
type = MDA_external
path = /bin/sh
arguments = ("-c", "cat >{cell.folder}/mail; sleep 1")
allow_root_commands = true
[options]
read_all = true
received = false
delivered_to = false
''')
        must(['getmail', '--getmaildir', cell.folder, '--rcfile', 'getmailrc'])
        cell.same((cell.folder / 'mail').read_bytes(), 'fetched')

    pop3 = imap


def trusting(cell, program):
    """What msmtp and mpop, of one author, are told alike."""
    return [program, '--file=', '--host=localhost', f'--port={cell.port}', '--tls=on',
            f'--tls-starttls={"off" if cell.implicit else "on"}', f'--tls-trust-file={cell.ca}',
            *([f'--tls-cert-file={cell.cert}', f'--tls-key-file={cell.key}'] if cell.external else [])]


class Msmtp(Client):
    name, packages, protocols = 'msmtp', ('msmtp',), ('smtp', 'submission', 'lmtp')

    def smtp(self, cell):
        auth = ['--auth=external', f'--user={USER}'] if cell.external else [
            '--auth=plain', f'--user={USER}', f'--passwordeval=echo {PASSWORD}'] if cell.login else ['--auth=off']
        must([*trusting(cell, 'msmtp'), *auth, f'--protocol={"lmtp" if cell.proto == "lmtp" else "smtp"}', f'--from={SENDER}', RECIPIENT],
             cell.message.replace(b'\r\n', b'\n'))

    submission = lmtp = smtp


class Mpop(Client):
    name, packages, protocols = 'mpop', ('mpop',), ('pop3',)

    def pop3(self, cell):
        must([*trusting(cell, 'mpop'), f'--auth={"external" if cell.external else "user"}', f'--user={USER}',
              f'--passwordeval=echo {cell.password}', '--keep=on', f'--uidls-file={cell.folder}/uidls', '--received-header=off', f'--delivery=mda,cat >{cell.folder}/mail'])
        cell.same((cell.folder / 'mail').read_bytes(), 'retrieved')


class SNail(Client):
    """Composes its own messages; reads a mailbox with commands from standard input."""
    name, packages, protocols = 's-nail', ('s-nail',), ('imap', 'pop3', 'smtp', 'submission')

    def nail(self, cell, options, data, *more):
        if cell.external:
            options = [*options, f'tls-config-pairs=Certificate={cell.cert},PrivateKey={cell.key}']
        settings = ['v15-compat', 'tls-verify=strict', f'tls-ca-file={cell.ca}', 'tls-ca-no-defaults', 'nosave', 'nohold', *options]
        argv = ['s-nail', '-:/', *(w for s in settings for w in ('-S', s)), *more]
        return must(argv, data, env={'HOME': str(cell.folder), 'MAILRC': '/dev/null', 'LC_ALL': 'C.UTF-8', 'TERM': 'dumb'})

    def imap(self, cell):
        auth = 'external' if cell.external else 'login' if cell.proto == 'imap' else 'plain'
        who = USER if cell.external else f'{USER}:{PASSWORD}'
        url = f'{cell.scheme}://{who}@localhost:{cell.port}' + ('/INBOX' if cell.proto == 'imap' else '')
        self.nail(cell, [f'{cell.proto}-use-starttls', f'{cell.proto}-auth={auth}'] if not cell.implicit else [],
                  f'copy 1 {cell.folder}/mail\nexit\n'.encode(), '-#', '-R', '-f', url)
        cell.same((cell.folder / 'mail').read_bytes(), 'copied')

    pop3 = imap

    def smtp(self, cell):
        who = f'{USER}@' if cell.external else f'{USER}:{PASSWORD}@' if cell.login else ''
        self.nail(cell, [f'mta={"smtps" if cell.implicit else "smtp"}://{who}localhost:{cell.port}', f'from={SENDER}',
                         f'smtp-auth={"external" if cell.external else "plain" if cell.login else "none"}',
                         *([] if cell.implicit else ['smtp-use-starttls'])],
                  cell.body.replace(b'\r\n', b'\n'), '-s', cell.subject, RECIPIENT)

    submission = smtp


class NeoMutt(Client):
    """Sends from the command line; reads a mailbox on a terminal of ours, with its keys pushed beforehand. Behind QUIT it
    closes and does not read the 221, whereupon its kernel resets: before or behind the server's end, as it happens."""
    name, packages, protocols = 'neomutt', ('neomutt',), ('imap', 'pop3', 'smtp', 'submission')
    ends = {'smtp': {'GW_CLIENT_RESET'}, 'submission': {'GW_CLIENT_RESET'}}
    no_external = "Debian's is built with GNU SASL, with which it takes no EXTERNAL"

    def settings(self, cell, *more):
        return cell.write('neomuttrc', '\n'.join([
            'set ssl_starttls = yes', 'set ssl_force_tls = yes', f'set ssl_ca_certificates_file = "{cell.ca}"', 'set ssl_verify_host = yes',
            'set ssl_verify_dates = yes', f'set from = "{SENDER}"', 'unset copy', 'unset wait_key',
            'set quit = yes', 'unset mark_old', 'set delete = no', 'unset confirm_append', 'set folder = ""', 'unset pipe_decode', *more]) + '\n')

    def imap(self, cell):
        scheme = {'imap': 'imap', 'imaps': 'imaps', 'pop3': 'pop', 'pop3s': 'pops'}[cell.scheme]
        rc = self.settings(cell, f'set imap_pass = "{PASSWORD}"', f'push "<first-entry><pipe-message>cat > {cell.folder}/mail<enter><exit>"')
        on_a_terminal(['neomutt', '-n', '-R', '-F', str(rc), '-f', f'{scheme}://{USER}:{PASSWORD}@localhost:{cell.port}/'],
                      {'HOME': str(cell.folder), 'TERM': 'xterm', 'LC_ALL': 'C.UTF-8'})
        cell.same((cell.folder / 'mail').read_bytes(), 'piped')

    pop3 = imap

    def smtp(self, cell):
        who = f'{USER}:{PASSWORD}@' if cell.login else ''
        rc = self.settings(cell, f'set smtp_url = "{"smtps" if cell.implicit else "smtp"}://{who}localhost:{cell.port}/"',
                           *(['set smtp_authenticators = "plain"'] if cell.login else []))
        must(['neomutt', '-n', '-F', rc, '-s', cell.subject, '--', RECIPIENT], cell.body.replace(b'\r\n', b'\n'),
             env={'HOME': str(cell.folder), 'LC_ALL': 'C.UTF-8'})

    submission = smtp


def on_a_terminal(argv, env, seconds=30):
    """Runs a program that insists on one; what it paints is only told when it does not end well."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack('HHHH', 40, 120, 0, 0))
    p = subprocess.Popen(argv, stdin=its, stdout=its, stderr=its, env={**os.environ, **env}, start_new_session=True)
    os.close(its)
    painted, end = b'', time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            if select.select([ours], [], [], 0.2)[0]:
                painted += os.read(ours, 65536)
                if b'(r)eject' in painted:  # a certificate that it wants to be asked about
                    os.write(ours, b'rq')
            elif p.poll() is not None:
                break
    except OSError:  # its end of the terminal is closed
        pass
    finally:
        os.close(ours)
        try:
            code = p.wait(max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            p.kill()
            code = p.wait()
    check(code == 0, f'{argv[0]} ended with {code}: {painted[-600:]!r}')


class SieveConnect(Client):
    name, packages, protocols = 'sieve-connect', ('sieve-connect',), ('sieve',)
    no_implicit = 'it always asks for STARTTLS'

    def sieve(self, cell):
        how = ['--authmech', 'EXTERNAL', '--clientcert', cell.cert, '--clientkey', cell.key] if cell.external else ['--authmech', 'PLAIN']
        common = ['sieve-connect', '-s', 'localhost', '-p', cell.port, '-u', USER, '--passwordfd', '0', '--tlscafile', cell.ca, '--noclearauth',
                  '--noclearchan', *how, '--remotesieve', cell.subject, '--localsieve']
        must([*common, cell.write('script', cell.script), '--upload'], cell.password.encode() + b'\n')
        must([*common, cell.folder / 'back', '--download'], cell.password.encode() + b'\n')
        cell.check_text((cell.folder / 'back').read_bytes(), cell.script, 'the script')


def clients():
    return [Curl(), Swaks(), Mbsync(), Fetchmail(), Getmail(), Msmtp(), Mpop(), SNail(), NeoMutt(), SieveConnect()]

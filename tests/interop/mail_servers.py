"""The servers of the mail matrix that ./dev installs: Dovecot, Postfix; and INN, which it unpacks. Each offers STARTTLS
and takes clear text, too: one instance for both legs of the gateway, whose log says which of them it was.

A server has: name, version(), ports {protocol: port}, start(), and what fills and reads its store past the gateway:
put() leaves one message in joe's mailbox, delivered() waits for a message with a subject."""
import imaplib
import os
import re
import shutil
import time

from harness import Failure, check
from mail_cells import EXTERNAL, MASTER, PASSWORD, USER
from newsserver import UNPACKED, Inn
from support import Dovecot, Gateway, Postfix, free_port, run, wait_port


class Server:
    name, packages = '', ()
    ports, broken = {}, None  # broken: why nothing of it can be tried
    log = None  # a file
    ends = set()  # ends of sessions in our log that are the server's own way
    group = 'local.test'  # where articles go
    logins = set()  # (protocol, leg) with a login where others have none
    implicit, no_implicit = {}, None  # ports with TLS from the first byte; why another protocol has none
    silent = {}  # (conversation of mail_talks.py, leg): why it fails now and then, without a gateway too
    slow = False  # whether a wrong password costs seconds
    hears = False  # whether it can be told whose connection it is
    proxied = {}  # ports where a PROXY header must come first

    def begin(self, world):
        """Starts it, or keeps the reason why not. As Debian has them, servers want to be root at first."""
        if os.getuid() != 0:
            self.broken = 'it starts only as root here'
        else:
            self.start(world)

    def version(self):
        """Debian's, of the first package."""
        return run(['dpkg-query', '-W', '-f', '${Version}', self.packages[0]])[1].decode()

    def start(self, world):
        raise NotImplementedError

    def front(self, world, certs=('ecdsa-p256',), expects='mail.test', plain=None):
        """A gateway for each leg, with a listener for each scheme; and one where certificates log in. The rest is for faults
        (mail_faults.py)."""
        schemes = [(p, s) for p in self.ports for s in (p, p + 's')]
        trust = ('--backend-name', expects, '--backend-ca', world.certs / 'ca.crt')
        plain = plain or {**self.ports, **self.plain_ports}
        protected = {'starttls': {p: f'{p}+starttls://127.0.0.1:{n}' for p, n in self.ports.items()},
                     'implicit': {p: f'{p}s://127.0.0.1:{n}' for p, n in self.implicit.items()}}
        self.gateways = {'plain': Gateway(world, [(s, plain[p]) for p, s in schemes], certs=certs)}
        for leg, urls in protected.items():
            self.gateways[leg] = Gateway(world, [(s, urls[p]) for p, s in schemes if p in urls], *trust, certs=certs)
        mine = [p for p in self.ports if p in EXTERNAL and not self.no_master]
        if mine:
            master = ('--client-auth', 'require', '--client-ca', world.certs / 'ca.crt', '--client-identity', 'cn', '--external',
                      'plain-master', '--external-user', MASTER, '--external-password-file', world.certs / 'master')
            self.gateways['external plain'] = Gateway(world, [(p, plain[p]) for p in mine], *master, certs=certs)
            for leg, urls in protected.items():
                self.gateways[f'external {leg}'] = Gateway(world, [(p, urls[p]) for p in mine if p in urls], *trust, *master, certs=certs)

    def gateway(self, front, leg):
        return self.gateways[f'external {leg}' if front == 'external' else leg]

    def no_address(self, way, proto):
        """Why it cannot be told this way whose connection it is."""
        return None

    def names(self, proto, address):
        """A regular expression: how its log says that this address logged in, or brought a message."""
        raise NotImplementedError

    no_master = None  # why it has nobody who may log in as joe
    plain_ports = {}  # where the plaintext leg goes elsewhere

    def box(self):
        """Joe's INBOX, asked for past the gateway."""
        box = imaplib.IMAP4('127.0.0.1', self.ports['imap'], timeout=30)
        box.login(USER, PASSWORD)
        check(box.select('INBOX')[0] == 'OK', 'joe has no INBOX')
        return box

    def messages(self):
        box = self.box()
        found = [box.fetch(n, '(BODY.PEEK[])')[1][0][1] for n in box.search(None, 'ALL')[1][0].split()]
        box.logout()
        return found

    def put(self, message):
        box = self.box()
        for n in box.search(None, 'ALL')[1][0].split():
            box.store(n, '+FLAGS.SILENT', '\\Deleted')
        box.expunge()
        check(box.append('INBOX', None, None, message)[0] == 'OK', 'joe got no message')
        box.logout()

    def delivered(self, subject, proto):
        """What came by proto under this subject; waits for it."""
        end = time.monotonic() + 30
        want = re.compile(rb'(?mi)^Subject: %s\r?$' % subject.encode())
        while True:
            found = [m for m in self.messages() if want.search(m.replace(b'\r\n', b'\n').partition(b'\n\n')[0])]
            if found:
                return found[0]
            if time.monotonic() > end:
                raise Failure('what was sent is not in the store')
            time.sleep(0.05)


def own_files(world, folder, user):
    """Copies of the certificate, its key and the issuer's that a server's user may read: {'cert', 'key', 'ca'}."""
    made = {}
    for name, source in (('cert', 'ecdsa-p256.crt'), ('key', 'ecdsa-p256.key'), ('ca', 'ca.crt')):
        made[name] = folder / source
        made[name].write_bytes((world.certs / source).read_bytes())
        made[name].chmod(0o600)
        shutil.chown(made[name], user)
    return made


SERVICES = {'imap': 'imap-login', 'pop3': 'pop3-login', 'submission': 'submission-login', 'lmtp': 'lmtp', 'sieve': 'managesieve-login'}


class DovecotServer(Server):
    """IMAP, POP3, LMTP, ManageSieve; and submission, which hands on to Postfix."""
    name, packages, hears = 'Dovecot', ('dovecot-core',), True
    no_implicit = 'managesieve-login in TLS from the first byte never answers one AUTHENTICATE in a hundred, without a gateway too'

    def start(self, world):
        submission, world.auth_port, world.relay_port = free_port(), free_port(), free_port()
        self.proxied = {p: free_port() for p in SERVICES}
        self.implicit = {p: free_port() for p in SERVICES if p != 'sieve'}
        behind = '\n'.join(f'service {s} {{\n  inet_listener proxied {{\n    port = {self.proxied[p]}\n    haproxy = yes\n  }}\n}}' for p, s in SERVICES.items()) + '\n'
        behind += '\n'.join(f'service {SERVICES[p]} {{\n  inet_listener wrapped {{\n    port = {n}\n    ssl = yes\n  }}\n}}' for p, n in self.implicit.items())
        masters = world.folder / 'masters'
        masters.write_text(f'{MASTER}:{{PLAIN}}{PASSWORD}\n')
        extra = f'''
passdb {{
  driver = passwd-file
  args = {masters}
  master = yes
}}
ssl = yes
disable_plaintext_auth = no
hostname = mail.test
protocol imap {{
  mail_plugins = zlib imap_zlib
}}
auth_username_format = %n
auth_failure_delay = 0
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
protocols = imap pop3 lmtp sieve submission
submission_relay_host = 127.0.0.1
submission_relay_port = {world.relay_port}
submission_relay_trusted = yes
haproxy_trusted_networks = 127.0.0.0/8
login_trusted_networks = 127.0.0.0/8
{behind}
service submission-login {{
  inet_listener submission {{
    port = {submission}
  }}
  inet_listener submissions {{
    port = 0
  }}
}}
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = {world.auth_port}
  }}
}}
'''
        d = Dovecot(world, 'dovecot-matrix', tls=True, extra=extra)
        wait_port(submission, d.process)
        self.ports = {'imap': d.imap, 'pop3': d.pop3, 'submission': submission, 'lmtp': d.lmtp, 'sieve': d.sieve}
        self.world, self.log = world, d.folder / 'log'

    def names(self, proto, address):
        said = f'onnect from {address}' if proto == 'lmtp' else f'Info: Login: user=<{USER}>, .*rip={address},'
        return f'{SERVICES[proto]}.*{said}'

    def delivered(self, subject, proto):
        return (self.world.postfix if proto == 'submission' else super()).delivered(subject, proto)


class PostfixServer(Server):
    """SMTP as an MX takes it, and with a login for submission (Dovecot says who joe is)."""
    name, packages, hears = 'Postfix', ('postfix',), True

    def start(self, world):
        behind, wrapped = free_port(), free_port()
        p = Postfix(world, 'postfix-matrix', f'''
smtpd_tls_cert_file = {world.certs}/ecdsa-p256.crt
smtpd_tls_key_file = {world.certs}/ecdsa-p256.key
smtpd_tls_security_level = may
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_security_options = noanonymous
smtpd_sasl_path = inet:127.0.0.1:{world.auth_port}
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_peername_lookup = no
inet_protocols = all
smtputf8_enable = yes
mynetworks = 0.0.0.0/0 [::]/0
''', world.relay_port, [f'127.0.0.1:{behind} inet n - n - - smtpd -o smtpd_upstream_proxy_protocol=haproxy',
                                f'127.0.0.1:{wrapped} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes'])
        self.mail, self.log = p.mail / 'joe/new', p.folder / 'data/maillog'
        self.ports, self.proxied = {'smtp': p.smtp, 'submission': p.smtp}, {'smtp': behind, 'submission': behind}
        self.implicit = {'smtp': wrapped, 'submission': wrapped}
        world.postfix = self

    def names(self, proto, address):
        return rf'client=unknown\[{address}\]' + (f', sasl_method=PLAIN, sasl_username={USER}' if proto == 'submission' else '')

    def messages(self):
        return [f.read_bytes() for f in self.mail.glob('*')]


class InnServer(Server):
    """innd in plaintext, which hands readers to nnrpd; and an nnrpd of its own with a certificate."""
    name, packages = 'INN', ()
    no_master = 'nnrpd gives libsasl no proxy policy (sasl_callbacks[] is empty), so its PLAIN knows nobody who may be another'

    def version(self):
        return next(UNPACKED.parent.glob('inn2.deb/inn2_*')).name.split('_')[1]

    def start(self, world):
        inn = Inn(world)
        port = free_port()
        files = own_files(world, inn.folder / 'etc', 'news')
        with open(inn.folder / 'etc/inn.conf', 'a', encoding='ascii') as f:
            f.write('tlscertfile: {cert}\ntlskeyfile: {key}\ntlscafile: {ca}\n'.format(**files))
        lib = UNPACKED / 'usr/lib/news'
        env = {'INNCONF': str(inn.folder / 'etc/inn.conf'), 'LD_LIBRARY_PATH': str(lib), 'HOME': str(inn.folder)}
        self.implicit = {'nntp': free_port()}
        for at, more in ((port, ()), (self.implicit['nntp'], ('-S',))):
            p = world.start([lib / 'bin/nnrpd', '-D', '-f', *more, '-p', str(at), '-4', '127.0.0.1'], 'nnrpd.out',
                            env={**os.environ, **env}, user='news', group='news', extra_groups=[])
            wait_port(at, p)
        self.ports, self.plain_ports = {'nntp': port}, {'nntp': inn.port}


def servers():
    """Dovecot first: Postfix asks it who may log in, and ends where nobody answers."""
    return [DovecotServer(), PostfixServer(), InnServer()]

"""Servers whose Debian packages cannot stand beside Dovecot, Postfix and INN: Exim, Cyrus, Courier. ./dev unpacks them
into build/mail-servers; each runs in a mount namespace of its own, where /usr has that tree on top, and /etc a folder
of ours. Nobody else sees it, and it is gone with the process."""
import imaplib
import os
import shutil
import subprocess

from harness import check
from mail_cells import LEGS, MASTER, PASSWORD, SENDER, USER
from mail_servers import Server, own_files
from support import ROOT, free_port, run, wait_port

TREE = ROOT / 'build/mail-servers'


def unpacked_version(package):
    found = sorted((TREE.parent / 'mail-servers.deb').glob(f'{package}_*.deb'))
    return found[-1].name.split('_')[1].replace('%3a', ':') if found else 'none'


class Guest(Server):
    """A server in such a namespace. folder: all it has; etc: what covers /etc; run: its /run."""
    user = ''  # Debian's packages make it; here it is in our /etc/passwd
    uid = 0
    shown = ''  # the package whose version is told

    def version(self):
        return unpacked_version(self.shown)

    def begin(self, world):
        if os.getuid() == 0 and subprocess.run(['unshare', '-m', 'true'], capture_output=True, check=False).returncode != 0:
            self.broken = 'this machine gives no mount namespace'
        elif os.getuid() == 0 and not TREE.exists():
            self.broken = f'{TREE} is not there (./dev interop unpacks it)'
        else:
            super().begin(world)

    def prepare(self, world):
        """The folders, with a user of its own (id) who owns what it names."""
        self.world, self.folder = world, world.folder / self.name.lower()
        self.etc, self.run = self.folder / 'etc', self.folder / 'run'
        for path in (self.folder, self.etc, self.run):
            path.mkdir()
            path.chmod(0o755)
        for name, line in (('passwd', f'{self.user}:x:{self.uid}:{self.uid}::{self.folder}:/bin/false\n'),
                           ('group', f'{self.user}:x:{self.uid}:\n')):
            with open(f'/etc/{name}', encoding='utf-8') as f:
                known = [x for x in f if not x.startswith(f'{self.user}:')]
            (self.etc / name).write_text(''.join(known) + line)

    def own(self, *paths):
        for path in paths:
            path.mkdir(exist_ok=True)
            os.chown(path, self.uid, self.uid)

    def inside(self, *argv):
        script = (f'mount -t overlay overlay -o ro,lowerdir={TREE}/usr:/usr /usr && '
                  f'mount -t overlay overlay -o ro,lowerdir={self.etc}:/etc /etc && mount --bind {self.run} /run && exec "$@"')
        return ['unshare', '-m', 'sh', '-c', script, 'sh', *map(str, argv)]

    def spawn(self, *argv, **kw):
        return self.world.start(self.inside(*argv), f'{self.name.lower()}.out', **kw)

    def do(self, *argv, data=b''):
        code, out, err = run(self.inside(*argv), data)
        check(code == 0, f'{argv[0]} ended with {code}: {out!r} {err!r}')
        return out


class Exim(Guest):
    """SMTP as an MX takes it, and with a login. A client that closes without QUIT is told so in clear, behind the end of TLS:
    we log what it is, a record that is none."""
    name, shown, user, uid = 'Exim', 'exim4-daemon-heavy', 'Debian-exim', 64101
    ends, hears = {'TLS_RECORD_TYPE'}, True
    silent = {('BDAT', 'plain'): 'in clear 28 of 30 BDAT are a synchronization error to it, without a gateway too'}

    def start(self, world):
        self.prepare(world)
        port, behind, wrapped = free_port(), free_port(), free_port()
        files = own_files(world, self.folder, self.uid)
        self.own(self.folder / 'spool', self.folder / 'log')
        for sub in ('mail', 'mail/new', 'mail/cur', 'mail/tmp'):
            (self.folder / sub).mkdir()
            shutil.chown(self.folder / sub, 'nobody', 'nogroup')
        (self.etc / 'exim4').mkdir()
        (self.etc / 'exim4/exim4.conf').write_text(f'''
primary_hostname = backend.test
qualify_domain = mail.test
daemon_smtp_ports = {port} : {behind} : {wrapped}
tls_on_connect_ports = {wrapped}
dsn_advertise_hosts = *
hosts_proxy = ${{if eq{{$received_port}}{{{behind}}}{{127.0.0.1}}}}
local_interfaces = 127.0.0.1
spool_directory = {self.folder}/spool
log_file_path = {self.folder}/log/%slog
pid_file_path = {self.folder}/run/exim.pid
never_users =
host_lookup =
rfc1413_query_timeout = 0s
tls_advertise_hosts = *
tls_certificate = {files['cert']}
tls_privatekey = {files['key']}
auth_advertise_hosts = *
acl_smtp_rcpt = accept
acl_smtp_data = accept
begin routers
all:
  driver = accept
  transport = maildir
begin transports
maildir:
  driver = appendfile
  maildir_format
  directory = {self.folder}/mail
  create_directory = false
  user = nobody
  group = nogroup
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and {{{{inlist{{$auth2}}{{{USER}:{MASTER}}}}}{{eq{{$auth3}}{{{PASSWORD}}}}}}}}}
  server_set_id = ${{if def:auth1{{$auth1}}{{$auth2}}}}
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${{if and {{{{eq{{$auth1}}{{{USER}}}}}{{eq{{$auth2}}{{{PASSWORD}}}}}}}}}
  server_set_id = $auth1
''')
        p = self.spawn('/usr/sbin/exim4', '-bdf', '-q1h')
        self.log = self.folder / 'log/mainlog'
        wait_port(port, p)
        self.ports, self.proxied = {'smtp': port, 'submission': port}, {'smtp': behind, 'submission': behind}
        self.implicit = {'smtp': wrapped, 'submission': wrapped}

    def no_address(self, way, proto):
        return 'Debian builds it without XCLIENT' if way == 'command' else None

    def names(self, proto, address):
        return rf'<= {SENDER} .*\[{address}\].*' + (f' A=plain:{USER}' if proto == 'submission' else '')

    def messages(self):
        return [f.read_bytes() for f in (self.folder / 'mail/new').glob('*')]


class Cyrus(Guest):
    """IMAP, POP3, LMTP, ManageSieve, NNTP. Its LMTP server either trusts everybody and has no STARTTLS (lmtpd -a), or has
    it and wants a login. Its NNTP server (3.6.1, parse_groups()) walks an article's newsgroups with strtok(), and looks each of them
    up with strtok(), too: it goes on in memory that was freed, and may look up what it finds there for ever, with no
    gateway in between, too. With a name that reaches past what free() writes into its block it does not."""
    slow, no_implicit = True, 'lmtpd and timsieved have no TLS from the first byte'
    logins, group = {('lmtp', 'starttls')}, 'local.test.whose.name.is.not.short'
    name, shown, user, uid = 'Cyrus', 'cyrus-imapd', 'cyrus', 64102

    def start(self, world):
        self.prepare(world)
        files = own_files(world, self.folder, self.uid)
        self.own(*(self.folder / sub for sub in ('lib', 'spool', 'sieve', 'news', 'run', 'lib/proc', 'lib/socket', 'lib/db')))
        ports = {p: free_port() for p in ('imap', 'pop3', 'lmtp', 'sieve', 'nntp', 'trusting', 'imaps', 'pop3s', 'nntps')}
        (self.etc / 'imapd.conf').write_text(f'''
configdirectory: {self.folder}/lib
proc_path: {self.folder}/lib/proc
mboxname_lockpath: {self.folder}/lib/lock
defaultpartition: default
partition-default: {self.folder}/spool
partition-news: {self.folder}/news
sievedir: {self.folder}/sieve
servername: mail.test
admins: cyrus
proxyservers: {MASTER}
allowplaintext: yes
unixhierarchysep: no
altnamespace: no
virtdomains: off
lmtp_downcase_rcpt: yes
autocreate_quota: 0
autocreate_post: yes
sieve_maxscripts: 10000
imapidlepoll: 1
lmtp_admins: joe
allownewnews: yes
sasl_mech_list: PLAIN LOGIN
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {self.folder}/sasldb2
tls_server_cert: {files['cert']}
tls_server_key: {files['key']}
tls_client_ca_file: {files['ca']}
idlesocket: {self.folder}/lib/socket/idle
notifysocket: {self.folder}/lib/socket/notify
lmtpsocket: {self.folder}/lib/socket/lmtp
conversations: 0
''')
        commands = {'imap': 'imapd -U 30', 'pop3': 'pop3d -U 30', 'lmtp': 'lmtpd', 'trusting': 'lmtpd -a', 'sieve': 'timsieved', 'nntp': 'nntpd -U 30',
                    'imaps': 'imapd -s -U 30', 'pop3s': 'pop3d -s -U 30', 'nntps': 'nntpd -s -U 30'}
        services = '\n'.join(f'  {p} cmd="{c}" listen="127.0.0.1:{ports[p]}" prefork=0 maxchild=50' for p, c in commands.items())
        (self.etc / 'cyrus.conf').write_text(f'START {{\n  recover cmd="/usr/sbin/cyrus ctl_cyrusdb -r"\n}}\nSERVICES {{\n{services}\n}}\nEVENTS {{\n}}\n')
        for user in (USER, MASTER, 'cyrus'):
            self.do('saslpasswd2', '-c', '-p', '-f', self.folder / 'sasldb2', '-u', 'mail.test', user, data=PASSWORD.encode())
        os.chown(self.folder / 'sasldb2', self.uid, self.uid)
        p = self.spawn('/usr/sbin/cyrmaster', '-p', self.folder / 'run/master.pid')
        for port in ports.values():
            wait_port(port, p)
        self.plain_ports = {'lmtp': ports.pop('trusting')}
        self.implicit = {p: ports.pop(p + 's') for p in ('imap', 'pop3', 'nntp')}
        self.ports = ports
        admin = imaplib.IMAP4('127.0.0.1', ports['imap'], timeout=30)
        admin.login('cyrus', PASSWORD)
        for words in (('CREATE', f'user.{USER}'), ('CREATE', self.group), ('SETACL', self.group, 'anyone', 'lrsp')):
            check(admin.xatom(*words)[0] == 'OK', f'{words}')
        admin.logout()


class Courier(Guest):
    """IMAP and POP3; users from userdb. Its library for changes of files starts gam_server, which stays for half a minute."""
    no_master = 'its PLAIN logs in who has the password, whoever the identity before it names (authsasl_plain() skips it)'
    silent = {(talk, leg): 'what its login process has read behind the login, the next one never sees'
              for talk in ('pipelining', 'PIPELINING') for leg in LEGS}
    slow = True
    name, shown, user, uid = 'Courier', 'courier-imap', 'courier', 64103

    def start(self, world):
        self.prepare(world)
        world.lingering.add('/usr/libexec/gam_server')
        files = own_files(world, self.folder, self.uid)
        both = self.folder / 'both.pem'
        both.write_bytes(files['cert'].read_bytes() + files['key'].read_bytes())
        both.chmod(0o644)
        home = self.folder / 'joe'
        home.mkdir()
        shutil.copytree(TREE / 'etc/courier', self.etc / 'courier')
        self.own(self.run / 'courier', self.run / 'courier/authdaemon')
        (self.etc / 'courier/authdaemonrc').write_text(
            'authmodulelist="authuserdb"\nauthmodulelistorig="authuserdb"\ndaemons=2\nauthdaemonvar=/run/courier/authdaemon\n'
            'DEBUG_LOGIN=0\nDEFAULTOPTIONS=""\nLOGGEROPTS=""\n')
        code, out, err = run(['openssl', 'passwd', '-6', PASSWORD])
        check(code == 0, f'openssl passwd: {err!r}')
        for db, fields in (('userdb', f'uid=65534|gid=65534|home={home}|mail={home}/Maildir'), ('userdbshadow', f'systempw={out.decode().strip()}')):
            self.do('/usr/lib/courier/courier-authlib/makedatprog', '-', self.etc / f'courier/{db}.tmp', self.etc / f'courier/{db}.dat',
                    data=f'{USER}\t{fields}\n.\n'.encode())
        self.spawn('/usr/lib/courier/courier-authlib/authdaemond')
        self.do('/usr/bin/maildirmake.courier', home / 'Maildir')
        for path in [home, *home.rglob('*')]:
            shutil.chown(path, 65534, 65534)
        common = {'PATH': '/usr/bin:/bin', 'AUTHMODULES': 'authdaemon', 'COURIERTLS': '/usr/bin/couriertls', 'TLS_CERTFILE': str(both),
                  'TLS_VERIFYPEER': 'NONE', 'MAILDIRPATH': 'Maildir', 'TLS_TRUSTCERTS': str(files['ca'])}
        caps = 'IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE'
        imap = {'IMAP_CAPABILITY': caps, 'IMAP_CAPABILITY_TLS': f'{caps} AUTH=PLAIN', 'IMAP_STARTTLS': 'YES', 'IMAP_TLS_REQUIRED': '0',
                'IMAP_KEYWORDS': '1', 'IMAP_IDLE_TIMEOUT': '2', 'IMAP_EMPTYTRASH': 'Trash:7'}
        pop3 = {'POP3AUTH': 'PLAIN', 'POP3AUTH_TLS': 'PLAIN', 'POP3_STARTTLS': 'YES', 'POP3_TLS_REQUIRED': '0'}
        lib = '/usr/lib/courier/courier'
        for proto, env, argv in (('imap', imap, [f'{lib}/imaplogin', '/usr/bin/imapd']),
                                 ('pop3', pop3, [f'{lib}/courierpop3login', f'{lib}/courierpop3d'])):
            self.ports, self.implicit = {**self.ports, proto: free_port()}, {**self.implicit, proto: free_port()}
            wrapper = ('/usr/bin/couriertls', '-server', '-tcpd')
            for port, more, words in ((self.ports[proto], {}, ()), (self.implicit[proto], {'IMAP_TLS': '1', 'POP3_TLS': '1'}, wrapper)):
                p = self.spawn('/usr/sbin/couriertcpd', '-address=127.0.0.1', '-maxprocs=40', '-maxperip=40', '-nodnslookup', '-noidentlookup',
                               port, *words, *argv, 'Maildir', env={**common, **env, **more})
                wait_port(port, p)

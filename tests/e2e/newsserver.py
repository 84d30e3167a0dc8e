"""INN, Debian's news server, in plaintext: innd for articles and peers, its nnrpd for readers; below one folder.

The package is unpacked by ./dev, never installed: its installer insists on a machine with a domain name."""
import os
import shutil

from support import ROOT, check, free_port, run, wait_port

UNPACKED = ROOT / 'build/inn2'
ACTIVE = '''control 0000000000 0000000001 n
control.cancel 0000000000 0000000001 n
junk 0000000000 0000000001 n
local.test 0000000000 0000000001 y
'''


class Inn:
    """port: innd's, which hands readers over to nnrpd at MODE READER. User joe, password secret; everybody reads."""

    def __init__(self, world):
        check(os.getuid() == 0, 'INN starts only as root here (it wants to be the user news)')
        lib = UNPACKED / 'usr/lib/news'
        check((lib / 'bin/innd').exists(), f'{UNPACKED}: INN is not there (./dev test unpacks it)')
        self.port, self.folder = free_port(), world.folder / 'inn'
        for sub in ('etc', 'db', 'run', 'log/OLD', 'tmp', 'archive', 'articles', 'incoming', 'outgoing', 'overview', 'filter'):
            (self.folder / sub).mkdir(parents=True)
        files = {'inn.conf': f"""
mta: "/bin/true %s"
organization: "a test"
pathhost: news.mail.test
domain: mail.test
ovmethod: tradindexed
hismethod: hisv6
enableoverview: true
pathnews: {lib}
pathbin: {lib}/bin
pathcontrol: {lib}/bin/control
pathetc: {self.folder}/etc
pathdb: {self.folder}/db
pathrun: {self.folder}/run
pathlog: {self.folder}/log
pathtmp: {self.folder}/tmp
patharchive: {self.folder}/archive
patharticles: {self.folder}/articles
pathincoming: {self.folder}/incoming
pathoutgoing: {self.folder}/outgoing
pathoverview: {self.folder}/overview
pathspool: {self.folder}
nnrpdloadlimit: 0
pathfilter: {self.folder}/filter
port: {self.port}
nnrpdpostport: {self.port}
bindaddress: 127.0.0.1
bindaddress6: none
sourceaddress6: none
""", 'storage.conf': 'method tradspool {\n    newsgroups: *\n    class: 0\n}\n',
                 'newsfeeds': 'ME:*::\n', 'expire.ctl': '/remember/:11\n*:A:1:10:never\n', 'control.ctl': 'all:*:*:drop\n',
                 'incoming.conf': 'streaming: true\nmax-connections: 50\npeer ME {\n  hostname: "127.0.0.1"\n}\n',
                 'readers.conf': f"""
auth "all" {{
    hosts: "*"
    auth: "ckpasswd -f {self.folder}/etc/passwd"
    default: "<anybody>"
}}
access "all" {{
    users: "*"
    newsgroups: "*"
    access: RPA
}}
"""}
        for name in ('distrib.pats', 'moderators', 'localgroups', 'cycbuff.conf', 'buffindexed.conf'):
            (self.folder / 'etc' / name).write_text('')
        for name, text in files.items():
            (self.folder / 'etc' / name).write_text(text)
        code, out, err = run(['openssl', 'passwd', '-6', 'secret'])
        check(code == 0, f'openssl passwd: {err!r}')
        (self.folder / 'etc/passwd').write_text(f'joe:{out.decode().strip()}\n')
        (self.folder / 'db/active').write_text(ACTIVE)
        (self.folder / 'db/newsgroups').write_text('local.test\tTests\n')
        (self.folder / 'db/active.times').write_text('')
        for path in [self.folder, *self.folder.rglob('*')]:
            shutil.chown(path, 'news', 'news')  # of Debian's base system
        env = {'INNCONF': str(self.folder / 'etc/inn.conf'), 'LD_LIBRARY_PATH': str(lib), 'HOME': str(self.folder)}
        for argv in ([lib / 'bin/makehistory'], [lib / 'bin/makedbz', '-i', '-o', '-s', '300']):
            code, out, err = run([str(a) for a in argv], env=env)
            check(code == 0, f'{argv}: {out!r} {err!r}')
        self.process = world.start([lib / 'bin/innd', '-d', '-f', '-P', str(self.port)], 'inn.out',
                                   env={**os.environ, **env},
                                   user='news', group='news', extra_groups=[])
        wait_port(self.port, self.process)

"""A clean Debian 12 with a mail server in it, and systemd as its first process in namespaces of its own.

The tree that is there before hauberk comes ("given") is made once and kept below build/; every run works on a copy. It has
a network of its own that leads nowhere. All that runs in it ends with its first process, and that one with us."""
import ctypes
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

from support import ROOT, Failure, check, equal

HERE = pathlib.Path(__file__).resolve().parent
KEPT = ROOT / 'build/walk'
# a machine whose mail server somebody wants to put behind hauberk; and what looks at the result
GIVEN = 'systemd-sysv dbus dovecot-imapd openssl curl ca-certificates man-db bash-completion procps'.split()
HOST = 'mail.example.org'
USER, PASSWORD = 'joe', 'ring-mail-42'
CLEAN = {'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME': '/root', 'LANG': 'C.UTF-8', 'DEBIAN_FRONTEND': 'noninteractive'}
SAYS_WHERE = 'trap \'echo "failed: $BASH_COMMAND" >&2\' ERR\n'


def environment():
    return CLEAN | {k: v for k, v in os.environ.items() if k in ('http_proxy', 'https_proxy', 'no_proxy')}


def quiet(argv, log, **more):
    """Runs it; what it said is in the log, and its end in the failure."""
    with open(log, 'ab') as to:
        code = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=to, stderr=subprocess.STDOUT, check=False, **more).returncode
    if code != 0:
        raise Failure(f'{argv[0]} ended with {code}, see {log}:\n' + '\n'.join(pathlib.Path(log).read_text(errors='replace').splitlines()[-15:]))


def mirrors():
    """(of Debian, of its security updates): those that this machine uses."""
    said = subprocess.run(['apt-get', 'indextargets', '--format', '$(REPO_URI)'], capture_output=True, text=True, check=False).stdout.split()
    one = lambda end, otherwise: next((u for u in said if u.rstrip('/').endswith(end)), otherwise)
    return one('/debian', 'http://deb.debian.org/debian'), one('/debian-security', 'http://deb.debian.org/debian-security')


def given():
    """The folder of the tree before hauberk; made if it is not there, or was made of other packages."""
    folder, mark = KEPT / 'given', KEPT / 'given.packages'
    if mark.exists() and mark.read_text().split() == GIVEN:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    KEPT.mkdir(parents=True, exist_ok=True)
    debian, security = mirrors()
    quiet(['debootstrap', '--variant=minbase', f'--include={",".join(GIVEN)}', 'bookworm', folder, debian], KEPT / 'debootstrap.log', env=environment())
    (folder / 'etc/apt/sources.list').write_text(f'deb {debian} bookworm main\ndeb {debian} bookworm-updates main\ndeb {security} bookworm-security main\n')
    mark.write_text(' '.join(GIVEN))
    return folder


class Tree:
    """A copy of the given tree, and what runs in it."""

    def __init__(self, folder):
        self.folder, self.first, self.starter, self.cgroup = pathlib.Path(folder), None, None, f'hauberk-walk.{os.getpid()}'

    def make(self):
        quiet(['cp', '-a', '--reflink=auto', f'{given()}/.', self.folder], KEPT / 'copy.log')
        shutil.copy('/etc/resolv.conf', self.folder / 'etc/resolv.conf')
        (self.folder / 'etc/hosts').write_text(f'127.0.0.1 localhost {HOST}\n')
        (self.folder / 'etc/hostname').write_text('walk\n')
        self.source()

    def source(self):
        """What a clone of this checkout has, at /root/hauberk."""
        to = self.folder / 'root/hauberk'
        to.mkdir(exist_ok=True)
        files = subprocess.run(['git', '-c', f'safe.directory={ROOT}', 'ls-files', '-z', '--cached'], cwd=ROOT, capture_output=True, check=True).stdout
        names = [n for n in files.split(b'\0') if n and os.path.exists(ROOT / os.fsdecode(n))]
        packed = subprocess.run(['tar', '-c', '--null', '-T', '-'], cwd=ROOT, input=b'\0'.join(names), stdout=subprocess.PIPE, check=True).stdout
        subprocess.run(['tar', '-x', '--no-same-owner'], cwd=to, input=packed, check=True)

    def before_boot(self, script, cwd='/root/hauberk'):
        """Runs a script of bash in the tree, with the network of this machine: for what packages have to be fetched."""
        packages = KEPT / 'packages'
        (packages / 'partial').mkdir(parents=True, exist_ok=True)
        inner = (f'mount -t proc proc {self.folder}/proc && mount --bind {packages} {self.folder}/var/cache/apt/archives && '
                 f'mount --rbind /dev {self.folder}/dev && exec chroot {self.folder} bash -c \'cd {cwd} && exec bash -e\'')
        done = subprocess.run(['unshare', '--mount', '--pid', '--ipc', '--fork', '--kill-child', 'sh', '-c', inner], input=(SAYS_WHERE + script).encode(),
                              env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout.decode(errors='replace')

    def boot(self):
        """systemd as the first process. This program goes over into the tree's network and stays there."""
        log = open(KEPT / 'boot.log', 'wb')
        self.starter = subprocess.Popen(['unshare', '--mount', '--pid', '--net', '--uts', '--ipc', '--fork', '--kill-child', 'sh', HERE / 'boot.sh', self.folder, self.cgroup],
                                        stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=CLEAN)
        log.close()
        state = ''
        for _ in range(600):
            if self.starter.poll() is not None:
                break
            children = pathlib.Path(f'/proc/{self.starter.pid}/task/{self.starter.pid}/children').read_text().split()
            self.first = int(children[0]) if children else None
            if self.first is not None and pathlib.Path(f'/proc/{self.first}/comm').read_text() == 'systemd\n':
                state = self.sh('systemctl is-system-running || true', check_code=False)[1].strip()
                if state in ('running', 'degraded'):
                    break
            time.sleep(0.1)
        check(state in ('running', 'degraded'), f'systemd did not come up ({state!r}, {self.starter.poll()}): {(KEPT / "boot.log").read_text(errors="replace")[-1500:]}')
        equal(self.sh('systemctl --failed --no-legend --plain')[1], '', 'units that failed before hauberk came')
        network = os.open(f'/proc/{self.first}/ns/net', os.O_RDONLY)
        check(ctypes.CDLL(None, use_errno=True).setns(network, 0) == 0, 'setns')
        os.close(network)

    def sh(self, script, answers=(), check_code=True, seconds=120):
        """Runs a script of bash in the booted tree: (code, what it said). Who asks for a line gets the next answer, and no more."""
        argv = ['nsenter', '-t', str(self.first), '-m', '-u', '-i', '-n', '-p', '-r', '-w', 'setsid', '-w', 'bash', '-e', '-c', 'cd /root/hauberk\n' + SAYS_WHERE + script]
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for line in answers:
            ours.send(line.encode() + b'\n')
        ours.shutdown(socket.SHUT_WR)
        try:
            done = subprocess.run(argv, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=CLEAN, timeout=seconds, check=False)
        except subprocess.TimeoutExpired as e:
            raise Failure(f'no end within {seconds} s: {script}\n{(e.stdout or b"").decode(errors="replace")}') from None
        finally:
            ours.close()
            theirs.close()
        out = done.stdout.decode(errors='replace')
        if check_code and done.returncode != 0:
            raise Failure(f'{script.strip()}\nended with {done.returncode}: {out[-1500:]}')
        return done.returncode, out

    def write(self, path, text, mode=0o644):
        to = self.folder / path.lstrip('/')
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(text)
        to.chmod(mode)

    def show(self, what, unit='hauberk'):
        """Properties of a unit: one as a text, several as a dictionary."""
        out = self.sh(f'systemctl show -p {what} {unit}')[1]
        found = dict(line.split('=', 1) for line in out.splitlines())
        return found[what] if ',' not in what else found

    def journal(self, words=''):
        return self.sh(f'journalctl --no-pager -u hauberk {words}')[1]

    def close(self):
        if self.first is not None:
            try:
                os.kill(self.first, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.starter is not None:
            self.starter.wait()
            subprocess.run(['unshare', '--mount', 'sh', '-c', f'mount -t cgroup2 cgroup2 {self.folder}/mnt && '
                            f'find {self.folder}/mnt/{self.cgroup} -depth -type d -exec rmdir {{}} +'], stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

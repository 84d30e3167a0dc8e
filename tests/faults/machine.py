"""What the machine under a gateway may run out of: room for the log, descriptors; and a clock that jumps."""
import fcntl
import os
import pathlib
import subprocess
import termios
import threading

from load import Load, Outcome
from support import equal, free_port, wait_for, wait_port


class Logged:
    """A gateway whose standard error is `stderr`, or what `shell` makes of it around "$@"."""

    def __init__(self, w, echo, stderr=None, shell='exec "$@"', program=None, options=(), env=None):
        self.w, self.port = w, free_port()
        argv = [program or w.gateway_program, 'run', '--host', 'mail.test', '--workers', 2, '--listen', f'imap://127.0.0.1:{self.port}',
                '--backend', f'127.0.0.1:{echo.port["imap"]}', '--cert', w.certs / 'ecdsa-p256.crt', '--key', w.certs / 'ecdsa-p256.key',
                *options]
        self.process = subprocess.Popen(['bash', '-c', shell, 'bash', *map(str, argv)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=stderr if stderr is not None else subprocess.DEVNULL,
                                        env={**os.environ, **(env or {})})
        w.processes.append(self.process)
        wait_port(self.port, self.process)

    def stop(self):
        self.w.stop(self.process, seconds=60)
        equal(self.process.returncode, 0, 'exit code')


def under_load(w, g):
    load = Load(w, g.port, 8, 3)
    load.moves()
    outcome = load.end()
    g.stop()
    return outcome


def log_full(w, echo):
    """/dev/full: every write fails with ENOSPC."""
    with open('/dev/full', 'wb') as full:
        return under_load(w, Logged(w, echo, full))


def log_tmpfs_full(w, echo):
    """A file system that really is full, in a mount namespace of its own; room again: the log goes on, and says what it lost."""
    if os.getuid() != 0:
        return Outcome(0, [], 0, 'not played: only root may mount')
    folder = w.folder / 'full'
    folder.mkdir()
    script = (f'mount -t tmpfs -o size=64k none {folder} && (exec 3>{folder}/rest; head -c 60k /dev/zero >&3) && '
              f'exec 2>{folder}/log && exec "$@"')
    g = Logged(w, echo, shell=f"exec unshare -m --propagation private bash -c '{script}' bash \"$@\"")
    inside = pathlib.Path(f'/proc/{g.process.pid}/root{folder}')
    try:
        load = Load(w, g.port, 8, 3)
        wait_for('a full file system', lambda: os.statvfs(inside).f_bavail == 0)
        load.moves()
        outcome = load.end()
        os.unlink(inside / 'rest')
        wait_for('what was lost', lambda: 'event=log.dropped' in (inside / 'log').read_text())
    finally:
        g.stop()
    return outcome


def log_unread(w, echo):
    """A pipe whose reader stands still: a gateway must not wait for it. Read again, it says what was lost."""
    ours, theirs = os.pipe()
    g = Logged(w, echo, theirs)
    os.close(theirs)
    load = Load(w, g.port, 8, 4)
    text = b''

    def held():
        return int.from_bytes(fcntl.ioctl(ours, termios.FIONREAD, b'\0' * 4), 'little')

    def full():
        before = held()
        load.moves()
        return before > 30000 and held() == before
    wait_for('a full pipe', full, 60)
    outcome = load.end()

    def read():
        nonlocal text
        text += os.read(ours, 65536)
        return b'event=log.dropped' in text
    wait_for('what was lost', read)
    threading.Thread(target=lambda: [None for _ in iter(lambda: os.read(ours, 65536), b'')], daemon=True).start()
    g.stop()
    return outcome


def log_reader_gone(w, echo):
    """EPIPE at each line."""
    ours, theirs = os.pipe()
    g = Logged(w, echo, theirs)
    os.close(theirs)
    os.close(ours)
    return under_load(w, g)


def log_file_size(w, echo):
    """ulimit -f: the file may not grow; the signal that comes with it (SIGXFSZ) kills nobody."""
    path = w.folder / 'limited.log'
    path.write_bytes(b'\n' * 60000)
    g = Logged(w, echo, shell=f'ulimit -f 64; exec 2>>{path}; exec "$@"')
    load = Load(w, g.port, 8, 3)
    wait_for('the limit', lambda: path.stat().st_size >= 65536)
    load.moves()
    outcome = load.end()
    g.stop()
    return outcome


ROWS = [('the log on a full device', log_full), ('the log on a file system that fills up', log_tmpfs_full),
        ('the log in a pipe nobody reads', log_unread), ('the log in a pipe whose reader is gone', log_reader_gone),
        ('the log in a file that may not grow', log_file_size)]
LONG = []

"""How a run of a table ends: everything it started ends with it, well or badly, and on Ctrl-C too.

Servers fork, daemons leave their parents. Whoever loses its parent becomes a child of ours (PR_SET_CHILD_SUBREAPER),
so that at the end the kernel's list of processes shows what is ours and nobody else's. Each server is asked to end
first; what is there after that is a leftover: it is killed, and named, and a failure of the run. Nothing is ever
looked up by its name."""
import concurrent.futures
import ctypes
import os
import pathlib
import shutil
import signal
import sys
import threading
import time

from harness import World

PR_SET_CHILD_SUBREAPER = 36
PATIENCE = 10  # seconds for what was asked to end


def adopt_orphans():
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants():
    """{process id: its words} of all that live below this process."""
    children = {}
    for path in pathlib.Path('/proc').glob('[0-9]*/stat'):
        try:
            state, parent = path.read_text(errors='replace').rpartition(')')[2].split()[:2]
        except OSError:  # it ended meanwhile
            continue
        if state != 'Z':
            children.setdefault(int(parent), []).append(int(path.parent.name))
    found, at = {}, [os.getpid()]
    while at:
        for pid in children.get(at.pop(), ()):
            at.append(pid)
            found[pid] = words(pid)
    return found


def words(pid):
    try:
        text = pathlib.Path(f'/proc/{pid}/cmdline').read_bytes() or pathlib.Path(f'/proc/{pid}/comm').read_bytes()
    except OSError:
        return ''
    return text.replace(b'\0', b' ').decode(errors='replace').strip()[:120]


def kill_all():
    """Everything below us, until nothing is: what forks while it is being killed is found the next time."""
    for _ in range(100):
        found = descendants()
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if not found:
            return
        time.sleep(0.05)


class Run(World):
    """The World of a table. stopping: set when somebody wants the run to end; no cell begins after that. lingering: words of
    processes that their server leaves behind, and that would end by themselves later."""

    def __init__(self, gateway):
        self.stopping, self.lingering = threading.Event(), set()
        adopt_orphans()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.interrupted)
        try:
            super().__init__(gateway, gateway)
        except KeyboardInterrupt:
            kill_all()
            shutil.rmtree(self.folder, ignore_errors=True)
            sys.exit('interrupted')

    def interrupted(self, *_):
        """The first signal ends the run; those behind it, which a terminal sends to all of us, do not end the end."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self.stopping.set()
        raise KeyboardInterrupt

    def everything(self, jobs):
        """Runs the functions, two at a time. Whatever ends this ends them all: what runs now is killed, not waited for."""
        pool = concurrent.futures.ThreadPoolExecutor(2)
        try:
            for done in [pool.submit(j) for j in jobs]:
                done.result()
        except BaseException:
            self.stopping.set()
            kill_all()
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def close(self):
        """The words of each process that was still there after everything was asked to end."""
        super().close()
        end = time.monotonic() + PATIENCE
        while (left := sorted(set(descendants().values()) - self.lingering)) and time.monotonic() < end:
            time.sleep(0.05)
        kill_all()
        return left


def told(left):
    """Prints what was left over, as failures; how many."""
    for what in left:
        print(f'FAIL left over, and killed: {what}')
    return len(left)

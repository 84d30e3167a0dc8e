"""No descriptors left: who comes waits, nobody is refused, and what the processes need among themselves still works."""
import os
import re
import signal
import subprocess
import threading
import time

from cases_processes import Setup, proc
from deaths import pid_of
from load import Load, Outcome, Session
from shim import preloaded
from support import Failure, check, equal, wait_for

LIMIT = 164  # 50 sessions: two each, and 64 that are not theirs (worker.c)


def limited(w):
    """The gateway's program, with few descriptors."""
    path = w.folder / 'few-descriptors'
    path.write_text(f'#!/bin/sh\nulimit -n {LIMIT}\nexec {os.path.abspath(w.gateway_program)} "$@"\n')
    path.chmod(0o755)
    return path


class Waiter(threading.Thread):
    """A client that takes its place in the queue."""

    def __init__(self, w, port, session=None):
        super().__init__(daemon=True)
        self.s, self.problem, self.inside = session or Session(w, port), None, False
        self.begin = self.s.login if session else self.s.open
        self.start()

    def run(self):
        try:
            self.begin().echo(1000)
            self.inside = True
        except (OSError, Failure) as e:
            self.problem = e


def came_in(waiters, lost):
    """How many are served now, to the end; who is not is added to `lost`."""
    for c in waiters:
        c.join(90)
        if c.inside:
            c.s.echo(1000)
            c.s.close()
    lost += [c.problem or 'waits' for c in waiters if not c.inside]
    return sum(c.inside for c in waiters)


def full(w, echo):
    """50 have room, 20 wait; a keeper dies, a reload is asked for, a certificate changes; then those who waited come in."""
    with Setup(w, echo, 'imap', program=limited(w)) as g:
        there = [Session(w, g.port('imap')).open() for _ in range(50)]
        waiting = [Waiter(w, g.port('imap')) for _ in range(20)]
        wait_for('the pause in the log', lambda: g.events('accept.paused'))
        victim = pid_of(g, 'keeper', 0)
        os.kill(victim, signal.SIGKILL)
        wait_for('a new keeper', lambda: pid_of(g, 'keeper', 0) not in (None, victim))
        for n, name in enumerate(('rsa2048', 'ecdsa-p256')):
            g.certificate(name)
            g.write(connect=3 + n)
            equal(g.ctl('reload')[0], 0, 'reload')
        for s in there:
            s.echo(5000)
        equal([c.inside for c in waiting], [False] * 20, 'those who wait')
        for s in there[:20]:
            s.close()
        for c in waiting:
            c.join(60)
        lost = [c.problem or 'waits' for c in waiting if not c.inside]
        for s in there[20:]:
            s.echo(1)
            s.close()
        return Outcome(0, lost, sum(s.sent - s.good for s in there), '50 went on, 20 waited and came in')


def limit(pid, number):
    """Takes descriptors away from a process that runs (None: gives them back), as its own user: so any user's tests may."""
    text = proc(pid, 'status')
    uid, gid = (int(re.search(rf'^{name}:\t(\d+)', text, re.M)[1]) for name in ('Uid', 'Gid'))
    own = {} if uid == os.getuid() else {'user': uid, 'group': gid}
    hard = re.search(r'^Max open files +\w+ +(\d+)', proc(pid, 'limits'), re.M)[1]
    subprocess.run(['prlimit', f'--pid={pid}', f'--nofile={hard if number is None else number}:{hard}'], check=True, **own)


def taken_away(w, echo):
    """Some are logged in, some stand before STARTTLS and have no backend yet, some come: the last two wait. A reload and a
    new keeper come while no descriptor can be handed over; all of it goes on when there are some again, twice."""
    lost, count = [], 0
    with Setup(w, echo, 'imap', workers=2, program=w.gateway_program) as g:
        g.write(connect=60)
        equal(g.ctl('reload')[0], 0, 'reload')
        load = Load(w, g.port('imap'), 8, 0)
        for n in range(2):
            half = [Session(w, g.port('imap')) for _ in range(10)]
            for s in half:
                s.c.line()
            for pid in g.pids('worker'):
                limit(pid, 8)
            inside = [Waiter(w, g.port('imap'), s) for s in half]
            coming = [Waiter(w, g.port('imap')) for _ in range(10)]
            wait_for('the pause of both workers', lambda n=n: len(g.events('accept.paused')) > 2 * n + 1)
            wait_for('links that wait', lambda n=n: len(g.events('backend.waits')) > n)
            victims = [pid_of(g, 'keeper', k) for k in (0, 1)]
            for victim in victims:
                os.kill(victim, signal.SIGKILL)
            g.certificate(('rsa2048', 'ecdsa-p256')[n])
            said = []
            asking = threading.Thread(target=lambda said=said: said.append(g.ctl('reload')))
            asking.start()
            load.moves()
            equal([c.inside for c in inside + coming], [False] * 20, 'those who wait')
            for pid in g.pids('worker'):
                limit(pid, None)
            asking.join(60)
            equal([code for code, _ in said], [0], f'reload: {said}')
            count += came_in(inside + coming, lost)
            load.moves()
        check(all('"why":"descriptors"' in e for e in g.events('accept.paused')), 'why')
        return load.end() + Outcome(0, lost, 0, f'{count} waited and came in')


def nothing_at_all(w, echo):
    """A worker without sessions, and the admin process, cannot open anything: the system's word is heard, and who comes waits."""
    with Setup(w, echo, 'imap') as g:
        pid, admin, said = g.pids('worker')[0], g.pids('admin')[0], []
        limit(pid, 3)
        limit(admin, 3)
        asking = threading.Thread(target=lambda: said.append(g.ctl('status')[0]))
        asking.start()
        coming = [Waiter(w, g.port('imap')) for _ in range(20)]
        wait_for('the pause', lambda: g.events('accept.paused'))
        equal(([c.inside for c in coming], said), ([False] * 20, []), 'those who wait')
        limit(pid, None)
        limit(admin, None)
        asking.join(60)
        equal(said, [0], 'hauberk ctl')
        for c in coming:
            c.join(60)
        wait_for('its end', lambda: g.events('accept.resumed'))
        equal(g.events('session.end'), [], 'sessions that ended')
        return Outcome(0, [c.problem or 'waits' for c in coming if not c.inside], 0, '20 waited and came in')


def system_full(w, echo):
    """ENFILE: the whole system has no open file left, in every process, twice. Streams go on, who stands before STARTTLS or comes
    waits; a keeper dies and a reload is asked for meanwhile. With room again all of it goes on by itself."""
    lost, count = [], 0
    program, control = preloaded(w, 'nofiles', 'NO_FILES', b'\0')
    with Setup(w, echo, 'imap', workers=2, program=program) as g, open(control, 'r+b', 0) as full_now:
        g.write(connect=60)
        equal(g.ctl('reload')[0], 0, 'reload')
        load = Load(w, g.port('imap'), 8, 3)
        load.moves()
        for n in range(2):
            half = [Session(w, g.port('imap')) for _ in range(10)]
            for s in half:
                s.c.line()
            g.write(connect=61 + n)
            victim = pid_of(g, 'keeper', n)
            full_now.write(b'\1')
            full_now.seek(0)
            inside = [Waiter(w, g.port('imap'), s) for s in half]
            coming = [Waiter(w, g.port('imap')) for _ in range(20)]
            wait_for('the pause of both workers', lambda n=n: len(g.events('accept.paused')) > 2 * n + 1)
            wait_for('links that wait', lambda n=n: len(g.events('backend.waits')) > n)
            os.kill(victim, signal.SIGKILL)
            os.kill(g.process.pid, signal.SIGHUP)
            wait_for('its end', lambda n=n: len(g.events('process.died')) > n)
            time.sleep(2)  # time for whatever gives up too soon
            equal([c.inside for c in inside + coming], [False] * 30, 'those who wait')
            full_now.write(b'\0')
            full_now.seek(0)
            wait_for('a new keeper', lambda n=n, victim=victim: pid_of(g, 'keeper', n) not in (None, victim))
            count += came_in(inside + coming, lost)
            equal(g.ctl('reload')[0], 0, 'reload')
            load.moves()
        check(all('"why":"descriptors"' in e for e in g.events('accept.paused')), 'why')
        return load.end() + Outcome(0, lost, 0, f'{count} waited and came in')


ROWS = [('no room for more sessions', full), ('descriptors taken away, twice', taken_away),
        ('not one descriptor', nothing_at_all), ('the whole system has no file left (ENFILE), twice', system_full)]
LONG = []

"""No descriptors left: who comes waits, nobody is refused, and what the processes need among themselves still works."""
import os
import signal
import threading

from cases_processes import Setup, wait_for
from deaths import pid_of
from load import Outcome, Session
from support import Failure, equal

LIMIT = 164  # 50 sessions: two each, and 64 that are not theirs (worker.c)


def limited(w):
    """The gateway's program, with few descriptors."""
    path = w.folder / 'few-descriptors'
    path.write_text(f'#!/bin/sh\nulimit -n {LIMIT}\nexec {os.path.abspath(w.gateway_program)} "$@"\n')
    path.chmod(0o755)
    return path


class Waiter(threading.Thread):
    """A client that takes its place in the queue."""

    def __init__(self, w, port):
        super().__init__(daemon=True)
        self.s, self.problem, self.inside = Session(w, port), None, False
        self.start()

    def run(self):
        try:
            self.s.open().echo(1000)
            self.inside = True
        except (OSError, Failure) as e:
            self.problem = e


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


ROWS = [('no room for more sessions', full)]
LONG = []

"""Processes that are killed (signal 9) under load."""
import os
import signal
import time

from cases_processes import Setup
from load import Load, Outcome, sessions_of
from support import Line, check, equal, wait_for


def pid_of(g, role, number):
    """The id of the process in its place; None: it is down."""
    found = [p.get('pid') for p in g.status().get(role, [])]
    return found[number] if number < len(found) else None


def worker(w, echo):
    """Its sessions end, the others' go on, a new one serves; those of the dead one are known by their sockets."""
    if os.getuid() != 0:
        return Outcome(0, [], 0, 'not played: only root may see which sessions a worker has')
    with Setup(w, echo, 'imap', workers=2, program=w.gateway_program) as g:
        load, ended, waited = Load(w, g.port('imap'), 16, 4), set(), []
        for number in (0, 1):
            victim = pid_of(g, 'worker', number)
            os.kill(victim, signal.SIGSTOP)  # so that what it has does not change any more
            ended |= sessions_of(victim, g.port('imap'))
            os.kill(victim, signal.SIGKILL)
            start = time.monotonic()
            comers = [Line(g.port('imap')) for _ in range(16)]  # some of them stand in the dead one's queue
            for c in comers:
                c.line()
            waited.append(time.monotonic() - start)
            for c in comers:
                c.close()
            wait_for('a new worker', lambda n=number, v=victim: (p := g.status()['worker'][n]).get('pid', v) != v and
                     p.get('generation') == 1)
            load.moves()
        equal(len(g.events('worker.died')), 2, 'the log says so')
        outcome = load.end(ended)
        check(outcome.ended > 0, 'the workers that were killed had sessions')
        outcome.note += ', all who came right then were greeted after ' + ' and '.join(f'{s * 1000:.0f} ms' for s in waited)
        return outcome


def keeper(w, echo):
    """Handshakes wait and go on when it is back; sessions notice nothing."""
    with Setup(w, echo, 'imap', workers=2, program=w.gateway_program) as g:
        load = Load(w, g.port('imap'), 8, 6)
        for n in range(6):
            wait_for('the keeper', lambda n=n: pid_of(g, 'keeper', n % 2))
            victim = pid_of(g, 'keeper', n % 2)
            os.kill(victim, signal.SIGKILL)
            wait_for('a new keeper', lambda n=n, v=victim: pid_of(g, 'keeper', n % 2) not in (None, v))
            load.moves()
        equal(len(g.events('process.died')), 6, 'the log says so')
        return load.end()


def all_keepers(w, echo):
    """No keeper is there for a while (it is held back): who comes waits."""
    with Setup(w, echo, 'imap', workers=2, program=w.gateway_program) as g:
        load = Load(w, g.port('imap'), 8, 6)
        for n in range(3):
            victims = [wait_for('the keeper', lambda k=k: pid_of(g, 'keeper', k)) for k in (0, 1)]
            for victim in victims:
                os.kill(victim, signal.SIGKILL)
            wait_for('new keepers', lambda v=victims: all(pid_of(g, 'keeper', k) not in (None, v[k]) for k in (0, 1)))
        load.moves()
        check(g.events('process.held-back'), 'it was held back')
        return load.end()


def admin(w, echo):
    with Setup(w, echo, 'imap', program=w.gateway_program) as g:
        load = Load(w, g.port('imap'))
        for _ in range(2):
            victim = pid_of(g, 'admin', 0)
            os.kill(victim, signal.SIGKILL)
            wait_for('a new one', lambda v=victim: g.ctl('status')[0] == 0 and pid_of(g, 'admin', 0) not in (None, v))
        load.moves()
        return load.end()


def supervisor(w, echo):
    """Nobody is left to watch: sessions end as in a drain, and every process ends."""
    g = Setup(w, echo, 'imap', workers=2, program=w.gateway_program)
    children = [pid for role in ('worker', 'keeper', 'admin') for pid in g.pids(role)]
    load = Load(w, g.port('imap'), 8, 0)
    ports = {s.session.port for s in load.streams}
    g.process.kill()
    g.process.wait()
    wait_for('the end of every session', lambda: not any(s.is_alive() for s in load.streams), 60)
    outcome = load.end(ports)
    wait_for('the end of its children', lambda: not any(os.path.exists(f'/proc/{pid}') for pid in children), 60)
    g.w.stop(g.process)
    equal(outcome.ended, 8, 'sessions that ended')
    return outcome


ROWS = [('worker killed, twice', worker), ('keeper killed, six times', keeper), ('all keepers killed, three times', all_keepers),
        ('admin killed, twice', admin), ('supervisor killed', supervisor)]
LONG = []

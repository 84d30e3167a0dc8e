"""Many clients that do nothing: idle through a reload, or in the middle of a handshake for as long as they are let."""
import resource
import select
import threading
import time

from cases_processes import Setup
from load import Load, Outcome, Session
from support import Failure, Line, check, equal, free_port, wait_for

SPARE = 1500  # descriptors that are not a crowd's


def room(wanted):
    """As many as this process may have sockets for."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard - SPARE)


def in_threads(number, each, threads=8):
    """each(i) for every i; what it returned, and what was raised."""
    results = [None] * number

    def some(first):
        for i in range(first, number, threads):
            try:
                results[i] = each(i)
            except (OSError, Failure) as e:
                results[i] = e

    running = [threading.Thread(target=some, args=(n,)) for n in range(threads)]
    for t in running:
        t.start()
    for t in running:
        t.join()
    return results


def idle(w, echo, wanted):
    """All are logged in and silent; a new timeout, a new listener, a new certificate; then each of them says something."""
    number = room(wanted)
    with Setup(w, echo, 'imap', workers=2) as g:
        crowd = in_threads(number, lambda i: Session(w, g.port('imap')).open())
        bad = [s for s in crowd if not isinstance(s, Session)]
        check(not bad, f'{len(bad)} could not begin: {bad[:3]}')
        equal(sum(p['sessions'] for p in g.status()['worker']), number, 'sessions')
        load = Load(w, g.port('imap'), 4, 2)
        for n in range(3):
            if n == 1:
                g.schemes['imaps'] = (free_port(), echo.port['imap'])
            if n == 2:
                g.certificate('rsa2048')
            g.write(connect=3 + n)
            equal(g.ctl('reload')[0], 0, f'reload {n}')
            load.moves()
        outcome = load.end()
        lost = [e for e in in_threads(number, lambda i: crowd[i].echo(1000)) if e is not None]
        in_threads(number, lambda i: crowd[i].c.close())
        return outcome + Outcome(0, lost, sum(s.sent - s.good for s in crowd) if not lost else 0, f'{number} idle, 3 reloads')


def half(port, i):
    """A client that stops at one of four places."""
    c = Line(port, 60)
    if i % 4 >= 1:
        c.line()
        c.send('s STARTTLS\r\n')
        c.line()
    if i % 4 >= 2:  # a ClientHello as far as half of it, byte by byte
        c.send(b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03')
    if i % 4 == 3:
        c.send(bytes(200))
    return c


def loris(w, echo, wanted):
    """Good clients go on while each of the others holds a place, gives a byte now and then, and is ended at the deadline."""
    number = room(wanted)
    with Setup(w, echo, 'imap', workers=2) as g:
        g.file.write_text(g.file.read_text().replace('drain = 5\n', 'drain = 5\n  handshake = 20\n')
                          .replace('host = "mail.test"', 'host = "mail.test"\n  preauth-timeout = 20'))
        equal(g.ctl('reload')[0], 0, 'reload')
        load = Load(w, g.port('imap'), 8, 3)
        crowd = in_threads(number, lambda i: half(g.port('imap'), i))
        bad = [c for c in crowd if not isinstance(c, Line)]
        check(not bad, f'{len(bad)} could not begin: {bad[:3]}')
        load.moves()
        open_now, end, most = dict(enumerate(crowd)), time.monotonic() + 150, 0
        while open_now and time.monotonic() < end:
            most = max(most, sum(p['sessions'] for p in g.status()['worker']))
            for i, c in list(open_now.items()):
                if i % 4 >= 2 and i % 16 < 8:
                    try:
                        c.sock.send(b'\0')
                    except OSError:
                        pass
            poll = select.poll()
            numbers = {c.sock.fileno(): i for i, c in open_now.items()}
            for fd in numbers:
                poll.register(fd, select.POLLIN | select.POLLRDHUP)
            for fd, what in poll.poll(1000):
                i = numbers[fd]
                try:
                    gone = what & (select.POLLHUP | select.POLLERR | select.POLLRDHUP) or not open_now[i].sock.recv(4096)
                except OSError:
                    gone = True
                if gone:
                    open_now.pop(i).close()
            load.moves()
        equal(len(open_now), 0, 'half handshakes that are still there behind the deadline')
        wait_for('their end in the gateway', lambda: sum(p['sessions'] for p in g.status()['worker']) < 12)
        return load.end() + Outcome(number, [], 0, f'{most} sessions at once')


ROWS = [('500 idle sessions through three reloads', lambda w, echo: idle(w, echo, 500)),
        ('300 half handshakes until their deadline', lambda w, echo: loris(w, echo, 300))]
LONG = [('10,000 idle sessions through three reloads', lambda w, echo: idle(w, echo, 10000)),
        ('5,000 half handshakes until their deadline', lambda w, echo: loris(w, echo, 5000))]

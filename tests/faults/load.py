"""Sessions that notice every byte: streams that go on through a fault, and comers that begin all the time.

Both go through STARTTLS and a login to the echo backend (echo.py) and then send numbered blocks; what comes back is compared
byte by byte. A session that ends before its client wanted it to is an `End`; whose fault that was is the row's to say."""
import os
import ssl
import sys
import threading
import time

from support import Failure, Line, check, free_port, wait_port

TIMEOUT = 30  # of one step of one client


class End:
    """A session that ended before its time: the client's port, and how."""

    def __init__(self, port, why):
        self.port, self.why = port, why

    def __repr__(self):
        return f'{self.port}: {self.why}'


def block(who, number, size):
    """Bytes that are like those of no other session and no other block."""
    head = f'{who:06d}.{number:08d}.'.encode()
    return (head * (size // len(head) + 1))[:size]


class Session:
    """One client behind STARTTLS and its login; sent and good count bytes."""

    serial = 0
    lock = threading.Lock()

    def __init__(self, w, port):
        with Session.lock:
            Session.serial += 1
            self.who = Session.serial
        self.number, self.sent, self.good, self.waiting = 0, 0, 0, []
        self.c = Line(port, TIMEOUT)
        self.port = self.c.sock.getsockname()[1]
        self.context = w.shared_context = getattr(w, 'shared_context', None) or w.client_context()

    def open(self):
        self.c.line()
        return self.login()

    def login(self):
        """Behind the greeting."""
        c = self.c
        c.send('s STARTTLS\r\n')
        check(c.line().startswith('s OK'), f'STARTTLS: {c.transcript}')
        c.start_tls(self.context)
        c.send('a LOGIN joe secret\r\n')
        check(c.until('a ')[-1].startswith('a OK'), f'login: {c.transcript}')
        return self

    def send(self, size):
        data = block(self.who, self.number, size)
        self.number += 1
        self.waiting.append(data)
        self.c.sock.sendall(data)
        self.sent += len(data)

    def receive(self):
        """The oldest block that is on its way."""
        want = self.waiting.pop(0)
        while len(self.c.buffer) < len(want):
            data = self.c.sock.recv(65536)
            if not data:
                raise Failure(f'the stream ended at byte {self.good + len(self.c.buffer)}')
            self.c.buffer += data
        check(self.c.buffer.startswith(want), f'another byte than was sent, behind byte {self.good}')
        self.c.buffer = self.c.buffer[len(want):]
        self.good += len(want)

    def echo(self, size):
        self.send(size)
        self.receive()

    def close(self):
        """close_notify, and theirs: nothing more was on its way."""
        try:
            self.c.sock.unwrap().close()
        except (ssl.SSLError, OSError) as e:
            self.c.close()
            raise Failure(f'no orderly end: {e!r}') from e


class Client(threading.Thread):
    def __init__(self, load):
        super().__init__(daemon=True)
        self.load, self.session, self.ended, self.done, self.lost = load, None, [], 0, 0
        self.start()

    def open(self):
        self.session = None
        self.session = Session(self.load.w, self.load.port)
        return self.session.open()

    def failed(self, e):
        self.ended.append(End(self.session.port if self.session else 0, repr(e)))


class Stream(Client):
    """One session from before the fault until behind it, two blocks under way; done counts blocks."""

    def run(self):
        try:
            s = self.open()
            s.send(1)
            while not self.load.over:
                s.send(1 + (s.number * 7919 + s.who * 131) % 24000)
                s.receive()
                self.done += 1
                time.sleep(0.05)
            s.receive()
            self.lost = s.sent - s.good
            s.close()
        except (OSError, Failure) as e:
            self.failed(e)


class Comer(Client):
    """Session behind session, three blocks each; done counts sessions."""

    def run(self):
        while not self.load.over:
            try:
                s = self.open()
                for size in (1, 500, 20000):
                    s.echo(size)
                s.close()
                self.done += 1
            except (OSError, Failure) as e:
                self.failed(e)
                time.sleep(0.05)


class Load:
    """streams and comers at one port, all of them moving when this returns."""

    def __init__(self, w, port, streams=12, comers=3):
        self.w, self.port, self.over = w, port, False
        self.streams = [Stream(self) for _ in range(streams)]
        self.comers = [Comer(self) for _ in range(comers)]
        self.moves()

    def moves(self):
        """Waits until every stream that is left has moved on, and every comer has brought a session home."""
        before = [(t, t.done) for t in self.streams + self.comers]
        end = time.monotonic() + 2 * TIMEOUT
        while time.monotonic() < end:
            if all(t.done > n + 1 or not t.is_alive() for t, n in before):
                return
            time.sleep(0.05)
        raise Failure(f'the load does not move: {self.ends()[:8]}')

    def ends(self):
        return [e for t in self.streams + self.comers for e in t.ended]

    def end(self, by_fault=()):
        """Stops; by_fault: the ports of sessions that the fault itself ended. What became of all of them."""
        self.over = True
        for t in self.streams + self.comers:
            t.join(2 * TIMEOUT)
            check(not t.is_alive(), 'a client of the load did not end')
        ends, streams = self.ends(), [s for s in self.streams if s.session is not None]
        return Outcome(len([e for e in ends if e.port in by_fault]), [e for e in ends if e.port not in by_fault],
                       sum(s.lost for s in streams),
                       f'{sum(c.done for c in self.comers)} sessions came and went, {len(streams)} went on with '
                       f'{sum(s.session.good for s in streams) >> 10} KiB')


class Outcome:
    """A row of the table: how many sessions the fault itself ended, which ones were lost otherwise, bytes that did not come
    back."""

    def __init__(self, ended, lost, bytes_lost, note):
        self.ended, self.lost, self.bytes_lost, self.note = ended, lost, bytes_lost, note

    def __add__(self, other):
        return Outcome(self.ended + other.ended, self.lost + other.lost, self.bytes_lost + other.bytes_lost,
                       '; '.join(n for n in (self.note, other.note) if n))


class Echo:
    """The echo backend as a process; port is as MailServer has it."""

    def __init__(self, w):
        port = free_port()
        self.w, self.port = w, {'imap': port}
        self.process = w.start([sys.executable, os.path.join(os.path.dirname(__file__), 'echo.py'), port], 'echo.log')
        wait_port(port, self.process)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.w.stop(self.process)


def sessions_of(pid, port):
    """Client ports of the sessions at `port` whose sockets are with process pid."""
    inodes = set()
    for fd in os.listdir(f'/proc/{pid}/fd'):
        try:
            inodes.add(os.readlink(f'/proc/{pid}/fd/{fd}'))
        except FileNotFoundError:
            pass
    found = set()
    with open('/proc/net/tcp', encoding='ascii') as table:
        for line in table.read().splitlines()[1:]:
            fields = line.split()
            if int(fields[1].split(':')[1], 16) == port and f'socket:[{fields[9]}]' in inodes:
                found.add(int(fields[2].split(':')[1], 16))
    return found - {0}

"""Backends by name: a name server of our own, whose records have lifetimes and change."""
import socket
import struct
import threading

from cases_policy import login_imap, with_server
from support import Gateway, check, equal, free_port, run, splice, upgrade, wait_for


class NameServer:
    """DNS over UDP, just enough: `zone` is {name: (IPv4 address, lifetime in seconds)}; `asked` counts questions."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(('127.0.0.1', 0))
        self.address, self.zone, self.asked, self.silent = f'127.0.0.1:{self.sock.getsockname()[1]}', {}, {}, False
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                question, client = self.sock.recvfrom(2000)
            except OSError:
                return
            if not self.silent:
                self.sock.sendto(self.answer(question), client)

    def answer(self, question):
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode().lower())
            at += 1 + question[at]
        name, kind = '.'.join(labels), struct.unpack('>H', question[at + 1:at + 3])[0]
        known = name in self.zone
        has = known and kind == 1
        if has:
            self.asked[name] = self.asked.get(name, 0) + 1
        head = question[:2] + struct.pack('>HHHHH', 0x8580 | (0 if known else 3), 1, has, 0, 0)
        address, lifetime = self.zone.get(name, ('0.0.0.0', 0))
        record = b'\xc0\x0c' + struct.pack('>HHIH', 1, 1, lifetime, 4) + socket.inet_aton(address)
        return head + question[12:at + 5] + (record if has else b'')

    def stop(self):
        self.sock.close()


class Counted:
    """A listening socket that counts who comes."""

    def __init__(self, *address):
        self.sock, self.taken = socket.create_server(address), 0
        self.close = self.sock.close

    def accept(self):
        found = self.sock.accept()
        self.taken += 1
        return found


def with_names(case):
    def wrapped(w, server):
        names = NameServer()
        try:
            case(w, server, names)
        finally:
            names.stop()

    wrapped.__name__ = case.__name__
    return with_server(wrapped)


def front(w, server, names, name):
    return Gateway(w, [('imap', f'{name}:{server.port["imap"]}')], '--resolver', names.address, '--client-address', 'off')


@with_names
def names_by_their_lifetime(w, server, names):
    """A record that lives for an hour is believed; one that lives for seconds is asked for again, and a backend that
    moved is found. Nobody's session notices."""
    names.zone = {'still.test': ('127.0.0.1', 3600), 'moves.test': ('127.0.0.1', 1)}
    moved = Counted('127.0.0.7', server.port['imap'])  # the same port at another address
    splice(moved, server.port['imap'])
    with front(w, server, names, 'still.test') as still, front(w, server, names, 'moves.test') as moves:
        old = upgrade(w, moves.port('imap'), 'imap')
        login_imap(old)
        names.zone['moves.test'] = ('127.0.0.7', 1)
        wait_for('the new address', lambda: any(e['why'] == 'names' for e in moves.events('reload.done')), 30)
        equal(moved.taken, 0, 'connections to the new address so far')
        login_imap(upgrade(w, moves.port('imap'), 'imap'))
        equal(moved.taken, 1, 'connections to the new address')
        equal(len(moves.events('reload.done')), 1, 'reloads: an answer that says the same is no news')
        old.send('z NOOP\r\n')
        check(old.until('z ')[-1].startswith('z OK'), 'the session on the old address goes on')
        names.silent = True  # a name server that is down: what was known goes on
        wait_for('the refusal', lambda: moves.events('reload.refused'), 60)
        login_imap(upgrade(w, moves.port('imap'), 'imap'))
        equal(moved.taken, 2, 'connections to the new address, which is still believed')
        equal(names.asked['still.test'], 1, 'questions for the record that lives for an hour')
        check(names.asked['moves.test'] >= 2, 'the other one was asked for again')
    moved.close()


@with_names
def names_nobody_knows(w, server, names):
    code, out, err = run([str(w.gateway_program), 'check', '--resolver', names.address, '--host', 'mail.test', '--cert',
                          str(w.certs / 'ecdsa-p256.crt'), '--key', str(w.certs / 'ecdsa-p256.key'), '--listen',
                          f'imap://127.0.0.1:{free_port()}', '--backend', 'nobody.test:143'], b'', 60)
    text = (out + err).decode()
    check(code == 2 and 'nobody.test' in text and 'known' in text, f'{code} {text}')
    code, out, err = run([str(w.gateway_program), 'check', '--resolver', 'ns.test', '--host', 'mail.test', '--listen',
                          f'imap://127.0.0.1:{free_port()}', '--backend', '127.0.0.1:143'], b'', 60)
    text = (out + err).decode()
    check(code == 2 and 'resolver' in text and 'ns.test' in text, f'{code} {text}')


CASES = [names_by_their_lifetime, names_nobody_knows]

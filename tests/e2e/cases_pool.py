"""Several servers behind one listener: who gets a session, and what becomes of it when a server fails."""
import re
import signal
import socket
import time

from cases_policy import login_imap
from cases_upstream import server_context
from mailserver import MailServer
from support import Gateway, Line, check, equal, free_port, run, serve, splice, upgrade, wait_for, wait_port


class Refuses:
    """Takes connections and does one thing with each: greets with `text` and closes."""

    def __init__(self, text):
        self.listening = socket.create_server(('127.0.0.1', 0))
        self.port, self.text, self.connections = self.listening.getsockname()[1], text, 0
        serve(self.listening, self.greet)

    def greet(self, sock):
        self.connections += 1
        sock.sendall(self.text)
        sock.close()

    def stop(self):
        self.listening.close()


class Pooled(Gateway):
    """A gateway with a configuration file: one backend block, one listener for each scheme."""

    def __init__(self, w, servers, *words, schemes=('imap',), more='', program=None):
        Gateway.serial += 1
        self.world, self.ports = w, {s: free_port() for s in schemes}
        self.log = w.folder / f'gateway-{Gateway.serial}.log'
        path = self.path = w.folder / f'pool-{Gateway.serial}.conf'
        quoted = ', '.join(f'"{s}"' for s in servers)
        path.write_text(
            f'log = "json"\ncertificate c {{ chain = "{w.certs}/ecdsa-p256.crt" key = "{w.certs}/ecdsa-p256.key" }}\n'
            f'defaults {{ host = "mail.test" }}\ntimeouts {{ connect = 2 greeting = 5 }}\n'
            f'backend b {{\n servers = {{{quoted}}}\n' + ''.join(f' {word}\n' for word in words) + '}\n' +
            ''.join(f'listener l-{s} {{ listen = "{s}://127.0.0.1:{p}" backend = "b" {more} }}\n' for s, p in self.ports.items()))
        self.process = w.start([program or w.gateway_program, 'run', '--config', path], self.log.name)
        for port in self.ports.values():
            wait_port(port, self.process)

    def reload(self, connect):
        """Another configuration; the servers stay."""
        done = len(self.events('reload.done'))
        self.path.write_text(re.sub('connect = [0-9]+', f'connect = {connect}', self.path.read_text()))
        self.process.send_signal(signal.SIGHUP)
        wait_event(self, 'reload.done', done + 1, 'reload')


def served_by(g, n):
    """The ports of the servers of the first n sessions, in order of their end."""
    return [int(g.session(i)['backend'].rsplit(':', 1)[1]) for i in range(1, n + 1)]


def imap_session(w, g, name=None):
    c = upgrade(w, g.port('imap'), 'imap') if name is None else upgrade(w, g.port('imap'), 'imap', name)
    login_imap(c)
    c.send('z LOGOUT\r\n')
    c.rest()
    c.close()


def pool_in_turn(w):
    """Round robin by weight; STARTTLS toward each of them."""
    a, b = MailServer({'tls': server_context(w)}), MailServer({'tls': server_context(w)})
    urls = [f'imap+starttls://127.0.0.1:{a.port["imap"]} weight=2', f'imap+starttls://127.0.0.1:{b.port["imap"]}']
    with Pooled(w, urls, f'backend-ca = "{w.certs}/ca.crt"', 'backend-name = "mail.test"') as g:
        for n in range(1, 7):
            imap_session(w, g)
            g.session(n)
        equal(sorted(served_by(g, 6)), sorted([a.port['imap']] * 4 + [b.port['imap']] * 2), 'two to one')
    a.stop()
    b.stop()


def pool_next_server_unseen(w):
    """A server that refuses, greets with a refusal, hangs or has the wrong certificate: the client sees only the next."""
    good = MailServer({'tls': server_context(w)})
    wrong = MailServer({'tls': server_context(w, 'expired')}) if (w.certs / 'expired.crt').exists() else None
    bye, gone, hangs = Refuses(b'* BYE full\r\n'), Refuses(b''), MailServer({'hang': True})
    bad = {'closed port': free_port(), 'BYE': bye.port, 'nothing': gone.port, 'silence': hangs.port['imap']}
    if wrong is not None:
        bad['certificate'] = wrong.port['imap']
    for what, port in bad.items():
        urls = [f'imap+starttls://127.0.0.1:{p}' for p in (port, good.port['imap'])]
        with Pooled(w, urls, f'backend-ca = "{w.certs}/ca.crt"', 'backend-name = "mail.test"') as g:
            for n in (1, 2):
                imap_session(w, g)
                equal(g.session(n)['backend'], urls[1], f'{what}: who served it')
            equal(len(g.events('server.down')), 1, f'{what}: said once')
            check(f':{port}' in g.events('server.down')[0]['server'], f'{what}: which one')
    for server in (good, bye, gone, hangs, *([wrong] if wrong else [])):
        server.stop()


def pool_all_refuse(w):
    """Nobody is left: the client hears it as from a single backend, nothing hangs; later a server is up and it is said."""
    port = free_port()
    urls = [f'127.0.0.1:{p}' for p in (port, free_port())]
    with Pooled(w, urls) as g:
        c = upgrade(w, g.port('imap'), 'imap')
        check(b'BYE' in c.rest(), 'the client is told')
        c.close()
        equal(g.session(1)['code'], 'GW_BACKEND_REFUSED', 'why')
        equal(len(g.events('server.down')), 2, 'both, once')
        server = MailServer()
        relay = socket.create_server(('127.0.0.1', port))
        splice(relay, server.port['imap'])
        while not g.events('server.up'):
            c = upgrade(w, g.port('imap'), 'imap')
            try_login(c)
            c.close()
        equal(len(g.events('server.up')), 1, 'up is said once')
        relay.close()
        server.stop()


def try_login(c):
    c.send('a LOGIN joe secret\r\n')
    data = b''
    while b'a OK' not in data and b'BYE' not in data:
        got = c.sock.recv(4096)
        if not got:
            return False
        data += got
    return b'BYE' not in data


def pool_by_name_and_backup(w):
    """sni= takes a name's clients to a server of their own; a backup waits until the others are down."""
    a, b, spare = MailServer(), MailServer(), MailServer()
    urls = [f'127.0.0.1:{a.port["imap"]}', f'127.0.0.1:{b.port["imap"]} sni=localhost', f'127.0.0.1:{spare.port["imap"]} backup']
    with Pooled(w, urls) as g:
        for n, (name, server) in enumerate([('localhost', b), ('mail.test', a), ('localhost', b), ('mail.test', a)], 1):
            c = Line(g.port('imap'))
            c.line()
            c.send('a STARTTLS\r\n')
            c.line()
            context = w.client_context(check_hostname=False)
            c.sock = context.wrap_socket(c.sock, server_hostname=name)
            login_imap(c)
            c.send('z LOGOUT\r\n')
            c.rest()
            c.close()
            equal(g.session(n)['backend'], f'127.0.0.1:{server.port["imap"]}', name)
        a.stop()
        imap_session(w, g)
        equal(g.session(5)['backend'], f'127.0.0.1:{spare.port["imap"]}', 'the backup')
    b.stop()
    spare.stop()


def pool_of_smtp_and_by_client(w):
    """client-hash: one address, one server; SMTP's refusal in its greeting (RFC 5321 3.1) is no answer for the client."""
    servers = [MailServer() for _ in range(3)]
    with Pooled(w, [f'127.0.0.1:{s.port["imap"]}' for s in servers], 'balance = "client-hash"') as g:
        for n in range(1, 5):
            imap_session(w, g)
            g.session(n)
        equal(len(set(served_by(g, 4))), 1, 'always the same')
    full = Refuses(b'554 5.3.2 full\r\n')
    with Pooled(w, [f'127.0.0.1:{full.port}', f'127.0.0.1:{servers[0].port["smtp"]}'], schemes=('smtp',)) as g:
        c = upgrade(w, g.port('smtp'), 'smtp')
        c.send('EHLO c.test\r\n')
        check(re.match('250 ', c.until('250 ')[-1]), 'served')
        c.send('QUIT\r\n')
        c.rest()
        c.close()
        equal((g.session(1)['backend'], full.connections), (f'127.0.0.1:{servers[0].port["smtp"]}', 1), 'the other one')
    for server in (*servers, full):
        server.stop()


def wait_event(g, name, n, what, seconds=20):
    """The events of this name, when there are n of them."""
    wait_for(f'{what}: {name}', lambda: len(g.events(name)) >= n, seconds)
    return g.events(name)


def pool_health_checks(w):
    """Each face: a server that fails its checks is down before a client finds out, and up again after one that is good."""
    rows = [('imap', 'imap+starttls', b'STARTTLS', b'LOGOUT'), ('pop3', 'pop3+starttls', b'STLS', b'QUIT'),
            ('smtp', 'smtp+starttls', b'STARTTLS', b'QUIT'), ('acap', 'acap+starttls', b'STARTTLS', b'LOGOUT'),
            ('imap', 'imap', None, b'LOGOUT'), ('smtp', 'smtp', None, b'QUIT')]
    for scheme, url, starttls, bye in rows:
        a, b = MailServer({'tls': server_context(w)}), MailServer({'tls': server_context(w)})
        with Pooled(w, [f'{url}://127.0.0.1:{s.port[scheme]}' for s in (a, b)], 'health-check = 1', f'backend-ca = "{w.certs}/ca.crt"',
                    'backend-name = "mail.test"', schemes=(scheme,)) as g:
            end = time.monotonic() + 20
            while bye not in a.received[scheme].upper() or bye not in b.received[scheme].upper():
                check(time.monotonic() < end, f'{url}: no goodbye: {a.received[scheme]!r}')
                time.sleep(0.05)
            check(starttls is None or starttls in a.in_clear[scheme], f'{url}: STARTTLS was not tried')
            equal((g.events('server.down'), g.events('server.up')), ([], []), f'{url}: both are well')
            b.faults.update({'greet': b'what?\r\n'})
            down = wait_event(g, 'server.down', 1, url)
            equal((down[0]['code'], down[0]['server']), ('PEER_GREETING', f'{url}://127.0.0.1:{b.port[scheme]}'), f'{url}: why')
            del b.faults['greet']
            wait_event(g, 'server.up', 1, url)
            equal((len(g.events('server.down')), len(g.events('server.up'))), (1, 1), f'{url}: each is said once')
            check(b'LOGIN' not in a.received[scheme] and b'MAIL' not in a.received[scheme], f'{url}: more was said than needed')
        a.stop()
        b.stop()


def pool_health_of_tls(w):
    """Certificates are judged by a check, and an end that is near is said; silence and a closed port are failures, too."""
    hangs = MailServer({'hang': True})
    rows = [('expired', 'TLS', None), ('soon', None, None), (None, 'GW_BACKEND_TIMEOUT', hangs.port['imap']),
            (None, 'GW_BACKEND_REFUSED', free_port())]
    for name, code, port in rows:
        server = MailServer({'tls': server_context(w, name)}) if name else None
        port = port or server.port['imap']
        with Pooled(w, [f'imap+starttls://127.0.0.1:{port}'], 'health-check = 1', f'backend-ca = "{w.certs}/ca.crt"',
                    'backend-name = "mail.test"') as g:
            if name == 'soon':
                check(0 <= int(wait_event(g, 'server.certificate', 1, name)[0]['days']) < 21, 'days')
            else:
                why = wait_event(g, 'server.down', 1, f'{name or port}')[0]['code']
                check(code in why or name == 'expired', f'{name or port}: {why}')
        if server:
            server.stop()
    hangs.stop()


def pool_through_a_reload(w):
    """What is known of servers that stay is known behind a reload: who is down, how many sessions each has, whose turn it is."""
    good, bad = MailServer(), Refuses(b'')
    with Pooled(w, [f'127.0.0.1:{s}' for s in (bad.port, good.port['imap'])]) as g:
        for n in (1, 2, 3):
            imap_session(w, g)
            g.session(n)
            g.reload(10 + n)
        equal((bad.connections, len(g.events('server.down'))), (1, 1), 'tried once')
    other = MailServer()
    ports = [good.port['imap'], other.port['imap']]
    for balance, script, want in (('least-connections', '++-r+', [0, 1, 1]), ('least-connections', '+r+r+', [0, 1, 1]),
                                  ('round-robin', '+r+r+r+', [0, 1, 0, 1])):
        with Pooled(w, [f'127.0.0.1:{port}' for port in ports], f'balance = "{balance}"') as g:
            there, order = [], []
            for n, c in enumerate(script):
                if c == '+':
                    before = other.received['imap'].count(b'LOGIN')
                    there.append(upgrade(w, g.port('imap'), 'imap'))
                    login_imap(there[-1])
                    order.append(other.received['imap'].count(b'LOGIN') - before)
                elif c == '-':
                    there.pop().close()
                    g.session(1)
                else:
                    g.reload(10 + n)
            equal(order, want, f'{balance}: {script}')
            for c in there:
                c.close()
    for server in (good, bad, other):
        server.stop()


def pool_health_on_unix_sockets(w):
    """Checked like any other, through the supervisor where a worker has no paths: down, up again, and down with its end."""
    server, paths = MailServer(), [w.folder / f'health-{n}.socket' for n in (0, 1)]

    def listen(path):
        path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(path))
        listening.listen(8)
        splice(listening, server.port['imap'])
        return listening

    for program in (w.gateway_program, w.release_program):
        first = listen(paths[0])
        with Pooled(w, [f'unix:{path}' for path in paths], 'health-check = 1', program=program) as g:
            paths[1].unlink(missing_ok=True)
            down = wait_event(g, 'server.down', 1, 'nobody is there')
            equal((down[0]['server'], down[0]['code']), (f'unix:{paths[1]}', 'GW_BACKEND_REFUSED'), 'who, and why')
            g.reload(9)
            second = listen(paths[1])
            equal(wait_event(g, 'server.up', 1, 'somebody is there')[0]['server'], f'unix:{paths[1]}', 'who')
            check(b'LOGOUT' in server.received['imap'].upper(), 'a goodbye')
            imap_session(w, g)
            first.shutdown(socket.SHUT_RDWR)
            equal(wait_event(g, 'server.down', 2, 'its end')[1]['server'], f'unix:{paths[0]}', 'who')
            for listening in (first, second):
                listening.close()
    server.stop()


def pool_explained(w):
    """explain shows what a backend block says, and where."""
    path = w.folder / 'explained.conf'
    path.write_text(f'certificate c {{ chain = "{w.certs}/ecdsa-p256.crt" key = "{w.certs}/ecdsa-p256.key" }}\n'
                    'listener a { listen = "imap://127.0.0.1:1143" backend = "b" }\n'
                    'backend b {\n servers = {"127.0.0.1:1 weight=2", "127.0.0.1:2"}\n health-check = 9\n}\n')
    code, out, err = run([w.gateway_program, 'explain', 'a', '--config', path])
    rows = [line.split() for line in out.decode().splitlines()]
    equal(code, 0, err)
    for name, value in (('server', '127.0.0.1:1'), ('server', '127.0.0.1:2'), ('balance', 'round-robin'), ('health-check', '9')):
        check(any(r[:2] == [name, value] for r in rows), f'{name} {value} is not there: {out.decode()}')


CASES = [pool_explained, pool_in_turn, pool_next_server_unseen, pool_all_refuse, pool_by_name_and_backup, pool_of_smtp_and_by_client, pool_health_checks,
         pool_health_of_tls, pool_through_a_reload, pool_health_on_unix_sockets]

"""Several machines (docs/deploy.md): two gateways with one ticket secret on one port, HAProxy before them; or keepalived,
which moves one address between them. The configurations are the document's own."""
import os
import re
import socket

from cases_policy import login_imap, with_server
from documents import blocks
from support import ROOT, check, equal, free_port, read_events, run, splice, upgrade, wait_for, wait_port


class Machine:
    """A gateway at an address of its own."""

    def __init__(self, w, address, port, server, secret):
        self.metrics, self.control = f'{address}:{free_port()}', w.folder / f'control-{address}'
        self.w, self.log = w, w.folder / f'machine-{address}.log'
        argv = [w.gateway_program, 'run', '--log', 'json', '--host', 'mail.test', '--cert', w.certs / 'ecdsa-p256.crt', '--key',
                w.certs / 'ecdsa-p256.key', '--ticket-secret', secret, '--accept-proxy', '127.0.0.10', '--metrics', self.metrics,
                '--control', self.control, '--listen', f'imap://{address}:{port}', '--backend', f'127.0.0.1:{server.port["imap"]}']
        self.process = w.start(argv, self.log.name)

    def ends(self):
        return [e for e in read_events(self.log.read_text(), 'session.end') if e['bytes_in'] > 0]


def document(name):
    return dict(blocks(ROOT / 'docs/deploy.md'))[name]


def haproxy(w, port, machines):
    """The configuration of docs/deploy.md, with our addresses; its checks are quicker."""
    text, servers = document('haproxy.cfg').replace('bind :143', f'bind 127.0.0.10:{port}').replace('leastconn', 'roundrobin'), iter(enumerate(machines))

    def ours(_):
        i, m = next(servers)
        return f'127.0.0.{11 + i}:{port} send-proxy-v2 check port {m.metrics.rsplit(":", 1)[1]} inter 200 source 127.0.0.10\n'
    path = w.folder / 'haproxy.cfg'
    path.write_text(re.sub(r'192\.0\.2\.1\d:143 send-proxy-v2 check port 9109\n', ours, text))
    code, out, err = run(['haproxy', '-c', '-f', str(path)])
    equal(code, 0, (out + err).decode())
    return w.start(['haproxy', '-db', '-f', path], 'haproxy.log')


def ask(w, port, *words):
    out = run(['openssl', 's_client', '-starttls', 'imap', '-connect', f'127.0.0.10:{port}', '-servername', 'mail.test', '-tls1_3', '-ign_eof',
               *words], b'z LOGOUT\r\n', 30)[1]
    check(b'z OK' in out, out.decode(errors='replace')[-800:])
    return b'Reused, TLSv1.3' in out


@with_server
def two_machines(w, server):
    """A session of one machine is resumed at the other; the client's address arrives; a machine that drains is left alone."""
    secret, port, saved = w.folder / 'shared-secret', free_port(), w.folder / 'shared-session'
    secret.touch(0o600)
    secret.write_bytes(bytes(range(32)))
    machines = [Machine(w, f'127.0.0.{11 + i}', port, server, secret) for i in range(2)]
    for i, m in enumerate(machines):
        wait_port(int(m.metrics.rsplit(':', 1)[1]), m.process, host=f'127.0.0.{11 + i}')
    front = haproxy(w, port, machines)
    try:
        wait_port(port, front, host='127.0.0.10')
        for _ in range(4):
            ask(w, port)
        wait_for('lines of both', lambda: all(m.ends() for m in machines) and sum(len(m.ends()) for m in machines) == 4)
        before = [len(m.ends()) for m in machines]
        ask(w, port, '-sess_out', str(saved))
        resumed = [ask(w, port, '-sess_in', str(saved), '-sess_out', str(saved)) for _ in range(4)]
        equal(resumed, [True] * 4, 'resumed, in turn at the one and the other')
        wait_for('their lines', lambda: sum(len(m.ends()) for m in machines) == sum(before) + 5)
        served = [len(m.ends()) - b for m, b in zip(machines, before)]
        check(min(served) >= 2, f'both served: {served}')
        for m in machines:
            check(all(e['peer'].startswith('127.0.0.1:') for e in m.ends()), f'clients\' own addresses: {m.ends()}')
        idle = [upgrade_at(w, port) for _ in range(2)]
        code, out, err = run([str(w.gateway_program), 'ctl', '--control', str(machines[0].control), 'drain', '60'])
        equal(code, 0, (out + err).decode())
        wait_for('HAProxy to see it', lambda: 'is DOWN' in (w.folder / 'haproxy.log').read_text(), 30)
        count = len(machines[1].ends())
        for _ in range(4):
            ask(w, port)
        wait_for('their lines', lambda: len(machines[1].ends()) == count + 4)
        for c in idle[1:]:
            c.close()
    finally:
        for p in (front, *(m.process for m in machines)):
            w.stop(p)
    for m in machines:
        text = m.log.read_text()
        check('Sanitizer' not in text and 'runtime error' not in text, text[-2000:])


def upgrade_at(w, port):
    c = upgrade(w, port, 'imap', host='127.0.0.10')
    login_imap(c)
    return c


class Lan:
    """Two machines and a client as network namespaces on one bridge: eth0 of the machines is 192.0.2.11 and .12."""

    def __init__(self, w):
        self.w = w
        self.hub, *self.machines = (w.start(['unshare', '--net', 'sleep', '600'], 'lan.log') for _ in range(3))
        outside = os.readlink('/proc/self/ns/net')
        for p in (self.hub, *self.machines):
            wait_for('a namespace', lambda p=p: os.readlink(f'/proc/{p.pid}/ns/net') != outside)
        self.sh(self.hub, 'ip link add br0 type bridge; ip address add 192.0.2.1/24 dev br0; ip link set br0 up; ip link set lo up')
        for i, m in enumerate(self.machines):
            self.sh(self.hub, f'ip link add port{i} type veth peer name eth0 netns {m.pid}; ip link set port{i} master br0 up')
            self.sh(m, f'ip link set lo up; ip address add 192.0.2.{11 + i}/24 dev eth0; ip link set eth0 up')

    def inside(self, p, *argv):
        return ['nsenter', '-t', str(p.pid), '-n', *map(str, argv)]

    def sh(self, p, script):
        code, out, err = run(self.inside(p, 'sh', '-e', '-c', script))
        equal(code, 0, f'{script}: {(out + err).decode()}')
        return out.decode()

    def has_address(self, i):
        return ' 192.0.2.10/24' in self.sh(self.machines[i], 'ip -4 -o address show dev eth0')

    def close(self):
        for p in (self.hub, *self.machines):
            self.w.stop(p)


@with_server
def keepalived_moves_the_address(w, server):
    """The first machine's gateway dies: the second has the address, and resumes what the first began; it goes back afterwards."""
    if os.getuid() != 0:
        print('     not root: no network namespaces, keepalived is not played')
        return
    backend = socket.socket(socket.AF_UNIX)
    backend.bind(str(w.folder / 'lan-backend'))
    backend.listen(64)
    splice(backend, server.port['imap'])
    secret, saved = w.folder / 'lan-secret', w.folder / 'lan-session'
    secret.touch(0o600)
    secret.write_bytes(bytes(range(32, 64)))
    lan = Lan(w)

    def gateway(i):
        return w.start(lan.inside(lan.machines[i], w.release_program, 'run', '--log', 'json', '--host', 'mail.test', '--cert', w.certs / 'ecdsa-p256.crt', '--key',
                                  w.certs / 'ecdsa-p256.key', '--ticket-secret', secret, '--metrics', '127.0.0.1:9109', '--listen', 'imap://0.0.0.0:143',
                                  '--backend', f'unix:{w.folder / "lan-backend"}'), f'lan-{i}.log')

    def ask_there(*words):  # who comes while the address moves is lost, and comes again
        code, out, _ = run(lan.inside(lan.hub, 'timeout', '5', 'openssl', 's_client', '-starttls', 'imap', '-connect', '192.0.2.10:143', '-servername', 'mail.test', '-tls1_3',
                                      '-ign_eof', *words), b'z LOGOUT\r\n', 30)
        return b'z OK' in out, b'Reused, TLSv1.3' in out
    running = [gateway(0), gateway(1)]
    try:
        for i in range(2):
            conf = w.folder / f'keepalived-{i}.conf'
            conf.write_text(document('keepalived-vrrp.conf').replace('priority 100', f'priority {100 - 10 * i}'))
            running.append(w.start(lan.inside(lan.machines[i], 'keepalived', '-n', '-l', '-D', '-f', conf, '-p', w.folder / f'ka-{i}.pid', '-r', w.folder / f'ka-{i}.vrrp',
                                              '-c', w.folder / f'ka-{i}.check'), f'keepalived-{i}.log'))
        wait_for('the first machine to have the address', lambda: lan.has_address(0) and not lan.has_address(1), 60)
        wait_for('an answer', lambda: ask_there('-sess_out', str(saved)) == (True, False), 30)
        running[0].kill()
        wait_for('the second machine to have it', lambda: lan.has_address(1) and not lan.has_address(0), 60)
        wait_for('the second machine to resume it', lambda: ask_there('-sess_in', str(saved)) == (True, True), 30)
        running.append(gateway(0))
        wait_for('the first machine to have it back', lambda: lan.has_address(0) and not lan.has_address(1), 60)
        wait_for('the first machine to resume it', lambda: ask_there('-sess_in', str(saved)) == (True, True), 30)
    finally:
        for p in reversed(running):
            w.stop(p)
        lan.close()
        backend.close()


def keepalived_takes_the_files(w):
    """Its own check of both, in a namespace with an eth0; a word of the innermost block that is wrong is found."""
    if os.getuid() != 0:
        print('     not root: no network namespace with an eth0, the files are not looked at')
        return
    for name in ('keepalived-vrrp.conf', 'keepalived-ipvs.conf'):
        for wrong in (False, True):
            conf = w.folder / name
            conf.write_text(re.sub(r'\b(rise|status_code)\b', r'\1x', document(name)) if wrong else document(name))
            # its exit code says nothing: with a script in the file it ends by a SIGTERM of its own
            _, out, err = run(['unshare', '--net', 'sh', '-c', f'ip link add eth0 type veth peer name other; ip address add 192.0.2.11/24 dev eth0; '
                               f'ip link set eth0 up; exec setsid -w keepalived --config-test -f {conf}'])
            said = re.findall(r'^\(.*', (out + err).decode(), re.M)
            check(bool(said) == wrong and all('Unknown keyword' in line for line in said), f'{name}: {(out + err).decode()}')


def balanced_configuration_is_one(w):
    """What stands in the document for a machine behind HAProxy: check finds nothing but the words that it repeats, and that this
    machine is not the one of the document."""
    conf = w.folder / 'behind-haproxy.conf'
    conf.write_text(document('behind-haproxy.conf') + f'certificate c {{\n  chain = "{w.certs}/ecdsa-p256.crt"\n  key = "{w.certs}/ecdsa-p256.key"\n}}\n')
    code, out, err = run([w.gateway_program, 'check', '--config', conf])
    warnings = [line for line in (out + err).decode().splitlines() if line.startswith('warning')]
    check(code == 1 and len(warnings) == 2 and 'metrics can be read' in warnings[0] and 'does not have that address' in warnings[1], f'{code} {out}{err}')


CASES = [two_machines, keepalived_moves_the_address, keepalived_takes_the_files, balanced_configuration_is_one]

"""Several machines (docs/deploy.md): two gateways with one ticket secret on one port, HAProxy before them."""
from cases_policy import login_imap, with_server
from cases_processes import wait_for
from support import check, equal, free_port, read_events, run, upgrade, wait_port


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


def haproxy(w, port, machines):
    """The configuration of docs/deploy.md, with our addresses; its checks are quicker."""
    servers = ''.join(f'    server m{i} 127.0.0.{11 + i}:{port} send-proxy-v2 check port {m.metrics.rsplit(":", 1)[1]} inter 200 '
                      f'source 127.0.0.10\n' for i, m in enumerate(machines))
    path = w.folder / 'haproxy.cfg'
    path.write_text(f'defaults\n    mode tcp\n    timeout connect 5s\n    timeout client 31m\n    timeout server 31m\n'
                    f'listen imap\n    bind 127.0.0.10:{port}\n    option httpchk GET /healthz\n    balance roundrobin\n{servers}')
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


CASES = [two_machines]

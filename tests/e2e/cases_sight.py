"""What can be seen from outside: /metrics, /healthz, `hauberk ctl`, and that they agree with the log."""
import http.client
import os
import re
import socket
import struct
import time

from cases_policy import listeners, login_imap, with_server
from support import Failure, Gateway, Line, check, equal, free_port, run, upgrade, wait_port

SAMPLE = re.compile(r'^([a-z_]+)(\{[a-z]+="[^"]*"(?:,[a-z]+="[^"]*")*\})? (\d+)$')


def get(port, path, method='GET'):
    c = http.client.HTTPConnection('127.0.0.1', port, timeout=15)
    c.request(method, path)
    r = c.getresponse()
    text = r.read().decode()
    c.close()
    return r.status, r.getheader('Content-Type'), text


def parse(text):
    """The exposition format, strictly: every sample has HELP and TYPE of its family before it, and stands once."""
    kinds, helps, values = {}, set(), {}
    check(text.endswith('\n'), 'the last line ends')
    for line in text.splitlines():
        if line.startswith('# HELP '):
            helps.add(line.split(' ', 3)[2])
        elif line.startswith('# TYPE '):
            _, _, name, kind = line.split(' ')
            check(name not in kinds and kind in ('counter', 'gauge') and name in helps, line)
            check((kind == 'counter') == name.endswith('_total'), f'{line}: counters end with _total')
            kinds[name] = kind
        else:
            match = SAMPLE.match(line)
            check(match is not None and match[1] in kinds, f'not a sample: {line!r}')
            check(match[1] + (match[2] or '') not in values, f'twice: {line}')
            values[match[1] + (match[2] or '')] = int(match[3])
    return values


def settled(port, began, still_open, seconds=20):
    """The figures, once so many sessions have begun and all but still_open have ended."""
    end = time.monotonic() + seconds
    while True:
        now = parse(get(port, '/metrics')[2])
        ended = sum(v for k, v in now.items() if k.startswith('hauberk_sessions_ended_total'))
        if now['hauberk_sessions_total'] == began and now['hauberk_sessions'] == still_open and ended + still_open == now['hauberk_sessions_total']:
            return now
        if time.monotonic() > end:
            raise Failure(f'{now["hauberk_sessions"]} sessions are open, {ended} of {now["hauberk_sessions_total"]} have ended')
        time.sleep(0.1)


@with_server
def metrics_agree_with_the_log(w, server):
    port = free_port()
    with Gateway(w, listeners(server, 'imap', 'imaps', 'pop3'), '--metrics', f'127.0.0.1:{port}', '--workers', '2') as g:
        wait_port(port)
        before = settled(port, 3, 0)  # what wait_port tried is over
        for _ in range(5):
            c = upgrade(w, g.port('imap'), 'imap')
            login_imap(c)
            c.close()
        c = Line(g.port('imap'))  # an attack, and its counter
        c.line()
        c.send('a STARTTLS\r\nb NOOP\r\n')
        c.rest()
        c.close()
        held = upgrade(w, g.port('imap'), 'imap')
        settled(port, 10, 1)
        status, kind, text = get(port, '/metrics')
        equal((status, kind), (200, 'text/plain; version=0.0.4; charset=utf-8'), 'answer')
        now = parse(text)
        grown = {k: v - before.get(k, 0) for k, v in now.items()}
        equal(now['hauberk_sessions'], 1, 'open now')
        equal(grown['hauberk_handshakes_total'], 6, 'handshakes')
        equal(grown['hauberk_sessions_total'], 7, 'sessions')
        equal(grown['hauberk_events_total{event="starttls.injection"}'], 1, 'attacks')
        equal(grown['hauberk_sessions_ended_total{code="PROTO_INJECTION"}'], 1, 'reasons')
        ended = sum(v for k, v in now.items() if k.startswith('hauberk_sessions_ended_total'))
        equal(ended, len(g.events('session.end')), 'as many as lines in the log')
        equal(now['hauberk_up{process="worker",id="1"}'], 1, 'processes')
        check(now['hauberk_client_bytes_total'] > 0 and now['hauberk_backend_bytes_total'] > 0, 'bytes')
        equal(get(port, '/healthz'), (200, 'text/plain; charset=utf-8', 'ok\n'), 'health')
        equal(get(port, '/metrics', 'HEAD')[0], 200, 'HEAD')
        equal([get(port, '/other')[0], get(port, '/metrics', 'POST')[0]], [404, 405], 'what is not there')
        for _ in range(100):
            check(get(port, '/metrics')[0] == 200, 'a hundred times')
        held.close()


@with_server
def control_socket_tells_the_same(w, server):
    control = w.folder / 'sight-control'
    with Gateway(w, listeners(server, 'imap'), '--control', control) as g:
        ctl = lambda *words: run([str(w.release_program), 'ctl', '--control', str(control), *words])
        code, out, err = ctl('metrics')
        check(code == 0 and 'hauberk_sessions_total' in parse(out.decode()), f'{code} {err}')
        answers = [ctl('health')]
        while answers[-1] == (1, b'', b'no worker is ready\n') and len(answers) < 100:  # it listens before a worker is there
            time.sleep(0.1)
            answers.append(ctl('health'))
        equal(answers[-1], (0, b'serving\n', b''), 'health')


@with_server
def log_line_of_a_session(w, server):
    """Who, how protected, where to, when each stage was reached, who ended it."""
    with Gateway(w, listeners(server, 'imap', 'pop3s', 'submissions')) as g:
        c = upgrade(w, g.port('imap'), 'imap')
        login_imap(c)
        c.send('b LOGOUT\r\n')
        c.rest()
        c.close()
        e = g.session()
        equal([e[k] for k in ('proto', 'sni', 'version', 'resumed', 'phase', 'closed_by')],
              ['imap', 'mail.test', 'TLSv1.3', 'no', 'relay', 'backend'], 'facts')
        check(0 <= e['tls_ms'] <= e['backend_ms'] <= e['login_ms'] <= e['ms'], f'stages: {e}')
        check(e['peer'].startswith('127.0.0.1:') and e['backend'].endswith(str(server.port['imap'])), f'{e}')
        check(e['suite'] and e['group'] and e['bytes_in'] > 0 and e['bytes_out'] > 0, f'{e}')
        c = Line(g.port('pop3s'))  # no login: no such stage; the client goes
        context = w.client_context()
        context.set_alpn_protocols(['pop3'])
        c.start_tls(context)
        c.line()
        c.send('CAPA\r\n')
        c.until('.')
        c.sock.unwrap()
        c.close()
        e = g.session(proto='pop3')
        check('login_ms' not in e and e['backend_ms'] >= e['tls_ms'], f'{e}')
        equal([e['alpn'], e['closed_by'], e['failed_logins']], ['pop3', 'client', 0], 'who closed')
        c = Line(g.port('submissions'))  # no handshake, no stage
        c.send('EHLO x\r\n')
        c.rest()
        c.close()
        end = time.monotonic() + 10
        while not (found := [e for e in g.events('session.end') if e['code'] == 'TLS_NOT_TLS']) and time.monotonic() < end:
            time.sleep(0.05)
        check(found and not {'tls_ms', 'backend_ms', 'login_ms', 'sni'} & set(found[0]), f'{found}')
        equal(found[0]['closed_by'], 'hauberk', 'who closed')


class Datagrams:
    """A syslog daemon, or journald: what was sent to its socket, and by which process."""

    def __init__(self, path):
        self.path, self.got = path, []
        path.unlink(missing_ok=True)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(str(path))
        path.chmod(0o666)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.sock.settimeout(0.2)

    def wait(self, good, what, seconds=20):
        """The first datagram that is good: (process id, text)."""
        end = time.monotonic() + seconds
        while True:
            found = [g for g in self.got if good(g[1])]
            if found:
                return found[0]
            if time.monotonic() > end:
                raise Failure(f'{what}: {self.got[-5:]}')
            try:
                data, anc, _, _ = self.sock.recvmsg(65536, 1024)
                self.got.append((struct.unpack('3i', anc[0][2])[0], data.decode()))
            except TimeoutError:
                pass

    def close(self):
        self.sock.close()
        self.path.unlink()


@with_server
def log_to_syslog_and_journald(w, server):
    """From inside the sandbox, over a daemon that is started again, and to another place after a reload."""
    port, path, to = free_port(), w.folder / 'log.conf', [w.folder / 'syslog.sock', w.folder / 'journal.sock']
    control = w.folder / 'log-control'

    def configure(target):
        path.write_text(f'''
log-to = "{target}"
control = "{control}"
workers = "2"
listener imap {{
  host = "mail.test"
  listen = "imap://127.0.0.1:{port}"
  backend = "127.0.0.1:{server.port["imap"]}"
}}
certificate mail {{
  chain = "{w.certs}/ecdsa-p256.crt"
  key = "{w.certs}/ecdsa-p256.key"
}}
''')

    def session():
        c = upgrade(w, port, 'imap')
        login_imap(c)
        c.close()
        return f'127.0.0.1:{c.port}'

    syslog = Datagrams(to[0])
    configure(f'syslog:{to[0]}')
    with Gateway(w, [], '--config', path, '--sandbox', 'on', certs=()) as g:
        syslog.wait(lambda t: '"event":"ready"' in t, 'ready')
        me = session()
        pid, text = syslog.wait(lambda t: '"event":"session.end"' in t and me in t, 'a session')
        check(pid in g.children(), f'{pid} is no worker')
        check(re.match(r'<22>[A-Z][a-z]{2} [ 123]\d \d\d:\d\d:\d\d hauberk\[' + str(pid) + r'\]: {"level":"info","event":"session.end",', text), text)
        syslog.close()  # nobody is there: standard error has it
        me = session()
        end = time.monotonic() + 20
        while me not in g.log.read_text():
            check(time.monotonic() < end, 'a line was lost')
            time.sleep(0.1)
        syslog = Datagrams(to[0])  # ...and somebody again
        for _ in range(40):
            me = session()
            try:
                syslog.wait(lambda t: me in t, 'again', 1)
                break
            except Failure:
                pass
        syslog.wait(lambda t: me in t, 'lines do not arrive again', 1)

        journal = Datagrams(to[1])
        configure(f'journald:{to[1]}')
        equal(run([str(w.release_program), 'ctl', '--control', str(control), 'reload'])[0], 0, 'reload')
        me = session()
        pid, text = journal.wait(lambda t: 'MESSAGE={"level":"info","event":"session.end"' in t and me in t, 'journald')
        fields = dict(line.split('=', 1) for line in text.splitlines())
        equal([fields[k] for k in ('PRIORITY', 'SYSLOG_IDENTIFIER', 'HAUBERK_EVENT', 'HAUBERK_PEER', 'HAUBERK_SNI')],
              ['6', 'hauberk', 'session.end', me, 'mail.test'], 'fields')
        check(pid in g.children(), f'{pid} is no worker')
        equal([t for _, t in syslog.got if me in t], [], 'no line at the old place')
    syslog.close()
    journal.close()


@with_server
def levels_for_a_journal_on_stderr(w, server):
    """JOURNAL_STREAM names the stream: levels stand before the lines, and no time."""
    log = w.folder / 'journal-stream.log'
    log.touch()
    stat = log.stat()
    for stream, prefix in ((f'{stat.st_dev}:{stat.st_ino}', '<6>info event=ready '), ('1:2', '20')):
        log.write_text('')
        port = free_port()
        p = w.start([w.gateway_program, 'run', '--host', 'mail.test', '--cert', w.certs / 'ecdsa-p256.crt', '--key',
                     w.certs / 'ecdsa-p256.key', '--listen', f'imap://127.0.0.1:{port}', '--backend',
                     f'127.0.0.1:{server.port["imap"]}'], log.name, env={**os.environ, 'JOURNAL_STREAM': stream})
        wait_port(port, p)
        w.stop(p)
        ready = [line for line in log.read_text().splitlines() if 'event=ready' in line]
        check(len(ready) == 1 and ready[0].startswith(prefix), f'{stream}: {ready}')


def rows(out):
    """The lines of `hauberk ctl sessions`."""
    return [dict(f.split('=', 1) for f in line.split(' ')) for line in out.decode().splitlines()]


@with_server
def sessions_listed_and_ended(w, server):
    """Hundreds of sessions over three workers: each is listed once, the one that is named ends, and nobody else."""
    control = w.folder / 'roster-control'
    with Gateway(w, listeners(server, 'imap', 'imaps', 'smtp'), '--control', control, '--workers', '3', '--sandbox', 'on') as g:
        ctl = lambda *words: run([str(w.release_program), 'ctl', '--control', str(control), *words])
        idle = [Line(g.port('imap')) for _ in range(400)]
        for c in idle:
            c.line()
        inside = upgrade(w, g.port('imap'), 'imap')
        login_imap(inside)
        smtp = Line(g.port('smtp'))
        smtp.line()
        code, out, err = ctl('sessions')
        check(code == 0, f'{code} {err}')
        told = rows(out)
        by_peer = {r['peer']: r for r in told}
        mine = lambda c: by_peer[f'127.0.0.1:{c.sock.getsockname()[1]}']
        check({mine(c)['phase'] for c in idle} == {'clear'} and len({r['id'] for r in told}) == len(told), 'each once')
        equal({int(r['id']) % 100 for r in told}, {0, 1, 2}, 'workers')
        row = mine(inside)
        equal([row[k] for k in ('phase', 'login', 'version', 'sni')], ['relay', 'yes', 'TLSv1.3', 'mail.test'], 'the one inside')
        check(row['backend'].endswith(str(server.port['imap'])), row['backend'])
        check(int(row['bytes_in']) > 0 and int(row['bytes_out']) > 0, f'{row}')

        equal(ctl('kill', row['id']), (0, f'ended {row["id"]}\n'.encode(), b''), 'kill')
        equal(inside.line()[:5], '* BYE', 'goodbye inside TLS')
        equal(inside.rest(), b'', 'and the end')
        equal(ctl('kill', mine(smtp)['id'])[0], 0, 'kill in clear')
        equal(smtp.rest(), b'421 4.3.2 mail.test Service shutting down and closing transmission channel\r\n', 'goodbye in clear')
        equal(ctl('kill', row['id'])[0], 0, 'once more: it does not wait for the client')
        g.session()
        equal(ctl('kill', row['id']), (1, b'', f'there is no session {row["id"]}\n'.encode()), 'it is gone')
        for words in (('kill',), ('kill', 'x'), ('kill', '1x'), ('kill', '0'), ('kill', '99')):
            equal(ctl(*words)[0], 1, f'{words}')
        idle[0].send('a NOOP\r\n')
        check(idle[0].line().startswith('a '), 'the others are served')
        ctl('kill', mine(smtp)['id'])  # or it has ended meanwhile
        want, end = sorted(int(r['id']) for r in (row, mine(smtp))), time.monotonic() + 20
        while (got := sorted(e['id'] for e in g.events('session.end') if e['code'] == 'GW_KILLED')) != want:
            check(time.monotonic() < end, f'log: {got}, not {want}')
            time.sleep(0.1)
        code, out, _ = ctl('sessions')
        equal({int(r['id']) for r in rows(out)}, {int(mine(c)['id']) for c in idle}, 'what is left')
        for c in idle + [inside, smtp]:
            c.close()


CASES = [metrics_agree_with_the_log, control_socket_tells_the_same, log_line_of_a_session,
         log_to_syslog_and_journald, levels_for_a_journal_on_stderr,
         sessions_listed_and_ended]

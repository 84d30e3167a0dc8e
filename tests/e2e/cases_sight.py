"""What can be seen from outside: /metrics, /healthz, `hauberk ctl`, and that they agree with the log."""
import http.client
import re
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


CASES = [metrics_agree_with_the_log, control_socket_tells_the_same]

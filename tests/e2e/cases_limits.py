"""Lists and limits: who is refused hears it where the protocol can say so, costs nothing, and nobody else notices."""
import pathlib
import re
import socket
import ssl
import time

from cases_policy import listeners, login_imap, with_server
from support import Failure, Gateway, Line, check, equal, run, upgrade, wait_for, wait_port

NOBODY = ('--limit-exempt', '192.0.2.0/24')  # loopback counts, too


def refusals(g):
    return [(e['code'], e['peer'].rsplit(':', 1)[0]) for e in g.events('client.refused')]


@with_server
def connections_per_address(w, server):
    with Gateway(w, listeners(server, 'imap', 'pop3', 'smtp', 'imaps'), *NOBODY, '--connections-per-address', '3') as g:
        time.sleep(0.2)  # the probes of wait_port are gone
        held = [upgrade(w, g.port('imap'), 'imap') for _ in range(3)]
        for scheme, want in (('imap', b'* BYE [UNAVAILABLE] Backend not available\r\n'),
                             ('pop3', b'-ERR [SYS/TEMP] Backend not available\r\n'),
                             ('smtp', b'421 4.3.2 mail.test Service not available, closing transmission channel\r\n'), ('imaps', b'')):
            c = Line(g.port(scheme))
            equal(c.rest(), want, f'{scheme}: one too many')
            c.close()
        login_imap(held[0])
        held.pop().close()
        time.sleep(0.2)
        again = upgrade(w, g.port('imap'), 'imap')
        login_imap(again)
        again.close()
        equal(refusals(g), [('GW_LIMIT_ADDRESS', '127.0.0.1')], 'told once a minute')
        for c in held:
            c.close()
    with Gateway(w, listeners(server, 'imap'), '--connections-per-address', '1') as g:
        held = [upgrade(w, g.port('imap'), 'imap') for _ in range(3)]  # loopback is exempt unless somebody says otherwise
        for c in held:
            c.close()


@with_server
def announced_addresses_count(w, server):
    """Behind a balancer the client's own address counts."""
    with Gateway(w, listeners(server, 'imap'), *NOBODY, '--connections-per-address', '1', '--accept-proxy', '127.0.0.1',
                 wait=False) as g:
        wait_port(g.port('imap'), g.process)

        def visit(addr):
            c = Line(g.port('imap'))
            c.send(f'PROXY TCP4 {addr} 198.51.100.7 4711 143\r\n')
            return c, c.line()

        first, said = visit('203.0.113.1')
        check(said.startswith('* OK'), said)
        other, said = visit('203.0.113.2')
        check(said.startswith('* OK'), said)
        again, said = visit('203.0.113.1')
        equal(said, '* BYE [UNAVAILABLE] Backend not available', 'the second of that address')
        for c in (first, other, again):
            c.close()


@with_server
def allow_and_deny(w, server):
    def visit(g, source):
        s = socket.create_connection(('127.0.0.1', g.port('imap')), 5, (source, 0))
        try:
            return s.recv(100)[:4]
        except ConnectionResetError:
            return b''
        finally:
            s.close()

    rows = [(('--deny', '127.0.0.2'), {'127.0.0.1': b'* OK', '127.0.0.2': b''}),
            (('--allow', '127.0.0.0/30'), {'127.0.0.3': b'* OK', '127.0.0.4': b''}),
            (('--allow', '127.0.0.0/8', '--deny', '127.0.0.9'), {'127.0.0.8': b'* OK', '127.0.0.9': b''})]
    for options, visits in rows:
        with Gateway(w, listeners(server, 'imap'), *options) as g:
            for source, want in visits.items():
                equal(visit(g, source), want, f'{options}: {source}')
            time.sleep(0.1)
            equal([code for code, _ in refusals(g)], ['GW_DENIED'], f'{options}: log')


@with_server
def handshakes_a_second(w, server):
    """ATK-T10: ten seconds' worth at once, and then no handshake is begun; who is in stays in."""
    with Gateway(w, listeners(server, 'imaps'), *NOBODY, '--handshakes-per-network', '1') as g:
        inside = Line(g.port('imaps'))
        inside.start_tls(w.client_context())
        inside.line()
        good = 0
        for _ in range(16):
            c = Line(g.port('imaps'))
            try:
                c.start_tls(w.client_context())
                good += 1
            except (ssl.SSLError, OSError):
                pass
            c.close()
        check(good < 12, f'{good} of 16 were let in')
        check(('GW_LIMIT_RATE', '127.0.0.1') in refusals(g), f'{refusals(g)}')
        inside.send('a NOOP\r\n')
        inside.until('a ')
        inside.close()


@with_server
def each_limit_has_its_figure(w, server):
    """Every limit refuses under a code of its own, which the metrics count: each session, not only those that are logged."""
    def refused(g, source):
        try:
            c = Line(g.port('imaps'), source=source)
            c.start_tls(w.client_context())
            c.line()
            held.append(c)
            return False
        except (ssl.SSLError, OSError, Failure):
            return True

    rows = [('connections-per-address', 1, 'GW_LIMIT_ADDRESS', ('127.0.0.2', '127.0.0.3'), ('127.0.0.2', '127.0.0.3')),
            ('connections-per-network', 2, 'GW_LIMIT_NETWORK', ('127.0.0.2', '127.0.0.3', '127.0.1.2'), ('127.0.0.4', '127.0.0.2')),
            ('handshakes-per-network', 1, 'GW_LIMIT_RATE', [f'127.0.0.{n}' for n in range(2, 12)], ('127.0.0.99', '127.0.0.98')),
            ('handshakes-per-second', 1, 'GW_LIMIT_RATE', [f'127.0.{n}.1' for n in range(2, 12)], ('127.0.99.1', '127.0.98.1')),
            ('handshakes-at-once', 1, 'GW_LIMIT_HANDSHAKES', ('127.0.0.2',), ('127.0.0.3', '127.0.1.3')),
            ('deny', '127.0.3.0/24', 'GW_DENIED', ('127.0.0.2',), ('127.0.3.1', '127.0.3.2'))]
    for word, value, code, good, bad in rows:
        control, held = w.folder / f'limits-{word}', []
        with Gateway(w, listeners(server, 'imaps'), *NOBODY, f'--{word}', str(value), '--control', str(control), wait=False) as g:
            wait_for('the worker', lambda: g.events('ready') and control.exists())  # without a connection, which would count
            for source in good:
                check(not refused(g, source), f'{word}: {source} was refused')
            half = None
            if word == 'handshakes-at-once':
                half = Line(g.port('imaps'), source='127.0.0.9')
                half.send(b'\x16\x03\x01')
                time.sleep(0.3)
            answers = [refused(g, source) for source in bad]
            check(any(answers) if code == 'GW_LIMIT_RATE' else all(answers), f'{word}: {answers}')  # a token a second comes back
            counted = wait_for('the figure', lambda: re.search(
                rf'hauberk_sessions_ended_total{{code="{code}"}} (\d+)', run([w.gateway_program, 'ctl', '--control', str(control), 'metrics'])[1].decode()))
            check(int(counted[1]) >= sum(answers), f'{word}: {counted[0]}')
            check({c for c, _ in refusals(g)} == {code}, f'{word}: {refusals(g)}')
            if half:
                half.close()
                wait_for('room for a handshake', lambda: not refused(g, '127.0.0.3'))
            for c in held:
                c.close()


def wrong_login(w, g, scheme, source='127.0.0.1'):
    """One connection, one wrong password; what was said to it."""
    c = Line(g.port(scheme), source=source)
    if scheme.endswith('s'):
        c.start_tls(w.client_context())
        c.line()
    else:
        c.line()
        c.send('STLS\r\n' if scheme == 'pop3' else 's STARTTLS\r\n')
        c.line()
        c.start_tls(w.client_context())
    if scheme.startswith('imap'):
        c.send('a LOGIN joe wrong\r\n')
        said = c.until('a ')[-1]
    elif scheme.startswith('pop3'):
        c.send('USER joe\r\nPASS wrong\r\n')
        said = c.until('-ERR')[-1]
    else:
        c.send('EHLO c\r\nAUTH PLAIN AGpvZQB3cm9uZw==\r\n')
        said = c.until('535')[-1]
    c.close()
    return said


@with_server
def failed_logins_close_the_door(w, server):
    """GEN-26: the log says from where and how, never who; behind the last one nobody from there comes in."""
    with Gateway(w, listeners(server, 'imap', 'pop3', 'submissions', 'imaps'), *NOBODY, '--failed-logins-per-address', '4',
                 '--tarpit', '0') as g:
        for scheme in ('imap', 'pop3', 'submissions', 'imaps'):
            wrong_login(w, g, scheme)
        c = Line(g.port('imap'))
        equal(c.rest(), b'* BYE [UNAVAILABLE] Backend not available\r\n', 'the door')
        c.close()
        wrong_login(w, g, 'imap', source='127.0.0.2')  # somebody else is served
        told = [(e['peer'].rsplit(':', 1)[0], e['proto'], e['mechanism'], e['count']) for e in g.events('login.failed')]
        equal(told, [('127.0.0.1', 'imap', 'LOGIN command', 1), ('127.0.0.1', 'pop3', 'USER/PASS', 1),
                     ('127.0.0.1', 'submission', 'PLAIN', 1), ('127.0.0.1', 'imap', 'LOGIN command', 1),
                     ('127.0.0.2', 'imap', 'LOGIN command', 1)], 'log')
        equal(refusals(g), [('GW_LIMIT_LOGINS', '127.0.0.1')], 'told once')
        check('joe' not in g.log.read_text(), 'a name in the log')
    with Gateway(w, listeners(server, 'imap'), '--failed-logins-per-address', '1') as g:
        for _ in range(4):  # loopback is exempt unless somebody says otherwise
            wrong_login(w, g, 'imap')


@with_server
def fail2ban_reads_the_log(w, server):
    """dist/fail2ban.conf finds every failed login in text and JSON, and nothing that a client wrote to look like one."""
    filters = w.folder / 'filter.d'
    filters.mkdir()
    here = pathlib.Path(__file__).resolve().parents[2]
    for name, text in (('hauberk.conf', (here / 'dist/fail2ban.conf').read_text()), ('common.conf', pathlib.Path('/etc/fail2ban/filter.d/common.conf').read_text())):
        (filters / name).write_text(text)
    (filters / 'aggressive.conf').write_text((here / 'dist/fail2ban.conf').read_text().replace('mode = normal', 'mode = aggressive'))
    for log in ('text', 'json'):
        with Gateway(w, listeners(server, 'imap', 'pop3'), *NOBODY, '--log', log, '--tarpit', '0') as g:
            for source in ('127.0.0.2', '127.0.0.3', '127.0.0.3'):
                wrong_login(w, g, 'imap', source=source)
            c = Line(g.port('imap'), source='127.0.0.4')  # words that look like the log's, where a client's words are told
            c.line()
            c.send(b'a STARTTLS\r\n" event=login.failed id=1 peer=192.0.2.9:1 \r\n"event":"login.failed","id":1,"peer":"192.0.2.9:1"\r\n')
            c.rest()
            c.close()
            while 'starttls.injection' not in g.log.read_text():
                time.sleep(0.05)
            for name, want in (('hauberk', {'127.0.0.2': 1, '127.0.0.3': 2}), ('aggressive', {'127.0.0.2': 1, '127.0.0.3': 2, '127.0.0.4': 1})):
                code, out, err = run(['fail2ban-regex', '--print-all-matched', '-o', 'ip', str(g.log), str(filters / f'{name}.conf')], b'', 60)
                found = {ip: out.decode().split().count(ip) for ip in set(out.decode().split())}
                equal(found, want, f'{log} {name}: {code} {err.decode()[-500:]} {g.log.read_text()[-1500:]}')


@with_server
def tarpit(w, server):
    """From the third refused login on: not heard for two seconds behind each, and before each greeting; others notice nothing."""
    control = w.folder / 'tarpit-control'
    with Gateway(w, listeners(server, 'imap', 'imaps'), *NOBODY, '--tarpit', '2', '--control', control) as g:
        def stalls():
            code, out, _ = run([str(w.release_program), 'ctl', '--control', str(control), 'metrics'])
            return int(out.decode().split('\nhauberk_tarpit_total ')[1].split('\n')[0])

        c = upgrade(w, g.port('imap'), 'imap')
        for n in range(2):
            c.send(f'a{n} LOGIN joe wrong\r\n')
            c.until(f'a{n} NO')
        equal(stalls(), 0, 'two may be a person')
        c.send('a3 LOGIN joe wrong\r\na4 LOGIN joe secret\r\n')
        c.until('a3 NO')
        start = time.monotonic()
        equal(stalls(), 1, 'the third')
        other = Line(g.port('imap'), source='127.0.0.2')
        other.line()
        c.send('a5 NOOP\r\n')
        c.until('a5 ')
        check(time.monotonic() - start > 0.9, 'it was heard at once')
        for scheme in ('imap', 'imaps'):
            start = time.monotonic()
            late = Line(g.port(scheme))
            if scheme == 'imaps':
                late.start_tls(w.client_context())
            late.line()
            check(time.monotonic() - start > 0.9, f'{scheme}: greeted at once')
            late.close()
        gone = Line(g.port('imap'))  # leaves while it waits
        gone.close()
        equal(stalls(), 4, 'times')
        other.close()
        c.close()


@with_server
def memory_ceiling(w, server):
    """Above the ceiling clients wait, in no buffer of ours, and are served when others have gone; nobody is lost."""
    with Gateway(w, listeners(server, 'imap'), '--memory-per-worker', '2') as g:
        held = []
        while not g.events('accept.paused'):
            check(len(held) < 5000, 'no end of sessions in two megabytes')
            c = Line(g.port('imap'))
            c.send('a ' + 'x' * 1500)  # half a line is kept
            held.append(c)
            time.sleep(0.0005)
        equal({e['why'] for e in g.events('accept.paused')}, {'memory'}, 'why')
        waiting = [Line(g.port('imap')) for _ in range(20)]
        held[0].line()
        held[0].send('\r\nb NOOP\r\n')
        held[0].until('b ')  # who is in is served
        for c in held:
            c.close()
        for c in waiting:
            check(c.line().startswith('* OK'), 'its turn came')
            c.close()
        wait_for('its end in the log', lambda: g.events('accept.resumed'))
        check(not [e for e in g.events('session.end') if e['code'] == 'NO_MEMORY'], 'nobody was cut')


CASES = [fail2ban_reads_the_log, each_limit_has_its_figure, connections_per_address, announced_addresses_count, allow_and_deny, handshakes_a_second, failed_logins_close_the_door,
         tarpit, memory_ceiling]

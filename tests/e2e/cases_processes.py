"""Processes: who holds keys, what a worker has given up, reload, drain, `hauberk ctl`. Deaths and reloads under load: ../faults."""
import base64
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import time

from cases_policy import listeners, login_imap, with_server
from support import Failure, Line, check, equal, free_port, run, splice, upgrade, wait_for, wait_port


def proc(pid, name):
    return pathlib.Path(f'/proc/{pid}/{name}').read_text()


class Setup:
    """A configuration file in a folder of its own, its certificates beside it, and a gateway that runs on it."""

    serial = 0

    def __init__(self, w, server, *schemes, workers=1, options=(), program=None, certificate='ecdsa-p256'):
        Setup.serial += 1
        self.w, self.server = w, server
        self.folder = w.folder / f'setup-{Setup.serial}'
        self.folder.mkdir()
        self.file, self.control = self.folder / 'hauberk.conf', self.folder / 'control'
        self.schemes = {s: (free_port(), port) for s, port in listeners(server, *schemes)}
        self.certificate(certificate)
        self.write(workers=workers)
        self.log = w.folder / f'setup-{Setup.serial}.log'
        self.program = program or w.release_program
        self.process = w.start([self.program, 'run', '--config', self.file, '--control', self.control, '--log', 'json', *options],
                               self.log.name)
        self.wait_generation(1)

    def certificate(self, name, key=None):
        shutil.copy(self.w.certs / f'{name}.crt', self.folder / 'chain.pem')
        shutil.copy(self.w.certs / f'{key or name}.key', self.folder / 'key.pem')
        (self.folder / 'key.pem').chmod(0o600)

    def write(self, workers=None, extra='', connect=10):
        self.workers = workers or self.workers
        text = f'workers = {self.workers}\ntimeouts {{\n  connect = {connect}\n  drain = 5\n}}\n'
        text += 'certificate c {\n  chain = "chain.pem"\n  key = "key.pem"\n}\n'
        for scheme, (port, backend) in self.schemes.items():
            text += (f'listener {scheme} {{\n  listen = "{scheme}://127.0.0.1:{port}"\n  backend = "127.0.0.1:{backend}"\n'
                     f'  host = "mail.test"\n}}\n')
        self.file.write_text(text + extra)

    def port(self, scheme):
        return self.schemes[scheme][0]

    def ctl(self, *words):
        code, out, err = run([str(self.program), 'ctl', '--control', str(self.control), *words])
        return code, (out + err).decode()

    def status(self):
        """{'worker': [{'pid': ..}], ...}"""
        code, text = self.ctl('status')
        equal(code, 0, f'ctl status: {text}')
        found = {'text': text}
        for line in text.splitlines():
            m = re.match(r'(supervisor|keeper|worker|admin) ', line)
            if m:
                found.setdefault(m.group(1), []).append({k: int(v) for k, v in re.findall(r'(\w+)=(\d+)', line)})
        return found

    def pids(self, role):
        return [p['pid'] for p in self.status().get(role, []) if 'pid' in p]

    def wait_generation(self, n):
        def there():
            if self.process.poll() is not None:
                raise Failure(f'it ended with {self.process.returncode}:\n{self.log.read_text()[-1500:]}')
            if not self.control.exists() or self.ctl('status')[0] != 0:
                return False
            workers = self.status().get('worker', [])
            return len(workers) == self.workers and all(p.get('generation') == n for p in workers)
        wait_for(f'generation {n}', there)

    def events(self, name):
        return [line for line in self.log.read_text().splitlines() if f'"event":"{name}"' in line]

    def stop(self):
        self.w.stop(self.process, seconds=20)
        text = self.log.read_text()
        check('Sanitizer' not in text and 'runtime error' not in text, f'sanitizer report:\n{text[-3000:]}')
        equal(self.process.returncode, 0, f'exit code; {text[-800:]}')
        check(not self.control.exists(), 'the control socket is removed')

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            self.w.stop(self.process)


def subject(w, port):
    """The certificate an IMAP listener shows behind STARTTLS."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    c = upgrade(w, port, 'imap', context)
    der = c.sock.getpeercert(True)
    c.close()
    return der


# ---- what a process has given up, who holds keys ----

@with_server
def processes_have_given_up_what_they_can(w, server):
    """STYLE: own user, empty root, no new privileges, system calls filtered, no dumps (CT-06), no way to trace."""
    with Setup(w, server, 'imap', workers=2) as g:
        upgrade(w, g.port('imap'), 'imap').close()
        status = g.status()
        equal([len(status[r]) for r in ('keeper', 'worker', 'admin')], [2, 2, 1], 'processes')
        root = os.getuid() == 0
        for role in ('keeper', 'worker', 'admin'):
            for p in g.pids(role):
                fields = dict(line.split(':', 1) for line in proc(p, 'status').splitlines())
                equal(fields['Seccomp'].strip(), '2', f'{role}: system calls are filtered')
                equal(fields['NoNewPrivs'].strip(), '1', f'{role}: no new privileges')
                check(re.search(r'Max core file size +0 +0 ', proc(p, 'limits')), f'{role}: no core dumps')
                check(re.search(r'Max processes +0 +0 ', proc(p, 'limits')), f'{role}: no new processes')
                # a process that may not be dumped belongs to root in /proc, whoever it runs as
                equal(os.stat(f'/proc/{p}/mem').st_uid, 0, f'{role}: not dumpable')
                if root:
                    check(fields['Uid'].split() == [fields['Uid'].split()[0]] * 4 and fields['Uid'].split()[0] != '0', f'{role}: {fields["Uid"]}')
                    equal(fields['Groups'].split(), [], f'{role}: groups')
                    equal(fields['CapEff'].strip(), '0' * 16, f'{role}: capabilities')
                    equal(os.listdir(f'/proc/{p}/root'), [], f'{role}: its root folder is empty')
        check(re.search(r'Max core file size +0 +0 ', proc(g.process.pid, 'limits')), 'supervisor: no core dumps')


def key_bytes(path):
    """Parts of a private key as they may lie in memory: its number, either way round, and its PEM text."""
    code, out, err = run(['openssl', 'pkey', '-in', str(path), '-text', '-noout'])
    equal(code, 0, f'openssl pkey: {err}')
    m = re.search(rb'priv:\n((?: +[0-9a-f:]+\n)+)', out)
    number = bytes.fromhex(m.group(1).decode().replace(':', '').replace(' ', '').replace('\n', ''))[-32:]
    text = path.read_text().splitlines()[1].encode()
    der = base64.b64decode(''.join(path.read_text().splitlines()[1:-1]))
    at = der.find(number)
    check(at > 0, 'the key is in its file')
    return {'number': number, 'number, reversed': number[::-1], 'limbs': b''.join(number[i:i + 8][::-1] for i in range(24, -8, -8)),
            'text': text[:48]}


def memory_holds(pid, needles):
    found = set()
    with open(f'/proc/{pid}/mem', 'rb', 0) as mem:
        for line in proc(pid, 'maps').splitlines():
            span, mode = line.split()[:2]
            if 'r' not in mode or '[v' in line:
                continue
            low, high = (int(x, 16) for x in span.split('-'))
            try:
                mem.seek(low)
                data = mem.read(high - low)
            except (OSError, OverflowError, ValueError):
                continue
            found |= {name for name, needle in needles.items() if needle in data}
    return found


@with_server
def workers_hold_no_private_key(w, server):
    """CT-06: all of a worker's memory is searched for the key; with keys = worker it is found."""
    if os.getuid() != 0:
        print('     not as root: a worker\'s memory cannot be read, which is the point')
        return
    needles = key_bytes(w.certs / 'ecdsa-p256.key')
    for keys in ('keeper', 'worker'):
        with Setup(w, server, 'imap', options=('--keys', keys)) as g:
            for _ in range(20):
                c = upgrade(w, g.port('imap'), 'imap')
                login_imap(c)
                c.close()
            g.certificate('rsa2048')
            equal(g.ctl('reload')[0], 0, 'reload')
            upgrade(w, g.port('imap'), 'imap').close()
            g.certificate('ecdsa-p256')
            equal(g.ctl('reload')[0], 0, 'reload back')
            upgrade(w, g.port('imap'), 'imap').close()
            worker = memory_holds(g.pids('worker')[0], needles)
            if keys == 'keeper':
                equal(worker, set(), 'parts of the key in the worker')
                check(memory_holds(g.pids('keeper')[0], needles), 'the keeper holds it (the search works)')
            else:
                check(worker, 'with keys = worker the same search finds it there')
                equal(g.pids('keeper'), [], 'there is no keeper')


@with_server
def unprivileged(w, server):
    """Not root: same processes, same filter, no chroot, and one line that says so."""
    if os.getuid() != 0:
        print('     everything runs unprivileged here already')
        return
    folder = w.folder / 'plain'
    folder.mkdir()
    for name in ('crt', 'key'):
        os.chmod(shutil.copy(w.certs / f'ecdsa-p256.{name}', folder), 0o644)
    port = free_port()
    program = folder / 'hauberk'
    shutil.copy(w.release_program, program)
    p = w.start([program, 'run', '--log', 'json', '--host', 'mail.test', '--listen', f'imap://127.0.0.1:{port}', '--backend',
                 f'127.0.0.1:{server.port["imap"]}', '--cert', folder / 'ecdsa-p256.crt', '--key', folder / 'ecdsa-p256.key'],
                'plain.log', user=65534, group=65534, extra_groups=[])
    wait_port(port, p)
    c = upgrade(w, port, 'imap')
    login_imap(c)
    c.close()
    for child in proc(p.pid, f'task/{p.pid}/children').split():
        fields = dict(line.split(':', 1) for line in proc(child, 'status').splitlines())
        equal(fields['Seccomp'].strip(), '2', 'system calls are filtered')
    w.stop(p)
    text = (w.folder / 'plain.log').read_text()
    equal(text.count('"sandbox.unprivileged"'), 1, f'lines that say so: {text}')
    equal(p.returncode, 0, 'exit code')


@with_server
def unix_backend_from_the_sandbox(w, server):
    """A worker sees no paths: the supervisor connects for it, to the backends of the configuration."""
    path = w.folder / 'backend.sock'
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen(64)

    splice(listening, server.port['imap'])
    with Setup(w, server, 'imap') as g:
        g.file.write_text(g.file.read_text().replace(f'127.0.0.1:{server.port["imap"]}', f'unix:{path}'))
        equal(g.ctl('reload')[0], 0, 'reload')
        for _ in range(5):
            c = upgrade(w, g.port('imap'), 'imap')
            login_imap(c)
            c.close()
        listening.close()
        path.unlink()
        c = upgrade(w, g.port('imap'), 'imap')
        c.send('a NOOP\r\n')
        c.expect('* BYE [UNAVAILABLE] Backend not available')
        c.close()


# ---- deaths ----

@with_server
def crash_loop_is_held_back(w, server):
    with Setup(w, server, 'imap') as g:
        for n in range(4):
            pids = wait_for('a worker', lambda: g.pids('worker'))
            os.kill(pids[0], signal.SIGKILL)
            wait_for('its end in the log', lambda: len(g.events('worker.died')) == n + 1)
        check(g.events('process.held-back'), 'it is said that it is held back')
        c = upgrade(w, g.port('imap'), 'imap')  # waits in the queue of a socket that stays open
        login_imap(c)
        c.close()


# ---- reload ----

@with_server
def reload_swaps_everything(w, server):
    """Certificate, listeners and settings; sessions keep what they began with (PKI-08, GEN-10)."""
    with Setup(w, server, 'imap', workers=2) as g:
        old = upgrade(w, g.port('imap'), 'imap')
        login_imap(old)
        waiting = Line(g.port('imap'))  # before STARTTLS: its key is of the first generation
        waiting.line()
        first = subject(w, g.port('imap'))
        equal(g.ctl('reload'), (0, 'nothing has changed; generation 1 goes on\n'), 'reload without a change')
        g.certificate('other')
        g.schemes['pop3'] = (free_port(), server.port['pop3'])
        g.write()
        equal(g.ctl('reload'), (0, 'generation 2 is in force\n'), 'reload')
        check(subject(w, g.port('imap')) != first, 'the new certificate is shown')
        check(Line(g.port('pop3')).line().startswith('+OK'), 'the new listener serves')
        gone = g.port('pop3')
        waiting.send('s STARTTLS\r\n')
        waiting.line()
        context = w.client_context(check_hostname=False)
        waiting.start_tls(context)
        equal(waiting.sock.getpeercert(True), first, 'who began before the reload gets the certificate of that time')
        waiting.close()
        old.send('n NOOP\r\n')
        old.until('n ')
        del g.schemes['pop3']
        g.write(connect=7)
        g.process.send_signal(signal.SIGHUP)
        g.wait_generation(3)
        old.send('n NOOP\r\n')
        old.until('n ')
        old.close()
        try:
            socket.create_connection(('127.0.0.1', gone), 1).close()
            raise Failure('the removed listener still listens')
        except OSError:
            pass
        equal(len(g.events('reload.done')), 2, 'the log')


@with_server
def relaxations_are_logged(w, server):
    """What makes things less safe is an event, with its place, at start and with each new configuration, wherever the log goes."""
    def told(g):
        return [(e['place'].rsplit(':', 1)[0].endswith('hauberk.conf'), e['notice']) for e in map(json.loads, g.events('config.notice'))]
    word = (True, 'tls = optional: clients may go on without TLS: imap://127.0.0.1:')
    with Setup(w, server, 'imap') as g:
        equal(told(g), [], 'a safe configuration')
        g.write(extra='defaults {\n  tls = "optional"\n}\n')
        equal(g.ctl('reload')[0], 0, 'reload')
        wait_for('the warning', lambda: told(g))
        equal([(place, text[:len(word[1])]) for place, text in told(g)], [word], 'after a reload')
        equal(g.ctl('reload')[0], 0, 'nothing has changed')
        equal(len(told(g)), 1, 'nothing new')
        g.certificate('soon')
        wait_for('the new certificate', lambda: len(g.events('reload.done')) == 2 and len(told(g)) == 3)
        check(any('expires in' in text for _, text in told(g)), told(g))
        g.process.send_signal(signal.SIGTERM)
        g.process.wait(20)
        again = w.start([g.program, 'run', '--config', g.file, '--control', g.control, '--log', 'json'], g.log.name)
        wait_port(g.port('imap'), again)
        wait_for('the same at start', lambda: len(told(g)) == 5)
        w.stop(again)
        lines = g.log.read_text().splitlines()
        equal([x for x in lines if not x.startswith('{')], [], 'lines of the log that are no events')


@with_server
def broken_reload_is_refused_whole(w, server):
    with Setup(w, server, 'imap') as g:
        first = subject(w, g.port('imap'))
        taken = socket.create_server(('127.0.0.1', 0))
        good = g.file.read_text()
        rows = [(lambda: g.certificate('other', key='ecdsa-p256'), 'does not belong'),
                (lambda: g.certificate('expired'), 'has expired'),
                (lambda: (g.folder / 'chain.pem').unlink(), 'No such file'),
                (lambda: g.file.write_text('nonsense = 1\n'), 'nonsense'),
                (lambda: g.file.write_text(good.replace('listener imap', 'listener x {\n  listen = "imap://127.0.0.1:'
                                                        f'{taken.getsockname()[1]}"\n  backend = "127.0.0.1:143"\n}}\nlistener imap')),
                 'Address already in use')]
        for n, (damage, want) in enumerate(rows):
            damage()
            code, text = g.ctl('reload')
            check(code == 1 and want in text and 'generation 1 goes on' in text, f'row {n}: {code} {text}')
            equal(subject(w, g.port('imap')), first, f'row {n}: the old certificate goes on')
            g.certificate('ecdsa-p256')
            g.file.write_text(good)
        check(len(g.events('reload.refused')) >= len(rows), 'the log has the reasons')
        figures = g.ctl('metrics')[1]
        for name in ('reload.refused', 'reload.done'):
            check(f'hauberk_events_total{{event="{name}"}} {len(g.events(name))}\n' in figures, f'{name}: the log and the figures')
        taken.close()


@with_server
def changed_files_are_picked_up(w, server):
    """Certificates that a robot renews need no reload by hand; the text of the configuration does."""
    with Setup(w, server, 'imap') as g:
        first = subject(w, g.port('imap'))
        g.write(connect=9)
        g.certificate('other')
        wait_for('the new certificate', lambda: subject(w, g.port('imap')) != first)
        equal(len(g.events('reload.done')), 1, 'one reload')
        g.certificate('other', key='ecdsa-p256')
        wait_for('a refusal', lambda: g.events('reload.refused'))
        second = subject(w, g.port('imap'))
        check(second != first, 'the one before goes on')
        g.certificate('ecdsa-p256')
        wait_for('the first one again', lambda: subject(w, g.port('imap')) == first)


@with_server
def a_load_that_hangs_holds_nothing_up(w, server):
    """Configurations are loaded beside the supervisor: one that takes its time keeps no dead worker from being replaced."""
    with Setup(w, server, 'imap') as g:
        include = g.folder / 'more.conf'
        os.mkfifo(include)  # nobody writes to it: reading it waits for ever
        g.write(extra='include("more.conf")\n')
        g.process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        old = g.pids('worker')
        os.kill(old[0], signal.SIGKILL)
        wait_for('a new worker', lambda: g.pids('worker') not in ([], old), 5)
        c = upgrade(w, g.port('imap'), 'imap')
        login_imap(c)
        c.close()


@with_server
def tickets_survive_a_reload(w, server):
    """Without a ticket-secret: the same random one for every worker, before and after."""
    with Setup(w, server, 'imaps', workers=3) as g:
        session = w.folder / f'session-{Setup.serial}'

        def client(*more):
            code, out, _ = run(['openssl', 's_client', '-connect', f'127.0.0.1:{g.port("imaps")}', '-tls1_3', '-servername', 'mail.test',
                                *more], b'z LOGOUT\r\n', 20)
            return out

        resumed = 0
        client('-sess_out', str(session), '-ign_eof')
        for n in range(6):
            g.write(connect=3 + n)
            equal(g.ctl('reload')[0], 0, 'reload')
            resumed += b'Reused, TLSv1.3' in client('-sess_in', str(session), '-sess_out', str(session), '-ign_eof')
        equal(resumed, 6, 'handshakes that were resumed, at whichever worker')


# ---- ctl ----

@with_server
def drain_by_order(w, server):
    """Goodbyes spread over the time, nobody new, exit 0."""
    g = Setup(w, server, 'imap', workers=2)
    held = []
    for _ in range(8):
        c = upgrade(w, g.port('imap'), 'imap')
        login_imap(c)
        held.append(c)
    equal(g.ctl('drain', 'soon')[0], 1, 'a time that is none')
    equal(g.ctl('frobnicate')[0], 1, 'no such order')
    equal(g.ctl('drain', '3'), (0, 'draining\n'), 'drain')
    wait_for('both workers to begin', lambda: len(g.events('drain.begin')) == 2)
    try:
        Line(g.port('imap')).line()
        raise Failure('a new session was served while draining')
    except (OSError, Failure) as e:
        check('was served' not in str(e), str(e))
    for c in held:
        equal(c.until('* BYE')[-1], '* BYE Server shutting down', 'goodbye (R13)')
        equal(c.rest(), b'', 'behind it')
        c.close()
    equal(g.process.wait(20), 0, 'exit code')
    g.stop()


@with_server
def drain_hears_who_waits(w, server):
    """Who has got a connection when the drain comes, and stands in the queue of a worker that is busy, is told goodbye, not cut."""
    g = Setup(w, server, 'imap')
    worker = g.pids('worker')[0]
    os.kill(worker, signal.SIGSTOP)
    waiting = [Line(g.port('imap')) for _ in range(200)]  # more than one turn takes
    equal(g.ctl('drain', '1'), (0, 'draining\n'), 'drain')
    os.kill(worker, signal.SIGCONT)
    for c in waiting:
        said = c.rest()
        check(said.endswith(b'* BYE Server shutting down\r\n'), f'what one was told: {said}')
        c.close()
    equal(g.process.wait(20), 0, 'exit code')
    g.stop()


def nobody_to_talk_to(w):
    code, _, err = run([str(w.gateway_program), 'ctl', '--control', str(w.folder / 'absent'), 'status'])
    check(code == 2 and b'nobody answers' in err, f'{code} {err}')
    code, _, err = run([str(w.gateway_program), 'ctl'])
    check(code == 2 and b'status' in err, f'{code} {err}')


@with_server
def second_gateway_on_a_control_socket(w, server):
    with Setup(w, server, 'imap') as g:
        code, _, err = run([str(w.release_program), 'run', '--listen', f'imap://127.0.0.1:{free_port()}', '--backend', '127.0.0.1:143', '--cert',
                            str(w.certs / 'ecdsa-p256.crt'), '--key', str(w.certs / 'ecdsa-p256.key'), '--control', str(g.control)])
        check(code == 2 and b'another hauberk answers there' in err, f'{code} {err}')
        equal(g.ctl('status')[0], 0, 'the first one still answers')


CASES = [processes_have_given_up_what_they_can, workers_hold_no_private_key, unprivileged, unix_backend_from_the_sandbox,
         crash_loop_is_held_back, reload_swaps_everything, relaxations_are_logged, broken_reload_is_refused_whole,
         changed_files_are_picked_up, a_load_that_hangs_holds_nothing_up, tickets_survive_a_reload, drain_by_order, drain_hears_who_waits, nobody_to_talk_to,
         second_gateway_on_a_control_socket]

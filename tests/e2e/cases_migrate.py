"""docs/migrate.md, played: its configuration, its changes and its commands as they stand there, with logins in clear and in TLS
between them, by a user with a mail program that knows no TLS."""
import os
import re
import stat

from cases_policy import login_imap, with_server
from documents import blocks
from support import ROOT, Line, check, equal, free_port, run, upgrade, wait_for, wait_port

PAGE = ROOT / 'docs/migrate.md'
ADVICE = 'turn on TLS (STARTTLS) in your mail program'


class Place:
    """The page's machine: its paths, ports and programs are ours instead."""

    def __init__(self, w, server):
        self.w, self.folder = w, w.folder / 'migrate'
        self.bin, live = self.folder / 'bin', self.folder / 'live/mail.example.org'
        self.bin.mkdir(parents=True)
        live.mkdir(parents=True)
        for name, other in (('fullchain.pem', 'crt'), ('privkey.pem', 'key')):
            (live / name).write_bytes((w.certs / f'ecdsa-p256.{other}').read_bytes())
            (live / name).chmod(0o600)
        self.ports = {s: free_port() for s in ('imap', 'pop3', 'metrics')}
        self.ours = {'/run/hauberk/control': self.folder / 'control', '/etc/letsencrypt/live': self.folder / 'live', '/etc/hauberk/hauberk.conf': self.folder / 'hauberk.conf',
                     '127.0.0.1:9109': f'127.0.0.1:{self.ports["metrics"]}', '0.0.0.0:143': f'127.0.0.1:{self.ports["imap"]}',
                     '0.0.0.0:110': f'127.0.0.1:{self.ports["pop3"]}', '127.0.0.1:1143': f'127.0.0.1:{server.port["imap"]}',
                     '127.0.0.1:1110': f'127.0.0.1:{server.port["pop3"]}', 'mail.example.org': 'mail.test'}
        self.parts = dict(blocks(PAGE, r'[a-z.]+(?:: [a-z]+)?'))
        self.program('hauberk', f'[ "$1" != ctl ] || set -- "$@" --control {self.folder}/control\nexec {os.path.abspath(w.gateway_program)} "$@"')
        self.program('journalctl', f'[ "$1 $2 $3 $5 $6" = "-u hauberk --since -o cat" ] && exec cat {w.folder}/migrate.log')

    def program(self, name, text):
        path = self.bin / name
        path.write_text(f'#!/bin/sh\n{text}\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def translate(self, text):
        for theirs, mine in self.ours.items():
            check('example.org' not in str(mine), mine)
            text = text.replace(theirs, str(mine))
        return text

    def configure(self, words=None):
        text = self.parts['observe.conf']
        if words is not None:
            text, n = re.subn(r'  tls = "observe"\n  plaintext-auth = true\n', ''.join(f'  {line}\n' for line in words.splitlines()), text)
            equal(n, 1, 'the words to be changed')
        (self.folder / 'hauberk.conf').write_text(self.translate(text))

    def play(self, name, codes=(0,)):
        """A block of commands; what each says."""
        said = []
        for command in re.sub(r'(\|)\n\s+', r'\1 ', self.parts[f'run: {name}']).splitlines():
            code, out, err = run(['bash', '-o', 'pipefail', '-c', self.translate(command)], env={'PATH': f'{self.bin}:{os.environ["PATH"]}'})
            check(code in codes, f'{command}: {code} {out}{err}')
            said.append((code, out.decode(), err.decode()))
        return said


def clear(place):
    """A login by IMAP and one by POP3, in clear: what was said to them."""
    c = Line(place.ports['imap'])
    c.line()
    c.send('i ID ("name" "Some Client" "version" "2")\r\n')
    c.until('i ')
    c.send('a LOGIN joe secret\r\n')
    imap = c.until('a ')
    c.close()
    c = Line(place.ports['pop3'])
    c.line()
    c.send('USER joe\r\n')
    pop3 = c.line()
    if pop3.startswith('+OK'):
        c.send('PASS secret\r\n')
        pop3 = c.line()
    c.close()
    return '\n'.join(imap), pop3


def secure(place):
    c = upgrade(place.w, place.ports['imap'], 'imap')
    login_imap(c)
    c.close()


def figure(text, name):
    return int(re.search(rf'^{re.escape(name)} (\d+)$', text, re.M)[1])


@with_server
def from_clear_text_to_tls(w, server):
    place = Place(w, server)
    place.configure()
    checked = run([str(place.bin / 'hauberk'), 'check', '--config', str(place.folder / 'hauberk.conf')])
    equal((checked[0], checked[2].count(b'\n')), (1, 4), f'two relaxations of two listeners: {checked[2].decode()}')
    g = w.start([place.bin / 'hauberk', 'run', '--config', place.folder / 'hauberk.conf'], 'migrate.log')
    try:
        wait_port(place.ports['imap'], g)
        wait_for('the control socket', (place.folder / 'control').exists)
        place.play('observe', (0, 1))
        imap, pop3 = clear(place)
        check('a OK' in imap and pop3.startswith('+OK') and ADVICE not in imap + pop3, f'{imap} {pop3}')
        secure(place)
        programs, addresses = place.play('who')
        equal((programs[1].split(), addresses[1].split()), (['1', 'imap', '"Some', 'Client', '2"'], ['2', '127.0.0.1']), 'who it was')
        # the line on the page has the fields that there are
        want = re.findall(r' (\w+)=', PAGE.read_text().split('    warn event=login.clear', 1)[1].split('\n\n')[0])
        line = next(x for x in (w.folder / 'migrate.log').read_text().splitlines() if 'event=login.clear' in x)
        equal(want, re.findall(r' (\w+)=', line.split('event=login.clear')[1]), 'fields of the line')
        check('joe' not in line, line)
        text = wait_for('the figures', lambda: (lambda t: t if figure(t, 'hauberk_handshakes_total') == 1 else '')(place.play('figure')[0][1]))
        equal([figure(text, n) for n in ('hauberk_events_total{event="login.clear"}', 'hauberk_sessions_total')], [2, 4], 'figures')

        place.configure(place.parts['change: warn'])
        place.play('warn')
        imap, pop3 = clear(place)
        check('a OK' in imap and pop3.startswith('+OK') and ADVICE in imap and ADVICE in pop3, f'{imap} {pop3}')
        secure(place)

        place.configure(place.parts['change: refuse'])
        place.play('refuse', (0, 1))  # 1: nobody has been refused yet
        imap, pop3 = clear(place)
        check('a NO' in imap and pop3 == '-ERR TLS required, use STLS first', f'{imap} {pop3}')
        equal(place.play('refuse')[1][1].split(), ['2', '127.0.0.1'], 'who was refused')
        secure(place)

        place.configure(place.parts['change: required'])
        (code, out, err), _, explained = place.play('required')
        check(code == 0 and out.endswith(': good\n') and err == '' and 'required' in explained[1] and 'default' in explained[1], f'{code} {out}{err}{explained}')
        imap, pop3 = clear(place)
        check('a NO' in imap and pop3.startswith('-ERR'), f'{imap} {pop3}')
        secure(place)
        check(figure(wait_for('the figures', lambda: place.play('figure')[0][1]), 'hauberk_unprotected_sessions_total') >= 8, 'sessions without TLS')
    finally:
        w.stop(g)
    equal(g.returncode, 0, 'exit code')


CASES = [from_clear_text_to_tls]

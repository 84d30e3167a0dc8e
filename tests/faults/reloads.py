"""New configurations and certificates under load, good ones and bad ones."""
import contextlib
import os
import random
import shutil
import signal
import threading
import time

from cases_processes import Setup, subject
from deaths import pid_of
from load import Load, Outcome, Session
from support import Failure, check, equal, free_port, wait_for


def fifty(w, echo):
    """A listener comes and goes, a timeout changes; none refused, none cut, and the same processes throughout."""
    with Setup(w, echo, 'imap', workers=2) as g:
        before = set(g.pids('worker') + g.pids('keeper'))
        load, second = Load(w, g.port('imap'), 16, 4), (free_port(), echo.port['imap'])
        for n in range(50):
            if n % 2:
                g.schemes['imaps'] = second
            else:
                g.schemes.pop('imaps', None)
            g.write(connect=3 + n)
            code, text = g.ctl('reload')
            equal(code, 0, f'reload {n}: {text}')
        load.moves()
        outcome = load.end()
        equal(set(g.pids('worker') + g.pids('keeper')), before, 'the same processes throughout')
        equal(g.status()['supervisor'][0]['generation'], 51, 'generation')
        return outcome


def keeper_killed(w, echo):
    """Its successor has the keys of every generation that a session may still ask for."""
    with Setup(w, echo, 'imap', workers=2, program=w.gateway_program) as g:
        load, said = Load(w, g.port('imap'), 8, 6), []
        for n in range(6):
            g.certificate(('rsa2048', 'ecdsa-p256')[n % 2])
            victim = wait_for('the keeper', lambda n=n: pid_of(g, 'keeper', n % 2))
            asking = threading.Thread(target=lambda: said.append(g.ctl('reload')))
            asking.start()
            os.kill(victim, signal.SIGKILL)
            asking.join()
            wait_for('a new keeper', lambda n=n, v=victim: pid_of(g, 'keeper', n % 2) not in (None, v))
        g.certificate('ecdsa-p256')
        wait_for('the last certificate', lambda: g.ctl('reload')[0] == 0)
        load.moves()
        outcome = load.end()
        check(all(code == 0 for code, _ in said if 'under way' not in _), f'reloads: {said}')
        return outcome


def damage(g, w):
    """name: what is done to the files of the certificate"""
    chain, key = g.folder / 'chain.pem', g.folder / 'key.pem'
    text = chain.read_text()
    return {'another key': lambda: shutil.copy(w.certs / 'other.key', key),
            'expired': lambda: g.certificate('expired'),
            'cut off': lambda: chain.write_text(text[:len(text) // 2]),
            'empty': lambda: chain.write_text(''),
            'no PEM': lambda: chain.write_bytes(os.urandom(2000)),
            'a folder': lambda: (chain.unlink(), chain.mkdir()),
            'gone': lambda: chain.unlink(),
            'key gone': lambda: key.unlink(),
            'key cut off': lambda: key.write_text(key.read_text()[:100])}


def bad_certificate(w, echo):
    """Found by itself or by an order: refused with the reason, the old one goes on; repaired, it is taken up."""
    with Setup(w, echo, 'imap', workers=2, program=w.gateway_program) as g:
        first, load = subject(w, g.port('imap')), Load(w, g.port('imap'))
        for n, (name, do) in enumerate(damage(g, w).items()):
            refused = len(g.events('reload.refused'))
            do()
            if n % 2:
                code, text = g.ctl('reload')
                check(code == 1 and 'generation 1 goes on' in text and 'pem' in text, f'{name}: {code} {text}')
            wait_for(f'{name}: a refusal', lambda r=refused: len(g.events('reload.refused')) > r)
            equal(subject(w, g.port('imap')), first, f'{name}: the certificate that is shown')
            if (g.folder / 'chain.pem').is_dir():
                (g.folder / 'chain.pem').rmdir()
            g.certificate('ecdsa-p256')
            equal(g.ctl('reload')[0], 0, f'{name}: repaired')
        g.certificate('rsa2048')
        wait_for('a good one', lambda: subject(w, g.port('imap')) != first)
        g.certificate('ecdsa-p256')
        wait_for('the first one again', lambda: subject(w, g.port('imap')) == first)
        load.moves()
        return load.end()


def at_random(w, echo, rounds):
    """Keepers killed, one or both, and configurations, certificates and hangups, at any moment of each other. A keeper that dies
    too often is held back: after a few deaths they are left alone until that is forgotten."""
    seed = random.randrange(1 << 32)
    dice, deaths, last = random.Random(seed), 0, time.monotonic()
    with Setup(w, echo, 'imap', workers=2, program=w.gateway_program) as g:
        load = Load(w, g.port('imap'), 8, 8)
        try:
            for n in range(rounds):
                if deaths >= 4 and time.monotonic() - last > 12:
                    deaths = 0
                asking = []
                for _ in range(dice.randint(1, 3)):
                    what = dice.randrange(5)
                    if what <= 1 and deaths < 4:
                        for pid in {pid_of(g, 'keeper', k) for k in ((0, 1) if what else (dice.randrange(2),))} - {None}:
                            with contextlib.suppress(ProcessLookupError):  # held back meanwhile
                                os.kill(pid, signal.SIGKILL)
                        deaths, last = deaths + 1, time.monotonic()
                    elif what == 2:
                        g.certificate(dice.choice(('rsa2048', 'ecdsa-p256')))
                        g.process.send_signal(signal.SIGHUP)
                    elif what == 3:
                        g.write(connect=dice.randint(20, 2000))
                        asking.append(threading.Thread(target=g.ctl, args=('reload',)))
                        asking[-1].start()
                    time.sleep(dice.random() ** 4)
                for t in asking:
                    t.join(60)
                    check(not t.is_alive(), f'seed {seed}, round {n}: a reload is not answered')
            g.certificate('ecdsa-p256')
            wait_for('keepers', lambda: None not in [pid_of(g, 'keeper', k) for k in (0, 1)], 40)
            wait_for('the last reload', lambda: g.ctl('reload')[0] == 0)
            load.moves()
            outcome = load.end()
        except (Failure, OSError) as e:
            raise Failure(f'seed {seed}: {e}; {load.ends()[:5]}') from e
        outcome.note += f'; {len(g.events("process.died"))} keepers died, generation {g.status()["supervisor"][0]["generation"]}, seed {seed}'
        return outcome


class Knocker(threading.Thread):
    """Comes again and again to a port that is there and not there: refused at the door, or served to the end; nothing between."""

    def __init__(self, w, port):
        super().__init__(daemon=True)
        self.w, self.port, self.served, self.refused, self.lost, self.done = w, port, 0, 0, [], False
        self.start()

    def run(self):
        while not self.done:
            try:
                session = Session(self.w, self.port)
            except ConnectionError:  # also one that came in the very moment: its SYN was not answered
                self.refused += 1
                time.sleep(0.002)
                continue
            try:
                session.open().echo(1000)
                session.close()
                self.served += 1
            except (OSError, Failure) as e:
                self.lost.append(repr(e))


def come_and_go(w, echo):
    """A listener is taken away and given back while its clients come: who has got a connection is served."""
    with Setup(w, echo, 'imap', workers=2, program=w.gateway_program) as g:
        second = free_port()
        load, knockers = Load(w, g.port('imap'), 4, 2), []
        for n in range(40):
            g.schemes.pop('pop3', None)
            extra = ''
            if n % 2 == 0:
                extra = f'listener second {{\n  listen = "imap://127.0.0.1:{second}"\n  backend = "127.0.0.1:{echo.port["imap"]}"\n  host = "mail.test"\n}}\n'
            g.write(connect=3 + n, extra=extra)
            code, text = g.ctl('reload')
            equal(code, 0, f'reload {n}: {text}')
            knockers = knockers or [Knocker(w, second) for _ in range(8)]
            time.sleep(0.1)
        for k in knockers:
            k.done = True
            k.join(60)
        outcome = load.end()
        check(all(k.served and k.refused for k in knockers), 'each was served, and refused at the door')
        return outcome + Outcome(0, [x for k in knockers for x in k.lost], 0,
                                 f'{sum(k.served for k in knockers)} served there, {sum(k.refused for k in knockers)} found the door closed')


ROWS = [('50 reloads under load', fifty), ('a listener comes and goes, 20 times', come_and_go), ('reload while a keeper is killed, six times', keeper_killed),
        ('certificate replaced by a bad one, nine ways', bad_certificate),
        ('keepers and configurations at random, 20 rounds', lambda w, echo: at_random(w, echo, 20))]
LONG = [('keepers and configurations at random, 200 rounds', lambda w, echo: at_random(w, echo, 200))]

"""A wall clock that jumps: an hour, a day, years, both ways, under load, in every process of the gateway (clock.c).

What goes by the wall clock are tickets, certificates and the log; deadlines do not. Sessions go on, handshakes succeed, with a
ticket from the past or from the future, too, and a configuration whose certificate is not valid at the new time is refused whole."""
import struct

from cases_processes import Setup
from load import Load
from shim import preloaded
from support import Line, check, equal

HOUR, DAY, YEAR = 3600, 86400, 365 * 86400
JUMPS = (HOUR, 20 * HOUR, -HOUR, DAY, 0, -DAY, 8 * DAY, 0, 60 * YEAR, 0, -25 * YEAR, 0)


def visit(w, port, session=None):
    """(was it resumed, the new ticket)"""
    c = Line(port, 30)
    c.line()
    c.send('s STARTTLS\r\n')
    c.line()
    c.sock = w.shared_context.wrap_socket(c.sock, server_hostname='mail.test', session=session)
    c.send('a LOGIN joe secret\r\n')
    check(c.until('a ')[-1].startswith('a OK'), 'login')
    found = c.sock.session_reused, c.sock.session
    c.close()
    return found


def jumps(w, echo):
    program, offset = preloaded(w, 'clock', 'CLOCK_OFFSET', struct.pack('l', 0))
    resumed = refused = 0
    with Setup(w, echo, 'imap', workers=2, program=program) as g, open(offset, 'r+b', 0) as clock:
        load = Load(w, g.port('imap'), 8, 3)
        ticket = visit(w, g.port('imap'))[1]
        for n, (before, seconds) in enumerate(zip((0,) + JUMPS, JUMPS)):
            clock.seek(0)
            clock.write(struct.pack('l', seconds))
            load.moves()
            good, _ = visit(w, g.port('imap'), ticket)
            resumed += good
            equal((seconds, good), (seconds, 0 <= seconds - before < DAY), 'clock, was the ticket from before taken')
            _, ticket = visit(w, g.port('imap'))
            g.write(connect=3 + n)
            code, text = g.ctl('reload')
            bad = abs(seconds) > YEAR
            check(code == (1 if bad else 0) and (not bad or 'expired' in text or 'not yet' in text or 'valid' in text), f'{seconds} s: {text}')
            refused += bad
        check(any(f'"time":"20{y}' in line for y in (85, 86, 87) for line in g.events('session.end')), 'the clock did jump')
        outcome = load.end()
        outcome.note += f'; {resumed} of {len(JUMPS)} tickets were good, {refused} configurations refused'
        return outcome


ROWS = [(f'the clock jumps, {len(JUMPS)} times', jumps)]
LONG = []

#!/usr/bin/env python3
"""The demo: a mail server without TLS, hauberk in front of it, one STARTTLS session for each protocol.

demo.py --gateway PROGRAM [--once]; without --once both stay up and the lines to try are printed."""
import argparse
import hashlib
import hmac
import pathlib
import signal
import sys
import time

from mailserver import PASSWORD, USER, MailServer
from support import Gateway, Line, World

SCRIPTS = {
    'imap': [('a LOGIN joe secret', 'a '), ('b SELECT INBOX', 'b '), ('c FETCH 2 BODY[]', 'c '), ('d LOGOUT', 'd ')],
    'pop3': [('USER joe', '+OK'), ('PASS secret', '+OK'), ('LIST', '.'), ('QUIT', '+OK')],
    'smtp': [('EHLO client.test', '250 '), ('MAIL FROM:<alice@example.org>', '250'), ('RCPT TO:<joe@mail.test>', '250'),
             ('DATA', '354'), ('Subject: sent through the gateway\r\n\r\nHello.\r\n.', '250'), ('QUIT', '221')],
}


def upgrade(c, protocol, context):
    """The part in clear: greeting, capabilities, the upgrade."""
    c.line()
    if protocol == 'smtp':
        c.send('EHLO client.test\r\n')
        c.until('250 ')
    c.send({'imap': 's STARTTLS', 'pop3': 'STLS', 'smtp': 'STARTTLS', 'acap': 's STARTTLS'}[protocol] + '\r\n')
    c.line()
    c.start_tls(context)


def acap(c):
    c.line()
    c.send('a AUTHENTICATE "CRAM-MD5"\r\n')
    challenge = c.line()[3:-1]
    c.send(f'"{USER} {hmac.new(PASSWORD.encode(), challenge.encode(), hashlib.md5).hexdigest()}"\r\n')
    c.until('a ')
    c.send('b SEARCH "/addressbook/" DEPTH 3 RETURN ("*") ALL\r\n')
    c.until('b OK')
    c.send('c LOGOUT\r\n')
    c.until('c ')


def session(gateway, context, protocol):
    c = Line(gateway.port(protocol))
    upgrade(c, protocol, context)
    if protocol == 'acap':
        acap(c)
    else:
        for words, last in SCRIPTS[protocol]:
            c.send(words + '\r\n')
            c.until(last)
    c.close()
    end = gateway.session(1, proto=protocol)
    print(f'\n== {protocol.upper()}: {end["version"]}, {end["suite"]}, group {end["group"]} ==')
    print('\n'.join('   ' + line for line in c.transcript))


def lines_to_try(gateway, certs):
    """(description, command) of what a visitor can paste."""
    ca, resolve = certs / 'ca.crt', lambda p: f'--resolve mail.test:{p}:127.0.0.1'
    i, p, s = gateway.port('imap'), gateway.port('pop3'), gateway.port('smtp')
    return [
        ('IMAP by hand', f'openssl s_client -quiet -crlf -CAfile {ca} -starttls imap -connect 127.0.0.1:{i}'),
        ('POP3 by hand', f'openssl s_client -quiet -crlf -CAfile {ca} -starttls pop3 -connect 127.0.0.1:{p}'),
        ('SMTP by hand', f'openssl s_client -quiet -crlf -CAfile {ca} -starttls smtp -connect 127.0.0.1:{s}'),
        ('a message by IMAP', f'curl -sS --ssl-reqd --cacert {ca} {resolve(i)} -u joe:secret "imap://mail.test:{i}/INBOX;MAILINDEX=2"'),
        ('the list by POP3', f'curl -sS --ssl-reqd --cacert {ca} {resolve(p)} -u joe:secret pop3://mail.test:{p}/'),
        ('a message sent', f'printf "Subject: hi\\r\\n\\r\\nhello\\r\\n" | curl -sS --ssl-reqd --cacert {ca} {resolve(s)} '
         f'--mail-from me@example.org --mail-rcpt joe@mail.test -T - smtp://mail.test:{s}/'),
    ]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--gateway', required=True)
    parser.add_argument('--once', action='store_true')
    args = parser.parse_args()
    program = pathlib.Path(args.gateway).resolve()
    world, server = World(program, program), MailServer()
    for s in (signal.SIGTERM, signal.SIGINT):
        signal.signal(s, lambda *_: sys.exit(0))
    try:
        protocols = ('imap', 'pop3', 'smtp', 'acap')
        gateway = Gateway(world, [(p, server.port[p]) for p in protocols])
        print('A mail server that knows no TLS, and hauberk in front of it:')
        for p in protocols:
            print(f'   {p}://127.0.0.1:{gateway.port(p)}  ->  127.0.0.1:{server.port[p]} (plaintext)')
        for p in protocols:
            session(gateway, world.client_context(), p)
        if not args.once:
            print('\nBoth stay up until Ctrl-C. User joe, password secret. Try:')
            for what, line in lines_to_try(gateway, world.certs):
                print(f'\n   # {what}\n   {line}')
            sys.stdout.flush()
            while gateway.process.poll() is None:
                time.sleep(0.2)
        gateway.stop()
    finally:
        server.stop()
        world.close()


if __name__ == '__main__':
    main()

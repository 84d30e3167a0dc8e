"""The other leg: STARTTLS and TLS toward backends, and what an attacker on that network may try."""
import os
import socket
import ssl
import threading
import time

from cases_policy import login_imap
from mailserver import MailServer
from support import Dovecot, Failure, Gateway, Line, Postfix, check, equal, free_port, run, upgrade, wait_port

VERIFY = ('--backend-name', 'mail.test')
LOGINS = {  # what a client says inside TLS until it is logged in, and how the answer begins
    'imap': [('a LOGIN joe secret\r\n', 'a OK')],
    'pop3': [('USER joe\r\n', '+OK'), ('PASS secret\r\n', '+OK')],
    'smtp': [('EHLO c.test\r\n', '250 '), ('AUTH PLAIN AGpvZQBzZWNyZXQ=\r\n', '235')],
    'acap': [('a NOOP\r\n', 'a OK')],
}
IN_CLEAR = {  # all that may ever be said to a backend before TLS
    'imap': b'h1 CAPABILITY\r\nh2 STARTTLS\r\n', 'pop3': b'CAPA\r\nSTLS\r\n',
    'smtp': b'EHLO mail.test\r\nSTARTTLS\r\n', 'acap': b'h1 STARTTLS\r\n',
}


def server_context(w, name='ecdsa-p256'):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(w.certs / f'{name}.crt', w.certs / f'{name}.key')
    return context


def starttls_backends(server, *schemes):
    return [(s, f'{s}+starttls://127.0.0.1:{server.port[s]}') for s in schemes]


def trust(w):
    return (*VERIFY, '--backend-ca', w.certs / 'ca.crt')


def starttls_on_both_legs(w):
    """CLI-06 to CLI-09, ATK-19: the client's TLS and the backend's begin by STARTTLS, each on its own."""
    for hidden in ({}, {'hidden': True}):
        server = MailServer({'tls': server_context(w), **hidden})
        with Gateway(w, starttls_backends(server, *LOGINS), *trust(w)) as g:
            for n, (scheme, lines) in enumerate(LOGINS.items(), 1):
                c = upgrade(w, g.port(scheme), scheme)
                for text, want in lines:
                    c.send(text)
                    c.until(want)
                c.close()
                event = g.session(n)
                equal((event['backend_tls'], event['version']), ('TLSv1.3', 'TLSv1.3'), f'{scheme}: both legs')
                equal(server.in_clear[scheme], IN_CLEAR[scheme], f'{scheme}: what the backend heard in clear')
        server.stop()


def attacks_on_the_backend_leg(w):
    """CLI-01, CLI-04, ATK-05, ATK-13, ATK-15 to ATK-18 (ATK-16, ATK-17): the session ends, the client hears it, nothing of the client's went there."""
    rows = [
        ('injection', {'behind': b'* 1 EXISTS\r\n'}, 'PEER_INJECTION', 'backend.injection'),
        ('half a record', {'behind': b'\x16\x03'}, 'PEER_INJECTION', 'backend.injection'),
        ('not there', {'tls': None}, 'PEER_NO_STARTTLS', 'backend.no_starttls'),
        ('listed and refused', {'tls': None, 'starttls': True}, 'PEER_STARTTLS_REFUSED', 'backend.dialogue'),
        ('odd answer', {'answer': b'+ go on\r\n'}, 'PEER_STARTTLS_ODD', 'backend.dialogue'),
        ('gone', {'close_at': 'TLS'}, 'PEER_CLOSED', None),
        ('strange greeting', {'greet': b'SSH-2.0-x\r\n'}, 'PEER_GREETING', 'backend.dialogue'),
    ]
    for what, faults, code, name in rows:
        server = MailServer({k: v for k, v in {'tls': server_context(w), **faults}.items() if v is not None})
        with Gateway(w, starttls_backends(server, *LOGINS), *trust(w)) as g:
            for n, scheme in enumerate(LOGINS, 1):
                c = upgrade(w, g.port(scheme), scheme)
                c.send('a NOOP\r\n' if scheme in ('imap', 'acap') else 'NOOP\r\n')
                c.rest()
                c.close()
                equal(g.session(n)['code'], code, f'{scheme}, {what}')
                check(b'NOOP' not in server.received[scheme], f'{scheme}, {what}: the client was relayed')
            check(name is None or len(g.events(name)) == len(LOGINS), f'{what}: {name} is not in the log each time')
        server.stop()
    server = MailServer({'tls': server_context(w), 'greet': b'* PREAUTH in already\r\n'})
    with Gateway(w, starttls_backends(server, 'imap'), *trust(w)) as g:
        c = upgrade(w, g.port('imap'), 'imap')
        c.rest()
        c.close()
        equal((g.session()['code'], len(g.events('backend.preauth'))), ('PEER_PREAUTH', 1), 'PREAUTH')
        equal(server.received['imap'], b'', 'nothing is said to a backend that greets so')
    server.stop()


def backend_lost_its_tls(w):
    """ATK-20: the log tells a backend that had STARTTLS before from one that never had it."""
    server = MailServer({'tls': server_context(w)})
    with Gateway(w, starttls_backends(server, 'imap'), *trust(w)) as g:
        c = upgrade(w, g.port('imap'), 'imap')
        login_imap(c)
        c.close()
        g.session(1)
        del server.faults['tls']
        c = upgrade(w, g.port('imap'), 'imap')
        c.rest()
        c.close()
        g.session(2)
        equal([e['had_starttls'] for e in g.events('backend.no_starttls')], ['yes'], 'the event')
    server.stop()


def backend_certificate_is_judged(w):
    """CERT rows: a wrong name or issuer ends the session before anything is said inside TLS (ATK-24)."""
    server = MailServer({'tls': server_context(w)})
    wrong = {'name': ('--backend-name', 'other.test', '--backend-ca', w.certs / 'ca.crt'), 'issuer': VERIFY}
    for what, options in wrong.items():
        with Gateway(w, starttls_backends(server, 'imap'), *options) as g:
            c = upgrade(w, g.port('imap'), 'imap')
            c.send('a LOGIN joe secret\r\n')
            c.rest()
            c.close()
            check(len(g.events('backend.tls')) == 1, f'wrong {what}: not in the log')
            check(b'LOGIN' not in server.received['imap'], f'wrong {what}: the password went there')
    with Gateway(w, starttls_backends(server, 'imap'), '--backend-verify', 'none') as g:
        c = upgrade(w, g.port('imap'), 'imap')
        login_imap(c)
        c.close()
    server.stop()


def plain_in_starttls_out(w):
    """An old client in clear on loopback, any bytes, STARTTLS toward the server: the session begins inside."""
    server = MailServer({'tls': server_context(w)})
    with Gateway(w, [('tcp', f'imap+starttls://127.0.0.1:{server.port["imap"]}')], *trust(w)) as g:
        c = Line(g.port('tcp'))
        c.expect('* OK [CAPABILITY IMAP4rev1 LITERAL+ IDLE UIDPLUS AUTH=PLAIN] mail.test ready')
        login_imap(c)
        c.close()
    server.stop()


def backend_on_a_unix_socket(w):
    """unix:/path: no network in between, so clear is right there."""
    path = w.folder / 'imap.socket'
    server = MailServer()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen(8)

    def serve():
        try:
            while True:
                sock, _ = listening.accept()
                threading.Thread(target=server.serve, args=(sock, 'imap'), daemon=True).start()
        except OSError:
            pass

    threading.Thread(target=serve, daemon=True).start()
    with Gateway(w, [('imap', f'unix:{path}')]) as g:
        c = upgrade(w, g.port('imap'), 'imap')
        login_imap(c)
        c.close()
        equal(g.session()['backend'], f'unix:{path}', 'backend in the log')
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        os.unlink(path)
        c = upgrade(w, g.port('imap'), 'imap')
        c.rest()
        c.close()
        equal(g.session(2)['code'], 'GW_BACKEND_REFUSED', 'without a listener')
    server.stop()


def real_servers_behind_starttls(w):
    """Dovecot with ssl=required and Postfix with encrypt as upstreams; curl and swaks in front."""
    dovecot = Dovecot(w, 'dovecot-tls', tls=True)
    postfix = Postfix(w, 'postfix-tls', f'''
smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = {w.certs}/ecdsa-p256.crt
smtpd_tls_key_file = {w.certs}/ecdsa-p256.key''')
    backends = [('imap', f'imap+starttls://127.0.0.1:{dovecot.imap}'), ('pop3', f'pop3+starttls://127.0.0.1:{dovecot.pop3}'),
                ('smtp', f'smtp+starttls://127.0.0.1:{postfix.smtp}')]
    with Gateway(w, backends, *trust(w)) as g:
        for scheme in ('imap', 'pop3'):
            code, out, err = run(['curl', '-sS', '--ssl-reqd', '--cacert', w.certs / 'ca.crt', '-u', 'joe:secret',
                                  '--resolve', f'mail.test:{g.port(scheme)}:127.0.0.1', f'{scheme}://mail.test:{g.port(scheme)}/'])
            equal(code, 0, f'curl {scheme}: {err}')
        code, out, err = run(['swaks', '--server', '127.0.0.1', '--port', str(g.port('smtp')), '--tls', '--to', 'joe@mail.test',
                              '--from', 'a@b.test', '--helo', 'c.test'])
        equal(code, 0, f'swaks: {out[-600:]}')
        postfix.messages(1)
        sessions = [g.session(n) for n in (1, 2, 3)]
        check(all(s['backend_tls'] == 'TLSv1.3' for s in sessions), f'{sessions}')
    w.stop(dovecot.process)
    w.stop(postfix.process)


def wait_log(path, text, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if path.exists() and text in path.read_text(errors='replace'):
            return
        time.sleep(0.1)
    raise Failure(f'{text!r} is not in {path.name}: {path.read_text(errors="replace")[-1500:]}')


HEADER2 = b'\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\x09\xc6\x33\x64\7\x12\x67\0\x8f'


def proxy_headers_from_a_balancer(w):
    """ADDR-04: from the networks named, the whole header comes first, in any cuts; no header, no word; others need none."""
    server = MailServer()
    header1 = b'PROXY TCP4 192.0.2.9 198.51.100.7 4711 143\r\n'
    backends = [('imap', server.port['imap']), ('imaps', server.port['imap'])]
    with Gateway(w, backends, '--accept-proxy', '127.0.0.1', wait=False) as g:
        for port in g.ports.values():
            wait_port(port, g.process)
        n = 0
        for header in (header1, HEADER2):
            for cut in (0, 1, 11, len(header) - 1):
                c = Line(g.port('imap'))
                c.send(header[:cut])
                time.sleep(0.02)
                c.send(header[cut:])
                c.line()
                c.send('s STARTTLS\r\n')
                c.line()
                c.start_tls(w.client_context())
                login_imap(c)
                c.close()
                n += 1
                equal(g.session(n)['peer'], '192.0.2.9:4711', 'the client in the log')
        c = Line(g.port('imaps'))
        c.send(header1)
        c.start_tls(w.client_context())
        login_imap(c)
        c.close()
        for sent in (b'a NOOP\r\n', b'PROXY TCP4 1 2 3 4\r\n', b'\x16\x03\x01\x00\x05'):
            c = Line(g.port('imap'))
            c.send(sent)
            equal(c.rest(), b'', f'{sent!r}: nothing is said')
            c.close()
        time.sleep(0.2)
        equal(len([e for e in g.events('session.end') if e['code'] == 'GW_PROXY_HEADER']), 3, 'in the log')
    with Gateway(w, backends, '--accept-proxy', '192.0.2.0/24,2001:db8::/32') as g:
        c = upgrade(w, g.port('imap'), 'imap')
        login_imap(c)
        c.close()
    server.stop()


def client_address_to_real_servers(w):
    """ADDR-01, 02, 10, 13, 20: PROXY, XCLIENT and ID, as Dovecot and Postfix log them, both legs behind STARTTLS."""
    header = b'PROXY TCP4 192.0.2.9 198.51.100.7 4711 143\r\n'
    listener = 'service imap-login {\n inet_listener imap-proxy {\n  port = %d\n  haproxy = yes\n }\n}\n'
    proxied = free_port()
    dovecot = Dovecot(w, 'dovecot-trusting', tls=True, extra='haproxy_trusted_networks = 127.0.0.0/8\nlogin_trusted_networks = 127.0.0.0/8\n'
                      'auth_verbose = yes\n' + listener % proxied)
    tls = f'''
smtpd_tls_security_level = may
smtpd_tls_cert_file = {w.certs}/ecdsa-p256.crt
smtpd_tls_key_file = {w.certs}/ecdsa-p256.key
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_peername_lookup = no'''
    postfix = Postfix(w, 'postfix-xclient', tls)
    behind = Postfix(w, 'postfix-proxied', tls + '\nsmtpd_upstream_proxy_protocol = haproxy')
    log = dovecot.folder / 'log'

    def imap_login(g, user, scheme='imap'):
        c = Line(g.port(scheme))
        c.send(header)
        c.line()
        c.send('s STARTTLS\r\n' if scheme == 'imap' else 'STLS\r\n')
        c.line()
        c.start_tls(w.client_context())
        c.send(f'a LOGIN {user} secret\r\n' if scheme == 'imap' else f'USER {user}\r\nPASS secret\r\n')
        c.until('a OK' if scheme == 'imap' else '+OK Logged')
        c.close()

    for tell in ('proxy-v1', 'proxy-v2'):
        with Gateway(w, [('imap', f'imap+starttls://127.0.0.1:{proxied}')], *trust(w), '--client-address', tell,
                     '--accept-proxy', '127.0.0.1') as g:
            user = tell.replace('-', '')
            imap_login(g, user)
            wait_log(log, f'user=<{user}>, method=PLAIN, rip=192.0.2.9, lip=198.51.100.7')
    with Gateway(w, [('imap', f'imap+starttls://127.0.0.1:{dovecot.imap}'), ('pop3', f'pop3+starttls://127.0.0.1:{dovecot.pop3}'),
                     ('smtp', f'smtp+starttls://127.0.0.1:{postfix.smtp}')], *trust(w), '--client-address', 'command',
                 '--accept-proxy', '127.0.0.1') as g:
        imap_login(g, 'byid')
        wait_log(log, 'user=<byid>, method=PLAIN, rip=192.0.2.9, lip=198.51.100.7')
        imap_login(g, 'byxclient', 'pop3')
        wait_log(log, 'user=<byxclient>, method=PLAIN, rip=192.0.2.9')
        smtp_session(w, g, header)
        wait_log(postfix.folder / 'data/maillog', 'connect from unknown[192.0.2.9]')
    with Gateway(w, [('smtp', f'smtp+starttls://127.0.0.1:{behind.smtp}')], *trust(w), '--client-address', 'proxy-v2',
                 '--accept-proxy', '127.0.0.1') as g:
        smtp_session(w, g, header)
        wait_log(behind.folder / 'data/maillog', 'connect from unknown[192.0.2.9]')
    for server in (dovecot, postfix, behind):
        w.stop(server.process)


def smtp_session(w, g, header):
    c = Line(g.port('smtp'))
    c.send(header)
    c.line()
    c.send('EHLO c.test\r\n')
    c.until('250 ')
    c.send('STARTTLS\r\n')
    c.line()
    c.start_tls(w.client_context())
    for line, want in (('EHLO c.test', '250 '), ('NOOP', '250'), ('QUIT', '221')):
        c.send(line + '\r\n')
        c.until(want)
    c.close()


def backend_urls_that_are_wrong(w):
    """Each is an error before anything starts, with what is wrong about it."""
    rows = [('imap', 'imaps+starttls://127.0.0.1:143', 'a backend is'), ('imap', 'pop3+starttls://127.0.0.1:110', 'another protocol'),
            ('imap', 'tls+starttls://127.0.0.1:1', 'a backend is'), ('imap', 'unix:relative', 'path from the root'),
            ('imap', 'ftp://127.0.0.1:21', 'a backend is'), ('imap', '192.0.2.1:143', 'imap+starttls://')]
    for scheme, backend, want in rows:
        code, _, err = run([str(w.gateway_program), 'run', '--listen', f'{scheme}://127.0.0.1:1', '--backend', backend,
                            '--cert', str(w.certs / 'ecdsa-p256.crt'), '--key', str(w.certs / 'ecdsa-p256.key')])
        equal(code, 2, f'{backend}: {err}')
        check(want in err.decode(), f'{backend}: {err.decode()}')


CASES = [starttls_on_both_legs, attacks_on_the_backend_leg, backend_lost_its_tls, backend_certificate_is_judged,
         plain_in_starttls_out, backend_on_a_unix_socket, real_servers_behind_starttls, proxy_headers_from_a_balancer,
         client_address_to_real_servers, backend_urls_that_are_wrong]

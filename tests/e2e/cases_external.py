"""SASL EXTERNAL: a client's certificate is its login, at real servers; and at nobody's else, in none that was not checked."""
import base64
import re

from cases_policy import listeners, login_imap
from cases_upstream import server_context, starttls_backends, trust, wait_log
from mailserver import MailServer
from support import Dovecot, Gateway, Line, Postfix, check, equal, free_port, run, upgrade

MASTER = ('--external', 'plain-master', '--external-user', 'gateway')


def ask_for_certificates(w):
    return ('--client-auth', 'request', '--client-ca', w.certs / 'ca.crt')


def password_file(w, text='masterpw'):
    path = w.folder / f'master-password-{free_port()}'
    path.write_text(text + '\n')
    path.chmod(0o600)
    return path


def with_certificate(w, name='client'):
    context = w.client_context()
    context.load_cert_chain(w.certs / f'{name}.crt', w.certs / f'{name}.key')
    return context


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def dovecot_with_master(w):
    """gateway is its master user; nobody but him knows a password for alice."""
    masters = w.folder / 'masters'
    masters.write_text('gateway:{PLAIN}masterpw\n')
    socket = w.folder / 'sasl'
    return Dovecot(w, 'dovecot-master', extra=f'''
passdb {{
  driver = passwd-file
  args = {masters}
  master = yes
}}
auth_verbose = yes
service auth {{
  unix_listener {socket} {{
    mode = 0666
  }}
}}'''), socket


SAY = {  # the command, how it ends well, and how it is refused
    'imap': ('a AUTHENTICATE EXTERNAL{}\r\n', 'a OK', 'a NO'), 'pop3': ('AUTH EXTERNAL{}\r\n', '+OK', '-ERR'),
    'sieve': ('AUTHENTICATE "EXTERNAL"{}\r\n', 'OK', 'NO'), 'submission': ('AUTH EXTERNAL{}\r\n', '235', '5'),
}


def greeted(w, g, scheme, context):
    c = upgrade(w, g.port(scheme), scheme, context)
    if scheme == 'submission':
        c.send('EHLO c.test\r\n')
        c.until('250 ')
    return c


def mechanisms(c, scheme):
    """What the client is offered."""
    ask, end = {'imap': ('l CAPABILITY', 'l OK'), 'pop3': ('CAPA', '.'), 'sieve': ('CAPABILITY', 'OK'),
                'submission': ('EHLO c.test', '250 ')}[scheme]
    c.send(ask + '\r\n')
    return ' '.join(c.until(end))


def external_at_real_servers(w):
    """SASL-02 to SASL-04: Dovecot (IMAP, POP3, ManageSieve) and Postfix log in whom the certificate names."""
    dovecot, socket = dovecot_with_master(w)
    postfix = Postfix(w, 'postfix-sasl', f'''
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {socket}
smtpd_sasl_security_options = noanonymous''')
    backends = [('imap', dovecot.imap), ('pop3', dovecot.pop3), ('sieve', dovecot.sieve), ('submission', postfix.smtp)]
    with Gateway(w, backends, *MASTER, '--external-password-file', password_file(w), *ask_for_certificates(w)) as g:
        for scheme, (command, good, refused) in SAY.items():
            own = {'sieve': ' "{}"'}.get(scheme, ' {}')
            for name, response in (('client', own.format(encoded('alice@mail.test'))), ('client-rsa', own.format('=' if scheme != 'sieve' else ''))):
                c = greeted(w, g, scheme, with_certificate(w, name))
                check('EXTERNAL' in mechanisms(c, scheme), f'{scheme}: not listed: {c.transcript}')
                c.send(command.format(own.format(encoded('root'))))
                line = c.line()
                check(line.startswith(refused) and 'identity' in line, f'{scheme}: as somebody else: {line}')
                c.send(command.format(response))
                c.until(good)
                if scheme == 'submission':
                    c.send('MAIL FROM:<a@b>\r\nRCPT TO:<joe@mail.test>\r\nDATA\r\n')
                    c.until('354')
                    c.send('Subject: x\r\n\r\nx\r\n.\r\n')
                    c.until('250')
                c.close()
            c = greeted(w, g, scheme, None)
            check('EXTERNAL' not in mechanisms(c, scheme), f'{scheme}: listed without a certificate')
            c.send(command.format(own.format('' if scheme == 'sieve' else '=')))
            line = c.line()
            check(line.startswith(refused) and 'identity' not in line, f'{scheme}: without a certificate: {line}')
            c.close()
        users = {e.get('client_cert') for e in g.events('session.end')}
        check({'alice@mail.test', 'bob@mail.test'} <= users, f'in the log: {users}')
    for user in ('alice', 'bob'):
        for what in ('imap', 'pop3', 'managesieve'):
            wait_log(dovecot.folder / 'log', f'{what}-login: Info: Login: user=<{user}@mail.test>')
        wait_log(postfix.folder / 'data/maillog', f'sasl_username={user}@mail.test')
    w.stop(postfix.process)
    w.stop(dovecot.process)


def external_by_the_backend(w):
    """external = proxy: Dovecot hears of the certificate in the PROXY header, and its own EXTERNAL passes."""
    port = free_port()
    dovecot = Dovecot(w, 'dovecot-external', tls=True, mechanisms='plain login external', extra=f'''
haproxy_trusted_networks = 127.0.0.0/8
auth_ssl_username_from_cert = yes
auth_verbose = yes
passdb {{
  driver = static
  args = nopassword=yes
  mechanisms = external
}}
service imap-login {{
 inet_listener imap-proxy {{
  port = {port}
  haproxy = yes
 }}
}}''')
    with Gateway(w, [('imap', port)], '--external', 'proxy', '--client-address', 'proxy-v2', *ask_for_certificates(w)) as g:
        c = upgrade(w, g.port('imap'), 'imap', with_certificate(w))
        check('AUTH=EXTERNAL' in mechanisms(c, 'imap'), f'not listed: {c.transcript}')
        c.send('a AUTHENTICATE EXTERNAL =\r\n')
        c.until('a OK')
        c.close()
        wait_log(dovecot.folder / 'log', 'imap-login: Info: Login: user=<alice@mail.test>, method=EXTERNAL')
        c = upgrade(w, g.port('imap'), 'imap')
        check('EXTERNAL' not in mechanisms(c, 'imap'), 'listed without a certificate')
        c.close()
    with Gateway(w, [('imap', f'imap+starttls://127.0.0.1:{port}')], *trust(w), '--external', 'proxy', '--client-address', 'proxy-v2',
                 *ask_for_certificates(w)) as g:  # Dovecot asks the TLS of the link for the name: nobody, then
        c = upgrade(w, g.port('imap'), 'imap', with_certificate(w))
        c.send('a AUTHENTICATE EXTERNAL =\r\n')
        check(c.line().startswith('a NO'), f'behind STARTTLS: {c.transcript}')
        c.close()
        check('it refuses EXTERNAL' in g.log.read_text(), 'an operator is not warned')
    w.stop(dovecot.process)


def external_and_resumption(w):
    """The identity of a session that is taken up again is the first one's; what is asked of it is the same (SASL-02)."""
    server = MailServer()
    with Gateway(w, listeners(server, 'imaps'), '--external', 'plain-master', '--external-user', 'joe', '--external-password-file',
                 password_file(w, 'secret'), *ask_for_certificates(w)) as g:
        session, context = None, with_certificate(w)
        for n in (1, 2):
            c = Line(g.port('imaps'))
            c.sock = context.wrap_socket(c.sock, server_hostname='mail.test', session=session)
            c.line()
            equal(c.sock.session_reused, n == 2, f'session {n} was taken up again')
            c.send('a AUTHENTICATE EXTERNAL =\r\n')
            c.until('a OK')
            session = c.sock.session
            c.close()
            event = g.session(n)
            equal((event['client_cert'], event['resumed']), ('alice@mail.test', 'yes' if n == 2 else 'no'), 'in the log')
        equal(server.received['imap'].count(base64.b64encode(b'alice@mail.test\0joe\0secret')), 2, 'logins at the backend')
    server.stop()


def which_name_is_the_identity(w):
    """client-identity: the certificate of alice has a mail address, a CN and no DNS name."""
    server = MailServer()
    cn = run(['openssl', 'x509', '-in', w.certs / 'client.crt', '-noout', '-subject', '-nameopt', 'multiline'])[1].decode()
    cn = re.search(r'commonName *= (.*)', cn)
    rows = [('email-or-cn', 'alice@mail.test'), ('email', 'alice@mail.test'), ('cn', cn[1] if cn else ''), ('san-dns', '')]
    for word, identity in rows:
        with Gateway(w, listeners(server, 'imap'), '--external', 'plain-master', '--external-user', 'joe', '--external-password-file',
                     password_file(w, 'secret'), *ask_for_certificates(w), '--client-identity', word) as g:
            c = upgrade(w, g.port('imap'), 'imap', with_certificate(w))
            equal('EXTERNAL' in mechanisms(c, 'imap'), identity != '', f'{word}: listed')
            c.close()
            equal(g.session().get('client_cert'), identity or 'unnamed', f'{word}: in the log')
    server.stop()


def no_certificate_is_asked_for(w):
    """SASL-01: without external or client-auth there is no CertificateRequest, before TLS or behind STARTTLS."""
    server = MailServer()
    with Gateway(w, listeners(server, 'imap', 'imaps')) as g:
        for scheme, extra in (('imaps', []), ('imap', ['-starttls', 'imap'])):
            _, out, _ = run(['openssl', 's_client', '-connect', f'127.0.0.1:{g.port(scheme)}', '-servername', 'mail.test', *extra,
                             '-CAfile', w.certs / 'ca.crt', '-msg'], b'a LOGOUT\n')
            check(b'CertificateVerify' in out, f'{scheme}: no handshake: {out[-300:]!r}')
            check(b'CertificateRequest' not in out, f'{scheme}: a certificate is asked for')
    with Gateway(w, listeners(server, 'imaps'), *ask_for_certificates(w)) as g:
        _, out, _ = run(['openssl', 's_client', '-connect', f'127.0.0.1:{g.port("imaps")}', '-servername', 'mail.test', '-CAfile',
                         w.certs / 'ca.crt', '-msg'], b'a LOGOUT\n')
        check(b'CertificateRequest' in out, 'the test would not see one')
    server.stop()


def external_settings_that_are_wrong(w):
    """Each is an error before anything starts."""
    good = password_file(w)
    bad = password_file(w, 'two\nlines')
    ask = ask_for_certificates(w)
    rows = [('imap', [*MASTER, '--external-password-file', good], 'needs client certificates'),
            ('imap', [*MASTER, '--external-password-file', good, '--client-auth', 'request', '--client-verify', 'none'], 'anybody'),
            ('imap', ['--external', 'plain-master', *ask], 'needs external-user'),
            ('imap', [*MASTER, '--external-password-file', bad, *ask], 'one line'),
            ('imap', [*MASTER, '--external-password-file', '/nowhere', *ask], '/nowhere'),
            ('imap', ['--external', 'proxy', *ask], 'proxy-v2'),
            ('imap', ['--external', 'proxy', '--client-address', 'proxy-v2', '--backend-cert', w.certs / 'client.crt', '--backend-key',
                      w.certs / 'client.key', *ask], 'as whom that one names'), ('lmtp', ['--external', 'xclient', *ask], 'for smtp and submission'),
            ('http', [*MASTER, '--external-password-file', good, *ask], 'no SASL'),
            ('imap', ['--external', 'perhaps', *ask], 'external'), ('imap', ['--client-identity', 'shoe-size', *ask], 'client-identity')]
    for scheme, options, want in rows:
        code, _, err = run([str(w.gateway_program), 'check', '--listen', f'{scheme}://127.0.0.1:1', '--backend', '127.0.0.1:1',
                            '--cert', str(w.certs / 'ecdsa-p256.crt'), '--key', str(w.certs / 'ecdsa-p256.key'), *map(str, options)])
        equal(code, 2, f'{options}: {err}')
        check(want in err.decode(), f'{options}: {err.decode()}')
    code, _, err = run([str(w.gateway_program), 'check', '--listen', 'imap://127.0.0.1:1', '--backend', '127.0.0.1:2', '--cert', str(w.certs / 'ecdsa-p256.crt'),
                        '--key', str(w.certs / 'ecdsa-p256.key'), *MASTER, '--external-password-file', str(good), *map(str, ask)])
    equal(code, 1, err)
    check('logs everybody in as: gateway' in err.decode(), f'an operator is not warned: {err.decode()}')


def no_way_back_to_before_login(w):
    """SASL-02: on a link that shows our certificate IMAP's UNAUTHENTICATE (RFC 8437) does not reach the backend; else it does."""
    for own in ((), ('--backend-cert', w.certs / 'client.crt', '--backend-key', w.certs / 'client.key')):
        server = MailServer({'tls': server_context(w)})
        with Gateway(w, starttls_backends(server, 'imap'), *trust(w), *own) as g:
            c = upgrade(w, g.port('imap'), 'imap')
            login_imap(c)
            c.send('b UNAUTHENTICATE\r\nc NOOP\r\n')
            c.until('c OK')
            c.close()
        equal(b'UNAUTHENTICATE' in server.received['imap'], not own, f'{own}: at the backend')
        server.stop()


def scram_plus_is_told(w):
    """SASL-06: a backend with SCRAM-...-PLUS: clients see no SCRAM, and the log says so once."""
    server = MailServer({'ehlo': ['250-AUTH SCRAM-SHA-256 SCRAM-SHA-256-PLUS CRAM-MD5']})
    with Gateway(w, listeners(server, 'smtp', 'submission')) as g:
        for scheme in ('smtp', 'submission') * 2:
            c = upgrade(w, g.port(scheme), scheme)
            c.send('EHLO c\r\n')
            lines = ' '.join(c.until('250 '))
            check('SCRAM' not in lines and 'CRAM-MD5' in lines, f'{scheme}: {lines}')
            c.close()
        equal(len(g.events('backend.scram_hidden')), 2, 'told once for each listener')
    server.stop()


def external_at_postfix_by_xclient(w):
    """SASL-04, ADDR-10: Postfix hears of the certificate with XCLIENT LOGIN, alone and behind XCLIENT ADDR."""
    postfix = Postfix(w, 'postfix-xlogin', 'smtpd_authorized_xclient_hosts = 127.0.0.0/8')
    for n, told in enumerate(('off', 'command')):
        with Gateway(w, [('submission', postfix.smtp)], '--external', 'xclient', '--client-address', told, *ask_for_certificates(w)) as g:
            for name, user in (('client', 'alice'), ('client-rsa', 'bob')):
                c = greeted(w, g, 'submission', with_certificate(w, name))
                c.send(f'EHLO {user}{n}.test\r\n')
                check('EXTERNAL' in ' '.join(c.until('250 ')), f'not listed: {c.transcript}')
                c.send('AUTH EXTERNAL =\r\n')
                c.until('235')
                c.send('MAIL FROM:<a@b>\r\nRCPT TO:<joe@mail.test>\r\nDATA\r\n')
                c.until('354')
                c.send(f'Subject: {user}{n}\r\n\r\nx\r\n.\r\n')
                c.until('250')
                c.close()
                wait_log(postfix.folder / 'data/maillog', f'sasl_username={user}@mail.test')
    w.stop(postfix.process)
    heard = ''.join(path.read_text() for path in (postfix.mail / 'joe/new').iterdir())
    for who in ('alice0', 'bob0', 'alice1', 'bob1'):
        check(f'from {who}.test' in heard, f'the hello of {who} is lost: {heard}')


CASES = [external_at_postfix_by_xclient, scram_plus_is_told, no_way_back_to_before_login, external_at_real_servers, external_by_the_backend, external_and_resumption, which_name_is_the_identity,
         no_certificate_is_asked_for, external_settings_that_are_wrong]

"""Options and policies of one gateway, against the embedded server."""
import shutil
import socket
import ssl
import threading
import urllib.request

from mailserver import MailServer
from support import Failure, Gateway, Line, check, equal, free_port, run, upgrade, wait_port


def login_imap(c):
    c.send('a LOGIN joe secret\r\n')
    check(c.until('a ')[-1].startswith('a OK'), f'login: {c.transcript}')


def with_server(case):
    """Runs a case with an embedded server of its own."""

    def wrapped(w):
        server = MailServer()
        try:
            case(w, server)
        finally:
            server.stop()

    wrapped.__name__ = case.__name__
    return wrapped


def listeners(server, *schemes):
    plain = {'submission': 'smtp', 'submissions': 'smtp', 'imaps': 'imap', 'pop3s': 'pop3', 'smtps': 'smtp', 'acaps': 'acap',
             'lmtp': 'smtp', 'lmtps': 'smtp', 'sieves': 'sieve', 'nntps': 'nntp',
             'tls': 'imap'}
    return [(s, server.port[plain.get(s, s)]) for s in schemes]


@with_server
def every_scheme(w, server):
    schemes = ('imap', 'pop3', 'smtp', 'submission', 'lmtp', 'sieve', 'nntp', 'acap', 'imaps', 'pop3s', 'smtps', 'submissions',
               'lmtps', 'sieves', 'nntps', 'acaps', 'tls')
    greetings = {'imap': '* OK', 'pop3': '+OK', 'smtp': '220', 'submission': '220', 'lmtp': '220', 'sieve': '"IMPLEMENTATION"',
                 'nntp': '200', 'acap': '* ACAP', 'tls': '* OK'}
    with Gateway(w, listeners(server, *schemes)) as g:
        for scheme in schemes:
            if scheme in ('imap', 'pop3', 'smtp', 'submission', 'lmtp', 'sieve', 'nntp', 'acap'):
                upgrade(w, g.port(scheme), scheme).close()
            else:
                c = Line(g.port(scheme))
                c.start_tls(w.client_context())
                check(c.line().startswith(greetings[scheme.rstrip('s') if scheme not in ('tls', 'pop3s') else
                                                    {'tls': 'tls', 'pop3s': 'pop3'}[scheme]]), f'{scheme}: {c.transcript}')
                c.close()


@with_server
def acap_session(w, server):
    """RFC 2244's examples through STARTTLS: greeting again, CRAM-MD5, a search with a literal."""
    import hashlib
    import hmac
    with Gateway(w, listeners(server, 'acap')) as g:
        c = Line(g.port('acap'))
        c.expect('* ACAP (IMPLEMENTATION "hauberk") (STARTTLS)')
        c.send('A001 AUTHENTICATE "PLAIN"\r\nA002 starttls\r\n')
        c.expect('A001 NO (ENCRYPT-NEEDED) "TLS required, use STARTTLS"', 'A002 OK "Begin TLS negotiation now"')
        c.start_tls(w.client_context())
        c.expect('* ACAP (IMPLEMENTATION "embedded") (SASL "CRAM-MD5" "PLAIN")')
        c.send('A003 AUTHENTICATE "CRAM-MD5"\r\n')
        challenge = c.line()[3:-1]
        answer = hmac.new(b'secret', challenge.encode(), hashlib.md5).hexdigest()
        c.send(f'"joe {answer}"\r\n')
        c.expect('A003 OK "logged in"')
        c.send('A046 SEARCH "/addressbook/" DEPTH 3 RETURN ("*") ALL\r\n')
        equal(c.until('A046 OK')[-1], 'A046 OK "SEARCH completed"', 'the end of the search')
        c.send('A047 LOGOUT\r\n')
        c.until('A047 OK')
        c.close()


@with_server
def certificates_by_name_and_key(w, server):
    """SNI chooses; ECDSA before RSA; RSA and Ed25519 for clients that know nothing else."""
    names = ('ecdsa-p256', 'rsa2048', 'ed25519', 'other', 'wildcard')
    rows = [('mail.test', [], 'ecdsa-p256 (test)'), ('other.test', [], 'other (test)'),
            ('a.wild.test', [], 'wildcard (test)'), ('unknown.test', [], 'ecdsa-p256 (test)'),
            ('mail.test', ['-sigalgs', 'RSA-PSS+SHA256:RSA+SHA256'], 'rsa2048 (test)'),
            ('mail.test', ['-sigalgs', 'ed25519:RSA+SHA256'], 'ed25519 (test)'),
            ('mail.test', ['-tls1_2', '-cipher', 'aRSA'], 'rsa2048 (test)'),
            ('mail.test', ['-tls1_2', '-cipher', 'aECDSA'], 'ecdsa-p256 (test)')]
    with Gateway(w, listeners(server, 'imap'), certs=names) as g:
        for name, options, want in rows:
            _, out, err = run(['openssl', 's_client', '-starttls', 'imap', '-connect', f'127.0.0.1:{g.port("imap")}', '-CAfile',
                               str(w.certs / 'ca.crt'), '-servername', name, *options], b'a LOGOUT\r\n', 20)
            check(f'CN = {want}'.encode() in out + err, f'{name} {options}: {out[:400]!r} {err[:300]!r}')
    with Gateway(w, listeners(server, 'imaps'), '--sni', 'strict') as g:
        try:
            w.client_context(check_hostname=False).wrap_socket(socket.create_connection(('127.0.0.1', g.port('imaps'))),
                                                               server_hostname='unknown.test')
            raise Failure('an unknown name was served')
        except ssl.SSLError as e:
            check('UNRECOGNIZED_NAME' in str(e), f'alert: {e}')


@with_server
def certificate_folder(w, server):
    """certbot's layout: by name on a STARTTLS port, a pair of each kind; without a usable one nothing is offered (GEN-10)."""
    live = w.folder / 'live'
    for folder, name in (('mail.test/ecdsa', 'ecdsa-p256'), ('mail.test/rsa', 'rsa2048'), ('other.test', 'other'), ('zz.old.test', 'expired')):
        (live / folder).mkdir(parents=True)
        for kind, file in (('crt', 'fullchain.pem'), ('key', 'privkey.pem')):
            shutil.copy(w.certs / f'{name}.{kind}', live / folder / file)
    (live / 'README').write_text('from certbot\n')
    rows = [('mail.test', [], 'ecdsa-p256 (test)'), ('other.test', [], 'other (test)'), ('unknown.test', [], 'ecdsa-p256 (test)'),
            ('mail.test', ['-sigalgs', 'RSA-PSS+SHA256'], 'rsa2048 (test)')]
    with Gateway(w, listeners(server, 'imap'), '--certificate-folder', live, certs=()) as g:
        for name, options, want in rows:
            _, out, err = run(['openssl', 's_client', '-starttls', 'imap', '-connect', f'127.0.0.1:{g.port("imap")}', '-CAfile',
                               str(w.certs / 'ca.crt'), '-servername', name, *options], b'a LOGOUT\r\n', 20)
            check(f'CN = {want}'.encode() in out + err, f'{name} {options}: {out[:400]!r} {err[:300]!r}')
        text = g.log.read_text()
        check('zz.old.test","notice":"certificate' in text and 'has expired' in text and 'left out' in text, text[:600])
    for folder in ('mail.test', 'other.test'):
        shutil.rmtree(live / folder)
    with Gateway(w, listeners(server, 'imap', 'pop3', 'submission'), '--certificate-folder', live, certs=()) as g:
        for scheme, ask, end, upgrade_word, no in (
                ('imap', 'c CAPABILITY', 'c ', 's STARTTLS', 's NO [UNAVAILABLE]'), ('pop3', 'CAPA', '.', 'STLS', '-ERR [SYS/TEMP]'),
                ('submission', 'EHLO x.test', '250 ', 'STARTTLS', '454 ')):
            c = Line(g.port(scheme))
            c.line()
            c.send(ask + '\r\n')
            check('STARTTLS' not in str(c.until(end)) and 'STLS' not in str(c.transcript[-6:]), c.transcript)
            c.send(upgrade_word + '\r\n')
            check(c.line().startswith(no), c.transcript)
            c.close()


@with_server
def versions(w, server):
    v12, v13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
    rows = [([], v12, 'TLSv1.2'), ([], v13, 'TLSv1.3'), (['--profile', 'modern'], v12, None),
            (['--profile', 'modern'], v13, 'TLSv1.3'), (['--tls-max', '1.2'], v12, 'TLSv1.2'), (['--tls-max', '1.2'], v13, None),
            (['--profile', 'legacy'], v12, 'TLSv1.2'), (['--tls-min', '1.3'], v12, None)]
    for options, version, want in rows:
        with Gateway(w, listeners(server, 'imap'), *options) as g:
            context = w.client_context(minimum_version=version, maximum_version=version)
            try:
                c = upgrade(w, g.port('imap'), 'imap', context)
                equal(c.sock.version(), want, f'{options}')
                login_imap(c)
                c.close()
            except ssl.SSLError as e:
                check(want is None and 'PROTOCOL_VERSION' in str(e), f'{options} {version}: {e}')
                equal(g.session()['code'], 'TLS_VERSION', 'the log')


@with_server
def alpn(w, server):
    with Gateway(w, listeners(server, 'imaps', 'tls')) as g:
        context = w.client_context()
        context.set_alpn_protocols(['h2', 'imap'])
        c = Line(g.port('imaps'))
        c.start_tls(context)
        equal(c.sock.selected_alpn_protocol(), 'imap', 'ALPN')
        c.close()
        context.set_alpn_protocols(['h2', 'http/1.1'])
        try:
            Line(g.port('imaps')).start_tls(context)
            raise Failure('a browser was let in (ALPACA)')
        except ssl.SSLError as e:
            check('no application protocol' in str(e), f'alert: {e}')
        c = Line(g.port('tls'))
        c.start_tls(context)
        c.close()


@with_server
def nothing_in_clear_reaches_the_backend(w, server):
    """The differential test: what was said before TLS, and what stood behind STARTTLS, is not in what B received."""
    with Gateway(w, listeners(server, 'imap', 'pop3', 'smtp', 'sieve', 'nntp', 'acap')) as g:
        for scheme, clear in (('imap', 'x1 LOGIN evil clear\r\nx2 ID ("x-originating-ip" "6.6.6.6")\r\n'),
                              ('pop3', 'USER evil\r\nPASS clear\r\n'), ('smtp', 'MAIL FROM:<evil@clear>\r\n'),
                              ('sieve', 'AUTHENTICATE "PLAIN" {9+}\r\nevilclear\r\n'),
                              ('nntp', 'AUTHINFO USER evil\r\nAUTHINFO PASS clear\r\n'),
                              ('acap', 'x1 AUTHENTICATE "PLAIN" {9+}\r\nevilclear\r\n')):
            c = Line(g.port(scheme))
            c.until('OK' if scheme == 'sieve' else '')
            c.send(clear)
            for _ in range(clear.count('\r\n') + (1 if scheme == 'imap' else -1 if scheme in ('sieve', 'acap') else 0)):
                c.line()
            equal(server.connections[scheme], 0, f'{scheme}: links to the backend before TLS')
            c.close()
            c = upgrade(w, g.port(scheme), scheme)
            c.send({'imap': 'a NOOP\r\n', 'pop3': 'CAPA\r\n', 'smtp': 'EHLO c\r\n', 'sieve': 'CAPABILITY\r\n', 'nntp': 'DATE\r\n',
                    'acap': 'a NOOP\r\n'}[scheme])
            c.line()
            c.close()
            check(b'evil' not in server.received[scheme] and server.received[scheme], f'{scheme}: {server.received[scheme]}')


def raw_relay(w):
    """tls:// in front of any TCP service: bytes as they are, both ways, in bulk, and half-closed."""
    listening = socket.create_server(('127.0.0.1', 0))

    def echo():
        while True:
            try:
                s, _ = listening.accept()
            except OSError:
                return
            with s:
                try:
                    while data := s.recv(65536):
                        s.sendall(data)
                except ConnectionResetError:
                    pass  # Python's close says no close_notify, and the gateway passes that on

    threading.Thread(target=echo, daemon=True).start()
    data = bytes(range(256)) * 20000
    with Gateway(w, [('tls', listening.getsockname()[1])]) as g:
        for version in ('TLSv1_2', 'TLSv1_3'):
            context = w.client_context(maximum_version=ssl.TLSVersion[version])
            s = context.wrap_socket(socket.create_connection(('127.0.0.1', g.port('tls')), 20), server_hostname='mail.test')
            for at in range(0, len(data), 100000):  # there and back in pieces: one thread must not wait for itself
                s.sendall(data[at:at + 100000])
                got = b''
                while len(got) < len(data[at:at + 100000]):
                    got += s.recv(65536)
                equal(got, data[at:at + 100000], version)
            s.close()
    listening.close()


@with_server
def several_workers(w, server):
    with Gateway(w, listeners(server, 'imap'), '--workers', '3') as g:
        for _ in range(12):
            c = upgrade(w, g.port('imap'), 'imap')
            login_imap(c)
            c.close()
        workers = {e['worker'] for e in g.events('ready')}
        equal(workers, {0, 1, 2}, 'workers that are ready')


@with_server
def observe_and_warn(w, server):
    """The way from clear text to TLS: logins in clear pass, are logged without who it was, and the client is told."""
    advice = 'turn on TLS (STARTTLS) in your mail program'
    for mode in ('observe', 'warn'):
        metrics = free_port()
        backends = [*listeners(server, 'imap', 'pop3'), ('submission', server.port['smtp'])]
        with Gateway(w, backends, '--tls', mode, '--plaintext-auth', '--metrics', f'127.0.0.1:{metrics}') as g:
            c = Line(g.port('imap'))
            c.line()
            c.send('i ID ("name" "Some Client" "version" "2")\r\n')
            c.until('i ')
            c.send('a LOGIN joe secret\r\n')
            answer = c.until('a ')
            check(answer[-1].startswith('a OK'), f'login: {c.transcript}')
            equal(f'* OK [ALERT] This login was not encrypted: {advice}' in answer, mode == 'warn', 'an ALERT')
            c.close()
            c = Line(g.port('pop3'))
            c.line()
            c.send('USER joe\r\n')
            c.line()
            c.send('PASS secret\r\n')
            answer = c.line()
            check(answer.startswith('+OK') and (advice in answer) == (mode == 'warn'), answer)
            c.close()
            c = Line(g.port('submission'))
            c.line()
            c.send('EHLO desk.example\r\n')
            c.until('250 ')
            c.send('AUTH PLAIN AGpvZQBzZWNyZXQ=\r\n')
            answer = c.line()
            check(answer.startswith('235') and (advice in answer) == (mode == 'warn'), answer)
            c.close()
            c = upgrade(w, g.port('imap'), 'imap')
            login_imap(c)
            check('ALERT' not in str(c.transcript), c.transcript)
            c.close()
            wait_port(metrics)
            figures = urllib.request.urlopen(f'http://127.0.0.1:{metrics}/metrics').read().decode()
            check('hauberk_events_total{event="login.clear"} 3\n' in figures, 'the counter')
        told = g.events('login.clear')
        equal([(e['proto'], e['mechanism'], e.get('software'), e['refused'], e['count']) for e in told],
              [('imap', 'LOGIN command', 'Some Client 2', 'no', 1), ('pop3', 'USER/PASS', None, 'no', 2),
               ('submission', 'PLAIN', 'desk.example', 'no', 3)], f'{mode}: events')
        check('joe' not in str(told) and told[0]['peer'].startswith('127.0.0.1:'), told)
    with Gateway(w, listeners(server, 'pop3'), '--tls', 'observe') as g:
        c = Line(g.port('pop3'))
        c.line()
        c.send('USER joe\r\n')
        c.expect('-ERR TLS required, use STLS first')
        c.close()
    equal([(e['mechanism'], e['refused']) for e in g.events('login.clear')], [('USER/PASS', 'yes')], 'refused')


@with_server
def residue_discarded(w, server):
    """GEN-04: with starttls-residue = discard, what came behind STARTTLS is nobody's, and the handshake goes on."""
    schemes = ('imap', 'pop3', 'submission', 'acap')
    with Gateway(w, listeners(server, *schemes), '--starttls-residue', 'discard') as g:
        for scheme in schemes:
            for behind in ('x NOOP\r\n', 'x' * 20000):
                c = Line(g.port(scheme))
                c.line()
                if scheme == 'submission':
                    c.send('EHLO client.test\r\n')
                    c.until('250 ')
                word = {'imap': 's STARTTLS', 'acap': 's STARTTLS', 'pop3': 'STLS'}.get(scheme, 'STARTTLS')
                c.send(f'{word}\r\n{behind}')
                check(c.line().startswith({'pop3': '+OK', 'submission': '220'}.get(scheme, 's OK')), f'{scheme}: {c.transcript}')
                c.start_tls(w.client_context())
                if scheme == 'imap':
                    login_imap(c)
                c.close()
        told = g.events('starttls.injection')
        equal(len(told), 2 * len(schemes), 'events')
        check(all(e['action'] == 'discarded' and e['bytes'] > 0 for e in told), told)


@with_server
def legacy_is_flagged(w, server):
    """PRO-03: said at start, and with each session that made use of it, and with no other."""
    with Gateway(w, listeners(server, 'imaps'), '--profile', 'legacy') as g:
        for ciphers in ('ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0', 'ECDHE-ECDSA-AES128-GCM-SHA256'):
            context = w.client_context(maximum_version=ssl.TLSVersion.TLSv1_2)
            context.set_ciphers(ciphers)
            c = Line(g.port('imaps'))
            c.start_tls(context)
            c.line()
            c.send('a LOGOUT\r\n')
            c.until('a ')
            c.close()
        equal([e.get('legacy') for e in (g.session(1), g.session(2))], ['yes', None], 'flags')
    check('profile legacy: ciphers and versions that RFC 8996' in g.log.read_text(), 'the warning at start')



@with_server
def imap4rev2_profile(w, server):
    """IMAP-21: STARTTLS and LOGINDISABLED in clear; implicit TLS; 1.2 and newer alone, with the suite that must be there."""
    with Gateway(w, listeners(server, 'imap', 'imaps'), certs=('rsa2048',)) as g:
        c = Line(g.port('imap'))
        c.line()
        c.send('a CAPABILITY\r\n')
        caps = c.until('a ')[-2].split()
        check('STARTTLS' in caps and 'LOGINDISABLED' in caps, str(caps))
        c.close()
        for words, good in ((('-tls1_2', '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256'), True), (('-tls1_3',), True),
                            (('-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'), False)):
            out = run(['openssl', 's_client', '-connect', f'127.0.0.1:{g.port("imaps")}', '-quiet', '-ign_eof', *words], b'z LOGOUT\r\n', 20)[1]
            equal(b'z OK' in out, good, f'{words}: {out}')


@with_server
def certificate_missing(w, server):
    """GEN-22: a client that had to show a certificate and did not has no session, in any version, and no backend."""
    with Gateway(w, listeners(server, 'imap', 'pop3'), '--client-auth', 'require', '--client-ca', w.certs / 'ca.crt') as g:
        for scheme in ('imap', 'pop3'):
            for version in ('-tls1_2', '-tls1_3'):
                login = b'a LOGIN joe secret\r\n' if scheme == 'imap' else b'USER joe\r\nPASS secret\r\n'
                words = ['openssl', 's_client', '-starttls', scheme, '-connect', f'127.0.0.1:{g.port(scheme)}', version, '-quiet', '-ign_eof']
                out = run(words, login, 20)[1]
                check(b'a OK' not in out and b'+OK' not in out, f'{scheme} {version}: {out}')
                own = ['-cert', str(w.certs / 'client.crt'), '-key', str(w.certs / 'client.key')]
                out = run(words + own, login + (b'z LOGOUT\r\n' if scheme == 'imap' else b'QUIT\r\n'), 20)[1]
                check((b'a OK' if scheme == 'imap' else b'+OK') in out, f'with one, {scheme} {version}: {out}')
        codes = [e['code'] for e in g.events('session.end') if e['code'].startswith('TLS_CERTIFICATE_MISSING')]
        equal(sorted(codes), ['TLS_CERTIFICATE_MISSING12'] * 2 + ['TLS_CERTIFICATE_MISSING13'] * 2, 'why they ended')
        equal(server.received['imap'].count(b'LOGIN'), 2, 'logins that reached the backend')


CASES = [imap4rev2_profile, certificate_missing, every_scheme, acap_session, certificates_by_name_and_key, certificate_folder, versions, alpn, nothing_in_clear_reaches_the_backend,
         raw_relay, several_workers, observe_and_warn, residue_discarded,
         legacy_is_flagged]

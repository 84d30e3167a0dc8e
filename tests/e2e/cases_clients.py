"""Real clients through the gateway to real servers: Dovecot and Postfix in plaintext behind it."""
import base64
import imaplib
import poplib
import random
import re
import smtplib

from support import Failure, Gateway, Line, check, equal, run, upgrade

MAIL = b'From: alice@example.org\r\nTo: joe@mail.test\r\nSubject: through the gateway\r\n\r\nHello.\r\n'
SCHEMES = ('imap', 'imaps', 'pop3', 'pop3s', 'smtp', 'smtps')


def front(w, *options, **kw):
    backends = {'imap': w.dovecot.imap, 'pop3': w.dovecot.pop3, 'smtp': w.postfix.smtp}
    return Gateway(w, [(s, backends[s.rstrip('s') if s != 'pop3s' else 'pop3']) for s in SCHEMES], *options, **kw)


def big_message(size):
    """A message of this many bytes, in CRLF lines that hold all sorts of things."""
    rnd = random.Random(7)
    lines = [b'Subject: big', b'']
    have = 16
    while have < size:
        text = bytes(rnd.choices(b'abcdefghijklmnopqrstuvwxyz .', k=min(76, max(1, size - have - 2))))
        lines.append(text)
        have += len(text) + 2
    return b'\r\n'.join(lines) + b'\r\n'


def curl(w, url, *options, login=True):
    ca = str(w.certs / 'ca.crt')
    port = re.search(r':(\d+)/', url)[1]
    argv = ['curl', '-sS', '--max-time', '100', '--ssl-reqd', '--cacert', ca, '--resolve', f'mail.test:{port}:127.0.0.1',
            *(['-u', 'joe:secret'] if login else []), *options, url]
    code, out, err = run(argv, b'', 110)
    if code != 0:
        raise Failure(f'curl {url} ended with {code}: {err.decode()}')
    return out


def curl_fetch_and_append_20_mib(w):
    message = big_message(20 << 20)
    (w.folder / 'big').write_bytes(message)
    with front(w) as g:
        for scheme, n in (('imap', 1), ('imaps', 2)):
            curl(w, f'{scheme}://mail.test:{g.port(scheme)}/INBOX', '-T', str(w.folder / 'big'))
            got = curl(w, f'{scheme}://mail.test:{g.port(scheme)}/INBOX;MAILINDEX={n}')
            equal(got, message, f'{scheme}: the fetched message')
        for scheme in ('pop3', 'pop3s'):
            got = curl(w, f'{scheme}://mail.test:{g.port(scheme)}/2')
            equal(got, message, f'{scheme}: the retrieved message')
        end = g.session(1, proto='imap')
        equal((end['version'], end['group']), ('TLSv1.3', 'x25519'), 'what the log says')
        check(end['bytes_in'] > len(message), 'the log counts the bytes')


def curl_sends_20_mib(w):
    message = big_message(20 << 20)
    (w.folder / 'big').write_bytes(message)
    before = w.delivered
    with front(w) as g:
        for scheme in ('smtp', 'smtps'):
            curl(w, f'{scheme}://mail.test:{g.port(scheme)}/client.test', '--mail-from', 'a@example.org', '--mail-rcpt',
                 'joe@mail.test', '-T', str(w.folder / 'big'), login=False)
    w.delivered += 2
    content = message.partition(b'\r\n\r\n')[2]
    found = [m for m in w.postfix.messages(before + 2, 60) if b'Subject: big' in m[:2000]]
    equal(len(found), 2, 'messages delivered')
    for mail in found:  # Postfix adds headers and stores lines with LF
        equal(mail.partition(b'\n\n')[2].replace(b'\n', b'\r\n'), content, 'the delivered message')


def openssl_s_client(w):
    with front(w, certs=('ecdsa-p256', 'rsa2048')) as g:
        for scheme, words, good in (('imap', 'a LOGIN joe secret\r\nb LOGOUT\r\n', b'b OK'),
                                    ('pop3', 'USER joe\r\nPASS secret\r\nQUIT\r\n', b'+OK'),
                                    ('smtp', 'EHLO c\r\nQUIT\r\n', b'221 ')):
            for version in ('-tls1_2', '-tls1_3'):
                code, out, err = run(['openssl', 's_client', '-starttls', scheme, '-connect', f'127.0.0.1:{g.port(scheme)}',
                                      '-servername', 'mail.test', '-verify_hostname', 'mail.test', '-CAfile',
                                      str(w.certs / 'ca.crt'), '-verify_return_error', version, '-quiet', '-ign_eof',
                                      '-crlf'], words.replace('\r', '').encode(), 20)
                check(good in out, f's_client {scheme} {version}: {code} {out!r} {err!r}')
        check({e['version'] for e in g.events('session.end')} >= {'TLSv1.2', 'TLSv1.3'}, 'both versions were logged')


def gnutls_cli(w):
    with front(w) as g:
        for scheme, words in (('imap', 'b LOGOUT\n'), ('pop3', 'QUIT\n'), ('smtp', 'QUIT\n')):
            for priority in ('NORMAL', 'NORMAL:-VERS-TLS1.3'):
                code, out, err = run(['gnutls-cli', '--starttls-proto', scheme, '--x509cafile', str(w.certs / 'ca.crt'),
                                      '--verify-hostname', 'mail.test', '--sni-hostname', 'mail.test', '--crlf', '--priority',
                                      priority, '-p', str(g.port(scheme)), '127.0.0.1'], words.encode(), 20)
                check(code == 0 and b'Handshake was completed' in out, f'gnutls-cli {scheme} {priority}: {out!r} {err!r}')


def python_libraries(w):
    context = w.client_context(check_hostname=True)
    with front(w) as g:
        for tls in (False, True):
            port = g.port('imaps' if tls else 'imap')
            box = imaplib.IMAP4_SSL('localhost', port, ssl_context=context) if tls else imaplib.IMAP4('localhost', port)
            if not tls:
                equal(box.starttls(context)[0], 'OK', 'STARTTLS')
            box.login('joe', 'secret')
            box.create('Lib')
            equal(box.append('Lib', None, None, MAIL)[0], 'OK', 'APPEND')
            box.select('Lib')
            equal(box.fetch('1', '(BODY[])')[1][0][1], MAIL, 'the fetched message')
            box.logout()
            port = g.port('pop3s' if tls else 'pop3')
            pop = poplib.POP3_SSL('localhost', port, context=context) if tls else poplib.POP3('localhost', port)
            if not tls:
                pop.stls(context)
            pop.user('libuser')
            pop.pass_('secret')
            pop.quit()
            port = g.port('smtps' if tls else 'smtp')
            smtp = smtplib.SMTP_SSL('localhost', port, context=context) if tls else smtplib.SMTP('localhost', port)
            if not tls:
                smtp.starttls(context=context)
            smtp.sendmail('a@example.org', ['joe@mail.test'], MAIL)
            smtp.quit()
            w.delivered += 1


def swaks(w):
    with front(w) as g:
        for options in (['--tls', '-p', str(g.port('smtp'))], ['--tlsc', '-p', str(g.port('smtps'))],
                        ['--tls', '-p', str(g.port('smtp')), '--tls-protocol', 'tlsv1_2']):
            code, out, err = run(['swaks', '--server', '127.0.0.1', *options, '--tls-verify', '--tls-ca-path',
                                  str(w.certs / 'ca.crt'), '--tls-sni', 'mail.test', '-f', 'a@example.org', '-t',
                                  'joe@mail.test'], b'', 40)
            check(code == 0 and b'=== TLS started with cipher' in out, f'swaks {options}: {code} {out!r} {err!r}')
            w.delivered += 1


def list_is_the_backends_own(w):
    """What the client sees is Dovecot's real list, edited (nothing to configure)."""
    with front(w, '--tls', 'optional') as g:
        box = imaplib.IMAP4('localhost', g.port('imap'))
        before = set(box.capabilities)
        check({'STARTTLS', 'LOGINDISABLED', 'IDLE'} <= before and 'AUTH=PLAIN' not in before, f'in clear: {before}')
        try:
            box.login('joe', 'secret')
            raise Failure('a login in clear was not refused')
        except imaplib.IMAP4.error as e:
            check('PRIVACYREQUIRED' in str(e), f'refusal: {e}')
        box.starttls(w.client_context())
        inside = set(box.capabilities)
        check('AUTH=PLAIN' in inside and not {'STARTTLS', 'LOGINDISABLED'} & inside, f'inside: {inside}')
        box.login('joe', 'secret')
        box.logout()


DELIVER = ('lmtp', 'lmtps', 'sieve', 'sieves')
SCRIPT = b'require ["fileinto", "mailbox"];\r\n# STARTTLS\r\nfileinto :create "Sieved";\r\n'


def front_of_delivery(w):
    return Gateway(w, [(s, getattr(w.dovecot, s.rstrip('s'))) for s in DELIVER])


def inside(w, g, scheme):
    """A client inside TLS, with the greeting read, whichever way it got there."""
    if not scheme.endswith('s'):
        return upgrade(w, g.port(scheme), scheme)
    c, context = Line(g.port(scheme)), w.client_context()
    if scheme == 'sieves':
        context.set_alpn_protocols(['managesieve'])
    c.start_tls(context)
    c.until('OK' if scheme == 'sieves' else '220 ')
    return c


def mailbox(w, user, folder):
    """What Dovecot has in a folder, asked for past the gateway."""
    box = imaplib.IMAP4('127.0.0.1', w.dovecot.imap)
    box.login(user, 'secret')
    if box.select(folder)[0] != 'OK':
        return []
    found = [box.fetch(n, '(BODY[])')[1][0][1] for n in box.search(None, 'ALL')[1][0].split()]
    box.logout()
    return found


def lmtp_to_dovecot(w):
    """Python's LMTP client and swaks through STARTTLS; two recipients and one that is refused, on both ports."""
    with front_of_delivery(w) as g:
        client = smtplib.LMTP('localhost', g.port('lmtp'))
        client.starttls(context=w.client_context(check_hostname=True))
        client.sendmail('a@example.org', ['lib@mail.test'], MAIL)
        client.quit()
        check(mailbox(w, 'lib@mail.test', 'INBOX')[0].endswith(MAIL), 'smtplib.LMTP: the delivered message')
        code, out, err = run(['swaks', '--protocol', 'LMTP', '--server', '127.0.0.1', '--port', str(g.port('lmtp')), '--tls',
                              '-f', 'a@example.org', '-t', 'swaks@mail.test'], b'', 40)
        check(code == 0 and b'=== TLS started with cipher' in out, f'swaks: {code} {out!r} {err!r}')
        equal(len(mailbox(w, 'swaks@mail.test', 'INBOX')), 1, 'messages of swaks')
        for scheme in ('lmtp', 'lmtps'):
            c = inside(w, g, scheme)
            c.send('EHLO c\r\nLHLO c\r\n')
            check(c.line().startswith('500 5.5.1 '), 'EHLO is refused (LMTP-01)')
            caps = [line[4:] for line in c.until('250 ')]
            check('PIPELINING' in caps and 'STARTTLS' not in caps, f'{scheme}: {caps}')
            c.send(f'MAIL FROM:<a@b.test>\r\nRCPT TO:<one.{scheme}@mail.test>\r\nRCPT TO:<>\r\n'
                   f'RCPT TO:<two.{scheme}@mail.test>\r\nDATA\r\n')
            equal([c.line()[:3] for _ in range(5)], ['250', '250', '501', '250', '354'], f'{scheme}: the transaction')
            c.send(MAIL + b'.\r\nNOOP\r\nQUIT\r\n')
            replies = c.until('221')
            check([r[:3] for r in replies] == ['250'] * 3 + ['221'] and f'one.{scheme}@' in replies[0]
                  and f'two.{scheme}@' in replies[1], f'{scheme}: a reply for each recipient (LMTP-02): {replies}')
            for name in ('one', 'two'):
                check(mailbox(w, f'{name}.{scheme}@mail.test', 'INBOX')[0].endswith(MAIL), f'{scheme}: message of {name}')
            c.close()


def managesieve_to_dovecot(w):
    """Scripts over STARTTLS and over TLS from the first byte; then a delivery obeys the active one."""
    with front_of_delivery(w) as g:
        for scheme in ('sieve', 'sieves'):
            user = f'{scheme}@mail.test'
            login = base64.b64encode(f'\0{user}\0secret'.encode()).decode()
            c = inside(w, g, scheme)
            equal(c.sock.selected_alpn_protocol(), 'managesieve' if scheme == 'sieves' else None, 'ALPN (ALPN-01)')
            caps = [t for t in c.transcript if t.startswith('S: "SASL"') or t.upper().startswith('S: "STARTTLS"')]
            if scheme == 'sieve':  # our list in clear, the backend's inside TLS
                equal(caps[:2], ['S: "SASL" ""', 'S: "STARTTLS"'], 'the list in clear')
                caps = caps[2:]
            check(len(caps) == 1 and 'PLAIN' in caps[0], f'{scheme}: the list inside TLS: {caps}')
            c.send(f'STARTTLS\r\nAUTHENTICATE "PLAIN" {{{len(login)}+}}\r\n{login}\r\n')
            c.expect('NO "TLS already active"', 'OK "Logged in."')
            c.send(b'PUTSCRIPT "mine" {%d+}\r\n%s\r\nLISTSCRIPTS\r\n' % (len(SCRIPT), SCRIPT))
            check(c.line().startswith('OK'), f'PUTSCRIPT: {c.transcript}')
            c.expect('"mine"')
            c.until('OK')
            c.send('SETACTIVE "mine"\r\nLISTSCRIPTS\r\nGETSCRIPT "mine"\r\nPUTSCRIPT "bad" {3+}\r\nnot\r\n'
                   'NOOP "STARTTLS-SYNC-42"\r\n')
            check(c.line().startswith('OK'), f'SETACTIVE: {c.transcript}')
            c.expect('"mine" ACTIVE')
            c.until('OK')
            got = c.until('OK')
            equal('\r\n'.join(got[1:-2]), SCRIPT.decode()[:-2], 'the script that came back')
            refused = c.until('OK (TAG')
            check(refused[0].startswith('NO') and refused[-1].startswith('OK (TAG "STARTTLS-SYNC-42")'),
                  f'a script that is none, then NOOP: {refused}')
            c.send('LOGOUT\r\n')
            c.until('OK')
            equal(c.rest(), b'', 'behind LOGOUT')
            mail = smtplib.LMTP('localhost', g.port('lmtp'))
            mail.starttls(context=w.client_context(check_hostname=True))
            mail.sendmail('a@example.org', [user], MAIL)
            mail.quit()
            equal(len(mailbox(w, user, 'Sieved')), 1, f'{scheme}: messages filed by the script')


CASES = [curl_fetch_and_append_20_mib, curl_sends_20_mib, openssl_s_client, gnutls_cli, python_libraries, swaks,
         list_is_the_backends_own, lmtp_to_dovecot, managesieve_to_dovecot]

"""NNTP through the gateway to INN: innd for peers, nnrpd for readers, both in plaintext behind it."""
import nntplib
import warnings
import zlib

from newsserver import Inn
from support import Gateway, Line, check, equal, run, upgrade

warnings.filterwarnings('ignore', category=DeprecationWarning)


def article(subject, message_id=None):
    lines = ['From: a@example.org', 'Newsgroups: local.test', f'Subject: {subject}']
    if message_id:  # from a peer, which has injected it
        lines += [f'Message-ID: {message_id}', 'Date: Thu, 26 Nov 2026 01:00:00 +0000', 'Path: peer.test!not-for-mail']
    return '\r\n'.join([*lines, '', 'STARTTLS', '.', '..', 'the end']).encode() + b'\r\n'


def stuffed(data):
    return data.replace(b'\r\n.', b'\r\n..') + b'.\r\n'


def with_inn(case):
    """Runs a case with the suite's one INN behind it, made at the first call."""

    def wrapped(w):
        w.inn = getattr(w, 'inn', None) or Inn(w)
        case(w)

    wrapped.__name__ = case.__name__
    return wrapped


@with_inn
def news_python_nntplib(w):
    """Python's client: MODE READER in clear, STARTTLS, a login, POST with dots, the article read back; on both ports."""
    with Gateway(w, [('nntp', w.inn.port), ('nntps', w.inn.port)]) as g:
        for scheme in ('nntp', 'nntps'):
            context = w.client_context()
            context.check_hostname = False
            if scheme == 'nntps':
                context.set_alpn_protocols(['nntp'])
                c = nntplib.NNTP_SSL('127.0.0.1', g.port('nntps'), ssl_context=context, readermode=True)
                equal(c.sock.selected_alpn_protocol(), 'nntp', 'ALPN (ALPN-01)')
            else:
                c = nntplib.NNTP('127.0.0.1', g.port('nntp'), readermode=True)
                equal(sorted(c.getcapabilities()), ['STARTTLS', 'VERSION'], 'the list in clear (GEN-27)')
                c.starttls(context)
            caps = c.getcapabilities()  # nnrpd's: MODE READER was said to the new link, too (GEN-09)
            check('READER' in caps and 'STARTTLS' not in caps and 'MODE-READER' not in caps and 'COMPRESS' not in caps,
                  f'{scheme}: the list inside TLS (NNTP-05): {caps}')
            check('USER' in caps['AUTHINFO'] and 'PLAIN' in caps['SASL'], f'{scheme}: ways to log in: {caps}')
            c.login('joe', 'secret')
            caps = c.getcapabilities()
            check('AUTHINFO' not in caps and 'COMPRESS' in caps, f'{scheme}: the list behind the login: {caps}')
            sent = article(f'by {scheme}')
            c.post(sent)
            number = c.group('local.test')[3]
            _, info = c.body(number)
            equal(b'\r\n'.join(info.lines) + b'\r\n', sent.split(b'\r\n\r\n', 1)[1], f'{scheme}: the body that came back')
            equal(c.head(number)[1].lines.count(f'Subject: by {scheme}'.encode()), 1, f'{scheme}: its subject')
            c.quit()


@with_inn
def news_feed(w):
    """A peer: MODE STREAM, CHECK and TAKETHIS in one burst through STARTTLS, straight to innd (NNTP-04)."""
    with Gateway(w, [('nntp', w.inn.port)]) as g:
        c = upgrade(w, g.port('nntp'), 'nntp')
        ids = [f'<feed.{n}@peer.test>' for n in range(5)]
        c.send(b'MODE STREAM\r\nCHECK %s\r\n' % ids[0].encode())
        check(c.line().startswith('203 '), f'MODE STREAM: {c.transcript}')
        equal(c.line().split()[:2], ['238', ids[0]], 'CHECK')
        c.send(b''.join(b'TAKETHIS %s\r\n' % i.encode() + stuffed(article('fed', i)) for i in ids) + b'DATE\r\n')
        equal([c.line().split()[:2] for _ in ids], [['239', i] for i in ids], 'TAKETHIS')
        check(c.line().startswith('401 '), f'a command behind them, for readers: {c.transcript}')
        c.send(f'IHAVE {ids[0]}\r\nSTARTTLS\r\n')
        check(c.line().startswith('435 '), f'IHAVE: {c.transcript}')
        c.expect('502 STARTTLS not allowed with active TLS layer')
        c.close()
        c = upgrade(w, g.port('nntp'), 'nntp')
        c.send(f'MODE READER\r\nTAKETHIS {ids[1]}\r\nSTARTTLS\r\n.\r\nBODY {ids[4]}\r\n')
        check(c.line().startswith('200 '), f'MODE READER: {c.transcript}')
        c.expect('500 Unknown command')  # a reader's server would take the article for commands
        equal([c.line() for _ in range(6)][1:], ['STARTTLS', '..', '...', 'the end', '.'], 'BODY')
        c.close()


@with_inn
def news_compress(w):
    """COMPRESS DEFLATE inside TLS behind a login: the backend's own, byte for byte (NNTP-10)."""
    with Gateway(w, [('nntps', w.inn.port)]) as g:
        c = Line(g.port('nntps'))
        c.start_tls(w.client_context())
        c.line()
        c.send('COMPRESS DEFLATE\r\n')
        c.expect('500 Unknown command')
        c.send('MODE READER\r\n')
        check(c.line().startswith('200 '), f'MODE READER: {c.transcript}')
        c.send('AUTHINFO USER joe\r\nAUTHINFO PASS secret\r\nCOMPRESS DEFLATE\r\n')
        equal([c.line()[:3] for _ in range(3)], ['381', '281', '206'], 'a login, and compression')
        deflate, inflate = zlib.compressobj(wbits=-15), zlib.decompressobj(wbits=-15)
        c.sock.sendall(deflate.compress(b'LIST ACTIVE\r\nDATE\r\n') + deflate.flush(zlib.Z_SYNC_FLUSH))
        got = b''
        while b'\r\n111 ' not in got or not got.endswith(b'\r\n'):
            got += inflate.decompress(c.sock.recv(65536))
        check(b'local.test ' in got, f'the list: {got!r}')
        c.close()


@with_inn
def news_openssl_and_gnutls(w):
    """Both command-line clients know how to ask: CAPABILITIES, then STARTTLS."""
    with Gateway(w, [('nntp', w.inn.port)]) as g:
        code, out, err = run(['openssl', 's_client', '-connect', f'127.0.0.1:{g.port("nntp")}', '-starttls', 'nntp', '-servername',
                              'mail.test', '-CAfile', str(w.certs / 'ca.crt'), '-verify_return_error', '-crlf', '-ign_eof', '-quiet'],
                             b'MODE READER\nDATE\nQUIT\n', 30)
        check(b'111 ' in out and b'205 ' in out, f'openssl: {code} {out!r} {err!r}')
        code, out, err = run(['gnutls-cli', '--starttls-proto=nntp', '-p', str(g.port('nntp')), '--sni-hostname=mail.test',
                              '--verify-hostname=mail.test', f'--x509cafile={w.certs / "ca.crt"}', '127.0.0.1'],
                             b'MODE READER\r\nDATE\r\nQUIT\r\n', 30)
        check(b'111 ' in out, f'gnutls-cli: {code} {out!r} {err!r}')


@with_inn
def news_in_clear(w):
    """tls=optional: the backend's own greeting and list in clear, without its STARTTLS; passwords are refused."""
    with Gateway(w, [('nntp', w.inn.port)], '--tls', 'optional') as g:
        c = Line(g.port('nntp'))
        check('INN' in c.line(), 'the greeting')
        c.send('MODE READER\r\nCAPABILITIES\r\n')
        check(c.line().startswith('200 '), f'MODE READER: {c.transcript}')
        caps = c.until('.')
        check(caps.count('STARTTLS') == 1 and not any(l.startswith('COMPRESS') for l in caps), f'{caps}')
        equal([l for l in caps if l.startswith('AUTHINFO')], ['AUTHINFO SASL'], 'ways to log in')
        check(not any('PLAIN' in l or 'NTLM' in l or 'DIGEST' in l for l in caps), f'{caps}')
        c.send('AUTHINFO USER joe\r\nGROUP local.test\r\nSTARTTLS\r\n')
        c.expect('483 Encryption or stronger authentication required')
        check(c.line().startswith('211 '), f'GROUP: {c.transcript}')
        c.expect('382 Continue with TLS negotiation')
        c.start_tls(w.client_context())
        c.send('STAT\r\nLISTGROUP local.test\r\n')
        check(c.line().startswith('412 '), f'the group is forgotten (NNTP-08): {c.transcript}')
        check(c.line().startswith('211 '), f'LISTGROUP: {c.transcript}')
        c.until('.')
        c.close()


CASES = [news_python_nntplib, news_feed, news_compress, news_openssl_and_gnutls, news_in_clear]

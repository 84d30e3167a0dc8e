"""Every TLS option of a listener, from the command line and from a file (issue 3's entry points): what it lets in and
what it refuses, asked by openssl s_client; and every --backend option, answered by openssl s_server."""
import hashlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

from mailserver import MailServer
from support import Failure, Gateway, check, equal, free_port, run, serve, wait_for, wait_port

PSK = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f'
TLS12, TLS13 = ('-tls1_2',), ('-tls1_3',)


def prepare(w):
    """Files the options name; {F} in a row is their folder, {C} that of the certificates."""
    if hasattr(w, 'tls_files'):
        return
    w.tls_files = w.folder / 'tls-files'
    w.tls_files.mkdir()
    (w.tls_files / 'psk').touch(0o600)
    (w.tls_files / 'psk').write_text(f'joe:{PSK}\n')
    (w.tls_files / 'secret').touch(0o600)
    (w.tls_files / 'secret').write_bytes(bytes(range(32)))

    def openssl(*argv):
        done = subprocess.run(['openssl', *map(str, argv)], cwd=w.tls_files, capture_output=True, text=True, check=False)
        check(done.returncode == 0, f'openssl {argv}: {done.stderr}')
        return done.stdout

    openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'stranger.key', '-out', 'stranger.crt', '-subj', '/CN=stranger',
            '-days', '2')
    serial = openssl('x509', '-in', w.certs / 'ecdsa-p256.crt', '-noout', '-serial').strip().split('=')[1]
    (w.tls_files / 'index').write_text(f'V\t491231235959Z\t\t{serial}\tunknown\t/CN=x\n')
    openssl('ocsp', '-issuer', w.certs / 'ca.crt', '-cert', w.certs / 'ecdsa-p256.crt', '-no_nonce', '-reqout', 'request')
    openssl('ocsp', '-index', 'index', '-rsigner', w.certs / 'ca.crt', '-rkey', w.certs / 'ca.key', '-CA', w.certs / 'ca.crt', '-reqin',
            'request', '-respout', 'staple', '-ndays', '2')
    der = subprocess.run(['openssl', 'pkey', '-in', str(w.certs / 'ecdsa-p256.key'), '-pubout', '-outform', 'DER'], check=True,
                         capture_output=True).stdout
    w.pin = hashlib.sha256(der).hexdigest()


def filled(w, text):
    return text.format(F=w.tls_files, C=w.certs, PIN=getattr(w, 'pin', ''))


def front(w, how, listen, backend, words, certs=('ecdsa-p256',), port=None):
    """A gateway with one listener: words as options, or the same words in a file."""
    port, words = port or free_port(), {k: filled(w, v) for k, v in words.items()}
    if how == 'options':
        argv = [a for name in certs for a in ('--cert', w.certs / f'{name}.crt', '--key', w.certs / f'{name}.key',
                                              *(('--staple', words['staple']) if 'staple' in words else ()))]
        argv += [a for k, v in words.items() if k != 'staple' for a in (f'--{k}', v)]
        argv += ['--listen', f'{listen}://127.0.0.1:{port}', '--backend', backend]
    else:
        lines = ['defaults {', '  host = "mail.test"', '}']
        for name in certs:
            lines += [f'certificate {name} {{', f'  chain = "{w.certs}/{name}.crt"', f'  key = "{w.certs}/{name}.key"',
                      *([f'  staple = "{words["staple"]}"'] if 'staple' in words else []), '}']
        lines += ['listener one {', f'  listen = "{listen}://127.0.0.1:{port}"', f'  backend = "{backend}"',
                  *[f'  {k} = "{v}"' for k, v in words.items() if k != 'staple'], '}']
        path = w.folder / f'tls-{port}.conf'
        path.write_text('\n'.join(lines) + '\n')
        argv = ['--config', path]
    g = Gateway(w, [], *argv, certs=(), wait=False)
    g.ports['it'] = port
    wait_port(port, g.process)
    return g


def s_client(w, port, options):
    """Says hello, waits for it to come back or for the end: an alert of TLS 1.3 comes after the client's last word."""
    argv = ['openssl', 's_client', '-connect', f'127.0.0.1:{port}', '-CAfile', w.certs / 'ca.crt', '-servername', 'mail.test',
            *[filled(w, o) for o in options]]
    with subprocess.Popen([str(a) for a in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p:
        p.stdin.write(b'hello\n')
        p.stdin.flush()
        out = b''
        while not out.endswith(b'hello\n') and (data := p.stdout.read1(65536)):
            out += data
        try:
            p.stdin.close()
        except BrokenPipeError:
            pass
        return (out + p.stdout.read()).decode(errors='replace')


ME, STRANGER = ('-cert', '{C}/client.crt', '-key', '{C}/client.key'), ('-cert', '{F}/stranger.crt', '-key', '{F}/stranger.key')
CA, REQUEST, REQUIRE = {'client-ca': '{C}/ca.crt'}, {'client-auth': 'request'}, {'client-auth': 'require'}
ANY, THREE = {'client-verify': 'none'}, ('ecdsa-p256', 'rsa2048', 'ed25519')
OLD = ('-tls1_1', '-cipher', 'ALL:@SECLEVEL=0')


def psk12(suite):
    return ('-psk_identity', 'joe', '-psk', PSK, *TLS12, '-cipher', f'{suite}:@SECLEVEL=0')


# words of the listener, certificates, then [s_client's options, what its output must hold ('!': must not)]
SERVER = [
    ({}, THREE, [((), 'CN = ecdsa-p256'), (('-sigalgs', 'RSA-PSS+SHA256'), 'CN = rsa2048'),
                 (('-sigalgs', 'ed25519'), 'CN = ed25519')]),
    ({'profile': 'modern'}, None, [(TLS13, 'New, TLSv1.3'), (TLS12, 'alert protocol version')]),
    ({'profile': 'legacy', 'tls-min': '1.1'}, ('rsa2048',), [(OLD, 'Protocol  : TLSv1.1')]),
    ({'profile': 'intermediate'}, ('rsa2048',), [(OLD, 'alert protocol version')]),
    ({'tls-min': '1.3'}, None, [(TLS12, 'alert protocol version'), (TLS13, 'New, TLSv1.3')]),
    ({'tls-max': '1.2'}, None, [((), 'New, TLSv1.2'), (TLS13, 'alert protocol version')]),
    ({'groups': 'secp384r1'}, None, [((), 'ECDH, secp384r1'), (('-groups', 'X25519'), 'alert handshake failure')]),
    ({'client-auth': 'off'}, None, [(ME, 'No client certificate CA names sent'), (ME, '!Requested Signature Algorithms')]),
    ({**REQUEST, **CA}, None, [((), 'Requested Signature Algorithms'), (ME, 'New, TLSv1.3'), (STRANGER, 'alert unknown ca')]),
    ({**REQUIRE, **CA}, None, [((*TLS12,), 'alert handshake failure'), (TLS13, 'certificate required'), (ME, 'New, TLSv1.3'),
                               ((*STRANGER, *TLS12), 'alert unknown ca')]),
    ({**REQUIRE, **ANY}, None, [(STRANGER, 'New, TLSv1.3'), ((*STRANGER, *TLS12), 'New, TLSv1.2'),
                                (TLS13, 'certificate required')]),
    ({**REQUEST, **ANY}, None, [((), 'New, TLSv1.3'), (STRANGER, 'New, TLSv1.3')]),
    ({'alpn': 'strict', 'alpn-protocols': 'one,two'}, None, [(('-alpn', 'two'), 'ALPN protocol: two'),
                                                             (('-alpn', 'two,one'), 'ALPN protocol: one'),
                                                             (('-alpn', 'three'), 'no application protocol'),
                                                             ((), 'No ALPN negotiated')]),
    ({'alpn': 'lenient', 'alpn-protocols': 'one'}, None, [(('-alpn', 'three'), 'No ALPN negotiated')]),
    ({'sni': 'strict'}, None, [((), 'New, TLSv1.3'), (('-servername', 'unknown.test'), 'unrecognized name')]),
    ({'sni': 'default'}, None, [(('-servername', 'unknown.test'), 'New, TLSv1.3')]),
    ({'require-ems': 'on'}, None, [(TLS12, 'Extended master secret: yes'), (TLS13, 'New, TLSv1.3')]),
    ({'ticket-lifetime': '1234'}, None, [(TLS12, 'ticket lifetime hint: 1234')]),
    ({'resumption': 'off'}, None, [(TLS12, '!TLS session ticket'), (TLS13, '!New Session Ticket arrived')]),
    ({'psk-file': '{F}/psk'}, None, [(('-psk_identity', 'joe', '-psk', PSK), 'no peer certificate'),
                                     (('-psk_identity', 'jim', '-psk', PSK), 'CN = ecdsa-p256'),
                                     (psk12('PSK-AES128-GCM-SHA256'), 'Cipher is PSK-AES128-GCM-SHA256'),
                                     (psk12('ECDHE-PSK-CHACHA20-POLY1305'), 'Cipher is ECDHE-PSK-CHACHA20-POLY1305'),
                                     (psk12('DHE-PSK-AES128-GCM-SHA256'), 'alert handshake failure'),
                                     (psk12('RSA-PSK-AES128-GCM-SHA256'), 'alert handshake failure')]),
    ({'psk-file': '{F}/psk', 'groups': 'x25519,ffdhe3072'}, None, [(psk12('DHE-PSK-AES256-GCM-SHA384'), 'DH, 3072 bits'),
                                                                   (psk12('DHE-PSK-CHACHA20-POLY1305'), 'Cipher is DHE-PSK-CHACHA20-POLY1305')]),
    ({'psk-file': '{F}/psk', 'profile': 'legacy'}, ('rsa2048',), [(psk12('DHE-PSK-AES256-CBC-SHA'), 'Cipher is DHE-PSK-AES256-CBC-SHA'),
                                                                  (psk12('RSA-PSK-AES128-GCM-SHA256'), 'Cipher is RSA-PSK-AES128-GCM-SHA256')]),
    ({'staple': '{F}/staple'}, None, [(('-status',), 'OCSP Response Status: successful'), ((*TLS12, '-status'), 'Cert Status: good')]),
]


def echo():
    """A plaintext echo; closing its listening socket ends it."""
    listening = socket.create_server(('127.0.0.1', 0), backlog=64)

    def copy(s):
        with s:
            try:
                while data := s.recv(65536):
                    s.sendall(data)
            except OSError:
                pass

    serve(listening, lambda s: threading.Thread(target=copy, args=(s,), daemon=True).start())
    return listening


def server_options(w, how):
    prepare(w)
    behind, problems = echo(), []
    for words, certs, asked in SERVER:
        with front(w, how, 'tls', f'127.0.0.1:{behind.getsockname()[1]}', words, certs or ('ecdsa-p256',)) as g:
            for options, want in asked:
                out = s_client(w, g.port('it'), options)
                if (want.lstrip('!') in out) != (want[0] != '!'):
                    problems.append(f'{words} {options}: wanted {want}: {out[:200]} ... {out[-600:]}')
    behind.close()
    check(not problems, '\n'.join(problems))


def listener_words_as_options(w):
    """ENG-05, CERT-*, SNI-*, ALPN-*, OCSP-01, RES-12: each TLS word of a listener, said with --word."""
    server_options(w, 'options')


def listener_words_in_a_file(w):
    """The same in a file's listener block."""
    server_options(w, 'file')


def files_in_der(w):
    """Certificate, key in each wrapping and CA in DER."""
    prepare(w)
    behind, f = echo(), w.tls_files
    for name, wrappings in (('ecdsa-p256', ('pkcs8', 'sec1')), ('rsa2048', ('pkcs8', 'pkcs1')), ('ed25519', ('pkcs8',))):
        subprocess.run(['openssl', 'x509', '-in', w.certs / f'{name}.crt', '-outform', 'DER', '-out', f / f'{name}.crt'], check=True)
        for wrapping in wrappings:
            argv = {'pkcs8': ['pkcs8', '-topk8', '-nocrypt'], 'sec1': ['ec'], 'pkcs1': ['rsa', '-traditional']}[wrapping]
            subprocess.run(['openssl', *argv, '-in', w.certs / f'{name}.key', '-outform', 'DER', '-out', f / f'{name}.{wrapping}'], check=True,
                           capture_output=True)
            (f / f'{name}.{wrapping}').chmod(0o600)
    subprocess.run(['openssl', 'x509', '-in', w.certs / 'ca.crt', '-outform', 'DER', '-out', f / 'ca.der'], check=True)
    for pair in (('ecdsa-p256', 'pkcs8'), ('ecdsa-p256', 'sec1'), ('rsa2048', 'pkcs8'), ('rsa2048', 'pkcs1'), ('ed25519', 'pkcs8')):
        words = {'client-auth': 'require', 'client-ca': '{F}/ca.der', 'cert': f'{{F}}/{pair[0]}.crt', 'key': f'{{F}}/{".".join(pair)}'}
        with front(w, 'options', 'tls', f'127.0.0.1:{behind.getsockname()[1]}', words, ()) as g:
            for options, want in ((ME, f'CN = {pair[0]}'), (ME, 'New, TLSv1.3'), (STRANGER, 'alert unknown ca')):
                out = s_client(w, g.port('it'), options)
                check(want in out, f'{pair} {options}: wanted {want}: {out[-600:]}')
    behind.close()


def tickets_on_demand(w):
    """--tickets N of them in TLS 1.3; one secret, two gateways, one session; a limit on records."""
    prepare(w)
    behind = echo()
    backend = f'127.0.0.1:{behind.getsockname()[1]}'
    for how in ('options', 'file'):
        for n in (0, 1, 3):
            with front(w, how, 'tls', backend, {'tickets': str(n)}) as g:
                out = s_client(w, g.port('it'), TLS13)  # tickets come before the first reply, or with it
                equal(out.count('New Session Ticket arrived'), n, f'{how}: tickets')
        saved, port = w.tls_files / f'session-{how}', free_port()  # a ticket is for one port (ATK-27)
        for arrow, want in (('-sess_out', 'New, TLSv1.2'), ('-sess_in', 'Reused, TLSv1.2')):
            with front(w, how, 'tls', backend, {'ticket-secret': '{F}/secret', 'tls-max': '1.2'}, port=port) as g:
                out = s_client(w, g.port('it'), (arrow, str(saved)))
                check(want in out, f'{how} {arrow}: {out[-800:]}')
        with front(w, how, 'tls', backend, {'record-size-limit': '1000'}) as g:
            _, out, err = run(['gnutls-cli', '-d', '9', '--x509cafile', w.certs / 'ca.crt', '--verify-hostname', 'mail.test', '-p',
                               str(g.port('it')), '127.0.0.1'], b'x' * 5000 + b'\n', 20)
            said = (out + err).decode(errors='replace')
            check('record_size_limit 1001 negotiated' in said, f'{how}: {said[-2000:]}')  # 1.3 counts the type
            sent = [int(n) for n in re.findall(r'Sent Packet\[\d+\] Application Data\(23\) in epoch 2 and length: (\d+)', said)]
            equal(max(sent), 1000 + 1 + 16 + 5, f'{how}: longest record')
    behind.close()


def files_that_change(w):
    """A staple, a ticket secret, pre-shared keys, an authority: replaced where they lie, taken up without an order (PKI-08); a server
    is another one at the next reload, and who is at the old one stays there."""
    prepare(w)
    first, second = echo(), echo()
    ports = [s.getsockname()[1] for s in (first, second)]
    folder = w.folder / 'changing'
    folder.mkdir()
    files = {name: folder / name for name in ('staple', 'secret', 'psk', 'ca')}
    good = {name: (w.tls_files / name).read_bytes() for name in ('staple', 'secret', 'psk')} | {'ca': (w.certs / 'ca.crt').read_bytes()}

    def put(name, data):
        part = folder / 'part'
        part.touch(0o600)
        part.write_bytes(data)
        part.rename(files[name])
    for name, data in good.items():
        put(name, data)
    words = {'staple': str(files['staple']), 'ticket-secret': str(files['secret']), 'psk-file': str(files['psk']), 'client-auth': 'request', 'client-ca': str(files['ca'])}
    session, tls12 = str(folder / 'session'), '-tls1_2'
    with front(w, 'file', 'tls', f'127.0.0.1:{ports[0]}', words) as g:
        port = g.port('it')
        done = lambda n: wait_for(f'generation {n}', lambda: len(g.events('reload.done')) == n - 1)
        psk = ('-psk_identity', 'joe', '-psk', PSK, '-tls1_3')
        stapled = lambda: 'OCSP Response Status: successful' in s_client(w, port, ('-status',))
        equal((stapled(), 'Reused' in s_client(w, port, psk), 'New, TLSv1.3' in s_client(w, port, ME)), (True, True, True), 'as it began')
        check('New, TLSv1.2' in s_client(w, port, ('-sess_out', session, tls12)), 'a session')
        old = socket.create_connection(('127.0.0.1', port))
        old = w.client_context().wrap_socket(old, server_hostname='mail.test')
        # n: what changes, what a client sees then
        put('staple', b'no response')
        done(2)
        check(not stapled() and any('staple' in str(e) for e in g.events('config.notice')), 'a staple that is none: left out, and said')
        check('Reused, TLSv1.2' in s_client(w, port, ('-sess_in', session, tls12)), 'the session is taken up again')
        put('staple', good['staple'])
        done(3)
        check(stapled(), 'stapled again')
        put('secret', bytes(range(1, 33)))
        done(4)
        check('New, TLSv1.2' in s_client(w, port, ('-sess_in', session, tls12)), 'a ticket of the old secret: a full handshake')
        put('psk', b'ann:' + PSK[::-1].encode() + b'\n')
        done(5)
        check('Reused' not in s_client(w, port, psk), 'a key that is no more')
        put('ca', (w.tls_files / 'stranger.crt').read_bytes())
        done(6)
        check('alert unknown ca' in s_client(w, port, ME), 'an authority that is no more')
        put('secret', b'short')
        wait_for('a refusal', lambda: g.events('reload.refused'))
        check('shorter than 32' in g.events('reload.refused')[0]['problem'], 'the reason')
        path = w.folder / f'tls-{port}.conf'
        put('secret', good['secret'])
        path.write_text(path.read_text().replace(f'127.0.0.1:{ports[0]}', f'127.0.0.1:{ports[1]}'))
        g.process.send_signal(signal.SIGHUP)
        done(7)
        first.close()
        check('hello' in s_client(w, port, ()), 'the other server')
        old.sendall(b'still there\n')
        equal(old.recv(100), b'still there\n', 'who was there')
        old.close()
    equal({e['backend'].rsplit(':', 1)[1] for e in g.events('session.end')[-2:]}, {str(n) for n in ports}, 'who went where')
    second.close()


# words toward the backend, s_server's options, and how the session ends: None is well, or the code of the log
TO_CA = {'backend-ca': '{C}/ca.crt', 'backend-name': 'mail.test'}
ASK = ('-Verify', '1', '-CAfile', '{C}/ca.crt', '-verify_return_error')
CLIENT = [
    (TO_CA, (), None),
    ({**TO_CA, 'backend-ca': '{F}/stranger.crt'}, (), 'X509_UNKNOWN_CA'),
    ({**TO_CA, 'backend-name': 'elsewhere.test'}, (), 'X509_NAME_MISMATCH'),
    ({**TO_CA, 'backend-name': 'elsewhere.test', 'backend-verify': 'chain'}, (), None),
    ({'backend-verify': 'pin', 'backend-pin': '{PIN}'}, (), None),
    ({'backend-verify': 'pin', 'backend-pin': '00' * 32}, (), 'TLS_PIN'),
    ({'backend-verify': 'none'}, (), None),
    ({**TO_CA, 'backend-cert': '{C}/client.crt', 'backend-key': '{C}/client.key'}, ASK, None),
    (TO_CA, ASK, 'TLS_PEER_ALERT'),
    ({**TO_CA, 'backend-profile': 'modern'}, ('-tls1_2',), 'TLS_PEER_ALERT'),
    ({**TO_CA, 'backend-profile': 'legacy', 'backend-tls-min': '1.1'}, ('-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'), None),
    (TO_CA, ('-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'), 'TLS_PEER_ALERT'),
    ({**TO_CA, 'backend-tls-min': '1.3'}, ('-tls1_2',), 'TLS_PEER_ALERT'),
    ({**TO_CA, 'backend-tls-max': '1.2'}, ('-tls1_3',), 'TLS_PEER_ALERT'),
    ({**TO_CA, 'backend-alpn': 'one,two'}, ('-alpn', 'two'), None),
    ({**TO_CA, 'backend-alpn': 'one'}, ('-alpn', 'two'), 'TLS_PEER_ALERT'),  # ALPN-03
    ({**TO_CA, 'backend-groups': 'secp521r1'}, ('-groups', 'P-521'), None),
    ({**TO_CA, 'backend-groups': 'secp521r1'}, ('-groups', 'P-256'), 'TLS_PEER_ALERT'),
    ({**TO_CA, 'backend-psk-file': '{F}/psk'}, ('-psk_identity', 'joe', '-psk', PSK, '-nocert'), None),
]


def through(port, seconds=10):
    """Sends a line in plaintext; what comes back, b'' if the gateway closes."""
    try:
        with socket.create_connection(('127.0.0.1', port), seconds) as s:
            s.sendall(b'abc\n')
            got = b''
            while not got.endswith(b'\n') and (data := s.recv(4096)):
                got += data
            return got
    except ConnectionResetError:
        return b''


def backend_options(w, how):
    prepare(w)
    problems = []
    for words, options, want in CLIENT:
        if how == 'file' and want:  # a refusal takes the closing line its time; the words are the same
            continue
        port = free_port()
        certificate = () if '-nocert' in options else ('-cert', '{C}/{K}.crt', '-key', '{C}/{K}.key')
        kind = 'rsa2048' if '-tls1_1' in options else 'ecdsa-p256'
        server = w.start(['openssl', 's_server', '-accept', f'127.0.0.1:{port}', '-rev',
                          *[filled(w, o.replace('{K}', kind)) for o in (*certificate, *options)]], f's_server-{port}.log')
        wait_port(port, server)
        try:
            with front(w, how, 'tcp', f'tls://127.0.0.1:{port}', words, ()) as g:
                got = through(g.port('it'))
                code = g.session()['code'] if got == b'' else None
                if code != want or (want is None and got != b'cba\n'):
                    problems.append(f'{words} {options}: {got!r}, {code}, wanted {want}')
        except Failure as e:
            problems.append(f'{words} {options}: {e}')
        w.stop(server)
    check(not problems, '\n'.join(problems))


def backend_words_as_options(w):
    """PKI-*: each TLS word toward the backend, said with --word."""
    backend_options(w, 'options')


def backend_words_in_a_file(w):
    """The same in a file's listener block."""
    backend_options(w, 'file')


def alerts_are_not_lost_to_a_reset(w):
    """ALR-06: a client that goes on talking behind its mistake reads why the connection ended, and then the end of it: no
    reset, which a close with bytes unread would be, throws the alert away. Mistakes with and without keys."""
    serverhello_to_a_server = b'\x16\x03\x01\x00\x04\x02\x00\x00\x00'
    plaintext = b'a1 LOGIN joe secret\r\n'
    server = MailServer()
    try:
        with Gateway(w, [('imaps', server.port['imap'])]) as g:
            for mistake in serverhello_to_a_server, plaintext:
                with socket.create_connection(('127.0.0.1', g.port('imaps')), timeout=10) as s:
                    s.sendall(mistake + bytes(200000))
                    got = b''
                    for _ in range(20):
                        time.sleep(0.02)
                        try:
                            s.sendall(bytes(5000))
                        except OSError:
                            break
                    while data := s.recv(65536):
                        got += data
                    equal((got[:1], got[3:]), (b'\x15', b'\x00\x02\x02\x0a'), f'what came back for {mistake[:4]!r}')
    finally:
        server.stop()


def key_log_in_debug_builds_alone(w):
    """ENG-07: SSLKEYLOGFILE's lines are OpenSSL's; a release neither writes them nor knows their labels."""
    labels = (b'CLIENT_HANDSHAKE_TRAFFIC_SECRET', b'CLIENT_TRAFFIC_SECRET_0', b'SSLKEYLOGFILE')
    ours, theirs = w.folder / 'keys-ours', w.folder / 'keys-theirs'
    server = MailServer()
    try:
        for program, logs in ((w.gateway_program, True), (w.release_program, False)):
            equal([label in pathlib.Path(program).read_bytes() for label in labels], [logs] * 3, f'labels in {program}')
            os.environ['SSLKEYLOGFILE'] = str(ours)
            try:
                g = Gateway(w, [('imaps', server.port['imap'])], program=program)
            finally:
                del os.environ['SSLKEYLOGFILE']
            with g:
                for version in ('-tls1_3', '-tls1_2'):
                    run(['openssl', 's_client', '-connect', f'127.0.0.1:{g.port("imaps")}', version, '-keylogfile', str(theirs), '-quiet',
                         '-ign_eof'], b'z LOGOUT\r\n', 20)
            if logs:
                mine, others = set(ours.read_text().split('\n')), {x for x in theirs.read_text().split('\n') if not x.startswith('#')}
                check(len(others) == 7 and others <= mine, f'{others - mine} of OpenSSL are not among ours')
                equal(ours.stat().st_mode & 0o777, 0o600, 'mode')
                ours.unlink()
            else:
                check(not ours.exists(), 'a release wrote keys')
    finally:
        server.stop()


CASES = [alerts_are_not_lost_to_a_reset, files_in_der, key_log_in_debug_builds_alone, listener_words_as_options, listener_words_in_a_file, tickets_on_demand, files_that_change, backend_words_as_options, backend_words_in_a_file]

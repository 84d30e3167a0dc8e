"""hauberk probe: what it finds in good and bad servers, and that it harms none (ATK-48)."""
import hashlib
import json
import socket
import ssl
import subprocess

from cases_upstream import server_context
from mailserver import MailServer
from support import check, equal, free_port, run


def probe(w, *words, seconds=60):
    code, out, err = run([str(w.gateway_program), 'probe', *map(str, words)], b'', seconds)
    check(b'Sanitizer' not in err and b'runtime error' not in err, err.decode())
    return code, out.decode(), err.decode()


def findings(w, *words):
    """(exit code, findings, the object) of one server."""
    code, out, err = probe(w, '--json', '--ca', w.certs / 'ca.crt', '--timeout', '5', *words)
    check(out.count('\n') == 1, f'{code} {out} {err}')
    found = json.loads(out)
    return code, found.get('findings', ''), found


def spki(w, name):
    der = subprocess.run(['openssl', 'pkey', '-in', str(w.certs / f'{name}.key'), '-pubout', '-outform', 'DER'], check=True,
                         capture_output=True).stdout
    return hashlib.sha256(der).hexdigest()


class Server:
    """A mail server with these faults, for the length of a case."""

    def __init__(self, **faults):
        self.faults = faults

    def __enter__(self):
        self.server = MailServer(self.faults)
        return self.server

    def __exit__(self, *_):
        self.server.stop()


def probe_good_servers(w):
    """Every protocol with a client face, by STARTTLS; the transcript on the server's side is the small script and no more."""
    said = {'imap': ('CAPABILITY', 'STARTTLS', 'LOGOUT'), 'pop3': ('CAPA', 'STLS', 'QUIT'), 'smtp': ('EHLO', 'STARTTLS', 'QUIT'),
            'submission': ('EHLO', 'STARTTLS', 'QUIT'), 'acap': ('STARTTLS', 'LOGOUT')}
    for scheme, words in said.items():
        with Server(tls=server_context(w)) as server:
            port = server.port['smtp' if scheme == 'submission' else scheme]
            code, found, report = findings(w, f'{scheme}://localhost:{port}')
            equal((code, found, report['result']), (0, '', 'good'), f'{scheme}: {report}')
            check(report['version'] == 'TLSv1.3' and report['pkix'] == 'OK' and report['starttls'] == 'offered, taken', str(report))
            heard = server.received['smtp' if scheme == 'submission' else scheme]
            commands = [line.split()[-1 if scheme in ('imap', 'acap') else 0] for line in heard.decode(errors='replace').splitlines()]
            check([c for c in commands if c not in words] == [], f'{scheme}: {commands}')
            equal((commands.count(words[-2]), commands[-1]), (1, words[-1]), f'{scheme}: {commands}')
    context = server_context(w)
    with Server(tls=context) as server:
        code, out, _ = probe(w, '--ca', w.certs / 'ca.crt', f'imap://localhost:{server.port["imap"]}', f'pop3://localhost:{server.port["pop3"]}')
        equal((code, out.count('\n  result       good\n'), out.count('offered, taken')), (0, 2, 2), out)


def probe_names(w):
    """SNI is the host's name, without a last dot, and never an address (SNI-02)."""
    asked = []
    context = server_context(w)
    context.sni_callback = lambda sock, name, ctx: asked.append(name)
    with Server(tls=context) as server:
        for host, name in (('localhost', 'localhost'), ('localhost.', 'localhost'), ('127.0.0.1', None)):
            equal(findings(w, f'smtp://{host}:{server.port["smtp"]}')[:2], (0, ''), host)
            equal(asked[-1], name, f'server_name for {host}')
        equal(findings(w, '--name', 'mail.test', f'smtp://localhost:{server.port["smtp"]}')[0], 0, '--name')
        equal(asked[-1], 'mail.test', 'server_name for --name')
        equal(findings(w, '--name', 'mail.test', '--tlsa', f'3 1 1 {spki(w, "ecdsa-p256")}', f'smtp://localhost:{server.port["smtp"]}')[0], 0, 'DANE')
        equal(asked[-1], 'localhost', 'server_name where a TLSA record counts (DANE-03)')


def probe_bad_certificates(w):
    rows = [('other', (), 1, 'certificate-host-mismatch'), ('expired', (), 1, 'certificate-expired'),
            ('future', (), 1, 'certificate-not-trusted'), ('soon', (), 1, 'certificate-expires-soon'),
            ('other', ('--name', 'other.test'), 0, ''),
            # RFC 7672: a DANE-EE record makes names, dates and authorities irrelevant
            ('other', ('--tlsa', f'3 1 1 {spki(w, "other")}'), 0, ''), ('expired', ('--tlsa', f'3 1 1 {spki(w, "expired")}'), 0, ''),
            ('ecdsa-p256', ('--tlsa', f'3 1 1 {spki(w, "other")}'), 1, 'tlsa-invalid'),
            ('ecdsa-p256', ('--tlsa', '1 1 1 ' + '00' * 32), 0, ''),  # not usable: TLS is a must, and it was there
            # CERT-03: the next-hop domain is a reference only if the operator says that it was learnt securely
            ('other', ('--tlsa', f'2 1 1 {spki(w, "ca")}'), 1, 'certificate-host-mismatch tlsa-invalid')]
    for name, words, code, found in rows:
        with Server(tls=server_context(w, name)) as server:
            got = findings(w, *words, f'smtp://localhost:{server.port["smtp"]}')
            equal(got[:2], (code, found), f'{name} {words}: {got[2]}')
    with Server(tls=server_context(w)) as server:
        code, out, err = probe(w, f'smtp://localhost:{server.port["smtp"]}')  # the system's authorities know nothing of ours
        check(code == 1 and 'certificate-not-trusted' in out and 'result' not in out, f'{code} {out} {err}')


def probe_dane_authority(w):
    """DANE-TA with the authority in the chain the server shows."""
    chain = w.folder / 'with-ca.pem'
    for name, words, code, found in (('ecdsa-p256', (), 0, ''), ('other', (), 1, 'certificate-host-mismatch tlsa-invalid'),
                                     ('other', ('--next-hop', 'other.test'), 0, '')):
        chain.write_text((w.certs / f'{name}.crt').read_text() + (w.certs / 'ca.crt').read_text())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, w.certs / f'{name}.key')
        with Server(tls=context) as server:
            got = findings(w, '--tlsa', f'2 1 1 {spki(w, "ca")}', *words, f'smtp://localhost:{server.port["smtp"]}')
            equal(got[:2], (code, found), f'{name} {words}: {got[2]}')


def probe_policies(w):
    """MTA-STS (STS-03) and REQUIRETLS (RTLS-01)."""
    policy = w.folder / 'mta-sts.txt'

    def look(mx, mode, *words, cert='ecdsa-p256', host='localhost'):
        policy.write_bytes(f'version: STSv1\r\nmode: {mode}\r\nmx: {mx}\r\nmax_age: 86400\r\n'.encode())
        with Server(tls=server_context(w, cert), ehlo=['250-REQUIRETLS']) as server:
            code, found, report = findings(w, '--sts-policy', policy, *words, f'smtp://{host}:{server.port["smtp"]}')
            return code, found, report.get('requiretls')

    equal(look('localhost', 'enforce'), (0, '', 'usable'), 'enforce, and all is well')
    equal(look('localhost', 'testing'), (0, '', 'offered, not usable'), 'a policy in testing makes nobody sure of the MX')
    equal(look('mx.example.com', 'enforce'), (1, 'sts-policy-invalid', 'offered, not usable'), 'another MX')
    equal(look('mx.example.com', 'testing'), (1, 'sts-policy-invalid', 'offered, not usable'), 'another MX, to be reported')
    equal(look('mx.example.com', 'none'), (0, '', 'offered, not usable'), 'no policy')
    equal(look('localhost', 'enforce', cert='other'), (1, 'certificate-host-mismatch sts-webpki-invalid', 'offered, not usable'),
          'a certificate of another name')
    equal(look('localhost', 'enforce', '--name', 'other.test', cert='other'), (1, 'sts-webpki-invalid', 'offered, not usable'),
          '--name does not change whom the policy names')
    tlsa = ('--tlsa', f'3 1 1 {spki(w, "other")}')
    equal(look('localhost', 'none', *tlsa, cert='other'), (0, '', 'usable'), 'verified by DANE')
    policy.write_text('version: STSv1\nmode: enforced\n')
    code, out, err = probe(w, '--sts-policy', policy, 'smtp://localhost:25')
    check(code == 2 and f'{policy}:2' in err and out == '', f'{code} {out} {err}')


def probe_bad_servers(w):
    """Each kind of bad server is told apart from the others (ATK-48), and told with its word (RPT-01)."""
    tls = server_context(w)
    rows = [({}, 'imap', 'starttls-not-supported', 'not offered'),
            ({'tls': tls, 'answer': b'454 4.7.0 no TLS today\r\n'}, 'smtp', 'starttls-not-supported', 'offered, then refused'),
            ({'tls': tls, 'answer': b'999 what\r\n'}, 'smtp', 'starttls-not-supported', 'no answer that the protocol knows'),
            ({'tls': tls, 'behind': b'a OK injected\r\n'}, 'smtp', 'injected-data', 'the go-ahead, and bytes behind it'),
            ({'tls': tls, 'greet': b'* PREAUTH welcome back\r\n'}, 'imap', 'preauth', 'not tried: somebody is logged in already'),
            ({'hang': True}, 'pop3', 'no-answer', 'not reached'),
            ({'greet': b'SSH-2.0-OpenSSH_9.2\r\n'}, 'smtp', 'not-this-protocol', 'not reached'),
            ({'greet': b'554 go away\r\n'}, 'smtp', 'unreachable', 'not reached'),
            ({'tls': tls, 'hidden': True}, 'smtp', '', 'not listed, and works')]
    for faults, scheme, found, starttls in rows:
        with Server(**faults) as server:
            code, got, report = findings(w, f'{scheme}://localhost:{server.port[scheme]}')
            equal((got, report['starttls'], code), (found, starttls, 1 if found else 0), f'{faults} {report}')
    code, got, _ = findings(w, f'smtp://127.0.0.1:{free_port()}')
    equal((code, got), (1, 'unreachable'), 'nobody there')
    with socket.create_server(('127.0.0.1', 0)) as plain:  # an implicit port that speaks plaintext
        import threading
        threading.Thread(target=lambda: plain.accept()[0].sendall(b'* OK no TLS here\r\n'), daemon=True).start()
        code, got, report = findings(w, f'imaps://127.0.0.1:{plain.getsockname()[1]}')
        equal((code, got), (1, 'validation-failure'), str(report))


def probe_words(w):
    for words, text in (((), 'which server'), (('imap',), 'not a URL'), (('ftp://x',), 'not a URL'),
                        (('tls://localhost',), 'HOST:PORT'), (('imap://localhost:0',), 'HOST:PORT'),
                        (('--tlsa', '3 1 1', 'smtp://localhost'), '--tlsa'), (('--nonsense', 'smtp://localhost'), 'unknown option'),
                        (('--ca',), 'a value follows'), (('--ca', '/nowhere', 'smtp://localhost'), '/nowhere'),
                        (('--profile', 'best', 'smtp://localhost'), 'profile'), (('--timeout', '0', 'smtp://localhost'), 'timeout'),
                        (('smtp://no-such-host.invalid',), 'no-such-host.invalid')):
        code, out, err = probe(w, *words)
        check(code == 2 and text in err and out == '', f'{words}: {code} {out} {err}')
    code, out, _ = probe(w, '--help')
    check(code == 0 and 'Exit code' in out, out)


CASES = [probe_good_servers, probe_names, probe_bad_certificates, probe_dane_authority, probe_policies, probe_bad_servers, probe_words]

"""HTTP/1.1 with Upgrade to TLS (RFC 2817), in front of Python's HTTP server and of CUPS; clients: sockets, curl, and the one of CUPS."""
import ctypes
import http.server
import os
import shutil
import threading

from cases_pool import Pooled, wait_event
from cases_probe import findings
from cases_upstream import trust
from support import ROOT, Gateway, Line, check, equal, free_port, run, wait_for, wait_port


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        with self.server.lock:
            self.server.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
        length = int(self.headers.get('Content-Length', 0))
        text = f'{self.command} {self.path} {self.rfile.read(length).decode()}\n'.encode() if self.command != 'OPTIONS' else b''
        self.send_response(200)
        self.send_header('Upgrade', 'TLS/1.2')
        self.send_header('Content-Length', str(len(text)))
        self.end_headers()
        self.wfile.write(b'' if self.command == 'HEAD' else text)

    do_POST = do_OPTIONS = do_HEAD = do_GET

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        self.lock, self.seen, self.links = threading.Lock(), [], 0
        super().__init__(('127.0.0.1', 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass  # clients that leave

    def process_request(self, *args):
        with self.lock:
            self.links += 1
        super().process_request(*args)


def with_server(case):
    def wrapped(w):
        server = Server()
        try:
            case(w, server, server.server_address[1])
        finally:
            server.shutdown()
            server.server_close()

    wrapped.__name__ = case.__name__
    return wrapped


ASK = 'Host: mail.test\r\nUpgrade: TLS/1.2\r\nConnection: Upgrade\r\n\r\n'


def read_answer(c):
    """Status line, fields, text."""
    lines = [c.line()]
    while lines[-1]:
        lines.append(c.line())
    fields = dict(line.lower().split(': ', 1) for line in lines[1:-1])
    length = int(fields.get('content-length', 0))
    while len(c.buffer) < length:
        c.buffer += c.sock.recv(65536)
    text, c.buffer = c.buffer[:length], c.buffer[length:]
    return lines[0], fields, text


@with_server
def http_upgrade(w, server, port):
    """426, then OPTIONS * on the same connection, the answer inside TLS, and more requests there (HTTP-01 to HTTP-05)."""
    with Gateway(w, [('http', port)]) as g:
        c = Line(g.port('http'))
        c.send('GET /secret HTTP/1.1\r\nHost: mail.test\r\nCookie: evil\r\n\r\n')
        status, fields, _ = read_answer(c)
        equal((status, fields['upgrade'], fields['connection']), ('HTTP/1.1 426 Upgrade Required', 'tls/1.2, http/1.1', 'upgrade'), '426')
        c.send('OPTIONS * HTTP/1.1\r\n' + ASK)
        status, fields, _ = read_answer(c)
        equal((status, fields), ('HTTP/1.1 101 Switching Protocols', {'upgrade': 'tls/1.2, http/1.1', 'connection': 'upgrade'}), '101')
        equal((server.links, server.seen), (0, []), 'the backend before TLS')
        c.start_tls(w.client_context(check_hostname=True))
        equal(read_answer(c)[0], 'HTTP/1.1 200 OK', 'the answer inside TLS')
        c.send('POST /form HTTP/1.1\r\nHost: mail.test\r\nContent-Length: 5\r\n\r\nhello')
        equal(read_answer(c)[2], b'POST /form hello\n', 'the next one')
        c.close()
        equal([(verb, path) for verb, path, _ in server.seen], [('OPTIONS', '*'), ('POST', '/form')], 'requests at the backend')
        check('upgrade' not in server.seen[0][2] and 'connection' not in server.seen[0][2], f'{server.seen[0]}')
        equal(server.links, 1, 'links')


@with_server
def http_injection(w, server, port):
    """A request behind the one that asks for TLS: an alert, the end, and the backend saw nothing (GEN-03)."""
    with Gateway(w, [('http', port)]) as g:
        c = Line(g.port('http'))
        c.send('OPTIONS * HTTP/1.1\r\n' + ASK + 'GET /evil HTTP/1.1\r\nHost: mail.test\r\n\r\n')
        equal(read_answer(c)[0], 'HTTP/1.1 101 Switching Protocols', '101')
        got = c.rest()
        check(got[:1] == b'\x15' and got[5:7] == b'\x02\x0a' and len(got) == 7, f'behind it: {got!r}')
        c.close()
        equal(g.session()['code'], 'PROTO_INJECTION', 'the log')
        equal((server.links, server.seen), (0, []), 'the backend')


@with_server
def http_optional(w, server, port):
    """In clear: one request a connection, no credentials; curl in clear and through https; an upgrade as before."""
    with Gateway(w, [('http', port), ('https', port)], '--tls', 'optional') as g:
        url = f'http://127.0.0.1:{g.port("http")}/plain'
        code, out, err = run(['curl', '-sS', '-d', 'hello', url], b'', 20)
        equal((code, out), (0, b'POST /plain hello\n'), f'curl: {err!r}')
        equal(server.seen[-1][2]['connection'], 'close', 'what the backend is told')
        code, out, err = run(['curl', '-sS', '-i', '-u', 'joe:secret', url], b'', 20)
        check(code == 0 and out.startswith(b'HTTP/1.1 426 '), f'curl with a password: {code} {out!r} {err!r}')
        code, out, err = run(['curl', '-sSI', url], b'', 20)
        check(b'200 OK' in out and b'Upgrade' not in out and b'Connection: close' in out, f'curl -I: {out!r} {err!r}')
        code, out, err = run(['curl', '-sS', '--cacert', str(w.certs / 'ca.crt'), '--http1.1', '--resolve',
                              f'mail.test:{g.port("https")}:127.0.0.1', f'https://mail.test:{g.port("https")}/tls'], b'', 20)
        equal((code, out), (0, b'GET /tls \n'), f'curl, https: {err!r}')
        c = Line(g.port('http'))
        c.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET /evil HTTP/1.1\r\nHost: a\r\n\r\n')
        equal(read_answer(c)[2], b'POST / hi\n', 'the answer')
        equal(c.rest(), b'', 'behind it')
        c.close()
        check(all(path != '/evil' for _, path, _ in server.seen), 'a second request reached the backend')
        c = Line(g.port('http'))
        c.send('GET /up HTTP/1.1\r\n' + ASK)
        equal(read_answer(c)[0], 'HTTP/1.1 101 Switching Protocols', '101')
        c.start_tls(w.client_context())
        equal(read_answer(c)[2], b'GET /up \n', 'the answer inside TLS')
        c.close()


@with_server
def http_slow_backend_and_none(w, server, port):
    """A server that has nobody to greet is not waited for; where none is, 502 in clear and inside TLS (R15)."""
    with Gateway(w, [('http', port)], '--tls', 'optional') as g:
        c = Line(g.port('http'))
        c.send('GET / HT')
        c.send('TP/1.1\r\nHost: a\r\n\r\n')
        equal(read_answer(c)[2], b'GET / \n', 'the answer')
        c.close()
    server.shutdown()
    server.server_close()
    with Gateway(w, [('http', port)]) as g:
        c = Line(g.port('http'))
        c.send('OPTIONS * HTTP/1.1\r\n' + ASK)
        read_answer(c)
        c.start_tls(w.client_context())
        equal(read_answer(c)[0], 'HTTP/1.1 502 Bad Gateway', 'inside TLS')
        equal(c.rest(), b'', 'behind it')
        c.close()


@with_server
def http_cups(w, server, port):
    """The client of CUPS, which prints with RFC 2817: it asks for TLS with OPTIONS *, then goes on inside."""
    cups = ctypes.CDLL('libcups.so.2')
    cups.httpConnectEncrypt.restype = ctypes.c_void_p
    cups.httpConnectEncrypt.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_int]
    for call in (cups.httpIsEncrypted, cups.httpClose, cups.httpUpdate):
        call.argtypes = [ctypes.c_void_p]
    cups.httpGet.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    with Gateway(w, [('http', port)]) as g:
        http = cups.httpConnectEncrypt(b'127.0.0.1', g.port('http'), 2)  # HTTP_ENCRYPTION_REQUIRED
        check(http, 'httpConnectEncrypt: no connection')
        check(cups.httpIsEncrypted(http), 'it is not in TLS')
        equal(cups.httpGet(http, b'/printers/'), 0, 'httpGet')
        status = 100
        while status == 100:
            status = cups.httpUpdate(http)
        equal(status, 200, 'httpUpdate')
        cups.httpClose(http)
    equal([(verb, path) for verb, path, _ in server.seen], [('OPTIONS', '*'), ('GET', '/printers/')], 'requests at the backend')


@with_server
def http_upgrade_on_both_legs(w, server, port):
    """The backend's link begins with an upgrade of its own; the answer to that is nobody's (HTTP-02, CLI-04)."""
    with Gateway(w, [('http', port)]) as inner:
        url = f'http+starttls://127.0.0.1:{inner.port("http")}'
        with Gateway(w, [('http', url), ('https', url)], *trust(w)) as g:
            c = Line(g.port('http'))
            c.send('OPTIONS * HTTP/1.1\r\n' + ASK)
            equal(read_answer(c)[0], 'HTTP/1.1 101 Switching Protocols', '101')
            c.start_tls(w.client_context())
            equal(read_answer(c)[0], 'HTTP/1.1 200 OK', 'the answer inside TLS')
            c.send('POST /form HTTP/1.1\r\nHost: mail.test\r\nContent-Length: 5\r\n\r\nhello')
            equal(read_answer(c)[2], b'POST /form hello\n', 'the next one')
            c.close()
            code, out, err = run(['curl', '-sS', '--cacert', str(w.certs / 'ca.crt'), '--http1.1', '--resolve',
                                  f'mail.test:{g.port("https")}:127.0.0.1', f'https://mail.test:{g.port("https")}/tls'], b'', 20)
            equal((code, out), (0, b'GET /tls \n'), f'curl: {err!r}')
            seen = [(verb, path) for verb, path, _ in server.seen]
            equal(seen, [('OPTIONS', '*'), ('OPTIONS', '*'), ('POST', '/form'), ('OPTIONS', '*'), ('GET', '/tls')], 'requests')
            equal([inner.session(i)['alpn'] for i in (1, 2)], ['http/1.1', 'http/1.1'], 'both links')
        # Python's server does not know Upgrade: nothing of the client's goes on in clear
        with Gateway(w, [('https', f'http+starttls://127.0.0.1:{port}')], *trust(w)) as g:
            c = Line(g.port('https'))
            c.start_tls(w.client_context())
            c.send('GET /secret HTTP/1.1\r\nHost: mail.test\r\n\r\n')
            equal(read_answer(c)[0], 'HTTP/1.1 502 Bad Gateway', 'no TLS, no answer')
            c.close()
            # it lists Upgrade and answers 200, perhaps before the request is read: then the session has had no bytes
            wait_for('the log', lambda: 'PEER_STARTTLS_REFUSED' in [e['code'] for e in g.events('session.end')])
            check(all(path != '/secret' for _, path, _ in server.seen), 'it went on in clear')


@with_server
def http_probe(w, server, port):
    """hauberk probe: a server that upgrades, and one that says so and does not."""
    with Gateway(w, [('http', port)]) as g:
        code, found, report = findings(w, f'http://localhost:{g.port("http")}')
        equal((code, found, report['result'], report['starttls']), (0, '', 'good', 'offered, taken'), f'{report}')
    code, found, report = findings(w, f'http://localhost:{port}')
    equal((code, found), (1, 'starttls-not-supported'), f'{report}')


@with_server
def http_health_checks(w, server, port):
    """OPTIONS * in clear, and through an upgrade."""
    with Gateway(w, [('http', port)]) as inner:
        for url in f'http://127.0.0.1:{port}', f'http+starttls://127.0.0.1:{inner.port("http")}':
            none = f'{url.rsplit(":", 1)[0]}:{free_port()}'
            asked = len(server.seen)
            with Pooled(w, [url, none], 'health-check = 1', f'backend-ca = "{w.certs}/ca.crt"', 'backend-name = "mail.test"',
                        schemes=('http',)) as g:
                down = wait_event(g, 'server.down', 1, url)
                equal({e['server'] for e in down}, {none}, f'{url}: who is down')
                equal({(verb, path) for verb, path, _ in server.seen[asked:]}, {('OPTIONS', '*')}, f'{url}: the question')


def http_cupsd(w):
    """The server of CUPS, which answers RFC 2817 itself: an upgrade on each leg."""
    check(os.getuid() == 0, 'cupsd starts only as root here (it wants to be the user lp)')
    folder, port, root = w.folder / 'cups', free_port(), ROOT / 'build/cups'
    for sub in ('ssl', 'state', 'cache', 'spool', 'log'):
        (folder / sub).mkdir(parents=True)
    for end in 'crt', 'key':
        shutil.copy(w.certs / f'ecdsa-p256.{end}', folder / f'ssl/localhost.{end}')
    (folder / 'files.conf').write_text(f"""
ServerRoot {folder}
ServerKeychain {folder}/ssl
StateDir {folder}/state
CacheDir {folder}/cache
RequestRoot {folder}/spool
DataDir {root}/usr/share/cups
ServerBin {root}/usr/lib/cups
DocumentRoot {root}/usr/share/cups/doc-root
ErrorLog {folder}/log/error
AccessLog {folder}/log/access
PageLog {folder}/log/page
User lp
Group lp
SystemGroup sys
""")
    (folder / 'cupsd.conf').write_text(f"""
Listen 127.0.0.1:{port}
ServerName localhost
HostNameLookups Off
Browsing No
WebInterface No
<Location />
Order allow,deny
Allow all
Encryption Required
</Location>
""")
    cupsd = w.start([root / 'usr/sbin/cupsd', '-f', '-c', folder / 'cupsd.conf', '-s', folder / 'files.conf'], 'cupsd.out')
    wait_port(port, cupsd)
    url = f'http+starttls://localhost:{port}'
    with Gateway(w, [('http', url)], *trust(w)) as g:
        c = Line(g.port('http'))
        c.send('OPTIONS * HTTP/1.1\r\n' + ASK.replace('mail.test', 'localhost'))
        equal(read_answer(c)[0], 'HTTP/1.1 101 Switching Protocols', '101')
        c.start_tls(w.client_context())
        equal(read_answer(c)[0], 'HTTP/1.1 200 OK', 'the answer inside TLS')
        c.send('GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n')
        status, fields, _ = read_answer(c)
        check(status == 'HTTP/1.1 404 Not Found' and fields['server'].startswith('cups/'), f'{status} {fields}')
        c.close()


CASES = [http_upgrade, http_injection, http_optional, http_slow_backend_and_none, http_cups, http_upgrade_on_both_legs,
         http_probe, http_health_checks, http_cupsd]

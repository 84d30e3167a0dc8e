"""Peers that are command line tools: OpenSSL and GnuTLS. What one cannot do has its reason here."""
import pathlib
import subprocess
import threading

from harness import LINE, PSK_ID, PSK_KEY, Started, check, dh_file, exchange, talk


class Peer:
    """name: column. quick: part of every test run. lacks(): why a cell is not tried, or None.
    connect(): the client, through to the end. serve(): starts the server. exchange(): our half toward it."""
    quick = False
    package, tree = '', '/'  # Debian's, which is asked for the version in the tree
    answer = 'echo'
    chance = ()  # names of rows that it cannot be told, and that may come out all the same
    greeted = False  # its client waits for a word of the server, and for the ticket that comes with it

    def prepare(self, world):
        pass

    def version(self):
        return subprocess.run(['dpkg-query', f'--admindir={pathlib.Path(self.tree)}/var/lib/dpkg', '-W', '-f', '${Version}', self.package],
                              capture_output=True, text=True, check=True).stdout

    def lacks(self, role, row):
        return None

    def exchange(self, row, port, server):
        exchange(port, self.answer)


NO_PSK12 = 'its tool cannot be told of PSKs in TLS 1.2'


class OpenSSL(Peer):
    name, quick, answer, package = 'OpenSSL', True, 'reverse', 'openssl'
    groups = {'x25519': 'X25519', 'secp256r1': 'P-256', 'secp384r1': 'P-384', 'secp521r1': 'P-521', 'x448': 'X448',
              'ffdhe2048': 'ffdhe2048'}
    suites = {'ECDHE_ECDSA_WITH_AES_128_GCM_SHA256': 'ECDHE-ECDSA-AES128-GCM-SHA256',
              'ECDHE_ECDSA_WITH_AES_256_GCM_SHA384': 'ECDHE-ECDSA-AES256-GCM-SHA384',
              'ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256': 'ECDHE-ECDSA-CHACHA20-POLY1305',
              'DHE_RSA_WITH_AES_128_GCM_SHA256': 'DHE-RSA-AES128-GCM-SHA256', 'RSA_WITH_AES_128_GCM_SHA256': 'AES128-GCM-SHA256',
              'ECDHE_RSA_WITH_AES_128_CBC_SHA256': 'ECDHE-RSA-AES128-SHA256',
              'ECDHE_RSA_WITH_AES_128_CBC_SHA': 'ECDHE-RSA-AES128-SHA'}

    def __init__(self, argv=('openssl',)):
        self.argv = list(argv)

    def lacks(self, role, row):
        if row.group and row.group not in self.groups:
            return 'this OpenSSL has no such group'
        return None

    def common(self, world, row):
        options = ['-tls' + row.version.replace('.', '_').replace('1_0', '1'), '-CAfile', world.certs / 'ca.crt']
        if row.group and not row.retry:
            options += ['-groups', self.groups[row.group]]
        if row.suite:
            options += (['-ciphersuites', f'TLS_{row.suite}'] if row.version == '1.3' else
                        ['-cipher', self.suites[row.suite] + (':@SECLEVEL=0' if row.version < '1.2' else '')])
        if row.psk:
            options += ['-psk_identity', PSK_ID, '-psk', PSK_KEY]
            if row.version == '1.2':
                options += ['-cipher', 'ECDHE-PSK-CHACHA20-POLY1305']
        if row.alpn:
            options += ['-alpn', f'{row.alpn},pop3']
        return options

    def connect(self, world, row, port):
        argv = [*self.argv, 's_client', '-connect', f'127.0.0.1:{port}', '-servername', 'mail.test', *self.common(world, row)]
        if not row.psk:
            argv += ['-verify_hostname', 'mail.test', '-verify_return_error']
        if row.client_cert:
            argv += ['-cert', world.certs / f'{row.client_cert}.crt', '-key', world.certs / f'{row.client_cert}.key']
        if row.resume:
            session = world.folder / f'session-{port}'
            talk(world, [*argv, '-quiet', '-no_ign_eof', '-sess_out', session])
            talk(world, [*argv, '-quiet', '-no_ign_eof', '-sess_in', session])
        elif row.key_update:  # k: we update; K: the peer shall, too
            self.updated(talk(world, [*argv, '-msg'], [b'', b'k\n', b'K\n', b'K\n']))
        else:
            talk(world, [*argv, '-quiet', '-no_ign_eof'])

    def serve(self, world, row, port):
        argv = [*self.argv, 's_server', '-accept', f'127.0.0.1:{port}', *self.common(world, row)]
        argv += (['-nocert'] if row.psk else
                 ['-cert', world.certs / f'{row.cert}.crt', '-key', world.certs / f'{row.cert}.key'])
        if row.client_cert:
            argv += ['-Verify', '2', '-verify_return_error']
        if row.retry:
            argv += ['-groups', self.groups[row.group]]
        if row.suite and row.suite.startswith('DHE'):
            argv += ['-dhparam', dh_file(world)]
        return Started(world, argv + (['-msg'] if row.key_update else ['-rev']))

    def exchange(self, row, port, server):
        if not row.key_update:
            return super().exchange(row, port, server)
        return self.updates(port, server)

    @staticmethod
    def updated(said):
        check(said.count(b', KeyUpdate') == 5, f'not three updates and our answers to two of them: {said.count(b", KeyUpdate")}')

    def updates(self, port, server):
        """s_server typed at by us: answers by hand, and updates its keys between the answers."""
        import socket
        with socket.create_connection(('127.0.0.1', port), 10) as s:
            for n, command in enumerate((b'', b'k\n', b'K\n', b'K\n')):
                if command:
                    threading.Event().wait(0.2)
                    server.say(command)
                    threading.Event().wait(0.2)
                s.sendall(LINE + b' there %d\n' % n)
                server.wait_for(LINE + b' there %d' % n)
                server.say(LINE + b' back %d\n' % n)
                got = b''
                while not got.endswith(b'\n'):
                    data = s.recv(4096)
                    check(data, 'the gateway closed')
                    got += data
                check(got == LINE + b' back %d\n' % n, f'got {got!r}')
            self.updated(server.output())


class GnuTLS(Peer):
    name, quick, answer, greeted, package = 'GnuTLS', True, 'line', True, 'gnutls-bin'
    groups = {'x25519': 'X25519', 'secp256r1': 'SECP256R1', 'secp384r1': 'SECP384R1', 'secp521r1': 'SECP521R1', 'x448': 'X448',
              'ffdhe2048': 'FFDHE2048'}
    suites = {'AES_128_GCM': 'AES-128-GCM', 'AES_256_GCM': 'AES-256-GCM', 'CHACHA20_POLY1305': 'CHACHA20-POLY1305'}

    def __init__(self, cli=('gnutls-cli',), serv=('gnutls-serv',)):
        self.cli, self.serv = list(cli), list(serv)

    def lacks(self, role, row):
        if row.group and row.group not in self.groups:
            return 'this GnuTLS has no such group'
        if row.key_update:
            return 'its tools have no command for it'
        if row.psk and row.version == '1.2' and role == 'server':
            return 'gnutls-cli 3.7 crashes behind a TLS 1.2 handshake with PSK, while it prints the session'
        return None

    def priority(self, row):
        text = f'NORMAL:-VERS-ALL:+VERS-TLS{row.version}'
        if row.group and not row.retry:
            text += f':-GROUP-ALL:+GROUP-{self.groups[row.group]}'
        if row.aead:
            text += f':-CIPHER-ALL:+{self.suites[row.aead]}'
        elif row.suite:
            text += ':-CIPHER-ALL:+AES-128-CBC:-MAC-ALL:+' + ('SHA256' if row.suite.endswith('SHA256') else 'SHA1')
        if row.suite and row.version != '1.3':
            text += ':-KX-ALL:+' + row.suite.split('_WITH_')[0].replace('_', '-')
        if row.psk:
            text += ':-KX-ALL:+' + ('ECDHE-PSK' if row.version == '1.2' else 'ECDHE-PSK:+DHE-PSK:+PSK')
        if row.version < '1.2':
            text += ':%VERIFY_ALLOW_SIGN_WITH_SHA1:+SIGN-RSA-SHA1'
        return text

    def connect(self, world, row, port):
        argv = [*self.cli, '--x509cafile', world.certs / 'ca.crt', '--verify-hostname', 'mail.test', '--sni-hostname', 'mail.test',
                '--priority', self.priority(row), '-p', port, '127.0.0.1']
        if row.client_cert:
            argv += ['--x509certfile', world.certs / f'{row.client_cert}.crt', '--x509keyfile',
                     world.certs / f'{row.client_cert}.key']
        if row.alpn:
            argv += ['--alpn', row.alpn, '--alpn', 'pop3']
        if row.psk:
            argv += ['--pskusername', PSK_ID, '--pskkey', PSK_KEY]
        if row.resume:
            argv += ['--resume', '--waitresumption'] if row.version == '1.3' else ['--resume']
        talk(world, argv)

    def serve(self, world, row, port):
        argv = [*self.serv, '--echo', '--quiet', '--port', port, '--priority', self.priority(row)]
        if row.retry:
            argv[-1] += f':-GROUP-ALL:+GROUP-{self.groups[row.group]}'
        if row.psk:
            from harness import psk_file
            argv += ['--pskpasswd', psk_file(world)]
        else:
            argv += ['--x509certfile', world.certs / f'{row.cert}.crt', '--x509keyfile', world.certs / f'{row.cert}.key']
        if row.client_cert:
            argv += ['--require-client-cert', '--verify-client-cert', '--x509cafile', world.certs / 'ca.crt']
        else:
            argv += ['--disable-client-cert']
        if row.alpn:
            argv += ['--alpn', row.alpn, '--alpn-fatal']
        return Started(world, argv)

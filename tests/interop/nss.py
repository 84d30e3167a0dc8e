"""NSS, by its own tools: tstclnt and selfserv, whose certificates come out of a database."""
import subprocess

from harness import PSK_ID, PSK_KEY, Started, check, talk
from tools import Peer

CERTS = ('ecdsa-p256', 'ecdsa-p384', 'ecdsa-p521', 'rsa2048', 'rsa-pss', 'rsa-kex', 'client', 'client-rsa')


class NSS(Peer):
    name, answer, package = 'NSS', 'http', 'libnss3-tools'
    groups = {'x25519': 'x25519', 'secp256r1': 'P256', 'secp384r1': 'P384', 'secp521r1': 'P521', 'ffdhe2048': 'FF2048'}
    suites = {'AES_128_GCM_SHA256': '1301', 'AES_256_GCM_SHA384': '1302', 'CHACHA20_POLY1305_SHA256': '1303',
              'ECDHE_ECDSA_WITH_AES_128_GCM_SHA256': 'C02B', 'ECDHE_ECDSA_WITH_AES_256_GCM_SHA384': 'C02C',
              'ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256': 'CCA9', 'DHE_RSA_WITH_AES_128_GCM_SHA256': '009E',
              'RSA_WITH_AES_128_GCM_SHA256': '009C', 'ECDHE_RSA_WITH_AES_128_CBC_SHA256': 'C027',
              'ECDHE_RSA_WITH_AES_128_CBC_SHA': 'C013'}

    def prepare(self, world):
        self.database = f'sql:{world.folder}/nss'
        (world.folder / 'nss').mkdir()

        def do(*argv):
            done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=False, cwd=world.folder)
            check(done.returncode == 0, f'{argv[0]}: {done.stdout}{done.stderr}')

        do('certutil', '-N', '-d', self.database, '--empty-password')
        do('certutil', '-A', '-d', self.database, '-n', 'ca', '-t', 'CT,,', '-i', world.certs / 'ca.crt')
        for name in CERTS:
            do('openssl', 'pkcs12', '-export', '-in', world.certs / f'{name}.crt', '-inkey', world.certs / f'{name}.key', '-name', name,
               '-passout', 'pass:secret', '-out', f'{name}.p12')
            do('pk12util', '-d', self.database, '-i', f'{name}.p12', '-W', 'secret', '-K', '')

    def lacks(self, role, row):
        if row.cert not in CERTS and not row.psk:
            return f'NSS has no certificates of kind {row.cert} in TLS'
        if row.group and row.group not in self.groups:
            return f'NSS 3.87 has no {row.group}'
        if role == 'server' and row.cert == 'rsa2048':
            return 'tstclnt wants keyEncipherment of an RSA certificate, whatever it is for'
        if row.alpn:
            return 'tstclnt cannot be told of ALPN, and selfserv knows http/1.1 alone'
        if row.resume and role == 'server':
            return 'tstclnt has no input left for its second connection'
        if row.key_update:
            return 'its tools have no command for it'
        if row.psk and row.version == '1.3' and role == 'client':
            return 'selfserv goes on with its certificate'
        if row.psk and row.version == '1.2':
            return 'NSS has no external PSK in TLS 1.2'
        return None

    def common(self, row):
        v = 'tls' + row.version
        options = ['-d', self.database, '-V', f'{v}:{v}', '-w', '']
        if row.group and not row.retry:
            options += ['-I', self.groups[row.group]]
        if row.suite:
            options += ['-c', f':{self.suites[row.suite]}']
        if row.cert == 'rsa-pss':  # not among what they offer
            options += ['-J', 'rsa_pss_pss_sha256,rsa_pss_rsae_sha256,rsa_pkcs1_sha256']
        if row.psk:  # its hash is SHA-256
            options += ['-c', ':1301', '-z', f'0x{PSK_KEY}:{PSK_ID}']
        return options

    def connect(self, world, row, port):
        argv = ['tstclnt', '-4', '-h', '127.0.0.1', '-p', port, '-a', 'mail.test', '-G', *self.common(row)]
        if row.client_cert:
            argv += ['-n', row.client_cert]
        talk(world, argv, ends=False)  # behind its last word it waits for the server's

    def serve(self, world, row, port):
        argv = ['selfserv', '-p', port, '-u', '-G', '-H', '1', *self.common(row), '-n' if 'rsa' in row.cert else '-e', row.cert]
        if row.retry:
            argv += ['-I', self.groups[row.group]]
        if row.client_cert:
            argv += ['-rr']
        return Started(world, argv)

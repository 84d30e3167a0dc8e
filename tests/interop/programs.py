"""Peers that are small programs of ours on somebody's library: peers/.

Each is called PROGRAM client|server PORT key=value..., with the keys
    version   1.0 to 1.3, and no other     ca cert key   PEM files          name      what the server's certificate says
    group     the only one                 suite         IANA's name, the only one
    alpn      the only one                 resume=1      client: twice, the second time with the first's session
    psk       hexadecimal, with identity   clientauth=1  server: ask for a certificate and check it
    keyupdate=1   update the keys first            dh            server: PEM file with a group
The client sends 200 kB, wants them back, and leaves with 0."""
import pathlib
import subprocess

from harness import PSK_ID, PSK_KEY, Started, check, dh_file, program
from tools import Peer

HERE = pathlib.Path(__file__).resolve().parent / 'peers'
ALL_CERTS = {'ecdsa-p256', 'ecdsa-p384', 'ecdsa-p521', 'ed25519', 'ed448', 'rsa2048', 'rsa-pss', 'rsa-kex'}


def build(world, argv):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=False, cwd=world.build)
    check(done.returncode == 0, f'{argv[0]} could not build a peer:\n{done.stdout}{done.stderr}')


class Program(Peer):
    versions = {'1.3', '1.2', '1.1', '1.0'}
    certs, groups = ALL_CERTS, set()
    psk = set()  # versions
    alpn = resume = True
    client_certs = True
    key_update = set()  # roles
    no = {}  # (role or '', a row's name) -> reason
    library = ''

    def lacks(self, role, row):
        if row.version not in self.versions:
            return f'{self.library} has no TLS {row.version}'
        if row.cert not in self.certs and not row.psk:
            return f'{self.library} has no certificates of kind {row.cert} in TLS'
        if row.group and row.group not in self.groups:
            return f'{self.library} has no {row.group}'
        if row.psk and row.version not in self.psk:
            return f'{self.library} has no external PSK in TLS {row.version}'
        if row.key_update and role not in self.key_update:
            return f'{self.library} cannot be told to update keys'
        return self.no.get((role, row.name)) or self.no.get(('', row.name))

    def command(self, world):
        raise NotImplementedError

    def suite(self, row):
        return f'TLS_{row.suite}'

    def words(self, world, row, cert):
        words = [f'version={row.version}', f'ca={world.certs}/ca.crt', 'name=mail.test']
        if row.suite:
            words.append(f'suite={self.suite(row)}')
        if row.alpn:
            words.append(f'alpn={row.alpn}')
        if row.psk:
            words += [f'psk={PSK_KEY}', f'identity={PSK_ID}']
        if row.key_update:
            words.append('keyupdate=1')
        if cert:
            words += self.certificate(world, cert)
        return words

    def certificate(self, world, cert):
        return [f'cert={world.certs}/{cert}.crt', f'key={world.certs}/{cert}.key']

    def connect(self, world, row, port):
        words = self.words(world, row, row.client_cert)
        if row.group and not row.retry:
            words.append(f'group={self.group(row)}')
        if row.resume:
            words.append('resume=1')
        program(world, [*self.command(world, row, 'client'), 'client', port, *words])

    def group(self, row):
        return row.group

    def serve(self, world, row, port):
        words = self.words(world, row, None if row.psk else row.cert)
        if row.group:
            words.append(f'group={self.group(row)}')
        if row.client_cert:
            words.append('clientauth=1')
        if row.suite and row.suite.startswith('DHE'):
            words.append(f'dh={dh_file(world)}')
        return Started(world, [*self.command(world, row, 'server'), 'server', port, *words])


class Go(Program):
    name, library, quick, package = 'Go', "Go's crypto/tls", True, 'golang-go'
    certs = ALL_CERTS - {'ed448', 'rsa-pss'}
    groups = {'x25519', 'secp256r1', 'secp384r1', 'secp521r1'}
    no = {('', '1.2 resumption'): 'Go 1.19 has no extended master secret, without which nothing is resumed (RFC 7627 5.3)',
          ('', '1.2 DHE-RSA'): "Go's crypto/tls has no DHE",
          **{('', f'1.3 {a}'): "Go's crypto/tls takes no list of TLS 1.3 suites"
             for a in ('AES_128_GCM', 'AES_256_GCM', 'CHACHA20_POLY1305')}}
    chance = ('1.3 AES_128_GCM', '1.3 AES_256_GCM', '1.3 CHACHA20_POLY1305')

    def prepare(self, world):
        build(world, ['env', 'GOCACHE=' + str(world.build / 'go-cache'), 'GO111MODULE=off', 'CGO_ENABLED=0', 'go', 'build', '-o',
                      'echo-go', HERE / 'echo.go'])

    def command(self, world, row, role):
        return [world.build / 'echo-go']


class Node(Program):
    name, library, quick, package = 'Node', "Node's tls", True, 'nodejs'
    groups = {'x25519', 'secp256r1', 'secp384r1', 'secp521r1', 'x448'}
    psk = {'1.2', '1.3'}
    curves = {'x25519': 'X25519', 'secp256r1': 'P-256', 'secp384r1': 'P-384', 'secp521r1': 'P-521', 'x448': 'X448'}

    def command(self, world, row, role):
        return ['node', HERE / 'echo.js']

    def group(self, row):
        return self.curves[row.group]

    def suite(self, row):
        from tools import OpenSSL
        name = OpenSSL.suites.get(row.suite, f'TLS_{row.suite}')
        return name + (':@SECLEVEL=0' if row.version < '1.2' else '')

    def words(self, world, row, cert):
        words = super().words(world, row, cert)
        if row.psk:
            words.append('suite=' + ('TLS_AES_128_GCM_SHA256' if row.version == '1.3' else 'ECDHE-PSK-CHACHA20-POLY1305'))
        return words


class MbedTLS(Program):
    name, library, quick = 'mbedTLS', 'Mbed TLS 2.28', True
    package = 'libmbedtls-dev'
    versions = {'1.2', '1.1', '1.0'}
    certs = ALL_CERTS - {'ed25519', 'ed448', 'rsa-pss'}
    groups = {'x25519', 'secp256r1', 'secp384r1', 'secp521r1', 'x448'}
    psk = {'1.2'}

    def prepare(self, world):
        build(world, ['cc', '-O1', '-o', 'echo-mbedtls', HERE / 'mbedtls.c', '-lmbedtls', '-lmbedx509', '-lmbedcrypto'])

    def command(self, world, row, role):
        return [world.build / 'echo-mbedtls']


class WolfSSL(Program):
    name, library, quick = 'wolfSSL', 'wolfSSL', True
    package = 'libwolfssl-dev'
    versions = {'1.3', '1.2', '1.1'}
    groups = {'x25519', 'secp256r1', 'secp384r1', 'secp521r1', 'x448', 'ffdhe2048'}
    psk = {'1.2', '1.3'}
    key_update = {'server', 'client'}
    certs = ALL_CERTS - {'rsa-pss'}
    no = {('', '1.2 RSA key transport'): "Debian's wolfSSL is built without static RSA"}
    suites = {'ECDHE_ECDSA_WITH_AES_128_GCM_SHA256': 'ECDHE-ECDSA-AES128-GCM-SHA256',
              'ECDHE_ECDSA_WITH_AES_256_GCM_SHA384': 'ECDHE-ECDSA-AES256-GCM-SHA384',
              'ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256': 'ECDHE-ECDSA-CHACHA20-POLY1305',
              'DHE_RSA_WITH_AES_128_GCM_SHA256': 'DHE-RSA-AES128-GCM-SHA256', 'RSA_WITH_AES_128_GCM_SHA256': 'AES128-GCM-SHA256',
              'ECDHE_RSA_WITH_AES_128_CBC_SHA256': 'ECDHE-RSA-AES128-SHA256', 'ECDHE_RSA_WITH_AES_128_CBC_SHA': 'ECDHE-RSA-AES128-SHA',
              'AES_128_GCM_SHA256': 'TLS13-AES128-GCM-SHA256', 'AES_256_GCM_SHA384': 'TLS13-AES256-GCM-SHA384',
              'CHACHA20_POLY1305_SHA256': 'TLS13-CHACHA20-POLY1305-SHA256'}

    def prepare(self, world):
        build(world, ['cc', '-O1', '-o', 'echo-wolfssl', HERE / 'wolfssl.c', '-lwolfssl'])

    def command(self, world, row, role):
        return [world.build / 'echo-wolfssl']

    def suite(self, row):
        return self.suites[row.suite]

    def words(self, world, row, cert):
        words = super().words(world, row, cert)
        if row.psk:  # 1.3: its callback names the suite of a key; 1.2: its client has ECDHE_PSK on NIST's curves only
            words.append('suite=TLS13-AES128-GCM-SHA256' if row.version == '1.3' else 'group=secp256r1')
        return words


class Java(Program):
    name, library, package = 'Java', 'JSSE', 'openjdk-17-jdk-headless'
    groups = {'x25519', 'secp256r1', 'secp384r1', 'secp521r1', 'x448', 'ffdhe2048'}
    key_update = {'server', 'client'}

    def prepare(self, world):
        build(world, ['javac', '-d', '.', HERE / 'Echo.java'])
        # TLS 1.0 and 1.1 are switched off there; keys are updated after 64 KiB in place of 2^37 bytes
        (world.build / 'java.security').write_text('jdk.tls.disabledAlgorithms=SSLv3, RC4, DES, NULL\n'
                                                   'jdk.tls.keyLimits=AES/GCM/NoPadding KeyUpdate 2^16\n')

    def command(self, world, row, role):
        argv = ['java', '-Xshare:auto', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC']
        if row.version < '1.2' or row.key_update:
            argv.append(f'-Djava.security.properties={world.build}/java.security')
        if row.group and not (row.retry and role == 'client'):
            argv.append(f'-Djdk.tls.namedGroups={row.group}')
        return [*argv, '-cp', world.build, 'Echo']

    def certificate(self, world, cert):
        out = world.build / f'{cert}.p12'
        build(world, ['openssl', 'pkcs12', '-export', '-in', world.certs / f'{cert}.crt', '-inkey', world.certs / f'{cert}.key',
                      '-passout', 'pass:secret', '-out', out])
        return [f'p12={out}']


def peers():
    return [Go(), Node(), MbedTLS(), WolfSSL(), Java()]

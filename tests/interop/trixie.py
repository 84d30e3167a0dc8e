"""Peers of the next Debian, since Debian 12's know no X25519MLKEM768: OpenSSL 3.5, GnuTLS 3.8, Go 1.24, Mbed TLS 3.6.

They lie in a tree that ./dev makes with debootstrap, and run by the tree's own loader: no chroot is needed."""
import pathlib

import programs
import tools


def loader(folder):
    root = pathlib.Path(folder).resolve()
    return [root / 'usr/lib64/ld-linux-x86-64.so.2', '--library-path', root / 'usr/lib/x86_64-linux-gnu']


def program(folder, name):
    return [*loader(folder), pathlib.Path(folder).resolve() / 'usr/bin' / name]


def peers(folder):
    root = pathlib.Path(folder).resolve()
    made = [OpenSSL35(program(folder, 'openssl')), GnuTLS38(program(folder, 'gnutls-cli'), program(folder, 'gnutls-serv')), Go124(root),
            MbedTLS36(root, loader(folder)[-1], loader(folder))]
    for peer in made:
        peer.tree = root
    return made


class OpenSSL35(tools.OpenSSL):
    name = 'OpenSSL35'
    groups = {**tools.OpenSSL.groups, 'X25519MLKEM768': 'X25519MLKEM768', 'SecP256r1MLKEM768': 'SecP256r1MLKEM768'}


class GnuTLS38(tools.GnuTLS):
    name = 'GnuTLS38'

    def lacks(self, role, row):
        if row.group in ('X25519MLKEM768', 'SecP256r1MLKEM768'):
            return "Debian's GnuTLS 3.8 is built without ML-KEM"
        if row.psk:  # 3.8's tool does not crash
            return None
        return super().lacks(role, row)


class Go124(programs.Go):
    name, library, package = 'Go124', "Go 1.24's crypto/tls", 'golang-1.24-go'
    groups = programs.Go.groups | {'X25519MLKEM768'}
    no = {k: v for k, v in programs.Go.no.items() if k != ('', '1.2 resumption')}

    def __init__(self, root):
        self.root = root / 'usr/lib/go-1.24'

    def prepare(self, world):
        programs.build(world, ['env', f'GOROOT={self.root}', 'GOTOOLCHAIN=local', f'GOCACHE={world.build}/go-cache', 'GO111MODULE=off',
                               'CGO_ENABLED=0', self.root / 'bin/go', 'build', '-o', 'echo-go124', programs.HERE / 'echo.go'])

    def command(self, world, row, role):
        return ['env', 'GODEBUG=tlsmlkem=1', world.build / 'echo-go124']  # off for programs without a go.mod


class MbedTLS36(programs.MbedTLS):
    name, library = 'mbedTLS36', 'Mbed TLS 3.6'
    versions = {'1.3', '1.2'}
    groups = programs.MbedTLS.groups | {'ffdhe2048'}
    psk = {'1.2', '1.3'}

    def __init__(self, root, libraries, loader):
        self.root, self.libraries, self.loader = root, libraries, loader

    def prepare(self, world):
        """Our own libc's headers, the tree's of the library alone."""
        headers = world.build / 'mbedtls36'
        headers.mkdir(exist_ok=True)
        for name in ('mbedtls', 'psa'):
            if not (headers / name).exists():
                (headers / name).symlink_to(self.root / 'usr/include' / name)
        programs.build(world, ['cc', '-O1', '-isystem', headers, '-o', 'echo-mbedtls36', programs.HERE / 'mbedtls.c', f'-L{self.libraries}',
                               '-Wl,--allow-shlib-undefined', '-lmbedtls', '-lmbedx509', '-lmbedcrypto'])

    def command(self, world, row, role):
        return [*self.loader, world.build / 'echo-mbedtls36']

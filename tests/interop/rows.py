"""The rows of the table: what is tried with each peer, in both roles.

A row says what must come out; how a peer is told to do so is the peer's business (tools.py, programs.py). The
gateway is told with options, and its log must say that the row is what happened: a cell cannot be good by
accident of a different version, group or certificate."""
import dataclasses
import typing

MODERN = ('1.3', '1.2')


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    version: str  # '1.0' to '1.3'
    cert: str = 'ecdsa-p256'  # the server's, a name of make_certs.py
    group: typing.Optional[str] = None  # None: what comes
    suite: typing.Optional[str] = None  # IANA's name without TLS_; None: what comes
    client_cert: typing.Optional[str] = None
    alpn: typing.Optional[str] = None
    resume: bool = False  # two connections, the second takes up the first
    retry: bool = False  # HelloRetryRequest
    key_update: bool = False  # asked for by the peer, in the middle of the stream
    psk: bool = False  # external
    legacy: bool = False  # profile legacy

    @property
    def aead(self):
        """AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305 or None."""
        return next((a for a in ('AES_128_GCM', 'AES_256_GCM', 'CHACHA20_POLY1305') if self.suite and a in self.suite), None)

    def signature(self):
        """What the server's signature must begin with; '' where none is made."""
        if self.psk or self.resume or self.version < '1.2' or (self.suite or '').startswith('RSA_'):
            return ''
        names = {'ed25519': 'ed25519', 'ed448': 'ed448', 'rsa-pss': 'rsa_pss_pss'}
        if self.version == '1.3':
            names.update({'ecdsa-p256': 'ecdsa_secp256r1_sha256', 'ecdsa-p384': 'ecdsa_secp384r1_sha384',
                          'ecdsa-p521': 'ecdsa_secp521r1_sha512', 'rsa2048': 'rsa_pss_rsae'})
        return names.get(self.cert, self.cert.split('-')[0].replace('2048', '') + '_')  # 1.2: the hash is free


GROUPS = ('x25519', 'secp256r1', 'secp384r1', 'secp521r1', 'x448')
CERTS = ('ecdsa-p256', 'ecdsa-p384', 'ecdsa-p521', 'ed25519', 'ed448', 'rsa2048', 'rsa-pss')
AEADS = ('AES_128_GCM_SHA256', 'AES_256_GCM_SHA384', 'CHACHA20_POLY1305_SHA256')


def rows():
    made = []
    for v in MODERN:
        for cert in CERTS:
            made.append(Row(f'{v} certificate {cert}', v, cert))
        for group in GROUPS + (('ffdhe2048', 'X25519MLKEM768', 'SecP256r1MLKEM768') if v == '1.3' else ()):
            # in 1.2 the list of groups is that of a certificate's curves, too (RFC 8422 5.1): RSA
            made.append(Row(f'{v} group {group}', v, 'ecdsa-p256' if v == '1.3' else 'rsa2048', group=group))
        for aead in AEADS:
            made.append(Row(f'{v} {aead.rsplit("_", 1)[0]}', v, suite=aead if v == '1.3' else f'ECDHE_ECDSA_WITH_{aead}'))
        if v == '1.3':
            made.append(Row('1.3 HelloRetryRequest', v, group='secp384r1', retry=True))
            made.append(Row('1.3 KeyUpdate', v, key_update=True))
        made.append(Row(f'{v} resumption', v, resume=True))
        for cert in ('client', 'client-rsa'):
            made.append(Row(f'{v} client certificate {"RSA" if "rsa" in cert else "ECDSA"}', v, client_cert=cert))
        made.append(Row(f'{v} ALPN', v, alpn='imap'))
        made.append(Row(f'{v} external PSK', v, psk=True))
    made.append(Row('1.2 DHE-RSA', '1.2', 'rsa2048', suite='DHE_RSA_WITH_AES_128_GCM_SHA256', legacy=True))
    made.append(Row('1.2 RSA key transport', '1.2', 'rsa-kex', suite='RSA_WITH_AES_128_GCM_SHA256', legacy=True))
    made.append(Row('1.2 CBC SHA-256', '1.2', 'rsa2048', suite='ECDHE_RSA_WITH_AES_128_CBC_SHA256', legacy=True))
    for v in ('1.2', '1.1', '1.0'):
        made.append(Row(f'{v} CBC SHA-1', v, 'rsa2048', suite='ECDHE_RSA_WITH_AES_128_CBC_SHA', legacy=True))
    return made

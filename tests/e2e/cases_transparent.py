"""As if no gateway were in between: the same words said to Dovecot and Postfix themselves, and through hauberk, whichever way
TLS begins on either leg; what is answered must be the same to the byte, but for what a rule says about the TLS state."""
import base64
import re
import zlib

from cases_news import with_inn
from cases_upstream import trust
from support import Dovecot, Failure, Gateway, Line, Postfix, check, equal, free_port, upgrade

PLAIN = base64.b64encode(b'\0joe\0secret').decode()
MESSAGE = 'Subject: x\r\n\r\n. {5+} a STARTTLS\r\n'
TEXT = 'Subject: x\r\n\r\n..\r\nSTARTTLS\r\nQUIT\r\n'
UTF8 = 'Subject: gr\u00fc\u00df\r\n\r\n\u2603\r\n'
IMAP_LOGINS = {
    'AUTHENTICATE': [('l AUTHENTICATE PLAIN\r\n', '+'), (f'{PLAIN}\r\n', 'l ')],
    'AUTHENTICATE with its response': [(f'l AUTHENTICATE PLAIN {PLAIN}\r\n', 'l ')],
    'AUTHENTICATE cancelled, then LOGIN': [('k AUTHENTICATE PLAIN\r\n', '+'), ('*\r\n', 'k '), ('l LOGIN "joe" "secret"\r\n', 'l ')],
    'LOGIN with a literal': [('l LOGIN joe {6}\r\n', '+'), ('secret\r\n', 'l ')],
    'LOGIN with a literal nobody asked for': [('l LOGIN {3+}\r\njoe {6+}\r\nsecret\r\n', 'l ')],
    'a wrong password, then LOGIN': [('k LOGIN joe wrong\r\n', 'k '), ('l LOGIN joe secret\r\n', 'l ')],
}
IMAP = [
    ('a CAPABILITY\r\n', 'a '), ('b ENABLE UTF8=ACCEPT CONDSTORE\r\n', 'b '),
    ('d CREATE "Drafts"\r\ne LIST "" "*"\r\nf SELECT Drafts\r\n', 'd ', 'e ', 'f '),
    (f'g APPEND Drafts (\\Seen) {{{len(MESSAGE)}+}}\r\n{MESSAGE}\r\n', 'g '),
    (f'h APPEND Drafts {{{len(MESSAGE)}}}\r\n', '+'), (f'{MESSAGE}\r\n', 'h '),
    ('i NOOP\r\nj STATUS Drafts (MESSAGES)\r\nk UID FETCH 1:* (FLAGS RFC822.SIZE BODY[])\r\n', 'i ', 'j ', 'k '),
    ('m IDLE\r\n', '+'), ('DONE\r\n', 'm '), ('n SEARCH CHARSET UTF-8 SUBJECT {4+}\r\nxxxx\r\n', 'n '),
    ('o STORE 1:* +FLAGS (\\Deleted)\r\np EXPUNGE\r\nq XYZZY\r\n', 'o ', 'p ', 'q '),
]
POP3_LOGINS = {
    'AUTH': [('AUTH PLAIN\r\n', '+'), (f'{PLAIN}\r\n', '+OK')],
    'AUTH with its response': [(f'AUTH PLAIN {PLAIN}\r\n', '+OK')],
    'AUTH cancelled, then USER': [('AUTH PLAIN\r\n', '+'), ('*\r\n', '-ERR'), ('USER joe\r\n', '+OK'), ('PASS secret\r\n', '+OK')],
    'USER and PASS in one': [('USER joe\r\nPASS secret\r\n', '+OK', '+OK')],
}
POP3 = [('CAPA\r\n', '.'), ('STAT\r\nLIST\r\nUIDL\r\nNOOP\r\n', '+OK', '.', '.', '+OK'), ('RETR 1\r\n', '.'), ('TOP 1 0\r\nLANG\r\nRSET\r\n', '.', '-ERR', '+OK'),
        ('UTF8\r\nXYZZY\r\n', '', ''), ('QUIT\r\n', '+OK')]
SMTP_LOGINS = {
    'AUTH': [('AUTH PLAIN\r\n', '334'), (f'{PLAIN}\r\n', '235')],
    'AUTH with its response': [(f'AUTH PLAIN {PLAIN}\r\n', '235')],
    'AUTH LOGIN, after a wrong one and none': [
        ('AUTH PLAIN AGpvZQB3cm9uZw==\r\n', '535'), ('AUTH PLAIN\r\n', '334'), ('*\r\n', '501'), ('AUTH LOGIN\r\n', '334'), ('am9l\r\n', '334'),
        ('c2VjcmV0\r\n', '235')],
}
ENVELOPE = 'MAIL FROM:<a@b> BODY=8BITMIME\r\nRCPT TO:<joe@mail.test>\r\n'
SMTP = [
    ('NOOP\r\nVRFY joe@mail.test\r\nRSET\r\nHELP\r\nXYZZY\r\n', '250', '25', '250', '50', '50'),
    (f'{ENVELOPE}DATA\r\n', '250', '250', '354'), (f'{TEXT}.\r\n', '250'),
    (f'{ENVELOPE}BDAT {len(TEXT)}\r\n{TEXT}BDAT 0 LAST\r\n', '250', '250', '250', '250'),
    (f'{ENVELOPE}BDAT {len(TEXT)} LAST\r\n{TEXT}NOOP\r\n', '250', '250', '250', '250'),
    ('MAIL FROM:<a@b> SMTPUTF8\r\nRCPT TO:<joe@mail.test>\r\nDATA\r\n', '250', '250', '354'), (f'{UTF8}.\r\n', '250'),
    ('MAIL FROM:<>\r\nRCPT TO:<joe@\r\nDATA\r\nRSET\r\n', '250', '', '', '250'), ('QUIT\r\n', '221'),
]
LMTP = [('NOOP\r\nRSET\r\nXYZZY\r\n', '250', '250', '5'),
        ('MAIL FROM:<a@b>\r\nRCPT TO:<joe>\r\nRCPT TO:<jane>\r\nDATA\r\n', '250', '250', '250', '354'), (f'{TEXT}.\r\n', '250', '250'),
        (f'MAIL FROM:<a@b>\r\nRCPT TO:<joe>\r\nRCPT TO:<jane>\r\nBDAT {len(TEXT)} LAST\r\n{TEXT}', '250', '250', '250', '250', '250'), ('QUIT\r\n', '221')]
SCRIPT = '# "x" {5+} STARTTLS\r\nkeep;\r\n'
SIEVE_LOGINS = {
    'AUTHENTICATE': [('AUTHENTICATE "PLAIN"\r\n', '"'), (f'"{PLAIN}"\r\n', 'OK')],
    'AUTHENTICATE with its response': [(f'AUTHENTICATE "PLAIN" "{PLAIN}"\r\n', 'OK')],
    'AUTHENTICATE with a literal': [(f'AUTHENTICATE "PLAIN" {{{len(PLAIN)}+}}\r\n{PLAIN}\r\n', 'OK')],
}
SIEVE = [('CAPABILITY\r\n', 'OK'), ('HAVESPACE "x" 100\r\n', 'OK'), (f'PUTSCRIPT "x" {{{len(SCRIPT)}+}}\r\n{SCRIPT}\r\nLISTSCRIPTS\r\nGETSCRIPT "x"\r\n', 'OK', 'OK', 'OK'),
         ('NOOP "tag"\r\nSETACTIVE "x"\r\nSETACTIVE ""\r\nDELETESCRIPT "x"\r\nXYZZY\r\n', 'OK', 'OK', 'OK', 'OK', 'NO'), ('LOGOUT\r\n', 'OK')]
NNTP_LOGINS = {
    'AUTHINFO USER': [('AUTHINFO USER joe\r\n', '381'), ('AUTHINFO PASS secret\r\n', '281')],
    'AUTHINFO SASL, which its SASL library refuses': [('AUTHINFO SASL PLAIN\r\n', '383'), (f'{PLAIN}\r\n', '481'), (f'AUTHINFO SASL PLAIN {PLAIN}\r\n', '481'),
                                                      ('AUTHINFO USER joe\r\n', '381'), ('AUTHINFO PASS secret\r\n', '281')],
    'AUTHINFO cancelled, then USER and PASS in one': [('AUTHINFO SASL PLAIN\r\n', '383'), ('*\r\n', '481'),
                                                      ('AUTHINFO USER joe\r\nAUTHINFO PASS secret\r\n', '381', '281')],
}
ARTICLE = 'From: a@example.org\r\nNewsgroups: local.test\r\nSubject: x\r\n\r\n..\r\nSTARTTLS\r\nQUIT\r\n.\r\n'
NNTP = [('LIST ACTIVE junk\r\nGROUP nowhere\r\nMODE READER\r\nXYZZY\r\n', '.', '411', '200', '500'), ('POST\r\n', '340'), (ARTICLE, '240'),
        ('POST\r\n', '340'), ('Subject: no group\r\n\r\nx\r\n.\r\n', '441'), ('GROUP junk\r\nSTAT\r\nARTICLE <x@y>\r\nHELP\r\nLIST OVERVIEW.FMT\r\n', '211', '420', '430', '.', '.'),
        ('QUIT\r\n', '205')]
# scheme: what comes first, the ways to log in, what is said then
PLAYS = {
    'imap': ([('x CAPABILITY\r\n', 'x ')], IMAP_LOGINS, IMAP), 'pop3': ([('CAPA\r\n', '.')], POP3_LOGINS, POP3),
    'submission': ([('EHLO c.test\r\n', '250 ')], SMTP_LOGINS, SMTP), 'smtp': ([('EHLO c.test\r\n', '250 ')], {'none': []}, SMTP),
    'lmtp': ([('LHLO c.test\r\n', '250 ')], {'none': []}, LMTP), 'sieve': ([('CAPABILITY\r\n', 'OK')], SIEVE_LOGINS, SIEVE),
    'nntp': ([('MODE READER\r\n', '200'), ('CAPABILITIES\r\n', '.')], NNTP_LOGINS, [('CAPABILITIES\r\n', '.'), *NNTP]),
}
# what differs from one session to the next at the same server
VARIES = [(r'\(\d+\.\d+ \+ \d+\.\d+[^)]*secs\)', '(secs)'), (r'queued as \w+', 'queued as ID'), (r'> \S+ Saved', '> ID Saved'), (r'UIDVALIDITY \d+', 'UIDVALIDITY n'),
          (r'APPENDUID \d+ \d+', 'APPENDUID n n'), (r'UIDNEXT \d+', 'UIDNEXT n'), (r'HIGHESTMODSEQ \d+', 'HIGHESTMODSEQ n'), (r'MODSEQ \(\d+\)', 'MODSEQ (n)'),
          (r'UID \d+', 'UID n'), (r'\(in \d+\.\d+ sec[^)]*\)', '(secs)'), (r'^(\d+) [0-9a-f]{16}$', r'\1 UIDL'), (r'<[^ >]*backend[^ >]*>', '<HOST>'), (r'<[^ >]+@[\w.-]*mail\.test>', '<ID>'),
          (r'INTERNALDATE "[^"]*"', 'INTERNALDATE'), (r'completed \(.*\)', 'completed (secs)'),
          (r' LOGIN-REFERRALS', '')]  # ATK-23: out of each list up to the login


BARE = 'login_greeting = hello\nauth_failure_delay = 0\nservice anvil {\n  unix_listener anvil-auth-penalty {\n    mode = 0\n  }\n}'


def play(c, steps):
    """The lines that came back, without what differs from time to time."""
    lines = []
    for said, *wanted in steps:
        c.send(said.encode())
        while wanted:  # Dovecot answers what is pipelined in an order of its own
            try:
                line = c.line()
            except (OSError, Failure) as e:
                raise Failure(f'{wanted} is missing behind {said[:60]!r}: {c.transcript[-6:]} {e}') from None
            lines.append(line)
            for want in [want for want in wanted if line.startswith(want)][:1]:
                wanted.remove(want)
    # NNTP-05, NNTP-06: these lines of the list depend on the TLS state and on the login (news_python_nntplib has them)
    lines = [line for line in lines if not re.match('(AUTHINFO|SASL|COMPRESS) |STARTTLS$', line)]
    for pattern, put in VARIES:
        lines = [re.sub(pattern, put, line) for line in lines]
    return lines


def open_way(w, g, way, scheme):
    if way == 'starttls':
        return upgrade(w, g.port(scheme), scheme)
    c = Line(g.port(scheme + 's') if way == 'implicit' else g.port(scheme))
    if way == 'implicit':
        c.start_tls(w.client_context())
    c.until('OK' if scheme == 'sieve' else '')
    return c


def in_clear(scheme, lines):
    """What a list in clear has in addition, taken out again; it stands last or, in SMTP, last with the blank."""
    if scheme == 'imap':
        return [re.sub(' STARTTLS(?=[ \\]]|$)', '', line) if ' CAPABILITY ' in line else line for line in lines]
    out = [line for line in lines if line not in ('STLS', 'STARTTLS', '"STARTTLS"', '250 STARTTLS')]
    if len(out) < len(lines) and scheme in ('smtp', 'submission', 'lmtp'):
        last = max(i for i, line in enumerate(out) if line.startswith('250-'))
        out[last] = out[last].replace('250-', '250 ', 1)
    return out


def compare(w, scheme, direct, gateways):
    """gateways: {name of the backend's leg: (a gateway where TLS is required, one where it is optional)}"""
    first, logins, rest = PLAYS[scheme]
    identity = [('c ID ("name" "x" "version" "1")\r\n', 'c ')]  # IMAP-18: in clear it is ours to answer
    for name, login in logins.items():
        c = Line(direct)
        c.until('OK' if scheme == 'sieve' else '')
        want = play(c, [*first, *login, *rest])
        again = play(c, identity) if scheme == 'imap' else []
        c.close()
        for leg, (required, optional) in gateways.items():
            for way in 'starttls', 'implicit', 'clear':
                c = open_way(w, optional if way == 'clear' else required, way, scheme)
                got = play(c, [*first, *login, *rest])
                if scheme == 'imap' and way != 'clear':
                    equal(play(c, identity), again, f'ID, {name}, {way}, backend {leg}')
                c.close()
                got = in_clear(scheme, got) if way == 'clear' else got
                differs = [f'{a!r} should be {b!r}' for a, b in zip(got, want) if a != b]
                check(not differs and len(got) == len(want), f'{scheme}, {name}, {way}, backend {leg}: {len(got)} lines for {len(want)}: ' + '\n'.join(differs))


def both(w, url, *schemes):
    required = Gateway(w, [(s + t, url(s)) for s in schemes for t in ('', 's')], *trust(w))
    return required, Gateway(w, [(s, url(s)) for s in schemes], *trust(w), '--tls', 'optional', '--plaintext-auth')


def as_at_dovecot(w):
    """GEN-15, IMAP-03, IMAP-22, POP-07, LMTP-02, SIEVE-02: every way to log in, literals of both kinds, pipelining, IDLE, ENABLE, ID, BDAT."""
    plain = Dovecot(w, 'dovecot-bare', extra=BARE)
    locked = Dovecot(w, 'dovecot-locked', tls=True, extra=BARE)
    schemes = 'imap', 'pop3', 'sieve', 'lmtp'
    clear, secure = both(w, lambda s: getattr(plain, s), *schemes), both(w, lambda s: f'{s}+starttls://127.0.0.1:{getattr(locked, s)}', *schemes[:3])
    for c in Line(plain.imap), open_way(w, secure[0], 'implicit', 'imap'):
        play(c, [('l LOGIN joe secret\r\n', 'l '), ('d CREATE Drafts\r\n', 'd '), (f'g APPEND INBOX {{{len(MESSAGE)}+}}\r\n{MESSAGE}\r\n', 'g ')])
        c.close()
    for scheme in schemes:
        compare(w, scheme, getattr(plain, scheme), {'in clear': clear, **({} if scheme == 'lmtp' else {'STARTTLS': secure})})
    for g in (*clear, *secure):
        w.stop(g.process)
    w.stop(plain.process)
    w.stop(locked.process)


def as_at_postfix(w):
    """SMTP-02, SMTP-05, SMTP-07, SMTP-08, SMTP-11: AUTH in every way, pipelining, dots, chunks, SMTPUTF8; Dovecot knows the passwords."""
    auth = free_port()
    dovecot = Dovecot(w, 'dovecot-sasl', extra=f'{BARE}\nservice auth {{\n  inet_listener {{\n    port = {auth}\n  }}\n}}')
    sasl = f'smtpd_sasl_type = dovecot\nsmtpd_sasl_path = inet:127.0.0.1:{auth}\nsmtpd_sasl_auth_enable = yes\nsmtpd_error_sleep_time = 0\nsmtputf8_enable = yes\n'
    plain = Postfix(w, 'postfix-bare', sasl)
    locked = Postfix(w, 'postfix-locked', f'{sasl}smtpd_tls_security_level = encrypt\nsmtpd_tls_cert_file = {w.certs}/ecdsa-p256.crt\n'
                     f'smtpd_tls_key_file = {w.certs}/ecdsa-p256.key\n')
    schemes = 'smtp', 'submission'
    clear, secure = both(w, lambda s: plain.smtp, *schemes), both(w, lambda s: f'{s}+starttls://127.0.0.1:{locked.smtp}', *schemes)
    for scheme in schemes:
        compare(w, scheme, plain.smtp, {'in clear': clear, 'STARTTLS': secure})
    for g in (*clear, *secure):
        w.stop(g.process)
    for server in plain, locked, dovecot:
        w.stop(server.process)


@with_inn
def as_at_inn(w):
    """NNTP-03, NNTP-04, NNTP-09: every way to log in, articles with dots, lists, what is refused, one after another in one go."""
    inn = w.inn.port
    clear = both(w, lambda s: inn, 'nntp')
    compare(w, 'nntp', inn, {'in clear': clear})
    for g in clear:
        w.stop(g.process)


def compressed(c, said, wanted):
    """One command inside COMPRESS=DEFLATE (RFC 4978), and its answer."""
    out, back, got = zlib.compressobj(wbits=-15), zlib.decompressobj(wbits=-15), b''
    c.sock.sendall(out.compress(said) + out.flush(zlib.Z_SYNC_FLUSH))
    while wanted not in got:
        got += back.decompress(c.sock.recv(65536))
    return got


def compress_at_dovecot(w):
    """GEN-16, IMAP-13, ATK-34: inside TLS the list that comes with the login has it, and it works; in clear there is none."""
    dovecot = Dovecot(w, 'dovecot-zlib', extra=f'{BARE}\nprotocol imap {{\n  mail_plugins = imap_zlib\n}}')
    required, optional = both(w, lambda s: dovecot.imap, 'imap')
    for way in 'starttls', 'implicit', 'clear':
        c = open_way(w, optional if way == 'clear' else required, way, 'imap')
        lines = play(c, [('a CAPABILITY\r\n', 'a '), ('l LOGIN joe secret\r\n', 'l ')])
        asked = lines.index([line for line in lines if line.startswith('a ')][0])
        check('COMPRESS' not in ''.join(lines[:asked]), f'{way}, before the login: {lines}')
        check(('COMPRESS=DEFLATE' in ''.join(lines[asked:])) == (way != 'clear'), f'{way}, with the login: {lines}')
        c.send('d COMPRESS DEFLATE\r\n')
        check(c.line().startswith('d BAD' if way == 'clear' else 'd OK'), f'{way}: {c.transcript}')
        if way != 'clear':
            check(b'\r\ne OK' in compressed(c, b'e LIST "" "INBOX"\r\n', b'e OK'), f'{way}: nothing inside')
        c.close()
    for process in required.process, optional.process, dovecot.process:
        w.stop(process)


CASES = [as_at_dovecot, as_at_postfix, as_at_inn, compress_at_dovecot]

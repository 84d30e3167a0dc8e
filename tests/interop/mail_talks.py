"""Conversations that mail_same.py has twice, with a server and through the gateway with the same server: {protocol: {name: text}}.

C: a line of the client; those that follow each other go in one write. S: answers come until a line begins like this
(a regular expression). !compress: from here on both sides deflate. !deliver: another message comes to joe's mailbox past the
connection, for which the client waits. $PLAIN, $WRONG: joe's credentials for SASL PLAIN, right and not; $GROUP: the
server's newsgroup. The greeting was read when a conversation begins; in SMTP, submission and LMTP the hello was said."""

LOGIN = 'C: a LOGIN joe secret\nS: a OK'
MESSAGE = 'C: Subject: the same\nC:\nC: ..\nC: QUIT\nC: a1 LOGOUT\nC: RSET\nC: .\nS: 250'
ENVELOPE = 'C: MAIL FROM:<alice@example.org>\nS: 250\nC: RCPT TO:<joe@mail.test>\nS: 250'
AUTH = '''
C: AUTH PLAIN
S: 334
C: $PLAIN
S: 235'''


def counted(*lines):
    """The octets of these lines, and the lines."""
    return sum(len(x) + 2 for x in lines), '\n'.join('C: ' + x for x in lines)


CHUNK, CHUNK_LINES = counted('Subject: the same', '', '.', 'QUIT', 'STARTTLS')
MAIL, MAIL_LINES = counted('Subject: the same', '', 'b STARTTLS', 'c LOGOUT')
SCRIPT, SCRIPT_LINES = counted('require ["fileinto"];', '# LOGOUT', 'fileinto "INBOX";')

SMTP = {
    'lists, and other commands': 'C: EHLO client.test\nS: 250 \nC: NOOP\nS: 250\nC: RSET\nS: 250\nC: QUIT\nS: 221',
    'refusals': 'C: FOO\nS: 50\nC: RCPT TO:<joe@mail.test>\nS: 503\nC: MAIL FROM:<alice@example.org> FOO=BAR\nS: 5\nC: QUIT\nS: 221',
    'VRFY': 'C: VRFY joe@mail.test\nS: 25\nC: QUIT\nS: 221',
    'PIPELINING': f'C: MAIL FROM:<alice@example.org>\nC: RCPT TO:<joe@mail.test>\nC: DATA\nS: 250\nS: 250\nS: 354\n{MESSAGE}\nC: QUIT\nS: 221',
    'DATA, DSN, SIZE, 8BITMIME': f'''C: MAIL FROM:<alice@example.org> SIZE=1000 BODY=8BITMIME
S: 250\nC: RCPT TO:<joe@mail.test> NOTIFY=NEVER\nS: 250\nC: DATA\nS: 354\n{MESSAGE}\nC: QUIT\nS: 221''',
    'BDAT': f'{ENVELOPE}\nC: BDAT {CHUNK}\n{CHUNK_LINES}\nS: 250\nC: BDAT {CHUNK} LAST\n{CHUNK_LINES}\nS: 250\nC: NOOP\nS: 250\nC: QUIT\nS: 221',
    'BDAT, pipelined': f'''C: MAIL FROM:<alice@example.org>\nC: RCPT TO:<joe@mail.test>\nC: BDAT {CHUNK} LAST\n{CHUNK_LINES}\nC: QUIT
S: 250\nS: 250\nS: 250\nS: 221''',
    'SMTPUTF8': f'''C: MAIL FROM:<\u00e4@example.org> SMTPUTF8\nS: 250\nC: RCPT TO:<joe@mail.test>\nS: 250\nC: DATA\nS: 354\n{MESSAGE}\nC: QUIT\nS: 221''',
}

TALKS = {
    'imap': {
        'AUTHENTICATE, response at once': 'C: a AUTHENTICATE PLAIN $PLAIN\nS: a OK\nC: b CAPABILITY\nS: b OK\nC: c LOGOUT\nS: c OK',
        'AUTHENTICATE, response asked for': 'C: a CAPABILITY\nS: a OK\nC: b AUTHENTICATE PLAIN\nS: \\+\nC: $PLAIN\nS: b OK\nC: c LOGOUT\nS: c OK',
        'AUTHENTICATE, given up; wrong': '''C: a AUTHENTICATE PLAIN\nS: \\+\nC: *\nS: a (NO|BAD)\nC: b AUTHENTICATE PLAIN\nS: \\+\nC: $WRONG\nS: b NO
C: c LOGIN joe wrong\nS: c NO\nC: d LOGIN joe secret\nS: d OK''',
        'literals': 'C: a LOGIN {3}\nS: \\+\nC: joe {6}\nS: \\+\nC: secret\nS: a OK',
        'LITERAL+': f'C: a LOGIN {{3+}}\nC: joe {{6+}}\nC: secret\nS: a OK\nC: b APPEND INBOX {{{MAIL}+}}\n{MAIL_LINES}\nC:\nS: b OK\nC: d NOOP\nS: d OK',
        'ID': f'C: a ID ("name" "test" "version" "1")\nS: a OK\n{LOGIN}\nC: b ID NIL\nS: b OK',
        'ENABLE': f'{LOGIN}\nC: b ENABLE CONDSTORE\nS: b OK\nC: c SELECT INBOX\nS: c OK\nC: d FETCH 1 (FLAGS MODSEQ)\nS: d OK',
        'UTF8=ACCEPT': f'{LOGIN}\nC: b ENABLE UTF8=ACCEPT\nS: b OK',
        'IDLE': f'{LOGIN}\nC: b SELECT INBOX\nS: b OK\nC: c IDLE\nS: \\+\n!deliver\nS: \\* 2 EXISTS\nC: DONE\nS: c OK',
        'COMPRESS': f'{LOGIN}\nC: b COMPRESS DEFLATE\nS: b OK\n!compress\nC: c SELECT INBOX\nS: c OK\nC: d FETCH 1 BODY.PEEK[]\nS: d OK\nC: e LOGOUT\nS: e OK',
        'pipelining': '''C: a CAPABILITY\nC: b LOGIN joe secret\nC: c SELECT INBOX\nC: d FETCH 1 (RFC822.SIZE)\nC: e LOGOUT
S: a OK\nS: b OK\nS: c OK\nS: d OK\nS: e OK''',
        'NAMESPACE, errors': f'C: a FOO\nS: a (NO|BAD)\nC: a SELECT INBOX\nS: a (NO|BAD)\n{LOGIN}\nC: b NAMESPACE\nS: b OK\nC: c FOO\nS: c (NO|BAD)',
    },
    'pop3': {
        'AUTH, response at once': 'C: CAPA\nS: \\.\nC: AUTH PLAIN $PLAIN\nS: \\+OK\nC: CAPA\nS: \\.\nC: STAT\nS: \\+OK\nC: QUIT\nS: \\+OK',
        'AUTH, response asked for': 'C: AUTH PLAIN\nS: \\+ \nC: $PLAIN\nS: \\+OK\nC: QUIT\nS: \\+OK',
        'AUTH, given up; wrong': '''C: AUTH PLAIN\nS: \\+ \nC: *\nS: -ERR\nC: USER joe\nS: \\+OK\nC: PASS wrong\nS: -ERR
C: USER joe\nS: \\+OK\nC: PASS secret\nS: \\+OK\nC: QUIT\nS: \\+OK''',
        'PIPELINING': '''C: USER joe\nC: PASS secret\nC: STAT\nC: LIST\nC: TOP 1 3\nC: RETR 1\nC: NOOP\nC: QUIT
S: \\+OK\nS: \\+OK\nS: \\+OK\nS: \\+OK\nS: \\.\nS: \\+OK\nS: \\.\nS: \\+OK\nS: \\.\nS: \\+OK\nS: \\+OK''',
        'UTF8': 'C: UTF8\nS: \\+OK\nC: USER joe\nS: \\+OK\nC: PASS secret\nS: \\+OK',
        'errors': 'C: FOO\nS: -ERR\nC: STAT\nS: -ERR\nC: USER joe\nS: \\+OK\nC: PASS secret\nS: \\+OK\nC: RETR 99\nS: -ERR\nC: FOO\nS: -ERR',
    },
    'smtp': SMTP,
    'submission': {
        'AUTH, response at once': 'C: AUTH PLAIN $PLAIN\nS: 235\nC: EHLO client.test\nS: 250 \nC: QUIT\nS: 221',
        'AUTH, response asked for': f'{AUTH}\n{ENVELOPE}\nC: DATA\nS: 354\n{MESSAGE}\nC: QUIT\nS: 221',
        'AUTH LOGIN': 'C: AUTH LOGIN\nS: 334\nC: am9l\nS: 334\nC: c2VjcmV0\nS: 235',
        'AUTH, given up; wrong': f'C: AUTH PLAIN\nS: 334\nC: *\nS: 5\nC: AUTH PLAIN $WRONG\nS: 535{AUTH}\nC: QUIT\nS: 221',
        **{name: f'{AUTH}\n{text}' for name, text in SMTP.items()},
    },
    'lmtp': {
        'lists, and other commands': 'C: LHLO client.test\nS: 250 \nC: NOOP\nS: 250\nC: RSET\nS: 250\nC: QUIT\nS: 221',
        'a reply for each': f'{ENVELOPE}\nC: RCPT TO:<joe@mail.test>\nS: 250\nC: DATA\nS: 354\n{MESSAGE}\nS: 250\nC: QUIT\nS: 221',
        'PIPELINING': f'C: MAIL FROM:<alice@example.org>\nC: RCPT TO:<joe@mail.test>\nC: DATA\nS: 250\nS: 250\nS: 354\n{MESSAGE}\nC: QUIT\nS: 221',
        'BDAT': SMTP['BDAT'],
        'BDAT, pipelined': SMTP['BDAT, pipelined'],
        'refusals': 'C: FOO\nS: 50\nC: RCPT TO:<joe@mail.test>\nS: 5\nC: DATA\nS: 5\nC: QUIT\nS: 221',
    },
    'sieve': {
        'AUTHENTICATE, response at once': 'C: CAPABILITY\nS: OK\nC: AUTHENTICATE "PLAIN" "$PLAIN"\nS: OK\nC: CAPABILITY\nS: OK\nC: LOGOUT\nS: OK',
        'AUTHENTICATE, response asked for': 'C: AUTHENTICATE "PLAIN"\nS: ("|\\{)\nC: "$PLAIN"\nS: OK\nC: LOGOUT\nS: OK',
        'AUTHENTICATE, given up; wrong': 'C: AUTHENTICATE "PLAIN"\nS: ("|\\{)\nC: "*"\nS: NO\nC: AUTHENTICATE "PLAIN" "$WRONG"\nS: NO\nC: AUTHENTICATE "PLAIN" "$PLAIN"\nS: OK',
        'scripts, pipelined': f'''C: AUTHENTICATE "PLAIN" "$PLAIN"\nS: OK\nC: HAVESPACE "same" 100\nC: PUTSCRIPT "same" {{{SCRIPT}+}}\n{SCRIPT_LINES}\nC:
C: GETSCRIPT "same"\nC: SETACTIVE "same"\nC: LISTSCRIPTS\nC: SETACTIVE ""\nC: DELETESCRIPT "same"\nC: LOGOUT
S: OK\nS: OK\nS: OK\nS: OK\nS: OK\nS: OK\nS: OK\nS: OK''',
        'errors': 'C: AUTHENTICATE "PLAIN" "$PLAIN"\nS: OK\nC: FOO\nS: NO\nC: PUTSCRIPT "bad" "foo"\nS: NO\nC: GETSCRIPT "none"\nS: NO',
    },
    'nntp': {
        'lists': 'C: CAPABILITIES\nS: \\.\nC: MODE READER\nS: 20\nC: CAPABILITIES\nS: \\.\nC: QUIT\nS: 205',
        'AUTHINFO SASL, response at once': 'C: MODE READER\nS: 20\nC: AUTHINFO SASL PLAIN $PLAIN\nS: 281\nC: CAPABILITIES\nS: \\.\nC: QUIT\nS: 205',
        'AUTHINFO SASL, response asked for': 'C: MODE READER\nS: 20\nC: AUTHINFO SASL PLAIN\nS: 383\nC: $PLAIN\nS: 281\nC: QUIT\nS: 205',
        'AUTHINFO, given up; wrong': 'C: AUTHINFO SASL PLAIN\nS: 383\nC: *\nS: 4\nC: AUTHINFO USER joe\nS: 381\nC: AUTHINFO PASS wrong\nS: 4',
        'pipelining': '''C: AUTHINFO USER joe\nS: 381\nC: AUTHINFO PASS secret\nS: 281\nC: MODE READER\nC: LIST\nC: GROUP $GROUP\nC: HELP\nC: QUIT
S: 20\nS: \\.\nS: 211\nS: \\.\nS: 205''',
        'COMPRESS': 'C: AUTHINFO USER joe\nS: 381\nC: AUTHINFO PASS secret\nS: 281\nC: COMPRESS DEFLATE\nS: 206\n!compress\nC: GROUP $GROUP\nS: 211\nC: QUIT\nS: 205',
        'errors': 'C: MODE READER\nS: 20\nC: AUTHINFO USER joe\nS: 381\nC: AUTHINFO PASS secret\nS: 281\nC: FOO\nS: 500\nC: GROUP no.such\nS: 4\nC: ARTICLE <x@y>\nS: 4\nC: QUIT\nS: 205',
    },
}

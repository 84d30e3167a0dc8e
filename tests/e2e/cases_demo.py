"""The demo, as a visitor meets it: its transcripts, and every line it prints to be pasted."""
import re
import subprocess
import sys

from support import ROOT, Failure, check, equal, run


def demo_once(w):
    code, out, err = run([sys.executable, str(ROOT / 'tests/e2e/demo.py'), '--gateway', str(w.gateway_program), '--once'], b'', 60)
    equal(code, 0, f'exit code ({err.decode()})')
    text = out.decode()
    for protocol in ('IMAP', 'POP3', 'SMTP', 'ACAP'):
        check(f'== {protocol}: TLSv1.3, TLS_AES_256_GCM_SHA384, group x25519 ==' in text, f'{protocol} in {text}')


def demo_lines_work_when_pasted(w):
    process = subprocess.Popen([sys.executable, '-u', str(ROOT / 'tests/e2e/demo.py'), '--gateway', str(w.gateway_program)],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        text = ''
        while not re.search(r'-T - smtp://mail\.test:\d+/\n', text):
            line = process.stdout.readline()
            if not line:
                raise Failure(f'the demo ended: {text[-600:]}')
            text += line
        for what, line in re.findall(r'   # (.*)\n   (.*)\n', text):
            typed = {'IMAP by hand': b'a LOGOUT\n', 'POP3 by hand': b'QUIT\n', 'SMTP by hand': b'QUIT\n'}.get(what, b'')
            code, out, err = run(['sh', '-c', line + (' -ign_eof' if typed else '')], typed, 30)
            equal(code, 0, f'{line}: {out!r} {err!r}')
    finally:
        process.terminate()
        process.wait(20)


CASES = [demo_once, demo_lines_work_when_pasted]

"""The command itself: help, errors at start, check, the example configuration."""
import os
import pathlib
import re
import shutil
import socket

from cases_policy import login_imap, with_server
from support import ROOT, Gateway, Line, can_bind, check, equal, free_port, run, upgrade, wait_port


def said(w, *argv):
    code, out, err = run([str(w.gateway_program), *[str(a) for a in argv]], b'', 20)
    return code, out.decode(), err.decode()


def help_fits_a_screen(w):
    for argv in (['--help'], ['run', '--help'], ['run', '--help-tls']):
        code, out, _ = said(w, *argv)
        equal(code, 0, 'exit code')
        lines = out.splitlines()
        check(len(lines) <= 30 and max(map(len, lines)) <= 100, f'{argv}: {len(lines)} lines of {max(map(len, lines))}')
    code, out, _ = said(w, 'version')
    check(code == 0 and out.startswith('hauberk 0.'), out)
    code, out, _ = said(w, 'version', '-v')
    check('x25519' in out and 'TLS_AES_128_GCM_SHA256' in out and 'imaps' in out, out)
    _, help_text, _ = said(w, 'run', '--help')
    for scheme in out.split('schemes:')[1].splitlines()[0].split():
        check(f' {scheme}' in help_text, f'{scheme} is not in the help')


def errors_at_start_are_one_line(w):
    c, taken = w.certs, socket.create_server(('127.0.0.1', 0))
    good = ['--listen', f'imap://127.0.0.1:{free_port()}', '--backend', '127.0.0.1:143']
    cert = ['--cert', c / 'ecdsa-p256.crt', '--key', c / 'ecdsa-p256.key']
    rows = [(['frobnicate'], 'unknown command'), (['run', '--frobnicate'], 'unknown option'), (['run', '--listen'], 'needs a value'),
            (['run', *cert], 'nothing to listen on'), (['run', *good], 'no certificate given'),
            (['run', '--listen', 'imap://127.0.0.1:1143', *cert], 'needs a --backend'),
            (['run', *good, '--cert', c / 'ca.crt'], 'needs a --key'),
            (['run', '--listen', 'gopher://127.0.0.1:70', '--backend', '127.0.0.1:1', *cert], 'unknown scheme "gopher"'),
            (['run', '--listen', 'imap://127.0.0.1:99999', '--backend', '127.0.0.1:1', *cert], 'port from 1 to 65535'),
            (['run', *good, *cert, '--tls', 'maybe'], 'required or optional'), (['run', *good, *cert, '--workers', '0'], 'from 1 to 64'),
            (['run', *good, *cert, '--profile', 'modern', '--tls-max', '1.2'], 'no TLS version'),
            (['run', '--listen', 'imap://127.0.0.1:1143', '--backend', '192.0.2.1:143', *cert], 'in clear'),
            (['run', *good, '--cert', c / 'absent.crt', '--key', c / 'ecdsa-p256.key'], 'absent.crt: No such file'),
            (['run', *good, '--cert', c / 'ecdsa-p256.crt', '--key', c / 'rsa2048.key'], 'does not belong to the certificate'),
            (['run', *good, '--cert', c / 'ecdsa-p256.crt', '--key', c / 'other.key'], 'does not belong to the certificate'),
            (['run', *good, '--cert', c / 'expired.crt', '--key', c / 'expired.key'], 'has expired'),
            (['run', *good, '--cert', c / 'future.crt', '--key', c / 'future.key'], 'not valid yet'),
            (['run', *good, '--cert', c / 'weak.crt', '--key', c / 'weak.key'], 'shorter than 2048 bits'),
            (['run', *good, '--cert', c / 'ecdsa-p256.crt', '--key', c / 'ecdsa-p256.encrypted.key'], 'is encrypted'),
            (['run', *good, '--cert', c / 'ecdsa-p256.key', '--key', c / 'ecdsa-p256.crt'], 'there is no certificate in it, in PEM or DER'),
            (['run', *good, '--cert', c / 'ecdsa-p256.crt', '--key', c / 'ecdsa-p256.crt'], 'there is no private key in it, in PEM or DER'),
            (['run', *good, '--cert', '/dev/null', '--key', c / 'ecdsa-p256.key'], 'there is no certificate'),
            (['runn'], 'did you mean run?'), (['run', '--worker', '2'], 'did you mean --workers?'),
            (['run', '--listen', f'imap://127.0.0.1:{taken.getsockname()[1]}', '--backend', '127.0.0.1:143', *cert], 'Address already in use')]
    for argv, want in rows:
        code, out, err = said(w, *argv)
        equal(code, 2, f'{argv}: exit code ({err})')
        check(want in err and err.count('\n') == 1 and out == '', f'{argv}: {err!r}')
    taken.close()


def check_names_file_and_line(w):
    folder = w.folder / 'check'
    folder.mkdir(exist_ok=True)
    bad = folder / 'bad.conf'
    rows = [('listener x {\n  listen = "imap://127.0.0.1:1143"\n  frob = 1\n}\n', [':3: no such option']),
            ('workers = many\n', [':1: ']), ('listener x {\n  listen = "imap://127.0.0.1:1143"\n', [':3: ']),
            (f'certificate c {{\n  chain = "{w.certs}/ecdsa-p256.crt"\n}}\n', [': a certificate needs both chain and key']),
            (f'certificate c {{\n  chain = "{w.certs}/ecdsa-p256.crt"\n  key = "{w.certs}/ecdsa-p256.key"\n}}\n'
             'listener a {\n  listen = "imap://127.0.0.1:1143"\n  backend = "127.0.0.1:143"\n  tls = "perhaps"\n}\n'
             'listener b {\n  listen = "pop3://127.0.0.1:1110"\n  certificates = {"d"}\n}\n',
             ['perhaps', 'no backend given', 'no certificate has the name: d'])]
    for text, wants in rows:
        bad.write_text(text)
        code, _, err = said(w, 'check', '--config', bad)
        equal(code, 2, f'{text!r}: exit code')
        for want in wants:
            check(want in err and f'{bad}:' in err, f'{text!r}: {err!r}')
    code, _, err = said(w, 'check', '--config', folder / 'absent.conf')
    check(code == 2 and 'absent.conf' in err and err.count('\n') == 1, err)


def check_says_how_good(w):
    """0, 1 with what to look at, or 2; a relaxation of safety is a warning each time."""
    text = f'certificate c {{\n  chain = "{w.certs}/CERT.crt"\n  key = "{w.certs}/CERT.key"\n}}\n' \
        'listener a {\n  listen = "imap://127.0.0.1:1143"\n  backend = "127.0.0.1:143"\nWORDS}\n'
    rows = [('ecdsa-p256', '', 0, ': good\n', ''),
            ('soon', '', 1, ': usable, with warnings\n', 'expires in'),
            ('ecdsa-p256', '  tls = "optional"\n', 1, 'with warnings', '.conf:8: tls = optional: clients may go on without TLS'),
            ('ecdsa-p256', '  profile = "legacy"\n', 1, 'with warnings', '.conf:8: profile legacy'),
            ('ecdsa-p256', '  plaintext-auth = true\n', 1, 'with warnings', '.conf:8: plaintext-auth'),
            ('expired', '', 2, ': not usable\n', 'has expired')]
    for cert, words, want, last, warning in rows:
        path = w.folder / 'good.conf'
        path.write_text(text.replace('CERT', cert).replace('WORDS', words))
        code, out, err = said(w, 'check', '--config', path)
        check(code == want and last in out and warning in err and (want > 0 or err == ''), f'{cert} {words}: {code} {out}{err}')
    argv = ['--listen', 'imap://127.0.0.1:1143', '--backend', '127.0.0.1:143', '--cert', w.certs / 'ecdsa-p256.crt', '--key',
            w.certs / 'ecdsa-p256.key']
    equal(said(w, 'check', *argv)[0], 0, 'check of a command line')


def mistakes_of_a_tired_admin(w):
    """What goes wrong at night: check's exit code and its sentence, with file and line where it is one of the file's."""
    folder, port = w.folder / 'tired', free_port()
    (folder / 'conf.d').mkdir(parents=True)
    (folder / 'empty').mkdir()
    (folder / 'no-secret').touch(0o600)
    (folder / 'secret').write_bytes(bytes(32))
    (folder / 'secret').chmod(0o644)
    pair = lambda name: f'certificate c {{ chain = "{w.certs}/{name}.crt" key = "{w.certs}/{name}.key" }}\n'
    listener = lambda words='', at=f'imap://0.0.0.0:{port}', to='127.0.0.1:1143', name='a': \
        f'listener {name} {{ listen = "{at}" backend = "{to}" {words} }}\n'
    good = pair('ecdsa-p256')
    rows = [(good + listener(), 0, ': good'),
            (good + listener('host = "imap.example.org"'), 1, 'x.conf:2: no certificate of the listener is for its host: imap.example.org'),
            (pair('wildcard') + listener('host = "imap.wild.test"'), 0, ': good'),
            (pair('soon') + listener(), 1, 'x.conf:1: '), (pair('expired') + listener(), 2, 'has expired'), (pair('absent') + listener(), 2, 'No such file'),
            # the server was never moved to another port
            (good + listener(to=f'127.0.0.1:{port}'), 2, 'x.conf:2: its sessions would come back to it'),
            (good + listener(at='imap://[::]:143', to='[::1]'), 2, 'come back to it'),
            (good + listener(at=f'imap://[::]:{port}', to=f'127.0.0.1:{port}'), 0, ': good'),
            (good + listener(to='127.0.0.1:9143') + listener(at='tcp://127.0.0.1:9143', to='imaps://127.0.0.1:9993', name='out'), 1, 'no TLS toward clients here'),
            (good + listener(to='127.0.0.1:9143') + listener(at='tcp://127.0.0.1:9143', to=f'imap+starttls://127.0.0.1:{port}', name='out'), 2, 'come back to it'),
            (good + listener() + listener(at=f'imaps://0.0.0.0:{port}', name='b'), 2, 'x.conf:3: another listener has this address already'),
            (good + listener() + listener(), 2, 'x.conf:3: '),
            (good + 'include("nowhere")\n', 2, 'x.conf:2: '), (good + 'include("empty")\n' + listener(), 0, ': good'), (good + 'include("x.conf")\n', 2, 'x.conf:2: '),
            (f'certificate-folder = "{folder}/nowhere"\n' + listener(), 2, 'x.conf:1: cannot list the folder'),
            (f'certificate-folder = "{folder}/empty"\n' + listener(), 1, 'no usable certificate'),
            (good + listener(f'ticket-secret = "{folder}/no-secret"'), 2, 'shorter than 32 bytes'),
            (good + listener(f'ticket-secret = "{folder}/secret"'), 1, 'x.conf:2: ticket-secret can be read or changed by others'),
            (good + 'user = "nobody-of-this-name"\n' + listener(), 2, 'x.conf:2: there is no such user'),
            (good + listener(to='no-such-host.invalid', words='trusted-network = true'), 2, 'x.conf:2: '),
            (good + listener('idle-timeout = 5'), 2, 'is a number from 1800'), (good + listener('tlss = required'), 2, 'did you mean tls?'),
            (good + listener().replace('}', ''), 2, 'a } is missing'), (good + 'workers = "all"\n' + listener(), 2, 'from 1 to 64'), ('', 2, 'nothing to listen on')]
    conf = folder / 'x.conf'
    for text, want, words in rows:
        conf.write_text(text)
        code, out, err = said(w, 'check', '--config', conf)
        check(code == want and words in out + err, f'{text}: {code}, want {want}: {out}{err}')
    equal(said(w, 'check', '--config', folder)[0], 2, 'a folder')
    if os.getuid() == 0:
        conf.write_text(good + listener())
        (folder / 'hauberk').write_bytes(pathlib.Path(w.release_program).read_bytes())
        (folder / 'hauberk').chmod(0o755)
        code, out, err = run(['setpriv', '--reuid', 'nobody', '--clear-groups', str(folder / 'hauberk'), 'check', '--config', str(conf)])
        check(code == 2 and b'ecdsa-p256.key: Permission denied' in err, f'a key that may not be read: {code} {out}{err}')
    else:
        print('     not root: a key that may not be read was not tried')


def places_that_are_taken(w):
    """check tells of ports that another program has, by its name, of addresses of other machines, and of ports for root; it says
    nothing of ports that a hauberk serves, and takes nothing from anybody."""
    argv = ['--backend', '127.0.0.1:9', '--host', 'mail.test', '--cert', w.certs / 'ecdsa-p256.crt', '--key', w.certs / 'ecdsa-p256.key']
    listen = lambda url: said(w, 'check', '--listen', url, *argv)
    with socket.socket() as other:
        other.bind(('127.0.0.1', 0))
        other.listen()
        port = other.getsockname()[1]
        for at in ('127.0.0.1', '0.0.0.0'):
            code, out, err = listen(f'imap://{at}:{port}')
            check(code == 1 and f'the port is taken by {open("/proc/self/comm").read().strip()} (process {os.getpid()})' in err, f'{at}: {code} {out}{err}')
        equal(listen(f'imap://127.0.0.2:{port}'), (0, 'configuration: good\n', ''), 'the same port of another address')
        code, _, err = said(w, 'check', '--listen', f'imap://127.0.0.1:{free_port()}', '--metrics', f'127.0.0.1:{port}', *argv)
        check(code == 1 and 'the port is taken by' in err, f'metrics: {code} {err}')
    code, _, err = listen('imap://192.0.2.77:143')
    check(code == 1 and 'this machine does not have that address' in err, f'{code} {err}')
    with Gateway(w, [('imap', 9)], '--workers', '2') as g:
        for _ in range(20):
            equal(listen(f'imap://127.0.0.1:{g.port("imap")}'), (0, 'configuration: good\n', ''), 'a port that hauberk serves')
            Line(g.port('imap')).close()
    free = free_port()
    equal(listen(f'imap://127.0.0.1:{free}')[0], 0, 'a free port')
    check(can_bind(socket.AF_INET, '127.0.0.1', free), 'it is free as before')
    if os.getuid() == 0:
        folder = w.folder / 'places'
        folder.mkdir()
        copies = [shutil.copy(f, folder) for f in (w.release_program, argv[5], argv[7])]
        for f in copies[1:]:
            shutil.chown(f, 'nobody')
        first = int(pathlib.Path('/proc/sys/net/ipv4/ip_unprivileged_port_start').read_text())
        for caps, want in (('-all', 1 if first > 143 else 0), ('+net_bind_service', 0)):
            code, out, err = run(['setpriv', '--reuid', 'nobody', '--clear-groups', '--inh-caps', caps, '--ambient-caps', caps, str(copies[0]), 'check',
                                  '--listen', 'imap://127.0.0.1:143', *argv[:4], '--cert', str(copies[1]), '--key', str(copies[2])])
            check(code == want and (b'this port is for root' in err) == bool(want), f'{caps}: {code} {out}{err}')
    else:
        print('     not root: a port for root was not tried')


def explain_says_who_said_it(w):
    """Each value with its place: file and line, the option, or "default"; defaults of defaults are worked out."""
    path = w.folder / 'explain.conf'
    path.write_text(f'workers = 3\ndefaults {{\n  host = "mail.test"\n}}\n'
                    f'certificate c {{\n  chain = "{w.certs}/ecdsa-p256.crt"\n  key = "{w.certs}/ecdsa-p256.key"\n}}\n'
                    'listener a {\n  listen = "imap://127.0.0.1:1143"\n  backend = "127.0.0.1:143"\n  tls-max = "1.2"\n}\n'
                    'listener b {\n  listen = "pop3s://127.0.0.1:1995"\n  backend = "127.0.0.1:110"\n}\n'
                    'timeouts {\n  connect = 7\n}\n')
    code, out, err = said(w, 'explain', 'a', '--config', path, '--workers', '2')
    rows = [line.split() for line in out.splitlines()]
    for want in (['tls-max', '1.2', f'{path}:12'], ['tls-min', '1.2', 'default'], ['host', 'mail.test', f'{path}:3'],
                 ['tls', 'required', 'default'], ['workers', '2', '--workers'], ['connect', '7', f'{path}:19'],
                 ['handshake', '30', 'default'], ['alpn-protocols', 'imap', 'default'], ['plaintext-auth', 'false', 'default']):
        check(want in rows, f'{want} is not in\n{out}')
    check(code == 0 and err == '' and 'listener b' not in out and 'ECDSA P-256 until 20' in out, f'{code} {out}{err}')
    code, out, _ = said(w, 'explain', '--config', path)
    check(code == 0 and 'listener a\n' in out and 'listener b\n' in out and 'from the first byte' in out, out)
    code, out, err = said(w, 'explain', 'c', '--config', path)
    check(code == 2 and out == '' and 'no listener c; there are: a b' in err, err)


@with_server
def simulate_says_what_clients_read(w, server):
    """The same bytes as a real client gets, before TLS and inside it; a sample where the backend cannot be asked."""
    for scheme, port, command, lines in (
            ('imap', 'imap', b'x CAPABILITY\r\n', 2), ('pop3', 'pop3', b'CAPA\r\n', None), ('submission', 'smtp', b'EHLO client.example\r\n', None)):
        at = free_port()
        argv = ['--host', 'mail.test', '--listen', f'{scheme}://127.0.0.1:{at}', '--backend', f'127.0.0.1:{server.port[port]}',
                '--cert', w.certs / 'ecdsa-p256.crt', '--key', w.certs / 'ecdsa-p256.key']
        code, out, err = said(w, 'simulate', f'{scheme}://127.0.0.1:{at}', *argv)
        check(code == 0 and 'before TLS' in out and 'inside TLS' in out and ' answers)' in out, f'{code} {out}{err}')
        simulated = [line[5:] for line in out.split('inside TLS')[1].splitlines() if line.startswith('  S: ')]
        process = w.start([w.gateway_program, 'run', *argv], 'simulate.log')
        wait_port(at, process)
        c = upgrade(w, at, scheme)
        c.send(command)
        for want in simulated:
            got = c.line()
            got = (got.decode() if isinstance(got, bytes) else got).rstrip('\r\n')
            equal(got.replace('x OK', 's OK', 1), want, f'{scheme}: a line inside TLS')
        c.close()
        w.stop(process)
    cert = ['--cert', w.certs / 'ecdsa-p256.crt', '--key', w.certs / 'ecdsa-p256.key']
    code, out, _ = said(w, 'simulate', '--listen', 'imaps://127.0.0.1:1993', '--backend', f'127.0.0.1:{free_port()}', *cert)
    check(code == 0 and 'Connection refused; a sample answers' in out and 'before TLS' not in out, out)


@with_server
def example_configuration(w, server):
    """fixtures/conf/example.conf as it stands, its ports and certificates replaced, checked and run."""
    folder = w.folder / 'example'
    shutil.copytree(w.certs, folder / 'certs', dirs_exist_ok=True)
    text = (ROOT / 'fixtures/conf/example.conf').read_text()
    ports = {}
    for scheme in ('imap', 'imaps', 'pop3', 'submission'):
        ports[scheme] = free_port()
    for old, new in (('imap://127.0.0.1:1143', f'imap://127.0.0.1:{ports["imap"]}'),
                     ('imaps://127.0.0.1:1993', f'imaps://127.0.0.1:{ports["imaps"]}'),
                     ('pop3://127.0.0.1:1110', f'pop3://127.0.0.1:{ports["pop3"]}'),
                     ('submission://127.0.0.1:1587', f'submission://127.0.0.1:{ports["submission"]}'),
                     ('"127.0.0.1:143"', f'"127.0.0.1:{server.port["imap"]}"'), ('"127.0.0.1:110"', f'"127.0.0.1:{server.port["pop3"]}"'),
                     ('"127.0.0.1:587"', f'"127.0.0.1:{server.port["smtp"]}"')):
        check(old in text, f'the example has {old}')
        text = text.replace(old, new)
    conf = folder / 'example.conf'
    conf.write_text(text)
    code, out, err = said(w, 'check', '--config', conf)
    check(code == 0 and out.endswith(': good\n'), f'{out}{err}')
    process = w.start([w.gateway_program, 'run', '--config', conf], 'example.log')
    for port in ports.values():
        wait_port(port, process)
    for scheme in ('imap', 'pop3', 'submission'):
        c = upgrade(w, ports[scheme], scheme)
        if scheme == 'imap':
            login_imap(c)
        c.close()
    w.stop(process)
    equal(process.returncode, 0, 'exit code')


def manual_items():
    """hauberk.conf(5)'s items that have values to choose from, or a number: [(word, values, text)]"""
    page = (ROOT / 'docs/man/hauberk.conf.5').read_text()
    for head, text in re.findall(r'^\.It Cm (.*)\n((?:(?!\.It |\.El).*\n)*)', page, re.M):
        words, _, values = head.partition(' No = ')
        for word in re.split(r' , ', words):
            yield word, values.removeprefix('Cm ').split(' | ') if values.startswith('Cm ') and '|' in values else None, text


def manual_has_every_value(w):
    """A value that is none makes check say which there are, and between which numbers: those of hauberk.conf(5), no others."""
    conf, seen = w.folder / 'values.conf', {}
    given = 'certificate c {{ chain = "{0}.crt" key = "{0}.key" }}\n'.format(w.certs / 'ecdsa-p256')
    top = re.findall(r'^GP?\(\w+,\s*"([a-z-]+)"', (ROOT / 'gateway/globals.def').read_text(), re.M)
    times = re.findall(r'^T\(\w+,\s*"([a-z-]+)"', (ROOT / 'gateway/timeouts.def').read_text(), re.M)
    for word, values, text in manual_items():
        if values == ['true', 'false'] or word in ('listen', 'backend', 'chain', 'key', 'staple', 'servers', 'certificates', 'balance', 'health-check'):
            continue
        inside = f'listener imap {{ listen = "imap://127.0.0.1:1" backend = "imaps://127.0.0.1:9" host = "mail.test" {{}} }}\n'
        line, block = f'{word} = "no-such-value"', ''
        if word in times:
            block, line = f'timeouts {{ {word} = 4000000 }}\n', ''
        conf.write_text((f'{line}\n' if word in top else '') + given + block + inside.replace('{}', '' if word in top else line))
        code, _, err = said(w, 'check', '--config', conf)
        one = re.search(rf'{word} (?:is|takes) ([a-z0-9., -]+?)(?:, or one of these.*)?[,;] not: ', err)
        listed = one and 'number' not in one[1] and re.split(r' or |, ', one[1])
        if values:
            check(code == 2 and listed, f'{word}: {err}')
            equal(sorted(values), sorted(listed), f'{word}: the values in the manual, and in the program')
            seen[word] = values
        between = re.search(r'from (\d+) to (\d+)', err)
        if between:
            told = re.findall(r'\b(\d+) to (\d+)\b', text)
            check(not told or between.groups() in told, f'{word}: {between[0]}, and the manual says {told}')
    check(len(seen) >= 18, f'words with values: {sorted(seen)}')


def every_relaxation_has_its_warning(w):
    """Each word that hauberk.conf(5) marks as a relaxation, said, makes check end with 1 and name it; said as it is by default, with 0."""
    conf, tls = w.folder / 'relaxed.conf', 'imaps://127.0.0.1:9'
    for name in ('crt', 'key'):
        shutil.copy(w.certs / f'ecdsa-p256.{name}', w.folder / f'relaxed.{name}')
    (w.folder / 'relaxed.key').chmod(0o600)
    everybody = ('"0.0.0.0/0"', '"192.0.2.1,::/0"')
    rows = [('tls', ('optional', 'observe', 'warn'), 'required', {}), ('plaintext-auth', ('true',), 'false', {}), ('profile', ('legacy',), 'modern', {}),
            ('client-verify', ('none',), 'chain', {'more': f'client-auth = require client-ca = "{w.certs}/ca.crt"'}),
            ('accept-proxy', everybody, '"192.0.2.0/24"', {}), ('trusted-network', ('true',), 'false', {'backend': '192.0.2.1:143', 'else': '127.0.0.1:9'}),
            ('backend-verify', ('none', 'chain'), 'full', {'backend': tls}), ('backend-profile', ('legacy', 'antique'), 'modern', {'backend': tls}),
            ('keys', ('worker',), 'keeper', {'top': True}), ('sandbox', ('off',), 'on', {'top': True}), ('limit-exempt', everybody, '"192.0.2.7"', {'top': True})]
    rows += [(name, ('0',), '100', {'top': True}) for name in ('connections-per-address', 'connections-per-network', 'handshakes-per-network',
                                                               'handshakes-at-once', 'failed-logins-per-address', 'tarpit')]
    for word, relaxed, safe, how in rows:
        for value in (*relaxed, safe):
            line, top = f'{word} = {value}', how.get('top')
            backend = how.get('backend', '127.0.0.1:9') if value != safe else how.get('else', how.get('backend', '127.0.0.1:9'))
            conf.write_text((f'{line}\n' if top else '') + f'certificate c {{ chain = "{w.folder}/relaxed.crt" key = "{w.folder}/relaxed.key" }}\n'
                            f'listener imap {{ listen = "imap://127.0.0.1:{free_port()}" backend = "{backend}" host = "mail.test" {how.get("more", "")} {"" if top else line} }}\n')
            code, out, err = said(w, 'check', '--config', conf)
            check((code, word in err) == ((1, True) if value != safe else (0, False)), f'{line}: {code} {out}{err}')
    marked = {x for x, _, text in manual_items() if re.search(r'\bEm [Rr]elaxation', text)}
    marked |= {x for x in ('connections-per-network', 'handshakes-per-network', 'handshakes-at-once', 'failed-logins-per-address', 'tarpit')}  # "this and the following"
    equal({word for word, *_ in rows} ^ marked, set(), 'words that are marked, and those that are tried')


def examples_of_the_manuals(w):
    """What hauberk(8) and hauberk.conf(5) show is what check and explain take, but for the machine's own names."""
    folder = w.folder / 'manuals'
    live = folder / 'live/mail.example.org'
    live.mkdir(parents=True)
    for name, other in (('fullchain.pem', 'crt'), ('privkey.pem', 'key')):
        (live / name).write_bytes((w.certs / f'ecdsa-p256.{other}').read_bytes())
        (live / name).chmod(0o600)
    ours = [('/etc/letsencrypt/live', folder / 'live'), ('/etc/hauberk/hauberk.conf', folder / 'hauberk.conf'), ('--host mail.example.org', '--host mail.test'),
            ('host = "mail.example.org"', 'host = "mail.test"'), ('0.0.0.0:143', f'127.0.0.1:{free_port()}')]

    def literal(page):
        text = (ROOT / 'docs/man' / page).read_text()
        for old, new in ours:
            text = text.replace(old, str(new))
        return re.findall(r'^\.Bd -literal.*\n((?:.*\n)*?)\.Ed', text, re.M)
    (folder / 'hauberk.conf').write_text(literal('hauberk.conf.5')[0])
    commands = ''.join(literal('hauberk.8')).replace('\\e\n', '').splitlines()
    equal(len(commands), 4, 'commands')
    for command in commands:
        argv = command.split()
        equal(argv[0], 'hauberk', 'the program')
        code, out, err = said(w, *(['check', *argv[2:]] if argv[1] == 'run' else argv[1:]))
        check(code == 0 and err == '', f'{command}: {code} {out}{err}')


def installed_help_matches_the_readme(w):
    """Every option that the README or the example shows exists."""
    text = (ROOT / 'README.md').read_text()
    _, out, _ = said(w, 'run', '--help')
    for option in set(re.findall(r'(?<=[ `])--(?:listen|backend|cert|key|tls|profile|workers|log|config|host)\b', text)):
        check(option in out, f'{option} is in the README but not in the help')


CASES = [help_fits_a_screen, errors_at_start_are_one_line, check_names_file_and_line, check_says_how_good, mistakes_of_a_tired_admin, places_that_are_taken, explain_says_who_said_it,
         simulate_says_what_clients_read, example_configuration,
         manual_has_every_value, every_relaxation_has_its_warning, examples_of_the_manuals, installed_help_matches_the_readme]

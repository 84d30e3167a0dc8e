"""Under a service manager, and installed: readiness, watchdog, sockets by name, files in their places, completion."""
import os
import shutil
import socket
import subprocess

from cases_policy import login_imap, with_server
from support import ROOT, Line, check, equal, free_port, run, upgrade, wait_port


def manager(w, name):
    path = w.folder / name
    path.unlink(missing_ok=True)
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(str(path))
    s.settimeout(15)
    return s, path


def told(s):
    return s.recv(4096).decode().split('\n')


@with_server
def tells_the_service_manager(w, server):
    """READY=1 when the sockets listen, a sign of life within the watchdog's time, STOPPING=1 at the end."""
    for workers in (1, 2):
        s, path = manager(w, f'notify-{workers}')
        port = free_port()
        p = w.start([w.gateway_program, 'run', '--listen', f'imap://127.0.0.1:{port}', '--backend', f'127.0.0.1:{server.port["imap"]}',
                     '--cert', w.certs / 'ecdsa-p256.crt', '--key', w.certs / 'ecdsa-p256.key', '--workers', workers], 'notify.log',
                    env={**os.environ, 'NOTIFY_SOCKET': str(path), 'WATCHDOG_USEC': '2000000'})
        check('READY=1' in told(s), 'ready first')
        socket.create_connection(('127.0.0.1', port), 5).close()  # no waiting: it said so
        check('WATCHDOG=1' in told(s) and 'WATCHDOG=1' in told(s), 'signs of life')
        w.stop(p)
        equal(p.returncode, 0, 'exit code')
        s.setblocking(False)
        rest = []
        try:
            while True:
                rest += told(s)
        except BlockingIOError:
            pass
        check('STOPPING=1' in rest and 'READY=1' not in rest, f'{workers} workers: {rest}')
        s.close()


@with_server
def takes_sockets_by_name(w, server):
    """A client that came before the program was there is served; a socket for somebody else is left alone."""
    given = socket.create_server(('127.0.0.1', 0))
    own = free_port()
    conf = w.folder / 'handed.conf'
    conf.write_text(f'certificate c {{\n  chain = "{w.certs}/ecdsa-p256.crt"\n  key = "{w.certs}/ecdsa-p256.key"\n}}\n' + ''.join(
        f'listener {name} {{\n  listen = "imap://127.0.0.1:{port}"\n  backend = "127.0.0.1:{server.port["imap"]}"\n}}\n'
        for name, port in (('first', given.getsockname()[1]), ('second', own))))
    early = Line(given.getsockname()[1])
    for workers in (1, 2):
        # exec keeps the process, and LISTEN_PID must name it
        script = f'exec 3<&{given.fileno()} 4<&{given.fileno()}; export LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=unknown:first; exec "$@"'
        p = w.start(['bash', '-c', script, 'bash', w.gateway_program, 'run', '--config', conf, '--workers', workers], 'handed.log',
                    pass_fds=[given.fileno()])
        if workers == 1:
            check(early.line().startswith('* OK'), early.transcript)
            early.close()
        wait_port(own, p)
        for port in (given.getsockname()[1], own):
            c = upgrade(w, port, 'imap')
            login_imap(c)
            c.close()
        w.stop(p)
        equal(p.returncode, 0, 'exit code')
    given.close()


def installs_what_it_says(w):
    """meson install into an empty folder; the unit is one that systemd understands; the completion completes."""
    target = w.folder / 'installed'
    code, out, err = run(['meson', 'install', '-C', ROOT / 'build', '--no-rebuild', '--destdir', target], seconds=120)
    check(code == 0, f'{out.decode()}{err.decode()}')
    files = {str(f.relative_to(target / 'usr/local')) for f in target.rglob('*') if f.is_file()}
    for name in ('bin/hauberk', 'share/man/man8/hauberk.8', 'share/man/man8/hauberk-ctl.8', 'share/man/man5/hauberk.conf.5', 'share/man/man5/hauberk-log.5', 'lib/systemd/system/hauberk.service',
                 'lib/sysusers.d/hauberk.conf', 'lib/tmpfiles.d/hauberk.conf', 'share/bash-completion/completions/hauberk',
                 'share/doc/hauberk/example.conf', 'share/doc/hauberk/hauberk.socket.example'):
        check(name in files, f'{name} was not installed: {sorted(files)}')
    unit = (target / 'usr/local/lib/systemd/system/hauberk.service').read_text()
    check('ExecStart=/usr/local/bin/hauberk run --config /usr/local/etc/hauberk/hauberk.conf' in unit and '@bindir@' not in unit, unit)
    if shutil.which('systemd-analyze'):
        folder = w.folder / 'units'
        folder.mkdir(exist_ok=True)
        (folder / 'hauberk.service').write_text(unit.replace('/usr/local/bin/hauberk', str(target / 'usr/local/bin/hauberk')))
        shutil.copy(target / 'usr/local/share/doc/hauberk/hauberk.socket.example', folder / 'hauberk-imap.socket')
        for name in ('hauberk.service', 'hauberk-imap.socket'):
            code, out, err = run(['systemd-analyze', 'verify', '--man=no', folder / name], seconds=60)
            said = [line for line in (out + err).decode().splitlines() if 'hauberk' in line]
            check(not said, said)
    else:
        print('     no systemd-analyze here: the unit was not looked at')
    conf = w.folder / 'complete.conf'
    conf.write_text('listener imap {\n}\n  listener pop3{\n}\n')
    for words, want in ((['hauberk', 'si'], ['simulate']), (['hauberk', 'run', '--backend-tls-'], ['--backend-tls-min', '--backend-tls-max']),
                        (['hauberk', 'run', '--tls', 'w'], ['warn']), (['hauberk', 'explain', 'p', '--config', conf], ['pop3'])):
        at = words.index('p') if 'p' in words else len(words) - 1
        script = (f'. {target}/usr/local/share/bash-completion/completions/hauberk; COMP_WORDS=({" ".join(map(str, words))}); '
                  f'COMP_CWORD={at}; _hauberk; printf "%s\\n" "${{COMPREPLY[@]}}"')
        done = subprocess.run(['bash', '-c', script], capture_output=True, text=True, check=False)
        equal(done.stdout.split(), want, f'{words}: {done.stderr}')


CASES = [tells_the_service_manager, takes_sockets_by_name, installs_what_it_says]

"""hauberk.service under systemd with all its hardening, on the configuration that README's way left.

Every case begins with the unit running (`fresh`) and without drop-ins."""
import functools
import imaplib
import re
import socket

from support import check, equal, wait_for
from way import certificate, client, session

CONF = '/etc/hauberk/hauberk.conf'
DROP = '/etc/systemd/system/hauberk.service.d/walk.conf'
wait = functools.partial(wait_for, seconds=60)  # systemd takes its time


def fresh(tree, drop_in=None):
    """Started anew, perhaps with other settings of the unit."""
    tree.sh(f'systemctl stop hauberk; rm -f {DROP}')
    if drop_in is not None:
        tree.write(DROP, f'[Service]\n{drop_in}\n')
    tree.sh('systemctl daemon-reload; systemctl reset-failed hauberk; systemctl start hauberk')


def serves():
    try:
        client().logout()
        return True
    except (OSError, imaplib.IMAP4.abort):
        return False


def processes(tree):
    """[(name in `ctl status`, pid in the tree, {row of /proc/PID/status: value})]"""
    rows = re.findall(r'^(supervisor|\w+ \d+) pid=(\d+)', tree.sh('hauberk ctl status')[1], re.M)
    status = {pid: dict(re.findall(r'^(\w+):\t(.*)$', tree.sh(f'cat /proc/{pid}/status')[1], re.M)) for _, pid in rows}
    return [(name.split()[0], pid, status[pid]) for name, pid in rows]


def users_and_privileges(tree):
    """The first process keeps the unit's few capabilities; the others are hauberk's, have none, a filter, and an empty root."""
    fresh(tree)
    uid = tree.sh('id -u hauberk')[1].strip()
    rows = processes(tree)
    equal(sorted({name for name, _, _ in rows}), ['admin', 'keeper', 'supervisor', 'worker'], 'processes')
    for name, pid, status in rows:
        equal(status['NoNewPrivs'], '1', f'{name}: no new privileges')
        equal(status['Seccomp'], '2', f'{name}: a filter')
        if name == 'supervisor':
            continue
        equal(status['Uid'].split(), [uid] * 4, f'{name}: user')
        equal((int(status['CapEff'], 16), int(status['CapPrm'], 16)), (0, 0), f'{name}: capabilities')
        equal(tree.sh(f'ls -A /proc/{pid}/root/')[1], '', f'{name}: its root')
        check(int(status['Seccomp_filters']) > 1, f'{name}: a filter of its own behind the unit\'s: {status["Seccomp_filters"]}')
    check(serves(), 'it serves')


def hardening_of_the_unit(tree):
    """What systemd-analyze security thinks of it; told as a figure."""
    out = tree.sh('systemd-analyze security --no-pager hauberk')[1]
    figure = re.search(r'Overall exposure level for hauberk.service: ([0-9.]+) (\w+)', out)
    check(figure is not None and float(figure[1]) < 3, out)
    for setting in ('NoNewPrivileges', 'ProtectSystem', 'MemoryDenyWriteExecute', 'PrivateDevices', 'ProtectKernelModules'):
        check(tree.show(setting) in ('yes', 'strict'), f'{setting}={tree.show(setting)}')
    return f'exposure {figure[1]} {figure[2]}'


def watchdog(tree):
    """It tells that it is alive; if it hangs systemd ends it, and starts it again."""
    fresh(tree, 'WatchdogSec=2')
    pid = tree.show('MainPID')
    first = tree.show('WatchdogTimestampMonotonic')
    wait('signs of life', lambda: int(tree.show('WatchdogTimestampMonotonic')) > int(first) + 5_000_000)
    equal(tree.show('MainPID,NRestarts'), {'MainPID': pid, 'NRestarts': '0'}, 'while it is well')
    tree.sh(f'kill -STOP {pid}')
    wait('a new one', lambda: tree.show('NRestarts') == '1' and tree.show('SubState') == 'running', seconds=120)
    check('Watchdog timeout' in tree.journal('-n 200'), tree.journal('-n 30'))
    wait('it serves again', serves)
    check(tree.show('MainPID') != pid, 'another process')


def looked_at_while_it_runs(tree):
    """check beside the service finds its ports its own, a server that took one by name, and disturbs nobody."""
    fresh(tree)
    there = session()
    check(tree.sh(f'hauberk check --config {CONF}')[1].endswith(': good\n'), 'check beside the service')
    text = tree.sh(f'cat {CONF}')[1]
    try:
        tree.write(CONF, text + 'listener other {\n  listen = "imap://127.0.0.1:1143"\n  backend = "127.0.0.1:1144"\n}\n')
        code, out = tree.sh(f'hauberk check --config {CONF} 2>&1', check_code=False)
        check(code == 1 and 'the port is taken by dovecot (process ' in out, out)
    finally:
        tree.write(CONF, text)
    equal(there.noop()[0], 'OK', 'who was there is there')
    there.logout()


def killed_and_back(tree):
    """kill -9 of the first process: the others end with it, systemd starts it again."""
    fresh(tree)
    old = processes(tree)
    tree.sh(f'kill -9 {tree.show("MainPID")}')
    wait('a new one', lambda: tree.show('NRestarts') == '1' and tree.show('SubState') == 'running')
    wait('it serves again', serves)
    now = {pid for _, pid, _ in processes(tree)}
    left = [pid for _, pid, _ in old if pid not in now and tree.sh(f'cat /proc/{pid}/comm 2>/dev/null || true')[1] == 'hauberk\n']
    equal(left, [], 'processes of the old one')


def reload_of_the_unit(tree):
    """systemctl reload takes a new listener up and cuts nobody; a mistake leaves all as it is, and is in the journal."""
    fresh(tree)
    text = tree.sh(f'cat {CONF}')[1]
    there = session()
    try:
        tree.write(CONF, text + 'listener more {\n  listen = "imap://127.0.0.1:1144"\n  backend = "127.0.0.1:1143"\n}\n')
        tree.sh('systemctl reload hauberk')
        wait('the new listener', lambda: can_connect(1144))
        tree.write(CONF, text + 'nonsense = 1\n')
        tree.sh('systemctl reload hauberk')
        wait('the refusal', lambda: 'event=reload.refused' in tree.journal())
        check(f'{CONF}:' in tree.journal('-g reload.refused'), tree.journal('-g reload.refused'))
        check(can_connect(1144), 'the old configuration goes on')
        code, out = tree.sh('hauberk ctl reload', check_code=False)
        check(code == 1 and 'nonsense' in out, out)
        equal(tree.show('ActiveState'), 'active', 'the unit')
    finally:
        tree.write(CONF, text)
        tree.sh('systemctl reload hauberk')
    equal(there.noop()[0], 'OK', 'who was there is there')
    there.logout()


def can_connect(port):
    try:
        socket.create_connection(('127.0.0.1', port), 5).close()
        return True
    except OSError:
        return False


def renewed_by_certbot(tree):
    """certbot writes new files and turns its links over: taken up without a word, who is there stays."""
    fresh(tree)
    there, before = session(), serial()
    certificate(tree, before - 4096 + 1)
    wait('the new certificate', lambda: serial() == before + 1)
    equal(there.noop()[0], 'OK', 'who was there is there')
    there.logout()


def serial():
    """Of the certificate that is shown: its number, which certificate() gave it."""
    c = client()
    der = c.sock.getpeercert(binary_form=True)
    c.logout()
    at = der.index(b'\xa0\x03\x02\x01\x02\x02') + 6  # behind version [0]: an INTEGER
    return int.from_bytes(der[at + 1:at + 1 + der[at]], 'big')


def stop_says_goodbye(tree):
    """systemctl stop: the client reads a goodbye, the unit ends as a success."""
    fresh(tree)
    there = session()
    tree.sh('systemctl stop --no-block hauberk')
    said = there.readline()
    check(said.startswith(b'* BYE'), said)
    there.shutdown()
    wait('the end', lambda: tree.show('ActiveState') == 'inactive')
    equal(tree.show('Result'), 'success', 'how it ended')


def lines_in_the_journal(tree):
    """Over standard error with levels; with log-to = journald each field by its name."""
    fresh(tree)
    session().logout()
    wait('the line', lambda: 'PRIORITY=6' in tree.journal('-o export -g event=session.end'))
    text = tree.sh(f'cat {CONF}')[1]
    try:
        tree.write(CONF, 'log-to = "journald"\n' + text)
        tree.sh('systemctl reload hauberk')
        session().logout()
        wait('its fields', lambda: 'HAUBERK_VERSION=TLSv1.3' in tree.journal('-o export HAUBERK_EVENT=session.end'))
        check('HAUBERK_PEER=127.0.0.1:' in tree.journal('-o export HAUBERK_EVENT=session.end'), 'the client\'s address')
    finally:
        tree.write(CONF, text)
        tree.sh('systemctl reload hauberk')


def sockets_of_systemd(tree):
    """The example of a socket unit: the port is open without hauberk, whose start a client causes; a restart refuses nobody."""
    tree.sh('systemctl stop hauberk; cp /usr/share/doc/hauberk/hauberk.socket.example /etc/systemd/system/hauberk-imap.socket; '
            'systemctl daemon-reload; systemctl enable --now hauberk-imap.socket')
    try:
        equal(tree.show('ActiveState'), 'inactive', 'before anybody came')
        check(tree.sh(f'hauberk check --config {CONF}')[1].endswith(': good\n'), 'systemd has the port, for us')
        session().logout()
        equal(tree.show('ActiveState'), 'active', 'when somebody came')
        tree.sh('systemctl restart --no-block hauberk')
        for _ in range(20):
            session().logout()
        wait('the restart', lambda: tree.show('ActiveState') == 'active' and tree.journal().count('event=drain.end') > 0)
    finally:
        tree.sh('systemctl disable --now hauberk-imap.socket; rm -f /etc/systemd/system/hauberk-imap.socket; systemctl daemon-reload')


def upgrade(tree):
    """meson install over one that runs: it goes on with the old program until it is restarted; then goodbye, and the new one."""
    fresh(tree)
    there, pid = session(), tree.show('MainPID')
    tree.sh('touch gateway/version.c; meson install -C build/service >/dev/null', seconds=280)
    equal(there.noop()[0], 'OK', 'a session during the installation')
    equal(tree.show('MainPID'), pid, 'the process')
    session().logout()
    idle = re.search(r'^worker \d+ pid=(\d+) .* sessions=0 ', tree.sh('hauberk ctl status')[1], re.M)
    tree.sh(f'kill -9 {idle[1]}')
    wait('a worker of the old one in its place', lambda: re.search(r'^worker \d+ .* starts=2 ', tree.sh('hauberk ctl status')[1], re.M) and serves())
    tree.sh('systemctl daemon-reload; systemctl restart hauberk')
    said = there.readline()
    check(said.startswith(b'* BYE'), said)
    there.shutdown()
    check(serves(), 'the new one serves')


def without_root(tree):
    """As the unit's comment says: an ordinary user with one capability, who may read keys and configuration. The log says what is missing."""
    old = tree.sh('stat -c "%g %a %n" /etc/hauberk /etc/hauberk/hauberk.conf; find /etc/letsencrypt -not -type l -exec stat -c "%g %a %n" {} +')[1]
    tree.sh('chgrp -R hauberk /etc/hauberk /etc/letsencrypt; chmod -R g+rX /etc/hauberk /etc/letsencrypt')
    try:
        fresh(tree, 'User=hauberk\nAmbientCapabilities=CAP_NET_BIND_SERVICE\nCapabilityBoundingSet=\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE')
        check('event=sandbox.unprivileged' in tree.journal('-n 20'), tree.journal('-n 20'))
        uid = tree.sh('id -u hauberk')[1].strip()
        for name, _, status in processes(tree):
            equal(status['Uid'].split(), [uid] * 4, f'{name}: user')
            equal(int(status['CapEff'], 16), 1 << 10 if name == 'supervisor' else 0, f'{name}: capabilities')
        session().logout()
    finally:
        for row in old.splitlines():
            group, mode, name = row.split(' ', 2)
            tree.sh(f'chgrp {group} "{name}"; chmod {mode} "{name}"')
        fresh(tree)


CASES = [users_and_privileges, hardening_of_the_unit, watchdog, looked_at_while_it_runs, killed_and_back, reload_of_the_unit, renewed_by_certbot, stop_says_goodbye,
         lines_in_the_journal, sockets_of_systemd, without_root, upgrade]

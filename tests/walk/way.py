"""README.md's way from nothing to a service that runs, is looked at, reloaded and drained.

The commands are README's own (blocks behind <!-- walk: NAME -->). For each of its blocks a function here says what must have come of it; what the
reader brings along (a user, a certificate from certbot) is made by brought()."""
import imaplib
import ssl

from documents import blocks
from support import ROOT, Failure, check, equal, wait_for
from tree import HOST, PASSWORD, USER

LIVE, ARCHIVE = f'etc/letsencrypt/live/{HOST}', f'etc/letsencrypt/archive/{HOST}'


def certificate(tree, number):
    """The number-th certificate of certbot: files in archive, links in live, both closed to others; from a CA the tree trusts."""
    run = tree.sh if tree.first is not None else lambda script: told(tree.before_boot(script), script)
    run(f'''
        mkdir -p /root/ca /{LIVE} /{ARCHIVE}
        cd /root/ca
        [ -e ca.crt ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -days 900 -subj "/CN=walk CA"
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout leaf.key -out leaf.csr -subj "/CN={HOST}"
        printf 'subjectAltName=DNS:{HOST}\\nkeyUsage=digitalSignature\\nbasicConstraints=CA:FALSE\\n' >leaf.ext
        openssl x509 -req -in leaf.csr -CA ca.crt -CAkey ca.key -set_serial {number + 4096} -days 89 -extfile leaf.ext -out leaf.crt
        cat leaf.crt ca.crt >/{ARCHIVE}/fullchain{number}.pem
        install -m 600 leaf.key /{ARCHIVE}/privkey{number}.pem
        chmod 700 /etc/letsencrypt/live /etc/letsencrypt/archive
        [ -e /etc/letsencrypt/live/README ] || echo "certbot's own words" >/etc/letsencrypt/live/README
        for name in fullchain privkey; do
            ln -sfn ../../archive/{HOST}/${{name}}{number}.pem /{LIVE}/$name.pem
        done
    ''')


def told(done, script):
    code, out = done
    check(code == 0, f'{script.strip()}\nended with {code}: {out[-1500:]}')
    return out


def brought(tree):
    """What README takes for granted: the certificate, a user of Dovecot with some mail, CAs that know the certificate."""
    certificate(tree, 1)
    told(tree.before_boot(f'''
        cp /root/ca/ca.crt /usr/local/share/ca-certificates/walk.crt
        update-ca-certificates >/dev/null
        useradd --create-home --groups mail {USER}
        echo {USER}:{PASSWORD} | chpasswd
        printf 'From a@b.c Thu Nov 26 07:00:00 2026\\nSubject: a mail\\n\\nhello\\n\\n' >/var/mail/{USER}
        chown {USER}:mail /var/mail/{USER}
    '''), 'what the reader has')


def client():
    """A mail client behind STARTTLS, who trusts nobody but the CA of the tree (which is in ours by setns alone)."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    c = imaplib.IMAP4('127.0.0.1', 143, timeout=30)
    c.starttls(context)
    return c


def session():
    """A client who is logged in."""
    c = client()
    equal(c.login(USER, PASSWORD)[0], 'OK', 'login')
    return c


def built(tree, out):
    for name in ('/usr/bin/hauberk', '/usr/lib/systemd/system/hauberk.service', '/usr/share/man/man8/hauberk.8'):
        check((tree.folder / name.lstrip('/')).is_file(), f'{name} is not there:\n{out[-800:]}')
    check('warning:' not in out, out)


def folders_made(tree, _):
    equal(tree.sh('id -nu hauberk; stat -c "%U:%G %a" /etc/hauberk')[1].split('\n')[:2], ['hauberk', 'root:root 750'], 'user and folder')


def backend_moved(tree, _):
    equal(tree.sh('printf "a LOGOUT\\r\\n" | timeout 10 bash -c "exec 3<>/dev/tcp/127.0.0.1/1143; cat >&3; cat <&3" | head -c 4')[1], '* OK', 'Dovecot')


def configured(_, out):
    check(out.endswith(': good\n'), out)


def started(tree, _):
    got = tree.show('ActiveState,SubState,Type,UnitFileState,NRestarts')
    equal(got, {'ActiveState': 'active', 'SubState': 'running', 'Type': 'notify', 'UnitFileState': 'enabled', 'NRestarts': '0'}, 'the unit')


def tried(_, out):
    equal(out.count('* LIST'), 2, out)


def looked(_, out):
    for words in ('event=session.end', f'sni={HOST}', 'version=TLSv1.3', 'worker', 'hauberk_sessions', 'ok'):
        check(words in out, f'{words} is not in what was seen:\n{out}')
    check(PASSWORD not in out and f'{USER} ' not in out, out)


def reloaded(tree, _):
    check('event=reload.' in tree.journal(), tree.journal())


def ended(tree, _):
    wait_for('the end', lambda: tree.show('ActiveState') != 'deactivating' and not int(tree.show('MainPID')), 60)
    equal(tree.show('ActiveState,Result,NRestarts'), {'ActiveState': 'inactive', 'Result': 'success', 'NRestarts': '0'}, 'the unit')
    check('event=drain.end' in tree.journal(), tree.journal())


AFTER = {'build': built, 'folders': folders_made, 'backend': backend_moved, 'configure': configured, 'start': started, 'try': tried, 'look': looked,
         'reload': reloaded, 'end': ended}


def steps():
    """[(name, text, what must have come of it)]"""
    found = [(name.removeprefix('walk: '), text) for name, text in blocks(ROOT / 'README.md', r'walk: [a-z]+')]
    equal([name for name, _ in found], list(AFTER), 'the blocks of README.md and what is known of them')
    return [(name, text, AFTER[name]) for name, text in found]


def walk(tree, name, text, after):
    """One block. Packages are fetched before the tree has a network of its own."""
    if name == 'build':
        code, out = tree.before_boot(text)
    else:
        if tree.first is None:
            tree.boot()
        code, out = tree.sh(text, answers=[PASSWORD] * 2, check_code=False, seconds=300)
    if code != 0:
        more = tree.sh('journalctl --no-pager -b -n 40 -o cat', check_code=False)[1] if tree.first is not None else ''
        raise Failure(f'README.md, {name}: ended with {code}\n{out[-3000:]}\n{more}')
    after(tree, out)

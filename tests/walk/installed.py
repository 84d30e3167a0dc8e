"""What `meson install` left in the tree: files and their modes, manuals as man(1) shows them, completion as bash loads it."""
import re

from support import ROOT, check, equal


def files_and_modes(tree):
    """All of root's; the program may be executed, the rest is to be read."""
    out = tree.sh('''python3 - <<'END'
import json, os, subprocess
for path in json.loads(subprocess.run(['meson', 'introspect', '--installed', 'build/service'], capture_output=True, check=True).stdout).values():
    for where, _, names in list(os.walk(path)) or [(os.path.dirname(path), [], [os.path.basename(path)])]:
        for name in names:
            s = os.stat(os.path.join(where, name))
            print(f'{s.st_uid}:{s.st_gid} {s.st_mode & 0o7777:o} {os.path.join(where, name)}')
END''')[1].splitlines()
    check(len(out) >= 13, out)
    for line in out:
        want = '755' if line.endswith('/usr/bin/hauberk') else '644'
        check(line.startswith(f'0:0 {want} '), line)
    return f'{len(out)} files'


def manuals_render(tree):
    """man(1) finds them and groff has nothing to say."""
    for page in ('8 hauberk', '8 hauberk-ctl', '5 hauberk.conf'):
        check(tree.sh(f'man -w {page}')[1].startswith('/usr/share/man/'), page)
        out = tree.sh(f'man --warnings -E UTF-8 {page} 2>&1 >/tmp/page; grep -q HAUBERK /tmp/page && cat >&2 </dev/null')[1]
        equal(out, '', page)


def completion_loads(tree):
    """bash-completion finds the file by the program's name; words of each command, and listeners of the installed configuration."""
    def complete(*words):
        typed = ' '.join(f"'{x}'" for x in words)
        return tree.sh(f'''. /usr/share/bash-completion/bash_completion
            _completion_loader hauberk || [ $? -eq 124 ]
            complete -p hauberk | grep -q _hauberk
            COMP_WORDS=({typed}) COMP_CWORD={len(words) - 1}
            _hauberk
            printf '%s\\n' "${{COMPREPLY[@]}}"''')[1].split()
    for words, want in ((('hauberk', 'c'), {'check', 'ctl'}), (('hauberk', 'ctl', 'd'), {'drain'}), (('hauberk', 'run', '--tls-m'), {'--tls-min', '--tls-max'}),
                        (('hauberk', 'explain', ''), {'imap', 'imaps', '--config'}), (('hauberk', 'run', '--user', 'haub'), {'hauberk'}),
                        (('hauberk', 'run', '--config', '/etc/hauberk/'), {'/etc/hauberk/hauberk.conf'})):
        equal(set(complete(*words)), want, ' '.join(words))


def libraries_of_the_image(tree):
    """dist/Containerfile installs the packages of the program's libraries, and no others."""
    out = tree.sh('''readelf -d /usr/bin/hauberk | sed -n 's/.*NEEDED.*\\[\\(.*\\)\\]/\\1/p' | while read -r name; do
        dpkg -S "*/$name" | sed 's/:.*//' | grep -v -e -dev
    done | sort -u''')[1].split()
    line = re.search(r'ca-certificates \\\n(.*?)&&', (ROOT / 'dist/Containerfile').read_text(), re.S)[1]
    equal(sorted(re.findall(r'[a-z][\w.+-]+', line)), out, 'packages')


CASES = [files_and_modes, manuals_render, completion_loads, libraries_of_the_image]

#!/usr/bin/env python3
"""manuals.py ROOT [PROGRAM]: every word and every option stands in its manual, and nothing else does; mandoc finds
no fault; the shell completion knows the same options."""
import pathlib
import re
import shutil
import subprocess
import sys

root = pathlib.Path(sys.argv[1])
bad = []


def rows(name, macros):
    text = (root / 'gateway' / name).read_text()
    return re.findall(rf'^(?:{macros})\(\w+,\s*"([a-z-]+)"', text, re.M)


words = rows('words.def', 'W|P|F')
globals_ = rows('globals.def', 'GP?')
timeouts = rows('timeouts.def', 'T')
own = re.findall(r'strcmp\(name, "--([a-z-]+)"\)', (root / 'gateway/cli.c').read_text())
conf = (root / 'docs/man/hauberk.conf.5').read_text()
main = (root / 'docs/man/hauberk.8').read_text()
completion = (root / 'dist/hauberk.bash').read_text()

items = set()
for line in re.findall(r'^\.It Cm (.*)$', conf, re.M):
    items.update(re.findall(r'[a-z][a-z-]+', line.split(' No ')[0]))
known = set(words) | set(globals_) | set(timeouts) | {'listen', 'backend', 'certificates', 'chain', 'key', 'staple', 'servers', 'balance', 'health-check'}
bad += [f'hauberk.conf.5 does not tell of {w}' for w in sorted(known - items)]
bad += [f'hauberk.conf.5 tells of {w}, which nobody knows' for w in sorted(items - known)]

options = set(words) | set(globals_) | set(own)
told = set(re.findall(r'(?<=-)(?<!\w-)[a-z][a-z-]+', ' '.join(re.findall(r'^\.It Fl (.*)$', main, re.M)))) - {'help', 'help-tls'}
bad += [f'hauberk.8 does not tell of --{o}' for o in sorted(options - told)]
bad += [f'hauberk.8 tells of --{o}, which nobody knows' for o in sorted(told - options)]
probing = set(re.findall(r'"--([a-z-]+)"[,)]', (root / 'gateway/probe.c').read_text())) - {'help'}
complete = set(re.findall(r'--([a-z-]+)', completion))
bad += [f'hauberk.bash does not know --{o}' for o in sorted((options | probing) - complete)]
bad += [f'hauberk.bash knows --{o}, which nobody else does' for o in sorted(complete - options - probing - {'help', 'help-tls'})]

if len(words) < 30 or len(probing) < 8 or len(timeouts) < 5 or len(own) < 5:
    bad.append('the lists of words were not found')
if shutil.which('mandoc') is None:
    print('mandoc is not installed: the form of the manuals is not looked at')
else:
    for page in sorted((root / 'docs/man').iterdir()):
        done = subprocess.run(['mandoc', '-Tlint', '-W', 'warning', page], capture_output=True, text=True, check=False)
        bad += done.stdout.splitlines()
print('\n'.join(bad) or f'{len(known)} words, {len(options)} options: all in the manuals')
sys.exit(bool(bad))

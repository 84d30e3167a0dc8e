#!/usr/bin/env python3
"""manuals.py ROOT: every word and every option stands in its manual, and nothing else does, so does every event
(with its level), field and metric; numbers that hold by default are the program's; mandoc finds no fault; the shell
completion knows the same options."""
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

# hauberk-log.5: events with their levels, the fields they are logged with, metrics
log = (root / 'docs/man/hauberk-log.5').read_text()
sources = {p: p.read_text() for p in sorted((root / 'gateway').glob('*.c'))}


def logged():
    """The fields of every GW_LOG(), by the event (of those that choose one: by None), in their order."""
    found = {}
    for text in sources.values():
        for start in (m.end() for m in re.finditer(r'\bGW_LOG\(', text)):
            depth, end = 1, start
            while depth:
                depth += {'(': 1, ')': -1}.get(text[end], 0)
                end += 1
            call = text[start:end]
            for event in re.findall(r'GW_EV_(\w+)', call) or [None]:
                found.setdefault(event, []).extend(re.findall(r'(?:GW_(?:STR|SPAN|U64)\(|\bstage\(\w+, )"(\w+)"', call))
    return found


def section(name):
    return re.search(rf'^\.S[sh] {name}$(.*?)(?=^\.S[sh] |\Z)', log, re.M | re.S)[1]


def listed(text):
    return [w for line in re.findall(r'^\.It Li (.*)$', text, re.M) for w in line.split() if w != ',']


def compare(what, want, got):
    bad.extend(f'hauberk-log.5 does not tell of {what} {x}' for x in sorted(set(want) - set(got)))
    bad.extend(f'hauberk-log.5 tells of {what} {x}, which nobody knows' for x in sorted(set(got) - set(want)))
    bad.extend(f'hauberk-log.5 tells of {what} {x} twice' for x in sorted({x for x in got if got.count(x) > 1}))


events = {(name, level.lower()) for name, level in
          re.findall(r'^GW_E\(\w+,\s*"([a-z._-]+)",\s*(\w+)', (root / 'gateway/events.def').read_text(), re.M)}
compare('event', events, re.findall(r'^\.It Ic ([a-z._-]+) Pq (\w+)$', log, re.M))
ids = set(re.findall(r'^GW_E\((\w+),', (root / 'gateway/events.def').read_text(), re.M))
bad += [f'nobody logs {x}' for x in sorted(ids) if not any(re.search(rf'\bGW_EV_{x}\b', t) for t in sources.values())]
fields = logged()
end = [w for w in listed(section(r'Fields of session\.end')) if w.islower()]
if end != fields['SESSION_END']:
    bad.append(f'hauberk-log.5 has other fields of session.end, or in another order: {sorted(set(end) ^ set(fields["SESSION_END"]))}')
codes = set(re.findall(r'^HB_E\((\w+),', (root / 'base/include/hb/err.def').read_text(), re.M))
told_codes = set(re.findall(r'\b(?:TLS|X509|PROTO|PEER|GW)_[A-Z_]*[A-Z]\b', log))
bad += [f'hauberk-log.5 tells of the code {c}, which nobody knows' for c in sorted(told_codes - codes)]
others = {f for event, names in fields.items() for f in names} - set(fields['SESSION_END'])
compare('field', others, listed(section('Fields of other events')))
metrics = [x for name in ('metrics.def', 'metrics.c') for x in
           re.findall(r'"(hauberk_[a-z_]+)"', (root / 'gateway' / name).read_text())]
compare('metric', metrics, listed(section('METRICS')))

# defaults and schemes
schemes = set(re.findall(r'^    \{"([a-z0-9]+)",', (root / 'protocols/registry.c').read_text(), re.M)) | {'tcp'}
listen = re.search(r'^\.It Cm listen No = (.*?)^\.It Cm ', conf, re.M | re.S)[1]
named = set(re.findall(r'\b[a-z0-9]+\b', ' '.join(re.findall(r'^\.Cm (.*)$', listen, re.M))))
bad += [f'hauberk.conf.5: listen does not name {x}' for x in sorted(schemes - named)]
bad += [f'hauberk.conf.5: listen names {x}, which nobody knows' for x in sorted(named - schemes)]
for name, seconds in re.findall(r'^T\(\w+,\s*"([a-z-]+)",\s*(\d+)', (root / 'gateway/timeouts.def').read_text(), re.M):
    if f'.It Cm {name} No = {seconds}\n' not in conf:
        bad.append(f'hauberk.conf.5: the default of {name} is {seconds}')
for file in ('words.def', 'globals.def'):
    for name, otherwise in re.findall(r'^(?:W|P|GP?)\(\w+,\s*"([a-z-]+)",\s*"([^"]*)"\)', (root / 'gateway' / file).read_text(), re.M):
        item = re.search(rf'^\.It Cm [^\n]*(?<![\w-]){name}(?![\w-])[^\n]*\n(.*?)(?=^\.It |^\.El)', conf, re.M | re.S)
        number = re.match(r'\d+(?=$| )', otherwise)
        if item and number and number[0] not in re.findall(r'\d+', item[0]):
            bad.append(f'hauberk.conf.5: the default of {name} is {otherwise}')

# what the completion offers behind an option is what the manual has; what it does not offer it leaves to the user
values = {word: set(v.removeprefix('Cm ').split(' | ')) for head, v in re.findall(r'^\.It Cm (.*?) No = (Cm .* \| .*)$', conf, re.M)
          for word in head.split(' , ')}
offers = {word[2:]: set(line.split()) for words_of, line in re.findall(r"^    (--[^)]*)\)\s+mapfile -t COMPREPLY < <\(compgen -W '([^']*)'", completion, re.M)
          for word in words_of.split(' | ')}
bad += [f'hauberk.bash offers for --{w} {sorted(offers[w])}, and the manual has {sorted(values.get(w, set()))}'
        for w in sorted(offers) if offers[w] != values.get(w, set())]
bad += [f'hauberk.bash offers nothing for --{w}' for w in sorted(set(values) & options - set(offers)) if values[w] != {'true', 'false'}]

if len(offers) < 15 or len(events) < 30 or len(metrics) < 15 or len(others) < 20 or len(schemes) < 15 or len(words) < 30 or len(probing) < 8 or len(timeouts) < 5 or len(own) < 5:
    bad.append('the lists of words were not found')
if shutil.which('mandoc') is None:
    print('mandoc is not installed: the form of the manuals is not looked at')
else:
    for page in sorted((root / 'docs/man').iterdir()):
        done = subprocess.run(['mandoc', '-Tlint', '-W', 'warning', page], capture_output=True, text=True, check=False)
        bad += done.stdout.splitlines()
print('\n'.join(bad) or f'{len(known)} words, {len(options)} options, {len(events)} events, {len(metrics)} metrics: all in the manuals')
sys.exit(bool(bad))

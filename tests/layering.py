#!/usr/bin/env python3
"""Checks the direction of dependencies by reading every #include: layering.py ROOT

base <- tls <- gateway and base <- protocols <- gateway, nothing else; libraries know no event loop, socket, file or
clock; Nettle and GMP are seen in tls/crypto/ alone; a folder's private headers stay its own."""
import pathlib
import re
import sys

# headers with which a library would do I/O, read a clock or take its own memory and randomness
SYSTEM = re.compile(r'^(uv|confuse|stdio|stdlib|unistd|fcntl|time|pthread|signal|errno|netdb|poll|dirent)\.h$|^(sys|netinet|arpa|net)/')
ALLOWED = {'base': {'base'}, 'tls': {'base', 'tls'}, 'protocols': {'base', 'protocols'},
           'gateway': {'base', 'tls', 'protocols', 'gateway'}}
# base: the end of a broken invariant; tls/crypto: GMP's memory must wipe, and the kernel tells what an Arm CPU can do
EXCUSED = {('base/err.c', 'stdio.h'), ('base/err.c', 'stdlib.h'), ('tls/crypto/nettle_ec.c', 'stdlib.h'),
           ('tls/crypto/cpu.c', 'sys/auxv.h')}


def problems(root):
    public = {h.name: folder for folder in ALLOWED for h in (root / folder).glob('include/hb/*')}
    for folder, allowed in ALLOWED.items():
        for path in sorted((root / folder).rglob('*.[ch]')):
            name = path.relative_to(root).as_posix()
            for kind, header in re.findall(r'^#include ([<"])([^>"]+)[>"]', path.read_text(), re.M):
                if kind == '"':
                    target = next((p for p in ((path.parent / header), (root / folder / header)) if p.exists()), None)
                    if target is None or (root / folder).resolve() not in target.resolve().parents:
                        yield f'{name}: "{header}" is not this folder\'s own'
                elif header.startswith('hb/'):
                    if public.get(header[3:]) not in allowed:
                        yield f'{name}: <{header}> is not below {folder}'
                elif re.match(r'(nettle/|gmp\.h)', header):
                    if not name.startswith('tls/crypto/'):
                        yield f'{name}: <{header}> belongs into tls/crypto/'
                elif folder != 'gateway' and SYSTEM.match(header) and (name, header) not in EXCUSED:
                    yield f'{name}: <{header}> in a library'


def main():
    found = list(problems(pathlib.Path(sys.argv[1])))
    print('\n'.join(found) or 'layering: clean')
    sys.exit(1 if found else 0)


if __name__ == '__main__':
    main()

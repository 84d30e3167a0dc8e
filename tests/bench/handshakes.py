#!/usr/bin/env python3
"""What a handshake costs the gateway with the keys in a keeper and in the workers: handshakes.py --gateway PROGRAM

One worker, OpenSSL's s_time as the client, full handshakes one behind another for some seconds; CPU time of each process as
the kernel counts it (/proc/PID/schedstat), so that a busy machine does not matter much. Never asserted."""
import argparse
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests/e2e'))
from support import World, free_port, wait_port  # noqa: E402 (the path comes first)


def cpu(pid):
    """Nanoseconds on a processor."""
    return int(pathlib.Path(f'/proc/{pid}/schedstat').read_text().split()[0])


def children(pid):
    found = {}
    for child in pathlib.Path(f'/proc/{pid}/task/{pid}/children').read_text().split():
        name = pathlib.Path(f'/proc/{child}/cmdline').read_text().split('\0')[0].split()
        found[name[1] if name[0] == 'hauberk:' else 'supervisor'] = int(child)
    return found


def measure(w, keys, cert, version, seconds):
    port = free_port()
    p = w.start([w.gateway_program, 'run', '--keys', keys, '--listen', f'tls://127.0.0.1:{port}', '--backend', '127.0.0.1:9',
                 '--tickets', '0', '--cert', w.certs / f'{cert}.crt', '--key', w.certs / f'{cert}.key'], f'{keys}-{cert}.log')
    wait_port(port, p)
    wanted = {'worker', 'keeper'} if keys == 'keeper' else {'worker'}
    while not wanted <= set(pids := children(p.pid)):
        time.sleep(0.05)
    before = {name: cpu(pid) for name, pid in pids.items()}
    out = subprocess.run(['openssl', 's_time', '-connect', f'127.0.0.1:{port}', '-new', '-time', str(seconds), version],
                         capture_output=True, check=False).stdout.decode()
    number = int(re.search(r'(\d+) connections in [\d.]+s;', out).group(1))
    used = {name: (cpu(pid) - before[name]) / 1000 / number for name, pid in pids.items()}
    w.stop(p)
    return number, used


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--gateway', required=True)
    parser.add_argument('--seconds', type=int, default=3)
    args = parser.parse_args()
    w = World(args.gateway, args.gateway)
    try:
        print('full handshakes, microseconds of CPU time each     worker   keeper      sum')
        for cert in ('ecdsa-p256', 'rsa2048'):
            for version in ('-tls1_3', '-tls1_2'):
                for keys in ('worker', 'keeper'):
                    number, used = measure(w, keys, cert, version, args.seconds)
                    worker, keeper = used.get('worker', 0), used.get('keeper', 0)
                    print(f'{cert:11} {version[1:]:7} keys = {keys:6} ({number:6} handshakes) {worker:8.1f} {keeper:8.1f} '
                          f'{worker + keeper:8.1f}', flush=True)
    finally:
        w.close()


if __name__ == '__main__':
    main()

#!/usr/bin/env python3
"""What a handshake costs the gateway with the keys in a keeper and in the workers: handshakes.py --gateway PROGRAM

One worker, OpenSSL's s_time as the client, full handshakes one behind another for some seconds; CPU time of each process as
the kernel counts it (/proc/PID/schedstat), so that a busy machine does not matter much. Both ways take turns, round after
round, and the median counts; what one after another takes by the clock, the client's part included, is said beside. Never
asserted."""
import argparse
import pathlib
import re
import statistics
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
        if len(name) > 1 and name[0] == 'hauberk:':  # else it has only just been forked
            found[name[1]] = int(child)
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
    start = time.monotonic()
    out = subprocess.run(['openssl', 's_time', '-connect', f'127.0.0.1:{port}', '-new', '-time', str(seconds), version],
                         capture_output=True, check=False).stdout.decode()
    took = time.monotonic() - start
    number = int(re.search(r'(\d+) connections in [\d.]+s;', out).group(1))
    used = {name: (cpu(pid) - before[name]) / 1000 / number for name, pid in pids.items()}
    w.stop(p)
    return used.get('worker', 0), used.get('keeper', 0), 1e6 * took / number


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--gateway', required=True)
    parser.add_argument('--seconds', type=int, default=3)
    parser.add_argument('--rounds', type=int, default=3)
    args = parser.parse_args()
    w = World(args.gateway, args.gateway)
    try:
        print('full handshakes, microseconds of CPU time    worker   keeper      sum  a second   by the clock')
        for cert in ('ecdsa-p256', 'rsa2048'):
            for version in ('-tls1_3', '-tls1_2'):
                both = {'worker': [], 'keeper': []}
                for _ in range(args.rounds):
                    for keys, rounds in both.items():
                        rounds.append(measure(w, keys, cert, version, args.seconds))
                for keys, rounds in both.items():
                    worker, keeper, clock = (statistics.median(column) for column in zip(*rounds))
                    print(f'{cert:11} {version[1:]:7} keys = {keys:6}         {worker:8.1f} {keeper:8.1f} '
                          f'{worker + keeper:8.1f} {1e6 / max(worker, keeper):9.0f} {clock:8.0f} us', flush=True)
    finally:
        w.close()


if __name__ == '__main__':
    main()

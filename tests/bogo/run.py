#!/usr/bin/env python3
"""BoGo's runner against our shim, and whether config.json is still true: run.py [--shim PROGRAM] RUNNER

RUNNER: boringssl/ssl/test/runner, or a binary made of it with `go test -c` (which then runs in the folder it lies in, or in
--folder: the runner reads its keys there). First all tests with config.json, then those that it switches off, without it. It
fails when a test of the first run fails (a failure is tried once more by itself: some tests look at the clock), when a line of
config.json has no reason, matches no test, or when none of its tests fails and some pass: such a line is stale."""
import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


class Runner:
    def __init__(self, args, folder):
        self.shim, self.workers, self.work = pathlib.Path(args.shim).resolve(), args.workers, folder
        self.binary, self.folder = pathlib.Path(args.runner).resolve(), args.folder
        if self.binary.is_dir():
            self.folder = self.folder or self.binary
            self.binary = folder / 'runner.test'
            subprocess.run(['go', 'test', '-c', '-o', self.binary, '.'], cwd=self.folder, check=True)
        self.folder = self.folder or self.binary.parent

    def run(self, config, tests=(), workers=None):
        """{test: PASS, FAIL or SKIP (a flag the shim does not know)}; what the configuration switches off is not there."""
        written, results = self.work / 'config.json', self.work / 'results.json'
        written.write_text(json.dumps(config))
        results.unlink(missing_ok=True)
        argv = [self.binary, '-shim-path', self.shim, '-shim-config', written, '-allow-unimplemented', '-num-workers',
                workers or self.workers, '-json-output', results]
        if tests:
            argv += ['-test', ';'.join(tests)]
        done = subprocess.run([str(a) for a in argv], cwd=self.folder, capture_output=True, text=True, check=False, errors='replace')
        if not results.exists():
            sys.exit(f'the runner said nothing: {(done.stdout + done.stderr)[-2000:]}')
        return {name: test['actual'] for name, test in json.loads(results.read_text())['tests'].items()}


def matches(pattern, name):
    """As Go's path/filepath.Match does it, as far as our patterns go: * is anything but a slash."""
    return re.fullmatch('[^/]*'.join(re.escape(part) for part in pattern.split('*')), name) is not None


def stale(lines, results):
    """[what is wrong with a line]; results: of the tests that are switched off."""
    problems = []
    for pattern, reason in lines.items():
        outcomes = collections.Counter(outcome for name, outcome in results.items() if matches(pattern, name))
        if not reason.strip():
            problems.append(f'"{pattern}" has no reason')
        if not outcomes:
            problems.append(f'"{pattern}" matches no test')
        elif outcomes['PASS'] and not outcomes['FAIL']:
            problems.append(f'"{pattern}": {outcomes["PASS"]} of its tests pass, and none fails')
    return problems


def self_check():
    results = {'One-A': 'PASS', 'One-B': 'PASS', 'Two-A': 'PASS', 'Two-B': 'FAIL', 'Three': 'SKIP'}
    found = stale({'One-*': 'x', 'Two*': 'x', 'Three': 'x', 'Four*': 'x', '*-B': ''}, results)
    wanted = ['"One-*": 2 of its tests pass, and none fails', '"Four*" matches no test', '"*-B" has no reason']
    if found != wanted:
        sys.exit(f'the check for stale lines finds {found}, not {wanted}')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('runner')
    parser.add_argument('--shim', default=ROOT / 'build/tests/bogo/bogo_shim')
    parser.add_argument('--folder', type=pathlib.Path)
    parser.add_argument('--workers', type=int, default=2)
    args = parser.parse_args()
    self_check()
    config = json.loads((HERE / 'config.json').read_text())
    lines = config['DisabledTests']
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(args, pathlib.Path(folder))
        results = runner.run(config)
        for name in [n for n, outcome in results.items() if outcome == 'FAIL']:
            results[name] = runner.run(config, [name], 1)[name]
            print(f'{name}: failed, then by itself: {results[name]}')
        off = runner.run({**config, 'DisabledTests': {}}, lines)
    counts, without = collections.Counter(results.values()), collections.Counter(off.values())
    problems = stale(lines, off)
    for problem in problems:
        print(f'config.json: {problem}')
    print(f'{len(off)} tests are switched off by {len(lines)} lines; without them {without["FAIL"]} fail, {without["SKIP"]} are not '
          f'implemented, {without["PASS"]} pass')
    print(f'{counts["PASS"]} passed, {counts["FAIL"]} failed, {counts["SKIP"]} not implemented; {len(problems)} stale lines')
    return bool(counts['FAIL'] or problems)


if __name__ == '__main__':
    sys.exit(main())

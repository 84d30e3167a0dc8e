"""Faults on purpose: what the cells of the TLS table must find out. run.py --self-check.

issuer   server: the gateway's certificate is from a CA of the same name that the peer does not trust; client: the gateway
         trusts that one alone
data     what comes back to the peer's client is not what it sent
facts    each thing that a row says of a session, changed in an otherwise right one
none     there is no fault: what is not tried otherwise is tried, and must not succeed. But for what comes out by chance, and
         KeyUpdate, which is not in our log: a peer's tool says that it did"""
import functools
import subprocess
import sys
import types

import harness
from support import ROOT


class Liar(harness.Echo):
    """An echo of something else, and in the same number of lines; what it greets with is right."""
    wrong = bytes(b if b in (10, 11) else b ^ 1 for b in range(256))

    class Handler(harness.Echo.Handler):
        def handle(self):
            self.request.sendall(self.server.greeting)
            while data := self.request.recv(65536):
                self.request.sendall(data.translate(self.server.wrong))


def facts(row, role):
    """Whether matches() objects to every change of what it asks for."""
    good = harness.right(row, role)
    harness.matches(row, good, role)
    for key in good:
        try:
            harness.matches(row, {**good, key: 'else'}, role)
        except harness.Failure:
            continue
        yield f'facts: {row.name}, {role}: {key}'


def self_check(world, peers, rows, cells, options, behind):
    found, wrong = [], []
    strangers = types.SimpleNamespace(certs=world.folder / 'strangers', folder=world.folder)
    subprocess.run([sys.executable, ROOT / 'fixtures/certs/make_certs.py', strangers.certs], check=True, capture_output=True)
    liars = {greeted: Liar(b'at your service\n' if greeted else b'') for greeted in (True, False)}

    def judge(fault, row, role, done):
        for p, problem in done:
            name = f'{fault}: {row.name}, {p.name}, {role}'
            (found if problem else wrong).append(name)
            print(f'red: {name}: {problem.splitlines()[-1][:150]}' if problem else f'FAIL {name}: green', flush=True)

    def one(row):
        for role in ('server', 'client'):
            if world.stopping.is_set():
                return
            wrong.extend(facts(row, role))
            able = [p for p in peers if not p.lacks(role, row)]
            others = [p for p in peers if p not in able and row.name not in p.chance and not row.key_update]
            if others:
                judge('none', row, role, cells(world, row, role, others, options(world, row, role), behind))
            if able and ' certificate ' in row.name and not row.client_cert:
                judge('issuer', row, role, cells(world, row, role, able, options(strangers, row, role), behind))
            if able and role == 'server' and row.name.endswith('certificate ecdsa-p256'):
                judge('data', row, role, cells(world, row, role, able, options(world, row, role), lambda p: liars[p.greeted].port))

    world.everything([functools.partial(one, r) for r in rows])
    for fault in ('issuer', 'data', 'facts', 'none'):
        print(f'{fault}: {sum(n.startswith(fault) for n in found)} cells are red, {sum(n.startswith(fault) for n in wrong)} are not')
    print(f'{len(found)} passed, {len(wrong)} failed')
    return len(wrong) + (not found)

"""dist/kubernetes: the manifests name what is there, their configuration is one, and a pod's life is played with the program."""
import json
import os
import re
import shlex
import shutil
import signal
import socket

from cases_policy import login_imap, with_server
from support import ROOT, check, equal, free_port, read_events, run, upgrade, wait_for

FOLDER = ROOT / 'dist/kubernetes'


def documents():
    """{(kind, name): document} of all files that the kustomization lists; Debian's Python has the parser."""
    def load(path):
        code, out, err = run(['/usr/bin/python3', '-c', 'import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(sys.stdin))))'], path.read_bytes())
        check(code == 0, f'{path}: {err.decode()}')
        return json.loads(out)
    files = load(FOLDER / 'kustomization.yaml')[0]['resources']
    equal(sorted(files), sorted(p.name for p in FOLDER.glob('*.yaml') if p.name != 'kustomization.yaml'), 'files of the kustomization')
    return {(d['kind'], d['metadata']['name']): d for name in files for d in load(FOLDER / name)}


def manifests_name_what_is_there(w):
    """Volumes and mounts, ports, labels, the program's words, and times that fit each other."""
    all_of = documents()
    deployment, service = all_of['Deployment', 'hauberk']['spec'], all_of['Service', 'hauberk']['spec']
    conf = all_of['ConfigMap', 'hauberk']['data']['hauberk.conf']
    template = deployment['template']
    pod, (container,) = template['spec'], template['spec']['containers']
    labels = template['metadata']['labels']
    for who in (deployment['selector']['matchLabels'], service['selector'], all_of['PodDisruptionBudget', 'hauberk']['spec']['selector']['matchLabels'],
                all_of['NetworkPolicy', 'hauberk']['spec']['podSelector']['matchLabels']):
        equal(who, labels, 'who is chosen')
    volumes = {v['name']: v for v in pod['volumes']}
    mounts = {m['name']: m['mountPath'] for m in container['volumeMounts']}
    equal(set(mounts), set(volumes), 'mounts and volumes')
    equal(volumes['config']['configMap']['name'], 'hauberk', 'the ConfigMap')
    for path in re.findall(r'"(/[^"]*)"', re.sub(r'#.*', '', conf)):
        check(any(path.startswith(m + '/') for m in mounts.values()), f'{path} is in no volume')
    ports = {p['name']: p['containerPort'] for p in container['ports']}
    listening = dict(re.findall(r'listen = "(\w+)://0\.0\.0\.0:(\d+)"', conf)) | {'metrics': re.search(r'metrics = "0\.0\.0\.0:(\d+)"', conf)[1]}
    equal({k: int(v) for k, v in listening.items()}, ports, 'ports of configuration and container')
    policy = [p['port'] for rule in all_of['NetworkPolicy', 'hauberk']['spec']['ingress'] for p in rule['ports']]
    equal(sorted(policy), sorted(ports), 'ports of the policy')
    equal({p['targetPort'] for p in service['ports']}, set(ports) - {'metrics'}, 'ports of the Service')
    equal(container['readinessProbe']['httpGet'], {'path': '/healthz', 'port': 'metrics'}, 'readiness')
    sleep, drain = map(int, re.findall(r'\d+', ' '.join(container['lifecycle']['preStop']['exec']['command'])))
    behind = int(re.search(r'\bdrain = (\d+)', conf)[1])
    check(sleep + drain + behind < pod['terminationGracePeriodSeconds'], f'{sleep} + {drain} + {behind} s do not fit')
    needed = [set(re.findall(r'\b(?:gcc|meson|ninja-build|pkg-config|[a-z0-9]+[a-z0-9-]*-dev)\b', (ROOT / name).read_text())) for name in ('dist/Containerfile', 'README.md')]
    equal(needed[0], needed[1], 'packages of Containerfile and README')


def swap(folder, number, files):
    """As the kubelet changes a volume: a new folder, and one link turned over to it."""
    new = folder / f'..{number}'
    new.mkdir()
    for name, source in files.items():
        shutil.copy(source, new / name)
        (new / name).chmod(0o440)
        os.chown(new / name, -1, 10025) if os.getuid() == 0 else None
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f'..data/{name}')
    (folder / '..next').symlink_to(new.name)
    os.rename(folder / '..next', folder / '..data')


class Pod:
    """The container of the Deployment: its arguments, its user, its volumes, at other paths and ports."""

    def __init__(self, w, server):
        all_of = documents()
        pod = all_of['Deployment', 'hauberk']['spec']['template']['spec']
        self.container = pod['containers'][0]
        self.folder = w.folder / 'pod'
        self.ports = {}
        for m in self.container['volumeMounts']:
            (self.folder / m['mountPath'].strip('/')).mkdir(parents=True)
        text = all_of['ConfigMap', 'hauberk']['data']['hauberk.conf']
        for name, port in [(p['name'], p['containerPort']) for p in self.container['ports']]:
            self.ports[name] = free_port()
            text = text.replace(f'0.0.0.0:{port}"', f'0.0.0.0:{self.ports[name]}"')
        text = text.replace('"/', f'"{self.folder}/').replace('drain = 30', 'drain = 5').replace('"mail.example.org"', '"mail.test"')
        self.conf = self.folder / 'etc/hauberk/hauberk.conf'
        self.conf.write_text(re.sub(r'"(dovecot|postfix)[\w.]+:\d+"', lambda m: f'"127.0.0.1:{server.port["imap" if m[1] == "dovecot" else "smtp"]}"', text))
        (w.folder / 'ticket-secret').write_bytes(bytes(range(32)))
        swap(self.folder / 'etc/hauberk-tickets', 1, {'ticket-secret': w.folder / 'ticket-secret'})
        self.certificate(w, 1, 'ecdsa-p256')
        shutil.copy(w.release_program, self.folder / 'hauberk')
        self.argv, self.env = [], {}
        if os.getuid() == 0:
            user = str(pod['securityContext']['runAsUser'])
            os.chown(self.folder / 'run/hauberk', int(user), int(user))
            self.argv = ['setpriv', '--reuid', user, '--regid', user, '--clear-groups', '--no-new-privs', '--bounding-set=-all', '--inh-caps=-all']

    def certificate(self, w, number, name):
        swap(self.folder / 'etc/hauberk-tls', number, {'tls.crt': w.certs / f'{name}.crt', 'tls.key': w.certs / f'{name}.key'})

    def words(self, words):
        """A command of the manifest, with our paths, and in a hurry."""
        line = shlex.join(words).replace('/etc/hauberk', f'{self.folder}/etc/hauberk').replace('sleep 15', 'sleep 0.1').replace('drain 600', 'drain 3')
        line = re.sub(r'\bhauberk ctl\b', f'{self.folder}/hauberk ctl --control {self.folder}/run/hauberk/control', line)
        return [*self.argv, *shlex.split(line)]

    def health(self):
        try:
            with socket.create_connection(('127.0.0.1', self.ports['metrics']), 5) as s:
                s.sendall(b'GET /healthz HTTP/1.0\r\n\r\n')
                return s.recv(1000).split(b' ')[1].decode()
        except (OSError, IndexError):
            return ''


@with_server
def life_of_a_pod(w, server):
    """No privilege, ready, a new certificate in its volume, then preStop and SIGTERM as the kubelet does it: everybody hears goodbye."""
    pod = Pod(w, server)
    elsewhere = pod.folder / 'elsewhere.conf'  # in the cluster servers are on other machines, which takes a word, and has its warning
    elsewhere.write_text(re.sub(r'(backend = ")127\.0\.0\.1', r'\g<1>192.0.2.1', pod.conf.read_text()))
    code, out, err = run([pod.folder / 'hauberk', 'check', '--config', elsewhere])
    warnings = [line for line in (out + err).decode().splitlines() if line.startswith('warning')]
    equal((code, len(warnings)), (1, 1 + 3), f'check: {out}{err}')
    check(sum('clear' in x for x in warnings) == 3 and sum('metrics' in x for x in warnings) == 1, warnings)
    log = w.folder / 'pod.log'
    process = w.start([*pod.argv, pod.folder / 'hauberk', *pod.words(pod.container['args'])[len(pod.argv):]], log.name)
    wait_for('the pod to be ready', lambda: pod.health() == '200')
    pod.certificate(w, 2, 'rsa2048')
    wait_for('the new certificate', lambda: read_events(log.read_text(), 'reload.done'), 60)
    held = [upgrade(w, pod.ports['imap'], 'imap') for _ in range(6)]
    for c in held:
        login_imap(c)
    code, out, err = run(pod.words(pod.container['lifecycle']['preStop']['exec']['command']))
    equal((code, out), (0, b'draining\n'), f'preStop: {err}')
    process.send_signal(signal.SIGTERM)
    equal(run(pod.words(pod.container['livenessProbe']['exec']['command']))[0], 0, 'alive while it drains')
    check(pod.health() != '200', 'not ready while it drains')
    for c in held:
        equal(c.until('* BYE')[-1], '* BYE Server shutting down', 'goodbye (R13)')
        c.close()
    equal(process.wait(20), 0, 'exit code')
    w.stop(process)
    equal([e['cut'] for e in read_events(log.read_text(), 'drain.end')], [0], 'cut')


CASES = [manifests_name_what_is_there, life_of_a_pod]

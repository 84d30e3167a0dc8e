// echo.js: Node's tls as a peer: node echo.js client|server PORT key=value... (see programs.py)
//
// The client sends 200 kB, wants it back, and leaves with 0. The server echoes until it is stopped.
'use strict';
const fs = require('fs');
const tls = require('tls');

const [role, port, ...words] = process.argv.slice(2);
const o = Object.fromEntries(words.map((w) => [w.slice(0, w.indexOf('=')), w.slice(w.indexOf('=') + 1)]));
const version = 'TLSv1' + { '1.0': '', '1.1': '.1', '1.2': '.2', '1.3': '.3' }[o.version];
const options = { minVersion: version, maxVersion: version, ca: fs.readFileSync(o.ca) };

if (o.cert) {
    options.cert = fs.readFileSync(o.cert);
    options.key = fs.readFileSync(o.key);
}
if (o.group) options.ecdhCurve = o.group;
if (o.dh) options.dhparam = fs.readFileSync(o.dh);
if (o.suite) options.ciphers = o.suite;
if (o.alpn) options.ALPNProtocols = o.alpn.split(',');
if (o.psk) {
    const psk = Buffer.from(o.psk, 'hex');
    options.checkServerIdentity = () => undefined;
    options.pskCallback = role === 'client' ? () => ({ psk, identity: o.identity }) : () => psk;
}

function client(session, then) {
    const data = Buffer.alloc(200000, 'across the wire and back again ');
    const got = [];
    let have = 0;
    let kept;
    const socket = tls.connect({ ...options, host: '127.0.0.1', port, servername: o.name, session }, () => socket.write(data));
    socket.on('session', (s) => { kept = s; });
    socket.on('data', (d) => {
        got.push(d);
        have += d.length;
        if (have === data.length) {
            if (!Buffer.concat(got).equals(data)) throw new Error('it came back changed');
            socket.end();
        }
    });
    socket.on('close', () => {
        if (have !== data.length) throw new Error(`${have} bytes came back`);
        then(kept);
    });
}

if (role === 'client') {
    client(undefined, (session) => { if (o.resume) client(session, () => {}); });
} else {
    options.requestCert = options.rejectUnauthorized = Boolean(o.clientauth);
    const server = tls.createServer(options, (socket) => {
        socket.on('error', (e) => console.log(e.message));
        socket.pipe(socket);
    });
    server.on('tlsClientError', (e) => console.log(e.message));
    server.listen(Number(port), '127.0.0.1');
}

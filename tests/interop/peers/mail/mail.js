// mail.js: imapflow and nodemailer as mail clients: node mail.js PROTOCOL starttls|implicit PORT CA FILE LOGIN,
// or PROTOCOL external PORT CA FILE LOGIN CERTIFICATE KEY: STARTTLS, and SASL EXTERNAL
//
// smtp, submission, lmtp: sends the file. imap: the first message into the file, and appends it. LOGIN: user:password,
// or nothing. MODULES: the folder with the two packages.
'use strict';
const fs = require('fs');
const modules = require('module').createRequire(process.env.MODULES + '/');
const [proto, front, port, ca, file, login, cert, key] = process.argv.slice(2);
const [user, pass] = login.split(':');
const secure = front === 'implicit';
const tls = { ca: fs.readFileSync(ca), cert: cert && fs.readFileSync(cert), key: key && fs.readFileSync(key) };

// The mechanism, which nodemailer leaves to its user.
async function external(context) {
    const done = await context.sendCommand('AUTH EXTERNAL ' + Buffer.from(user).toString('base64'));
    if (done.status !== 235) {
        throw new Error(done.text);
    }
}

async function send() {
    const how = { host: 'localhost', port: Number(port), secure, requireTLS: !secure, tls, lmtp: proto === 'lmtp' };
    if (user) {
        how.auth = front === 'external' ? { type: 'custom', method: 'EXTERNAL', user, pass: '' } : { user, pass };
        how.customAuth = { EXTERNAL: external };
    }
    const transport = modules('nodemailer').createTransport(how);
    await transport.sendMail({ envelope: { from: 'alice@example.org', to: ['joe@mail.test'] }, raw: fs.readFileSync(file) });
    transport.close();
}

async function fetch() {
    const { ImapFlow } = modules('imapflow');
    const client = new ImapFlow({ host: 'localhost', port: Number(port), secure, doSTARTTLS: secure ? undefined : true,
        auth: { user, pass }, tls, logger: false });
    await client.connect();
    const lock = await client.getMailboxLock('INBOX');
    const message = await client.fetchOne('1', { source: true });
    fs.writeFileSync(file, message.source);
    await client.append('INBOX', message.source);
    lock.release();
    await client.logout();
}

(proto === 'imap' ? fetch() : send()).catch((e) => {
    console.error(e);
    process.exit(1);
});

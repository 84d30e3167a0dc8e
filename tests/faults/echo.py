#!/usr/bin/env python3
"""The backend of the fault table: says enough IMAP to let anybody log in, then sends back every byte it gets.

Prints its port and serves until its standard input ends, or it is stopped. A process of its own, so that ten thousand sessions
find descriptors enough on both sides of the gateway."""
import asyncio
import resource
import sys


class Echo(asyncio.Protocol):
    def __init__(self):
        self.transport, self.buffer, self.echoing = None, b'', False

    def connection_made(self, transport):
        self.transport = transport
        transport.write(b'* OK [CAPABILITY IMAP4rev1] echo\r\n')

    def data_received(self, data):
        if self.echoing:
            self.transport.write(data)
            return
        self.buffer += data
        while b'\n' in self.buffer and not self.echoing:
            line, self.buffer = self.buffer.split(b'\n', 1)
            tag, _, rest = line.partition(b' ')
            if rest.upper().startswith(b'CAPABILITY'):
                self.transport.write(b'* CAPABILITY IMAP4rev1\r\n')
            self.echoing = rest.upper().startswith(b'LOGIN')
            self.transport.write(tag + b' OK done\r\n' + (self.buffer if self.echoing else b''))

    # what the client's end has not read holds up what it may send
    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()


async def serve():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, '127.0.0.1', int(sys.argv[1]), backlog=4096)
    async with server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


if __name__ == '__main__':
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    asyncio.run(serve())

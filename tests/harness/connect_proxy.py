#!/usr/bin/env python3
"""An HTTP CONNECT proxy, as companies have them. usage: connect_proxy.py ADDRESS PORT ALLOWED_PORTS [USER:PASSWORD]

ALLOWED_PORTS: "443,6443", the target ports that it lets through. With USER:PASSWORD others get 407.
"""
import asyncio
import base64
import sys

HEAD_BYTES_MAX = 16384


async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.close()


async def refuse(writer, line, header=""):
    writer.write(f"HTTP/1.1 {line}\r\n{header}Content-Length: 0\r\n\r\n".encode())
    await writer.drain()
    writer.close()


class Proxy:
    def __init__(self, allowed, credentials):
        self.allowed = allowed
        self.wanted = "Basic " + base64.b64encode(credentials.encode()).decode() if credentials else None

    async def serve(self, reader, writer):
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            writer.close()
            return
        lines = head.split("\r\n")
        words = lines[0].split(" ")
        if len(words) != 3 or words[0] != "CONNECT":
            return await refuse(writer, "405 Method Not Allowed")
        headers = dict((name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines[1:]))
        if self.wanted and headers.get("proxy-authorization") != self.wanted:
            return await refuse(writer, "407 Proxy Authentication Required", 'Proxy-Authenticate: Basic realm="lab"\r\n')
        host, _, port = words[1].rpartition(":")
        if port not in self.allowed:
            return await refuse(writer, "403 Forbidden")
        try:
            far_reader, far_writer = await asyncio.open_connection(host.strip("[]"), int(port))
        except OSError:
            return await refuse(writer, "502 Bad Gateway")
        print(f"CONNECT {words[1]}", flush=True)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
        far_writer.close()
        writer.close()


async def main(address, port, allowed, credentials=""):
    proxy = Proxy(allowed.split(","), credentials)
    server = await asyncio.start_server(proxy.serve, address, int(port), limit=HEAD_BYTES_MAX)
    print("up", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

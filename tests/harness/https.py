"""A small HTTPS client that lives in a test host's network: fast enough to load a server, unlike kubectl."""
import base64
import ctypes
import json
import os
import re
import socket
import ssl
import threading

CLONE_NEWNET = 0x40000000


def credentials(kubeconfig):
    """(host, port, CA, certificate, key) of a kubeconfig with embedded data."""
    with open(kubeconfig) as file:
        text = file.read()
    pick = lambda key: base64.b64decode(re.search(rf"{key}: *\"?([A-Za-z0-9+/=]+)", text).group(1))
    server = re.search(r"server: *\"?https://([^\s\"]+)", text).group(1)
    host, _, port = server.rpartition(":")
    return host, int(port), pick("certificate-authority-data"), pick("client-certificate-data"), pick("client-key-data")


def in_network(host, action):
    """Runs action() with this thread inside the host's network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/proc/{host.pid1}/ns/net") as theirs, open("/proc/thread-self/ns/net") as ours:
        if libc.setns(theirs.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        try:
            return action()
        finally:
            libc.setns(ours.fileno(), CLONE_NEWNET)


def connect(host, kubeconfig, timeout=5):
    """A TLS stream to the API server, with the kubeconfig's client certificate. Errors: OSError."""
    address, port, ca, certificate, key = credentials(kubeconfig)
    base = f"{host.dir}/client.{threading.get_ident()}"
    for name, data in (("crt", certificate), ("key", key)):
        with open(f"{base}.{name}", "wb") as file:
            os.chmod(f"{base}.{name}", 0o600)
            file.write(data)
    context = ssl.create_default_context(cadata=ca.decode())
    context.check_hostname = False
    context.load_cert_chain(f"{base}.crt", f"{base}.key")
    raw = in_network(host, lambda: socket.create_connection((address, port), timeout))
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(raw)


class Connection:
    """A kept-alive HTTP/1.1 connection. Errors: OSError, also when the server goes away in an answer."""

    def __init__(self, host, kubeconfig, timeout=5):
        self.stream = connect(host, kubeconfig, timeout)
        self.reader = self.stream.makefile("rb")

    def request(self, method, path, body=None, content_type="application/json"):
        """(status, body as bytes); an answer without content-length is read to its end."""
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nContent-Length: {len(data)}\r\n\r\n"
        self.stream.sendall(head.encode() + data)
        first = self.reader.readline()
        if not first:
            raise ConnectionError("closed before an answer")
        length = None
        chunked = False
        while (line := self.reader.readline()) != b"\r\n":
            if not line:
                raise ConnectionError("closed in the headers")
            key, _, value = line.decode().partition(":")
            if key.lower() == "content-length":
                length = int(value)
            chunked |= key.lower() == "transfer-encoding"
        answer = self._chunks() if chunked else self._exactly(length or 0)
        return int(first.split()[1]), answer

    def _exactly(self, length):
        data = self.reader.read(length)
        if len(data) < length:
            raise ConnectionError("closed in the body")
        return data

    def _chunks(self):
        parts = []
        while size := int(self.reader.readline().strip() or b"0", 16):
            parts.append(self._exactly(size))
            self.reader.readline()
        self.reader.readline()
        return b"".join(parts)

    def close(self):
        self.reader.close()
        self.stream.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

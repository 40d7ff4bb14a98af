"""A program in a terminal: `kubectl exec -it` behaves differently when it has one."""
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

from .cluster import Failed


class Terminal:
    """`argv` inside the host, in a terminal of its own of `rows` x `columns`."""

    def __init__(self, host, argv, rows=24, columns=80):
        self.master, slave = pty.openpty()
        self.resize(rows, columns, tell=False)

        def prepare():
            host._enter_cgroups()
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(host.command(argv), stdin=slave, stdout=slave, stderr=slave, preexec_fn=prepare)
        os.close(slave)
        self.text = ""

    def resize(self, rows, columns, tell=True):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if tell:
            os.killpg(self.process.pid, signal.SIGWINCH)

    def type(self, text):
        os.write(self.master, text.encode())

    def expect(self, wanted, timeout=20):
        """Reads until `wanted` has appeared, and forgets what came up to it."""
        deadline = time.monotonic() + timeout
        while wanted not in self.text:
            if not select.select([self.master], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise Failed(f"the terminal never showed {wanted!r}: {self.text!r}")
            try:
                chunk = os.read(self.master, 4096)
            except OSError:  # EIO: nobody has the other side open any more
                chunk = b""
            if not chunk:
                raise Failed(f"the terminal ended without {wanted!r}: {self.text!r}")
            self.text += chunk.decode(errors="replace")
        self.text = self.text.partition(wanted)[2]

    def wait(self, timeout=20):
        """The program's exit code."""
        return self.process.wait(timeout)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

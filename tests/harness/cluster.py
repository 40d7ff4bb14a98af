"""One kinglet server on a test host, with kubectl and helm beside it."""
import json
import os
import re
import signal
import subprocess
import sys
import time

from .host import Host

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Failed(AssertionError):
    """A check that did not hold; its text is for the reader of the test's output."""


def eventually(what, check, timeout=30):
    """Waits until check() gives something true, and returns it. `what` is said when it never does."""
    deadline, last = time.monotonic() + timeout, None
    while True:
        try:
            value = check()
            if value:
                return value
        except Failed as failure:
            last = failure
        if time.monotonic() > deadline:
            raise Failed(f"not within {timeout} s: {what}" + (f" ({last})" if last else ""))
        time.sleep(0.05)


class Cluster:
    def __init__(self, build, flags=(), address="10.99.0.1", agent=True):
        self.build = os.path.abspath(build)
        self.host = Host(address)
        self.data = f"{self.host.dir}/data"
        self.kubeconfig = f"{self.host.dir}/kubeconfig.yaml"
        self.log = f"{self.host.dir}/kinglet.log"
        self.flags = list(flags) + ([] if agent else ["--disable-agent"])
        self.process = None
        os.environ.setdefault("HOME", "/root")

    def binary(self, name):
        return f"{self.build}/{name}"

    # --- life ---
    def start(self, wait=True, flags=()):
        log = open(self.log, "ab")
        self.process = self.host.start(
            [self.binary("kinglet"), "server", "--data-dir", self.data, "--write-kubeconfig", self.kubeconfig,
             "--node-name", "node-1", "--config", "/dev/null", *self.flags, *flags], stdout=log, stderr=log)
        log.close()
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, timeout=30):
        eventually("/readyz answers ok", lambda: self.alive() and os.path.exists(self.kubeconfig)
                   and self.try_kubectl("get", "--raw", "/readyz").returncode == 0, timeout)
        if "--disable-agent" not in self.flags:
            eventually("the node is Ready", lambda: "True" in self.try_kubectl(
                "get", "nodes", "-o", "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}").stdout,
                timeout)

    def alive(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"kinglet ended with {self.process.returncode}:\n{self.log_tail()}")
        return True

    def pid(self):
        """kinglet's own pid: nsenter's child."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as file:
            children = file.read().split()
        return int(children[0]) if children else self.process.pid

    def stop(self, how=signal.SIGTERM, timeout=20):
        try:
            os.kill(self.pid(), how)
        except ProcessLookupError:
            pass
        self.process.wait(timeout)

    def kill9(self):
        self.stop(signal.SIGKILL)

    def close(self):
        self.host.close()

    def log_tail(self, lines=40):
        with open(self.log, errors="replace") as file:
            return "".join(file.readlines()[-lines:])

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind is not None:
            print(f"--- last words of kinglet ---\n{self.log_tail()}", file=sys.stderr)
        self.close()

    # --- clients ---
    def client(self, name, *args, input=None, timeout=60):
        return self.host.run(["env", f"KUBECONFIG={self.kubeconfig}", f"HOME={self.host.dir}", "TZ=UTC",
                              f"{self.build}/clients/{name}", *args], check=False, timeout=timeout,
                             **({"input": input} if input is not None else {}))

    def try_kubectl(self, *args, **more):
        return self.client("kubectl", *args, **more)

    def kubectl(self, *args, **more):
        """kubectl's stdout; Failed with its stderr when it fails."""
        done = self.try_kubectl(*args, **more)
        if done.returncode != 0:
            raise Failed(f"kubectl {' '.join(args)}: exit {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def refused(self, *args, **more):
        """kubectl's stderr of a command that must fail."""
        done = self.try_kubectl(*args, **more)
        if done.returncode == 0:
            raise Failed(f"kubectl {' '.join(args)} was not refused: {done.stdout.strip()}")
        return done.stderr.strip()

    def get(self, *args):
        return json.loads(self.kubectl("get", *args, "-o", "json"))

    def apply(self, manifest, *args):
        return self.kubectl("apply", *args, "-f", "-", input=manifest if isinstance(manifest, str) else json.dumps(manifest))

    def background(self, *args):
        """kubectl left running, stdout as a pipe."""
        return self.host.start(["env", f"KUBECONFIG={self.kubeconfig}", f"HOME={self.host.dir}",
                                f"{self.build}/clients/kubectl", *args], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)

    def terminal(self, *args):
        """kubectl in a terminal of its own."""
        from .terminal import Terminal
        return Terminal(self.host, ["env", f"KUBECONFIG={self.kubeconfig}", f"HOME={self.host.dir}", "TERM=xterm",
                                    f"{self.build}/clients/kubectl", *args])

    def kinglet(self, *args, **more):
        return self.host.run([self.binary("kinglet"), *args], check=False, **more)

    def pack_image(self, name, cmd=("sh",), files=None, links=None):
        """Packs an image, busybox by default; returns the archive's path."""
        sys.path.insert(0, f"{SOURCE}/examples/hello")
        import pack
        import platform
        applets = ("sh", "ls", "cat", "sleep", "echo", "wget", "nslookup", "nc", "env", "id", "true", "false", "ps", "kill",
                   "head", "tail", "hostname", "ip", "touch", "mkdir", "rm", "stat", "mount", "df", "date", "dd", "httpd",
                   "printf", "test", "seq", "grep", "tar", "wc", "md5sum", "trap", "readlink", "free", "chmod", "cp", "stty", "tty")
        files = files if files is not None else {"/bin/busybox": "/bin/busybox"}
        links = links if links is not None else {f"/bin/{name}": "busybox" for name in applets}
        tar = f"{self.host.dir}/{re.sub(r'[^a-z0-9]', '-', name)}.tar"
        pack.pack(name, list(cmd), files, tar, pack.ARCHES.get(platform.machine(), platform.machine()), links)
        return tar

    def import_image(self, name="kinglet.test/busybox:1", cmd=("sh",), files=None, links=None):
        """Packs an image and imports it; returns its name."""
        tar = self.pack_image(name, cmd, files, links)
        done = self.kinglet("images", "import", "--data-dir", self.data, tar)
        if done.returncode != 0:
            raise Failed(f"images import: {done.stderr.strip()}")
        return name

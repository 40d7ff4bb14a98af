"""A cluster in a lab: a server on host 0, agents on the others, with kubectl on the server's host.

    with LabCluster(build, 3) as c:
        c.kubectl("get", "nodes")
        c.lab.cut(1)

Nodes are node-1 (the server's), node-2, ... Images are imported before anything runs.
"""
import os
import signal
import sys

from .cluster import Cluster, Failed, eventually
from .lab import Lab


class Agent:
    """kinglet agent on a host of the lab."""

    def __init__(self, cluster, host, name, flags=()):
        self.cluster, self.host, self.name = cluster, host, name
        self.data = f"{host.dir}/data"
        self.log = f"{host.dir}/kinglet.log"
        self.flags = list(flags)
        self.env = {}
        self.process = None

    def start(self, flags=()):
        log = open(self.log, "ab")
        self.process = self.host.start(
            ["env", *[f"{key}={value}" for key, value in self.env.items()], self.cluster.binary("kinglet"), "agent",
             "--server", f"https://{self.cluster.host.address}:6443", "--token", self.cluster.token(),
             "--data-dir", self.data, "--node-name", self.name, "--config", "/dev/null", *self.flags, *flags],
            stdout=log, stderr=log)
        log.close()
        return self

    def stop(self, how=signal.SIGTERM, timeout=20):
        """nsenter's child is kinglet."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as file:
            for pid in file.read().split():
                os.kill(int(pid), how)
        self.process.wait(timeout)

    def log_tail(self, lines=30):
        if not os.path.exists(self.log):
            return ""
        with open(self.log, errors="replace") as file:
            return "".join(file.readlines()[-lines:])


class LabCluster(Cluster):
    def __init__(self, build, hosts=3, flags=(), agent_flags=()):
        self.build = os.path.abspath(build)
        self.lab = Lab(hosts)
        self.host = self.lab.hosts[0]
        self.data = f"{self.host.dir}/data"
        self.kubeconfig = f"{self.host.dir}/kubeconfig.yaml"
        self.log = f"{self.host.dir}/kinglet.log"
        self.flags = list(flags)
        self.process = None
        os.environ.setdefault("HOME", "/root")
        self.agents = [Agent(self, host, f"node-{host.number + 1}", agent_flags) for host in self.lab.hosts[1:]]

    def names(self):
        return [f"node-{host.number + 1}" for host in self.lab.hosts]

    def token(self):
        with open(f"{self.data}/server/node-token") as file:
            return file.read().strip()

    def import_everywhere(self, **image):
        """Into every node's store; before anything runs there."""
        name = self.import_image(**image)
        tar = [f"{self.host.dir}/{file}" for file in os.listdir(self.host.dir) if file.endswith(".tar")][0]
        for agent in self.agents:
            done = agent.host.run([self.binary("kinglet"), "images", "import", "--data-dir", agent.data, tar], check=False)
            if done.returncode != 0:
                raise Failed(f"images import on {agent.name}: {done.stderr.strip()}")
        return name

    def start_all(self, timeout=30):
        self.start()
        for agent in self.agents:
            agent.start()
        self.wait_nodes(timeout=timeout)
        return self

    def node_ready(self, name):
        return self.try_kubectl("get", "node", name, "-o",
                                "jsonpath={.status.conditions[?(@.type=='Ready')].status}").stdout.strip()

    def wait_nodes(self, names=None, status="True", timeout=30):
        for name in names or self.names():
            eventually(f"{name} is Ready={status}", lambda: self.node_ready(name) == status, timeout)

    def log_tail(self, lines=30):
        parts = [f"--- server ---\n{super().log_tail(lines)}" if os.path.exists(self.log) else ""]
        parts += [f"--- {agent.name} ---\n{agent.log_tail(lines)}" for agent in self.agents]
        return "\n".join(parts)

    def close(self):
        self.lab.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            print(self.log_tail(), file=sys.stderr)
        self.close()

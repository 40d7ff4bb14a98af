"""A host of its own for a test: network, mounts, processes and cgroups that nothing outside sees.

PID 1 of the host is a shell that only reaps. When the Host is closed its processes, mounts and cgroups are gone.
Needs root. Used as: `with Host() as host: host.run(["ip", "addr"])`.
"""
import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time

CGROUP_ROOT = "/sys/fs/cgroup"
PR_SET_PDEATHSIG = 1

# Runs inside the new namespaces as PID 1. $1: state dir; $2: name of the host's cgroup; $3: address or "none".
# /run is private so that crun's and kinglet's run-time state of two hosts never meet.
INIT = r"""
set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mount -t proc proc /proc
ip link set lo up
if [ "$3" != none ]; then
  ip link add eth0 type veth peer name uplink0
  ip addr add "$3/24" dev eth0
  ip link set eth0 up
  ip link set uplink0 up
  ip route add default via "${3%.*}.254" dev eth0
fi
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
else
  for hierarchy in /sys/fs/cgroup/*/; do
    hierarchy=${hierarchy%/}
    if [ -e "$hierarchy/cgroup.controllers" ] || [ -e "$hierarchy/cgroup.max.depth" ]; then continue; fi
    [ -d "$hierarchy/$2" ] || continue
    mount --bind "$hierarchy/$2" "$hierarchy"
  done
fi
: > "$1/up"
while :; do sleep 3600 & wait $! || :; done
"""


def hierarchies():
    """Every writable cgroup hierarchy: v1 controllers, or the one of v2."""
    if os.path.exists(f"{CGROUP_ROOT}/cgroup.controllers"):
        return [CGROUP_ROOT]
    return [path for path in (f"{CGROUP_ROOT}/{name}" for name in sorted(os.listdir(CGROUP_ROOT)))
            if os.path.exists(f"{path}/cgroup.procs") and not os.path.exists(f"{path}/cgroup.controllers")
            and not os.path.islink(path)]


class Host:
    def __init__(self, address="10.99.0.1"):
        self.address = address
        self.dir = tempfile.mkdtemp(prefix="kinglet-host-")
        self.cgroup = os.path.basename(self.dir)
        self.init = None
        self.power_on()

    def power_on(self):
        """Boots: the same directory, everything else new."""
        if os.path.exists(f"{self.dir}/up"):
            os.unlink(f"{self.dir}/up")
        self._make_cgroups()
        # The kernel ends the host's processes when we are gone, even if we are killed.
        self.init = subprocess.Popen(
            ["unshare", "--net", "--mount", "--pid", "--uts", "--cgroup", "--fork", "--kill-child=SIGKILL",
             "bash", "-c", INIT, "init", self.dir, self.cgroup, self.address or "none"],
            stdin=subprocess.DEVNULL, preexec_fn=self._prepare_init)
        self._wait_up()

    def _make_cgroups(self):
        for root in hierarchies():
            path = f"{root}/{self.cgroup}"
            os.makedirs(path, exist_ok=True)
            # A new v1 cpuset is empty, and an empty one admits no process.
            for name in ("cpuset.cpus", "cpuset.mems"):
                if os.path.exists(f"{root}/{name}") and os.path.exists(f"{path}/{name}"):
                    with open(f"{root}/{name}") as source, open(f"{path}/{name}", "w") as target:
                        target.write(source.read().strip())

    def _prepare_init(self):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        self._enter_cgroups()

    def _enter_cgroups(self):
        for root in hierarchies():
            with open(f"{root}/{self.cgroup}/cgroup.procs", "w") as procs:
                procs.write(str(os.getpid()))

    def _wait_up(self):
        deadline = time.monotonic() + 20
        while not os.path.exists(f"{self.dir}/up"):
            if self.init.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the test host did not come up")
            time.sleep(0.01)
        children = f"/proc/{self.init.pid}/task/{self.init.pid}/children"
        with open(children) as file:
            self.pid1 = int(file.read().split()[0])

    def command(self, argv):
        """`argv`, prefixed so that it runs inside the host."""
        return ["nsenter", "-t", str(self.pid1), "--net", "--mount", "--pid", "--uts", "--cgroup", "--", *argv]

    def run(self, argv, check=True, timeout=60, **more):
        return subprocess.run(self.command(argv), check=check, timeout=timeout, text=True,
                              preexec_fn=self._enter_cgroups, **({} if "input" in more else {"stdin": subprocess.DEVNULL}),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)

    def start(self, argv, **more):
        """A background process of the host, in the host's cgroup and a session of its own."""
        return subprocess.Popen(self.command(argv), stdin=subprocess.DEVNULL, start_new_session=True,
                                preexec_fn=self._enter_cgroups, **more)

    def power_off(self):
        """Every process ends at once, without a word; the directory stays."""
        if self.init is None:
            return
        self.init.kill()
        self.init.wait()
        self.init = None
        for root in hierarchies():
            top = f"{root}/{self.cgroup}"
            for path, _, _ in os.walk(top, topdown=False):
                self._remove_cgroup(path)

    def close(self):
        self.power_off()
        shutil.rmtree(self.dir, ignore_errors=True)

    @staticmethod
    def _remove_cgroup(path):
        for _ in range(100):
            try:
                os.rmdir(path)
                return
            except OSError:
                time.sleep(0.02)  # a dying process holds it a moment longer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

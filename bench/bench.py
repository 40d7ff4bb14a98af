#!/usr/bin/env python3
"""Measures kinglet, and another distribution beside it if one is given, and prints a table.

usage: bench.py --build DIR [--quick] [--only SECTION,...] [--peer 'START COMMAND' --peer-kubeconfig FILE]

Sections: start, idle, api, watch, pods. Each runs on a host of its own (network namespace, cgroups), so nothing of the
machine is touched. Compare figures of one run only: machines are noisy. The peer is started by its command inside such
a host and must write the kubeconfig that is named; its image store is not filled, so `pods` is skipped for it.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests"))
from harness.cluster import Cluster, eventually  # noqa: E402
from harness.host import Host  # noqa: E402
from harness.https import connect, credentials  # noqa: E402

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


# --- what a set of processes uses ---
def tree(pid):
    """The process and everything below it, conmon (which leaves the tree) found by its cgroup's host."""
    found, queue = [], [pid]
    while queue:
        current = queue.pop()
        found.append(current)
        try:
            for task in os.listdir(f"/proc/{current}/task"):
                with open(f"/proc/{current}/task/{task}/children") as file:
                    queue += [int(child) for child in file.read().split()]
        except OSError:
            pass
    return found


def conmons(host):
    out = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm") as file:
                if file.read().strip() == "conmon" and os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink(f"/proc/{host.pid1}/ns/mnt"):
                    out.append(int(pid))
        except OSError:
            pass
    return out


def pss_kib(pids):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as file:
                total += int(re.search(r"^Pss:\s+(\d+)", file.read(), re.M).group(1))
        except (OSError, AttributeError):
            pass
    return total


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return total / CLOCK_TICKS


def written_bytes(pids):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/io") as file:
                total += int(re.search(r"^write_bytes: (\d+)", file.read(), re.M).group(1))
        except OSError:
            pass
    return total


def switches(pids):
    total = 0
    for pid in pids:
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/status") as file:
                    total += sum(int(n) for n in re.findall(r"ctxt_switches:\s+(\d+)", file.read()))
        except OSError:
            pass
    return total


# --- kinglet or the peer: something with a pid, a kubeconfig and a host ---
class Target:
    def __init__(self, build):
        self.cluster = Cluster(build)
        self.host = self.cluster.host

    def start(self):
        self.cluster.start(wait=False)
        return self

    def kubectl(self, *args, **more):
        return self.cluster.kubectl(*args, **more)

    def pids(self):
        return tree(self.cluster.pid())

    def ready(self):
        return os.path.exists(self.cluster.kubeconfig) and self.request("/readyz")[0] == 200

    def request(self, path):
        return https(self.host, self.cluster.kubeconfig, path)

    def stop(self):
        self.cluster.stop()

    def close(self):
        self.cluster.close()

    kubeconfig = property(lambda self: self.cluster.kubeconfig)


class Peer(Target):
    def __init__(self, build, command, kubeconfig):
        self.build, self.command, self._kubeconfig = build, command, kubeconfig
        self.host = Host()
        self.process = None

    def start(self):
        log = open(f"{self.host.dir}/peer.log", "ab")
        self.process = self.host.start(["sh", "-c", f"exec {self.command}"], stdout=log, stderr=log)
        return self

    kubeconfig = property(lambda self: self._kubeconfig)

    def kubectl(self, *args, input=None, timeout=60):
        done = self.host.run(["env", f"KUBECONFIG={self._kubeconfig}", f"HOME={self.host.dir}",
                              f"{self.build}/clients/kubectl", *args], check=False, timeout=timeout,
                             **({"input": input} if input is not None else {}))
        if done.returncode:
            raise AssertionError(done.stderr)
        return done.stdout

    def pids(self):
        return [pid for pid in tree(self.host.pid1) if pid != self.host.pid1] + tree(self.process.pid)

    def ready(self):
        return os.path.exists(self._kubeconfig) and self.request("/readyz")[0] == 200

    def request(self, path):
        return https(self.host, self._kubeconfig, path)

    def stop(self):
        self.process.terminate()
        self.process.wait(60)

    def close(self):
        self.host.close()


# --- requests ---
def https(host, kubeconfig, path):
    try:
        with connect(host, kubeconfig) as stream:
            stream.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            data = b""
            while chunk := stream.recv(1 << 16):
                data += chunk
        return int(data.split(b" ", 2)[1]), data.partition(b"\r\n\r\n")[2]
    except (OSError, ValueError, IndexError, AttributeError):
        return 0, b""


# --- sections: each returns {row: (value, unit)} ---
def poll(check, pause=0.005, timeout=180):
    start = time.monotonic()
    while not check():
        if time.monotonic() - start > timeout:
            raise AssertionError("it did not come up")
        time.sleep(pause)


def node_ready(target):
    code, body = target.request("/api/v1/nodes")
    if code != 200:
        return False
    nodes = json.loads(body)["items"]
    return any(c["type"] == "Ready" and c["status"] == "True" for n in nodes for c in n["status"].get("conditions", []))


def section_start(target, options):
    rows = {}
    for name in ("fresh", "warm"):
        began = time.monotonic()
        target.start()
        poll(target.ready)
        rows[f"exec -> readyz, {name}"] = ((time.monotonic() - began) * 1000, "ms")
        poll(lambda: node_ready(target))
        rows[f"exec -> node Ready, {name}"] = ((time.monotonic() - began) * 1000, "ms")
        if name == "fresh":
            target.stop()
    return rows


def section_idle(target, options):
    time.sleep(5 if options.quick else 15)
    seconds = 10 if options.quick else 60
    pids = target.pids()
    before = cpu_seconds(pids), written_bytes(pids), switches(pids)
    time.sleep(seconds)
    after = cpu_seconds(pids), written_bytes(pids), switches(pids)
    return {
        "idle memory, whole tree (PSS)": (pss_kib(pids) / 1024, "MB"),
        "idle CPU, of one core": ((after[0] - before[0]) / seconds * 100, "%"),
        "idle writes": ((after[1] - before[1]) / seconds, "B/s"),
        "idle context switches": ((after[2] - before[2]) / seconds, "/s"),
    }


def h2load(target, requests, clients, path, body=None, http1=False):
    token = target.kubectl("create", "token", "bench", "-n", "default", "--duration=1h").strip()
    address, port, *_ = credentials(target.kubeconfig)
    argv = ["h2load", "-n", str(requests), "-c", str(clients), "-m", "1", "-w", "24", "-W", "26",
            "-H", f"authorization: Bearer {token}"]
    if http1:
        argv.append("--h1")
    if body:
        argv += ["-d", body, "-H", "content-type: application/json"]
    before = cpu_seconds(target.pids())
    done = target.host.run([*argv, f"https://{address}:{port}{path}"], timeout=600, check=False)
    cpu = cpu_seconds(target.pids()) - before
    text = done.stdout
    if f"{requests} succeeded" not in text:
        raise AssertionError(f"h2load {path}: {text[-800:]}{done.stderr[-400:]}")
    rate = float(re.search(r"([\d.]+) req/s", text).group(1))
    seconds = float(re.search(r"finished in ([\d.]+)(ms|s|us)", text).group(1)) * {"s": 1, "ms": 1e-3, "us": 1e-6}[
        re.search(r"finished in [\d.]+(ms|us|s)", text).group(1)]
    data = int(re.search(r"\((\d+)\) data", text).group(1))
    scale = {"us": 1e-3, "ms": 1, "s": 1000}
    mean = re.search(r"time for request:\s+\S+\s+\S+\s+([\d.]+)(us|ms|s)", text)
    return {"rate": rate, "mean_ms": float(mean.group(1)) * scale[mean.group(2)], "mb_s": data / seconds / 1e6,
            "cpu_ms": cpu / requests * 1000}


def section_api(target, options):
    rows = {}
    target.kubectl("create", "serviceaccount", "bench", "-n", "default")
    target.kubectl("create", "clusterrolebinding", "bench", "--clusterrole=cluster-admin", "--serviceaccount=default:bench")
    target.kubectl("create", "namespace", "bench")
    body = f"{target.host.dir}/cm.json"
    with open(body, "w") as file:
        json.dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "cm-"}, "data": {"a": "x" * 760}}, file)
    count = 1000 if options.quick else 10000
    one = h2load(target, 5000, 1, "/api/v1/nodes", http1=True)
    rows["GET nodes, kept-alive, mean"] = (one["mean_ms"], "ms")
    many = h2load(target, 20000, 16, "/api/v1/nodes")
    rows["GET nodes, 16 clients"] = (many["rate"], "/s")
    rows["GET nodes, server CPU each"] = (many["cpu_ms"], "ms")
    creates = h2load(target, count, 16, "/api/v1/namespaces/bench/configmaps", body)
    rows[f"CREATE ConfigMap 1 KiB, 16 clients"] = (creates["rate"], "/s")
    rows["CREATE, server CPU each"] = (creates["cpu_ms"], "ms")
    lists = h2load(target, 40, 1, "/api/v1/namespaces/bench/configmaps", http1=True)
    rows[f"LIST of {count} ConfigMaps"] = (lists["mean_ms"], "ms")
    rows[f"LIST of {count} ConfigMaps, volume"] = (lists["mb_s"], "MB/s")
    target.kubectl("delete", "namespace", "bench", timeout=180)
    return rows


def section_watch(target, options):
    watchers, events = 50, 200 if options.quick else 1000
    target.kubectl("create", "namespace", "watched")
    target.kubectl("create", "configmap", "w", "-n", "watched")
    # More than a socket buffer holds is read by threads; each counts what it sees.
    seen, lock, done = [0], threading.Lock(), threading.Event()

    def watch():
        with connect(target.host, target.kubeconfig) as stream:
            stream.sendall(b"GET /api/v1/namespaces/watched/configmaps?watch=1&resourceVersion=0 HTTP/1.1\r\nHost: x\r\n\r\n")
            while chunk := stream.recv(1 << 18):
                with lock:
                    seen[0] += chunk.count(b'"type":"MODIFIED"')
                    if seen[0] >= watchers * events:
                        done.set()
                        return
                if done.is_set():
                    return

    threads = [threading.Thread(target=watch, daemon=True) for _ in range(watchers)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    before, start = cpu_seconds(target.pids()), time.monotonic()
    with connect(target.host, target.kubeconfig) as stream:
        reader = stream.makefile("rb")
        for i in range(events):
            body = json.dumps({"data": {"n": str(i)}}).encode()
            stream.sendall(b"PATCH /api/v1/namespaces/watched/configmaps/w HTTP/1.1\r\nHost: x\r\nContent-Type: application/merge-patch+json\r\n"
                           + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
            length = 0
            while (line := reader.readline()) not in (b"\r\n", b""):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            reader.read(length)
    done.wait(60)
    seconds = time.monotonic() - start
    cpu = cpu_seconds(target.pids()) - before
    target.kubectl("delete", "namespace", "watched", timeout=60)
    return {"WATCH events delivered, 50 watchers": (seen[0] / seconds, "/s"),
            "WATCH, server CPU per delivered event": (cpu / max(seen[0], 1) * 1e6, "us")}


def pod(name, image):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"bench": "1"}}, "spec": {
        "terminationGracePeriodSeconds": 1,
        "containers": [{"name": "main", "image": image, "imagePullPolicy": "Never"}]}}


def section_pods(target, options):
    if isinstance(target, Peer):
        return {}
    image = target.cluster.import_image("kinglet.bench/hello:1", cmd=["/hello"], links={},
                                        files={"/hello": f"{target.cluster.build}/examples/hello"})
    rows, times, gone = {}, [], []
    for i in range(5 if options.quick else 15):
        times.append(pod_latency(target, f"p{i}", image))
        began = time.monotonic()
        target.kubectl("delete", "pod", f"p{i}", "--now", timeout=60)
        gone.append((time.monotonic() - began) * 1000)
    rows["pod created -> Ready, p50"] = (statistics.median(times), "ms")
    rows["kubectl delete pod, p50"] = (statistics.median(gone), "ms")
    base = pss_kib(target.pids() + conmons(target.host))
    count = 10 if options.quick else 30
    began = time.monotonic()
    target.kubectl("create", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": [pod(f"m{i}", image) for i in range(count)]}))
    target.kubectl("wait", "--for=condition=Ready", "pod", "-l", "bench=1", "--timeout=120s", timeout=130)
    rows[f"{count} pods at once -> all Ready"] = ((time.monotonic() - began) * 1000, "ms")
    time.sleep(3)
    rows["memory per pod, beside the workload"] = ((pss_kib(target.pids() + conmons(target.host)) - base) / count / 1024, "MB")
    target.kubectl("delete", "pod", "-l", "bench=1", "--now", timeout=120)
    return rows


def pod_latency(target, name, image):
    """Milliseconds from the answer to the create until a watch shows the pod Ready."""
    with connect(target.host, target.kubeconfig) as watch, connect(target.host, target.kubeconfig) as writer:
        path = f"/api/v1/namespaces/default/pods?watch=1&fieldSelector=metadata.name%3D{name}"
        watch.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        body = json.dumps(pod(name, image)).encode()
        writer.sendall(b"POST /api/v1/namespaces/default/pods HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                       + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        writer.recv(1 << 16)
        start, text = time.monotonic(), b""
        ready = re.compile(rb'"type":"Ready","status":"True"')
        while not ready.search(text):
            chunk = watch.recv(1 << 16)
            if not chunk:
                raise AssertionError("the watch ended")
            text += chunk
        return (time.monotonic() - start) * 1000


SECTIONS = {"start": section_start, "idle": section_idle, "api": section_api, "watch": section_watch, "pods": section_pods}


def measure(make, options):
    target = make()
    rows = {}
    try:
        wanted = options.only.split(",") if options.only else list(SECTIONS)
        if "start" not in wanted:
            target.start()
            poll(target.ready)
            poll(lambda: node_ready(target))
        for name in SECTIONS:
            if name in wanted:
                print(f"# {name} ...", file=sys.stderr, flush=True)
                rows.update(SECTIONS[name](target, options))
    finally:
        target.close()
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="", help="sections, comma-separated: " + ", ".join(SECTIONS))
    parser.add_argument("--peer", help="command that starts another distribution")
    parser.add_argument("--peer-kubeconfig", help="the kubeconfig that it writes")
    options = parser.parse_args()
    if bool(options.peer) != bool(options.peer_kubeconfig):
        parser.error("--peer and --peer-kubeconfig go together")
    rows = measure(lambda: Target(options.build), options)
    peer = measure(lambda: Peer(os.path.abspath(options.build), options.peer, options.peer_kubeconfig), options) if options.peer else {}
    number = lambda value: f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
    print(f"{'':42} {'kinglet':>12}" + (f" {'peer':>12} {'ratio':>8}" if peer else ""))
    for name, (value, unit) in rows.items():
        line = f"{name:42} {number(value):>12}"
        if name in peer:
            other = peer[name][0]
            line += f" {number(other):>12} {other / value if value else 0:>8.2f}"
        print(f"{line} {unit}")


if __name__ == "__main__":
    main()

"""kinglet stops, crashes and starts again; containers do not notice, and nothing acknowledged is lost."""
import json
import os
import random
import threading

from harness import https
from harness.cluster import eventually
from pods import expect, ready, run, status


def same_container(c, name, before):
    after = eventually(f"{name} is reported", lambda: status(c, name))
    expect(after["containerID"] == before["containerID"] and after["restartCount"] == before["restartCount"],
           f"{name} was restarted: {before} -> {after}")


def test_containers_outlive_a_stop_and_are_adopted(c):
    run(c, "stays", "while :; do date; sleep 1; done")
    ready(c, "stays")
    before = status(c, "stays")
    c.stop()
    c.start()
    same_container(c, "stays", before)
    expect(c.kubectl("exec", "stays", "--", "echo", "here") == "here\n", "exec works again")
    c.kubectl("delete", "pod", "stays", "--now")


class Writer(threading.Thread):
    """Creates and updates ConfigMaps as fast as the server takes them, and remembers what was acknowledged."""

    def __init__(self, c, number, shared):
        super().__init__()
        self.c, self.number, self.shared = c, number, shared
        self.acknowledged = {}  # name -> the value last acknowledged
        self.unsure = {}        # name -> a value that was sent and never answered: either outcome is right
        self.stop = threading.Event()
        self.problem = None

    def run(self):
        count = 0
        while not self.stop.is_set() and not self.problem:
            try:
                with https.Connection(self.c.host, self.c.kubeconfig) as connection:
                    while not self.stop.is_set() and not self.problem:
                        count += 1
                        self.write(connection, count)
            except (OSError, ValueError):
                self.stop.wait(0.01)  # the server is away

    def write(self, connection, count):
        name, value = f"w{self.number}-{count // 3}", str(count)
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"n": value}}
        path = "/api/v1/namespaces/default/configmaps"
        exists = name in self.acknowledged
        self.unsure[name] = value
        code, answer = connection.request("PUT", f"{path}/{name}", body) if exists else connection.request("POST", path, body)
        if code in (200, 201):
            self.acknowledged[name] = self.unsure.pop(name)
            self.shared.take(json.loads(answer)["metadata"]["resourceVersion"])
        elif code not in (404, 409, 503):
            self.problem = f"{name}: {code} {answer[:200]}"


class Revisions:
    def __init__(self):
        self.lock, self.seen, self.twice = threading.Lock(), set(), []

    def take(self, revision):
        with self.lock:
            if revision in self.seen:
                self.twice.append(revision)
            self.seen.add(revision)


def test_kill_9_under_write_load_loses_nothing(c):
    """KINGLET_KILL_ROUNDS: how often to kill (5)."""
    run(c, "stays", "while :; do date; sleep 1; done")
    ready(c, "stays")
    before = status(c, "stays")
    rounds = int(os.environ.get("KINGLET_KILL_ROUNDS", "5"))
    seed = int(os.environ.get("KINGLET_SEED", "0")) or random.randrange(1 << 30)
    print(f"       KINGLET_SEED={seed}, {rounds} rounds")
    dice, shared = random.Random(seed), Revisions()
    writers = [Writer(c, i, shared) for i in range(4)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(rounds):
            target = len(shared.seen) + dice.randrange(1, 200)
            eventually("some writes are acknowledged", lambda: len(shared.seen) >= target, 60)
            c.kill9()
            c.start()
            same_container(c, "stays", before)
    finally:
        for writer in writers:
            writer.stop.set()
        for writer in writers:
            writer.join()
    expect(not [w.problem for w in writers if w.problem], f"refused: {[w.problem for w in writers]}")
    expect(not shared.twice, f"revisions that were used twice: {shared.twice[:10]}")
    there = {item["metadata"]["name"]: item["data"].get("n") for item in c.get("configmaps")["items"]}
    wrong = [f"{name}: {there.get(name)}, acknowledged {value}" for w in writers for name, value in w.acknowledged.items()
             if there.get(name) not in (value, w.unsure.get(name))]
    print(f"       {len(shared.seen)} writes acknowledged, {len(there)} objects")
    expect(not wrong, f"acknowledged and lost: {wrong[:10]}")
    c.kubectl("delete", "pod", "stays", "--now")
    with https.Connection(c.host, c.kubeconfig, timeout=60) as connection:
        code, answer = connection.request("DELETE", "/api/v1/namespaces/default/configmaps")
        expect(code == 200, f"{code} {answer[:200]}")


def test_a_pod_deleted_while_kinglet_is_away_ends_when_it_is_back(c):
    run(c, "leaves", "sleep 3600")
    ready(c, "leaves")
    c.kubectl("delete", "pod", "leaves", "--wait=false", "--grace-period=1")
    c.kill9()
    c.start()
    eventually("it is gone", lambda: c.try_kubectl("get", "pod", "leaves").returncode != 0)


def test_killall_leaves_nothing_behind_and_the_pods_come_back(c):
    run(c, "returns", "exec sleep 4321")
    ready(c, "returns")
    c.stop()
    done = c.kinglet("killall", "--data-dir", c.data)
    expect(done.returncode == 0 and "ended" in done.stdout, f"{done.stdout}{done.stderr}")
    mounts = [line.split()[1] for line in c.host.run(["cat", "/proc/mounts"]).stdout.splitlines()]
    expect(not [path for path in mounts if path.startswith((c.data, "/run/kinglet"))], f"still mounted: {mounts}")
    expect("kl0" not in c.host.run(["ip", "-brief", "link"]).stdout, "the bridge is still there")
    expect("sleep 4321" not in c.host.run(["ps", "-eo", "args"]).stdout, "a container still runs")
    c.start()
    ready(c, "returns")
    c.kubectl("delete", "pod", "returns", "--now")

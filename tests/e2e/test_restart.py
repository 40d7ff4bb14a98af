"""kinglet stops, crashes and starts again; containers do not notice, and nothing acknowledged is lost."""
import json
import random
import threading

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


def test_kill_9_under_write_load_loses_nothing(c):
    before = status(c, "stays")
    acknowledged, revisions, stop = [], set(), threading.Event()
    seed = random.randrange(1 << 30)
    dice = random.Random(seed)
    print(f"       seed {seed}")
    lock = threading.Lock()

    def write(worker):
        n = 0
        while not stop.is_set():
            n += 1
            name = f"w{worker}-{n}"
            done = c.try_kubectl("create", "configmap", name, f"--from-literal=n={n}", "-o", "json")
            if done.returncode == 0:
                with lock:
                    acknowledged.append(name)
                    revision = json.loads(done.stdout)["metadata"]["resourceVersion"]
                    expect(revision not in revisions, f"revision {revision} was used twice")
                    revisions.add(revision)

    writers = [threading.Thread(target=write, args=(i,)) for i in range(3)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(5):
            target = len(acknowledged) + dice.randrange(1, 6)
            eventually("some writes are acknowledged", lambda: len(acknowledged) >= target, 60)
            c.kill9()
            c.start()
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    there = {item["metadata"]["name"] for item in c.get("configmaps")["items"]}
    lost = [name for name in acknowledged if name not in there]
    expect(not lost, f"acknowledged and lost: {lost}")
    same_container(c, "stays", before)
    c.kubectl("delete", "pod", "stays", "--now")


def test_a_pod_deleted_while_kinglet_is_away_ends_when_it_is_back(c):
    run(c, "leaves", "sleep 3600")
    ready(c, "leaves")
    c.kubectl("delete", "pod", "leaves", "--wait=false", "--grace-period=1")
    c.kill9()
    c.start()
    eventually("it is gone", lambda: c.try_kubectl("get", "pod", "leaves").returncode != 0)

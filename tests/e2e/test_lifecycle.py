"""What happens around a container: handlers, sidecars, debugging, deadlines, and what it uses."""
import json
import time

from harness.cluster import eventually
from pods import expect, finished, output, ready, run, status


def shared(c, name):
    """A directory of the test that a pod writes to and outlives it."""
    path = f"{c.host.dir}/shared-{name}"
    return path, {"volumeMounts": [{"name": "s", "mountPath": "/s"}],
                  "volumes": [{"name": "s", "hostPath": {"path": path, "type": "DirectoryOrCreate"}}]}


def text_of(path):
    try:
        with open(path) as file:
            return file.read()
    except FileNotFoundError:
        return ""


def test_handlers_run_after_the_start_and_before_the_stop(c):
    path, volume = shared(c, "hooks")
    run(c, "hooked", "trap 'echo term >> /s/log; exit 0' TERM; while :; do sleep 0.1; done",
        terminationGracePeriodSeconds=20, lifecycle={
            "postStart": {"exec": {"command": ["sh", "-c", "echo started >> /s/log"]}},
            "preStop": {"exec": {"command": ["sh", "-c", "echo stopping >> /s/log; sleep 0.5"]}}}, **volume)
    ready(c, "hooked")
    expect(text_of(f"{path}/log") == "started\n", text_of(f"{path}/log"))
    c.kubectl("delete", "pod", "hooked", timeout=25)
    expect(text_of(f"{path}/log") == "started\nstopping\nterm\n", text_of(f"{path}/log"))


def test_a_failing_post_start_ends_the_container(c):
    run(c, "badhook", "sleep 3600", restartPolicy="Never",
        lifecycle={"postStart": {"exec": {"command": ["sh", "-c", "exit 3"]}}})
    expect(finished(c, "badhook") == "Failed", "it ends")
    eventually("the event", lambda: "PostStartHook failed" in c.kubectl("describe", "pod", "badhook"))
    c.kubectl("delete", "pod", "badhook", "--now")


def test_sleep_holds_the_stop_back(c):
    run(c, "sleeper", "trap 'exit 0' TERM; while :; do sleep 0.1; done", terminationGracePeriodSeconds=30,
        lifecycle={"preStop": {"sleep": {"seconds": 2}}})
    ready(c, "sleeper")
    begun = time.monotonic()
    c.kubectl("delete", "pod", "sleeper", timeout=40)
    expect(time.monotonic() - begun >= 2, "the handler was waited for")


def test_sidecars_start_first_and_stop_last(c):
    path, volume = shared(c, "sidecars")
    say = lambda name: (f"echo {name} up >> /s/log; trap 'echo {name} down >> /s/log; exit 0' TERM; "
                        "while :; do sleep 0.1; done")
    side = lambda name: {"name": name, "image": c.image, "imagePullPolicy": "Never", "restartPolicy": "Always",
                         "command": ["/bin/sh", "-c", say(name)], "volumeMounts": volume["volumeMounts"]}
    run(c, "ordered", say("main"), terminationGracePeriodSeconds=20, initContainers=[side("one"), side("two")], **volume)
    ready(c, "ordered")
    eventually("all are up", lambda: "main up" in text_of(f"{path}/log"))
    c.kubectl("delete", "pod", "ordered", timeout=25)
    lines = text_of(f"{path}/log").split("\n")
    expect(lines[:3] == ["one up", "two up", "main up"], lines)
    expect(lines[3:6] == ["main down", "two down", "one down"], lines)


def test_a_deadline_ends_the_pod(c):
    run(c, "limited", "sleep 3600", activeDeadlineSeconds=1)
    expect(finished(c, "limited") == "Failed", "it ends")
    expect(c.get("pod", "limited")["status"]["reason"] == "DeadlineExceeded", c.get("pod", "limited")["status"])
    c.kubectl("delete", "pod", "limited", "--now")


def test_sub_paths_know_the_environment(c):
    path, volume = shared(c, "subpath")
    mounts = [{"name": "s", "mountPath": "/s", "subPathExpr": "logs/$(POD)"}]
    output(c, "subbed", "echo hi > /s/f", env=[{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
           volumeMounts=mounts, volumes=volume["volumes"])
    expect(text_of(f"{path}/logs/subbed/f") == "hi\n", "the file is below the pod's name")


def test_last_words_come_from_the_log_when_asked(c):
    run(c, "words", "echo it broke; exit 4", restartPolicy="Never", terminationMessagePolicy="FallbackToLogsOnError")
    finished(c, "words")
    expect("it broke" in status(c, "words")["state"]["terminated"].get("message", ""), status(c, "words"))
    c.kubectl("delete", "pod", "words", "--now")


def test_kubectl_top_tells_what_is_used(c):
    run(c, "busy", "while :; do :; done")
    ready(c, "busy")
    row = eventually("top knows the pod", lambda: c.try_kubectl("top", "pod", "busy", "--no-headers").stdout).split()
    expect(row[0] == "busy" and row[1].endswith("m") and int(row[1][:-1]) > 50 and row[2].endswith("Mi"), row)
    row = c.kubectl("top", "node", "--no-headers").split()
    expect(row[0] == "node-1" and row[1].endswith("m") and row[2].endswith("%"), row)
    proxy = lambda path: c.kubectl("get", "--raw", f"/api/v1/nodes/node-1/proxy{path}")
    summary = json.loads(proxy("/stats/summary"))
    expect(any(p["podRef"]["name"] == "busy" for p in summary["pods"]) and summary["node"]["memory"]["availableBytes"] > 0, "summary")
    expect('container_cpu_usage_seconds_total{container="main",namespace="default",pod="busy"' in proxy("/metrics/cadvisor"), "cadvisor")
    expect("node_cpu_usage_seconds_total" in proxy("/metrics/resource"), "resource")
    c.kubectl("delete", "pod", "busy", "--now")


def test_static_pods_run_and_show_in_the_api(c):
    import os
    path, volume = shared(c, "static")
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "fixed"}, "spec": {
        "terminationGracePeriodSeconds": 1, "volumes": volume["volumes"], "containers": [
            {"name": "main", "image": c.image, "imagePullPolicy": "Never", "volumeMounts": volume["volumeMounts"],
             "command": ["sh", "-c", "echo here >> /s/log; sleep 3600"]}]}}
    os.makedirs(f"{c.data}/agent/pod-manifests", exist_ok=True)
    file = f"{c.data}/agent/pod-manifests/fixed.yaml"
    with open(file, "w") as out:
        json.dump(manifest, out)
    eventually("its mirror is there", lambda: c.try_kubectl("get", "pod", "fixed-node-1").returncode == 0, timeout=40)
    ready(c, "fixed-node-1")
    first = c.get("pod", "fixed-node-1")["metadata"]["uid"]
    c.kubectl("delete", "pod", "fixed-node-1", "--wait=false")
    eventually("the mirror comes again", lambda: c.try_kubectl("get", "pod", "fixed-node-1", "-o", "jsonpath={.metadata.uid}")
               .stdout not in ("", first), timeout=40)
    expect(text_of(f"{path}/log") == "here\n", "the container was left alone: " + text_of(f"{path}/log"))
    expect("here" not in c.kubectl("logs", "fixed-node-1"), "logs answer")
    os.unlink(file)
    eventually("it is gone with its file", lambda: c.try_kubectl("get", "pod", "fixed-node-1").returncode != 0, timeout=40)

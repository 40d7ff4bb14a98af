"""What a pod may ask for."""
import json

from harness.cluster import Failed, eventually
from pods import expect, finished, output, ready, run, status


def test_logs_of_all_kinds(c):
    run(c, "talks", "seq 1 20; echo crash >&2; exit 3")
    eventually("it has been restarted", lambda: status(c, "talks")["restartCount"] >= 1)
    previous = c.kubectl("logs", "talks", "--previous")
    expect(previous.splitlines()[:3] == ["1", "2", "3"] and "crash" in previous, previous)
    expect(len(c.kubectl("logs", "talks", "--tail=2", "--previous").splitlines()) == 2, "--tail")
    expect("T" in c.kubectl("logs", "talks", "--previous", "--timestamps").split()[0], "--timestamps")
    last = status(c, "talks")["lastState"]["terminated"]
    expect(last["exitCode"] == 3 and last["reason"] == "Error", last)
    c.kubectl("delete", "pod", "talks", "--now")


def test_logs_follow_until_the_end(c):
    run(c, "slow", "for i in 1 2 3; do echo line $i; sleep 0.3; done", restartPolicy="Never")
    eventually("it runs or has run", lambda: c.get("pod", "slow")["status"]["phase"] in ("Running", "Succeeded"))
    expect(c.kubectl("logs", "-f", "slow") == "line 1\nline 2\nline 3\n", "all lines, then the end")
    c.kubectl("delete", "pod", "slow", "--now")


def test_exec_carries_streams_and_exit_codes(c):
    run(c, "shell", "sleep 3600")
    ready(c, "shell")
    expect(c.kubectl("exec", "shell", "--", "echo", "hi") == "hi\n", "stdout")
    expect(c.kubectl("exec", "-i", "shell", "--", "cat", input="through\n") == "through\n", "stdin")
    done = c.try_kubectl("exec", "shell", "--", "sh", "-c", "echo bad >&2; exit 7")
    expect(done.returncode == 7 and "bad" in done.stderr, f"{done.returncode} {done.stderr}")
    expect("not found" in c.refused("exec", "shell", "--", "nothing-here"), "a missing program")
    c.kubectl("delete", "pod", "shell", "--now")


def test_exec_in_a_terminal(c):
    run(c, "console", "sleep 3600")
    ready(c, "console")
    with c.terminal("exec", "-it", "console", "--", "sh") as terminal:
        terminal.expect("# ")
        terminal.type("tty; echo size $(stty size)\n")
        terminal.expect("/dev/pts/0")
        terminal.expect("size 24 80")
        terminal.resize(40, 100)
        terminal.type("while [ \"$(stty size)\" != '40 100' ]; do sleep 0.1; done; echo resi''zed\n")
        terminal.expect("resized")
        # Said by the program itself: before it has the terminal, the shell would swallow the ^C.
        terminal.type("sh -c \"echo star''ted; exec sleep 100\"\n")
        terminal.expect("started")
        terminal.type("\x03")
        terminal.expect("# ")
        terminal.type("exit 7\n")
        expect(terminal.wait() == 7, "the shell's exit code is kubectl's")
    c.kubectl("delete", "pod", "console", "--now")


def test_environment_and_volumes(c):
    c.kubectl("create", "configmap", "settings", "--from-literal=color=blue", "--from-literal=size=3")
    c.kubectl("create", "secret", "generic", "hidden", "--from-literal=word=swordfish")
    text = output(
        c, "sources", "echo $COLOR $WORD $POD $size; cat /cfg/color; echo; cat /sec/word; echo; ls -l /sec/..data/word; "
        "echo x > /scratch/f && cat /scratch/f; cat /down/labels",
        envFrom=[{"configMapRef": {"name": "settings"}}],
        env=[{"name": "COLOR", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "color"}}},
             {"name": "WORD", "valueFrom": {"secretKeyRef": {"name": "hidden", "key": "word"}}},
             {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        volumeMounts=[{"name": "cfg", "mountPath": "/cfg"}, {"name": "sec", "mountPath": "/sec"},
                      {"name": "scratch", "mountPath": "/scratch"}, {"name": "down", "mountPath": "/down"}],
        volumes=[{"name": "cfg", "configMap": {"name": "settings"}},
                 {"name": "sec", "secret": {"secretName": "hidden", "defaultMode": 0o400}},
                 {"name": "scratch", "emptyDir": {}},
                 {"name": "down", "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}}])
    for part in ("blue swordfish sources 3", "swordfish\n", "-r--------", "x\n", 'run="sources"'):
        expect(part in text, f"{part!r} in {text!r}")
    c.kubectl("delete", "cm/settings", "secret/hidden")


def test_what_is_missing_is_named_and_waited_for(c):
    run(c, "waits", "echo $A; sleep 3600", env=[
        {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "later", "key": "a"}}}])
    waiting = eventually("it waits", lambda: status(c, "waits")["state"].get("waiting", {}).get("reason") ==
                         "CreateContainerConfigError" and status(c, "waits")["state"]["waiting"])
    expect('configmap "later" not found' in waiting["message"], waiting)
    c.kubectl("create", "configmap", "later", "--from-literal=a=1")
    ready(c, "waits")
    c.kubectl("delete", "pod/waits", "cm/later", "--now")


def test_init_containers_run_first_and_in_order(c):
    shared = [{"name": "shared", "mountPath": "/s"}]
    step = lambda name, text: {"name": name, "image": c.image, "imagePullPolicy": "Never",
                               "command": ["/bin/sh", "-c", text], "volumeMounts": shared}
    text = output(c, "steps", "cat /s/f", volumeMounts=shared, volumes=[{"name": "shared", "emptyDir": {}}],
                  initContainers=[step("one", "echo 1 >> /s/f"), step("two", "echo 2 >> /s/f")])
    expect(text == "1\n2\n", text)


def test_probes_decide(c):
    run(c, "probed", "touch /tmp/live; sleep 3600",
        readinessProbe={"exec": {"command": ["cat", "/tmp/ready"]}, "periodSeconds": 1},
        livenessProbe={"exec": {"command": ["cat", "/tmp/live"]}, "periodSeconds": 1, "failureThreshold": 2})
    eventually("it runs", lambda: "running" in status(c, "probed")["state"])
    expect(not status(c, "probed")["ready"], "not ready before its probe says so")
    c.kubectl("exec", "probed", "--", "touch", "/tmp/ready")
    ready(c, "probed")
    c.kubectl("exec", "probed", "--", "rm", "/tmp/live")
    eventually("the liveness probe restarts it", lambda: status(c, "probed")["restartCount"] == 1)
    c.kubectl("delete", "pod", "probed", "--now")


def test_limits_are_kept(c):
    run(c, "greedy", "dd if=/dev/zero of=/dev/null bs=200M count=1", restartPolicy="Never",
        resources={"limits": {"memory": "16Mi"}})
    finished(c, "greedy")
    ended = status(c, "greedy")["state"]["terminated"]
    expect(ended["reason"] == "OOMKilled" or ended["exitCode"] != 0, ended)
    expect(c.get("pod", "greedy")["status"]["qosClass"] == "Burstable", "quality of service")
    c.kubectl("delete", "pod", "greedy", "--now")


def test_deletion_gives_the_grace_that_was_asked_for(c):
    run(c, "polite", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.1; done", terminationGracePeriodSeconds=20)
    ready(c, "polite")
    follow = c.background("logs", "-f", "polite")
    expect(follow.stdout.readline() == "up\n", "it is up")
    c.kubectl("delete", "pod", "polite", timeout=25)
    rest = follow.stdout.read()
    follow.wait()
    if "bye" not in rest:
        raise Failed(f"it was not asked to end: {rest!r}")


def test_security_context_is_applied(c):
    text = output(c, "nobody", "id -u; id -g; touch /x 2>/dev/null || echo readonly",
                  securityContext={"runAsUser": 1234, "runAsGroup": 99, "readOnlyRootFilesystem": True})
    expect(text.split() == ["1234", "99", "readonly"], text)


def test_describe_and_wide_tables(c):
    run(c, "seen", "sleep 3600")
    ready(c, "seen")
    text = c.kubectl("describe", "pod", "seen")
    for part in ("Status:           Running", "Ready:          True", "Started container main", "QoS Class:                   BestEffort"):
        expect(part in text, f"{part!r} in {text}")
    expect("node-1" in c.kubectl("get", "pod", "seen", "-o", "wide"), "the node")
    expect("Ready" in c.kubectl("get", "nodes"), json.dumps(c.get("nodes")["items"][0]["status"]["conditions"]))
    c.kubectl("delete", "pod", "seen", "--now")

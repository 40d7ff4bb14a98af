"""Everything between agents and server rides one connection, through whatever lies between."""
import json
import time

from harness.cluster import eventually
from harness.lab_cluster import LabCluster


def expect(condition, message):
    assert condition, message


def make_context(build):
    cluster = LabCluster(build, 3)
    try:
        cluster.image = cluster.import_everywhere()
        cluster.start_all()
        for number, name in enumerate(cluster.names()):
            make_pod(cluster, f"p-{number + 1}", name)
        cluster.kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=30s")
    except BaseException:
        print(cluster.log_tail())
        cluster.close()
        raise
    return cluster


def make_pod(c, name, node):
    command = f"echo begin {name}; mkdir /w; echo {name} > /w/index.html; httpd -p 80 -h /w; while :; do sleep 1000 & wait; done"
    c.kubectl("create", "-f", "-", input=json.dumps({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"nodeName": node, "terminationGracePeriodSeconds": 1, "containers": [
            {"name": "main", "image": c.image, "imagePullPolicy": "Never", "command": ["/bin/sh", "-c", command]}]}}))


def pod_state(c, pod):
    status = c.get("pod", pod)["status"]["containerStatuses"][0]
    return status["restartCount"], status["state"]["running"]["startedAt"]


def works(c, pod):
    expect(f"begin {pod}" in c.kubectl("logs", pod), "logs")
    expect(c.kubectl("exec", pod, "--", "cat", "/w/index.html").strip() == pod, "exec")
    expect(c.kubectl("exec", "-i", pod, "--", "wc", "-c", input="x" * 100_000).strip() == "100000", "exec with input")


def test_logs_and_exec_reach_every_node(c):
    for pod in ("p-1", "p-2", "p-3"):
        works(c, pod)


def test_logs_are_followed(c):
    following = c.background("logs", "-f", "p-2")
    c.kubectl("exec", "p-2", "--", "sh", "-c", "echo more > /proc/1/fd/1")
    lines = [following.stdout.readline().strip() for _ in range(2)]
    following.kill()
    expect(lines == ["begin p-2", "more"], lines)


def test_ports_are_forwarded(c):
    forward = c.background("port-forward", "pod/p-3", "18080:80")
    expect("Forwarding" in forward.stdout.readline(), "it begins")
    got = c.host.run(["busybox", "wget", "-qO-", "http://127.0.0.1:18080/"], check=False).stdout.strip()
    forward.kill()
    expect(got == "p-3", got)


def test_a_large_copy_delays_no_heartbeat(c):
    begin = time.monotonic()
    done = c.try_kubectl("exec", "p-2", "--", "dd", "if=/dev/zero", "bs=1M", "count=300", timeout=120)
    took = time.monotonic() - begin
    expect(done.returncode == 0 and len(done.stdout) == 300 << 20, f"{len(done.stdout)} bytes, {done.stderr}")
    print(f"       300 MiB in {took:.1f} s")
    expect("node lost" not in c.log_tail(200), "no heartbeat was missed")
    expect(c.node_ready("node-2") == "True", "and the node is Ready")


def test_a_node_that_is_cut_off_is_lost_and_comes_back(c):
    before = pod_state(c, "p-2")
    for silent in (True, False):
        c.lab.cut(1, silent=silent)
        begin = time.monotonic()
        c.wait_nodes(["node-2"], "Unknown", 10)
        lost = time.monotonic() - begin
        pod_ready = lambda: c.kubectl("get", "pod", "p-2", "-o", "jsonpath={.status.conditions[?(@.type=='Ready')].status}")
        eventually("its pod is not Ready", lambda: pod_ready() == "False", 5)
        time.sleep(2)
        c.lab.heal(1)
        begin = time.monotonic()
        c.wait_nodes(["node-2"], "True", 10)
        back = time.monotonic() - begin
        eventually("its pod is Ready again", lambda: pod_ready() == "True", 5)
        print(f"       lost after {lost:.1f} s, back after {back:.1f} s")
        expect(lost < 3, f"lost only after {lost:.1f} s")
    works(c, "p-2")
    expect(pod_state(c, "p-2") == before, "and nothing was restarted")


def test_power_off_is_noticed_and_a_reboot_comes_back(c):
    c.lab.power_off(2)
    begin = time.monotonic()
    c.wait_nodes(["node-3"], "Unknown", 10)
    print(f"       lost after {time.monotonic() - begin:.1f} s")
    c.lab.power_on(2)
    c.agents[1].start()
    c.wait_nodes(["node-3"], "True", 30)
    eventually("its pod runs again", lambda: c.try_kubectl("exec", "p-3", "--", "cat", "/w/index.html").stdout.strip() == "p-3", 30)


def test_a_restart_of_the_agent_is_no_loss(c):
    before = pod_state(c, "p-2")
    c.agents[0].stop()
    time.sleep(2)
    expect(c.node_ready("node-2") == "True", "it said goodbye and has time")
    c.agents[0].start()
    eventually("it works", lambda: c.try_kubectl("logs", "p-2").returncode == 0, 10)
    expect(pod_state(c, "p-2") == before, "nothing was restarted")


def test_agents_come_back_after_the_server_restarts(c):
    before = [pod_state(c, pod) for pod in ("p-2", "p-3")]
    c.kill9()
    c.start()
    for pod in ("p-2", "p-3"):
        eventually(f"{pod} is reached", lambda: c.try_kubectl("logs", pod).returncode == 0, 10)
    expect([pod_state(c, pod) for pod in ("p-2", "p-3")] == before, "nothing was restarted")


def test_addresses_move(c):
    before = pod_state(c, "p-2")
    # The agent's.
    for address in ("10.89.0.62", "10.89.0.2"):
        c.lab.readdress(1, address)
        eventually("the Node has its new address",
                   lambda: address in json.dumps(c.get("node", "node-2")["status"]["addresses"]), 5)
        works(c, "p-2")
    expect(pod_state(c, "p-2") == before, "nothing was restarted")


def test_behind_a_nat_and_a_proxy_with_a_password(c):
    agent = c.agents[0]
    agent.stop()
    c.lab.nat(1)
    proxy = c.lab.proxy([6443], "ann:p@ss")
    c.lab.firewall(1, [3128])
    agent.env = {"HTTPS_PROXY": proxy.replace("http://", "http://ann:wrong@")}
    agent.start()
    eventually("the refusal says what to do", lambda: "407" in agent.log_tail(), 15)
    agent.stop()
    agent.env = {"HTTPS_PROXY": proxy.replace("http://", "http://ann:p%40ss@")}
    agent.start()
    eventually("it is reached", lambda: c.try_kubectl("exec", "p-2", "--", "true").returncode == 0, 15)
    works(c, "p-2")
    c.lab.firewall(1, None)

"""Joining: tokens, names, and who is let in."""
import json
import os
import time

from harness.cluster import eventually
from harness.lab_cluster import Agent, LabCluster


def expect(condition, message):
    assert condition, message


def make_context(build):
    cluster = LabCluster(build, 4)
    try:
        cluster.start()  # the server alone: each case brings its agents
    except BaseException:
        print(cluster.log_tail())
        cluster.close()
        raise
    return cluster


def said(agent, text, timeout=15):
    return eventually(f"{agent.name} says \"{text}\"", lambda: text in agent.log_tail(60), timeout)


def test_an_agent_joins_within_two_seconds(c):
    agent = c.agents[0]
    begin = time.monotonic()
    agent.start(["--node-label", "place=roof", "--node-taint", "place=roof:NoSchedule"])
    c.wait_nodes(["node-2"])
    took = time.monotonic() - begin
    print(f"       Ready {took:.1f} s after its start")
    node = c.get("node", "node-2")
    expect(node["metadata"]["labels"]["place"] == "roof", "its label")
    expect(any(t["key"] == "place" for t in node["spec"].get("taints", [])), "its taint")
    expect({"type": "InternalIP", "address": agent.host.address} in node["status"]["addresses"], node["status"]["addresses"])
    listening = agent.host.run(["ss", "-Hltn"], check=False).stdout
    expect(not [line for line in listening.splitlines() if "127.0.0.1" not in line and "10.42." not in line and "10.43." not in line],
           f"an agent listens on no port: {listening}")


def test_a_later_start_needs_no_token(c):
    agent = c.agents[0]
    agent.stop()
    log = open(agent.log, "ab")
    agent.process = agent.host.start([c.binary("kinglet"), "agent", "--server", f"https://{c.host.address}:6443", "--data-dir",
                                      agent.data, "--node-name", "node-2", "--config", "/dev/null"], stdout=log, stderr=log)
    log.close()
    begin = time.time()
    eventually("its heartbeat comes", lambda: "connected" in agent.log_tail(5) or time.time() - begin > 2)
    c.wait_nodes(["node-2"])
    expect(agent.process.poll() is None, agent.log_tail())


def test_a_wrong_token_is_refused_with_advice(c):
    good = c.token()
    agent = Agent(c, c.lab.hosts[2], "node-3")
    for token, words in ((good[:-4] + "beef", "does not accept the token"),
                         ("K10" + "0" * 64 + good[67:], "belongs to another cluster"),
                         ("K10abc::node:x", "fingerprint is damaged")):
        done = agent.host.run([c.binary("kinglet"), "agent", "--server", f"https://{c.host.address}:6443", "--token", token,
                               "--data-dir", agent.data, "--node-name", "node-3", "--config", "/dev/null"], check=False, timeout=20)
        expect(done.returncode == 1 and words in done.stderr, f"{words}: {done.stderr}")
    expect(c.refused("get", "node", "node-3"), "no such node came of it")


def test_a_bootstrap_token_lets_in_until_it_is_deleted(c):
    done = c.kinglet("token", "create", "--ttl", "1h", "--data-dir", c.data)
    expect(done.returncode == 0, done.stderr)
    token = done.stdout.strip()
    agent = c.agents[1]
    flags = ["--token", token]
    agent.start(flags)
    c.wait_nodes(["node-3"])
    done = c.kinglet("token", "delete", token, "--data-dir", c.data)
    expect(done.returncode == 0, done.stderr)
    late = Agent(c, c.lab.hosts[3], "node-4")
    done = late.host.run([c.binary("kinglet"), "agent", "--server", f"https://{c.host.address}:6443", "--token", token,
                          "--data-dir", late.data, "--node-name", "node-4", "--config", "/dev/null"], check=False, timeout=20)
    expect(done.returncode == 1 and "does not accept the token" in done.stderr, done.stderr)


def test_another_machine_does_not_get_a_name_that_is_taken(c):
    thief = Agent(c, c.lab.hosts[3], "node-2")
    thief.start()
    said(thief, "belongs to another machine")
    expect(c.node_ready("node-2") == "True", "the first one goes on")
    expect(not os.path.exists(f"{thief.data}/agent/client-kubelet.crt"), "and the thief has no certificate")
    # The name is free once the Node is deleted, and the machine that waits gets it.
    c.agents[0].stop()
    c.kubectl("delete", "node", "node-2")
    c.wait_nodes(["node-2"], timeout=30)
    addresses = c.get("node", "node-2")["status"]["addresses"]
    expect({"type": "InternalIP", "address": thief.host.address} in addresses, addresses)
    # The machine that had it before may not come back under it.
    c.agents[0].start()
    said(c.agents[0], "belongs to another machine now")
    thief.stop()
    c.agents[0].stop()


def test_one_node_cannot_open_anothers_tunnel_or_read_its_secrets(c):
    agent = c.agents[1]
    keys = f"{agent.data}/agent"
    base = ["curl", "-sS", "--http2", "--max-time", "5", "--cacert", f"{keys}/server-ca.crt", "--cert", f"{keys}/client-kubelet.crt",
            "--key", f"{keys}/client-kubelet.key", "-o", "/dev/null", "-w", "%{http_code}"]
    server = f"https://{c.host.address}:6443"
    code = lambda *args: agent.host.run([*base, *args], check=False).stdout.strip()
    expect(code(f"{server}/kinglet.io/v1/cluster-config") == "200", "its own configuration")
    expect(code(f"{server}/api/v1/namespaces/kube-system/secrets") == "403", "Secrets at large")
    expect(code(f"{server}/api/v1/nodes/node-1/proxy/metrics") == "403", "another node's kubelet")
    expect(code("-H", "Impersonate-User: system:node:node-1", f"{server}/kinglet.io/v1/cluster-config") == "403", "in another's name")
    expect(code("-X", "DELETE", f"{server}/api/v1/nodes/node-1") == "403", "another node")
    nobody = ["curl", "-sS", "-k", "--max-time", "5", "-o", "/dev/null", "-w", "%{http_code}", f"{server}/kinglet.io/v1/tunnel"]
    expect(agent.host.run(nobody, check=False).stdout.strip() == "401", "without a certificate")
    token = ["curl", "-sS", "-k", "--max-time", "5", "-o", "/dev/null", "-w", "%{http_code}", "-H",
             f"Authorization: Bearer {c.token()}", f"{server}/kinglet.io/v1/tunnel"]
    expect(agent.host.run(token, check=False).stdout.strip() == "403", "with the join token")


def test_a_man_in_the_middle_with_another_ca_gets_nothing(c):
    agent = c.agents[1]
    agent.stop()
    other = c.lab.hosts[3]
    other.run(["sh", "-c", f"cd {other.dir} && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
               "-subj /CN=kubernetes -addext subjectAltName=DNS:kubernetes -keyout mitm.key -out mitm.crt"])
    fake = other.start(["openssl", "s_server", "-accept", "6443", "-cert", f"{other.dir}/mitm.crt", "-key", f"{other.dir}/mitm.key",
                        "-alpn", "h2", "-quiet"])
    log = open(agent.log, "ab")
    agent.process = agent.host.start([c.binary("kinglet"), "agent", "--server", f"https://{other.address}:6443", "--data-dir", agent.data,
                                      "--node-name", "node-3", "--config", "/dev/null"], stdout=log, stderr=log)
    log.close()
    # It remembers the true server's address, and takes that one: the other's certificate convinces nobody.
    c.wait_nodes(["node-3"])
    known = json.load(open(f"{agent.data}/agent/servers.json"))
    expect(known["last"] == f"https://{c.host.address}:6443", known)
    fake.kill()
    agent.stop()

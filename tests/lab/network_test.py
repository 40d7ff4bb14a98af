"""The pod network and Services between real nodes."""
import json
import time

from harness.cluster import eventually
from harness.lab_cluster import LabCluster

SHELL = "while :; do sleep 1000 & wait; done"


def expect(condition, message):
    assert condition, message


def make_context(build):
    cluster = LabCluster(build, 3)
    try:
        cluster.image = cluster.import_everywhere()
        cluster.start_all()
        for number, name in enumerate(cluster.names()):
            # Each pod answers with its node's name.
            make_pod(cluster, f"web-{number + 1}", name, f"mkdir /w; echo {name} > /w/index.html; httpd -f -p 80 -h /w",
                     {"app": "web", "number": str(number + 1)})
        cluster.apply(service("web", {"app": "web"}, type="NodePort", nodePort=30080))
        cluster.kubectl("wait", "--for=condition=Ready", "pod", "-l", "app=web", "--timeout=30s")
    except BaseException:
        print(cluster.log_tail())
        cluster.close()
        raise
    return cluster


def make_pod(c, name, node, command, labels, **spec):
    container = {"name": "main", "image": c.image, "imagePullPolicy": "Never", "command": ["/bin/sh", "-c", command]}
    c.kubectl("create", "-f", "-", input=json.dumps({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels},
        "spec": {"nodeName": node, "terminationGracePeriodSeconds": 1, "containers": [container], **spec}}))


def service(name, selector, port=80, nodePort=None, **spec):
    ports = [{"port": port, "protocol": "TCP", **({"nodePort": nodePort} if nodePort else {})}]
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"selector": selector, "ports": ports, **spec}}


def wget(host, url, patience=3):
    done = host.run(["busybox", "timeout", str(patience), "busybox", "wget", "-qO-", url], check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def from_pod(c, pod, url):
    """What a pod gets; "" when nothing. Through exec, which works on every node."""
    return c.try_kubectl("exec", pod, "--", "busybox", "timeout", "3", "wget", "-qO-", url).stdout.strip()


def ip_of(c, pod):
    return c.get("pod", pod)["status"]["podIP"]


def open_connections(host):
    """Of the host's own pods, as their node sees them."""
    done = host.run(["cat", "/proc/net/nf_conntrack"], check=False)
    return done.stdout.split("\n")


def answers(host, url, wanted, timeout=10):
    """Asks until everybody in `wanted` has answered."""
    seen = set()

    def all_seen():
        seen.add(wget(host, url))
        return wanted <= seen
    eventually(f"{sorted(wanted)} answer at {url}", all_seen, timeout)
    return seen


def test_every_node_has_a_range_of_its_own(c):
    ranges = {node["metadata"]["name"]: node["spec"].get("podCIDR") for node in c.get("nodes")["items"]}
    expect(len(set(ranges.values())) == 3 and all(r.endswith("/24") for r in ranges.values()), ranges)
    expect(ranges["node-1"] == "10.42.0.0/24", ranges)
    for number, name in enumerate(c.names()):
        expect(ip_of(c, f"web-{number + 1}").startswith(ranges[name].rsplit(".", 1)[0] + "."), ranges)


def test_pods_on_three_hosts_reach_each_other(c):
    for source in ("web-1", "web-2", "web-3"):
        for number, name in enumerate(c.names()):
            expect(from_pod(c, source, f"http://{ip_of(c, f'web-{number + 1}')}/") == name, f"{source} to {name}")


def test_hosts_reach_every_pod(c):
    for host in c.lab.hosts:
        for number, name in enumerate(c.names()):
            expect(wget(host, f"http://{ip_of(c, f'web-{number + 1}')}/") == name, f"{host.number} to {name}")


def test_services_and_names_work_on_every_node(c):
    ip = c.kubectl("get", "service", "web", "-o", "jsonpath={.spec.clusterIP}")
    for host in c.lab.hosts:
        answers(host, f"http://{ip}/", set(c.names()))
    for pod in ("web-1", "web-2", "web-3"):
        expect(from_pod(c, pod, "http://web.default.svc.cluster.local/") in c.names(), f"by name from {pod}")


def test_the_node_port_answers_on_every_node(c):
    client = c.lab.hosts[0]
    for host in c.lab.hosts:
        answers(client, f"http://{host.address}:30080/", set(c.names()))
        expect(wget(host, "http://127.0.0.1:30080/") in c.names(), "and on its loopback")


def test_the_api_is_reached_from_pods_of_every_node(c):
    for pod in ("web-1", "web-2", "web-3"):
        done = c.try_kubectl("exec", pod, "--", "sh", "-c", "nc -w 3 kubernetes.default 443 </dev/null && echo reached")
        expect("reached" in done.stdout, f"{pod}: {done.stdout} {done.stderr}")


def test_local_traffic_policies_keep_to_the_node(c):
    c.apply(service("local", {"app": "web"}, type="NodePort", nodePort=30081, externalTrafficPolicy="Local", internalTrafficPolicy="Local"))
    ip = eventually("its address", lambda: c.kubectl("get", "service", "local", "-o", "jsonpath={.spec.clusterIP}"))
    for number, host in enumerate(c.lab.hosts):
        name = f"node-{number + 1}"
        eventually(f"{name} answers for itself", lambda: wget(host, f"http://{ip}/") == name, 10)
        client = c.lab.hosts[(number + 1) % 3]
        for _ in range(5):
            expect(wget(client, f"http://{host.address}:30081/") == name, "NodePort, from outside")
    c.kubectl("delete", "service", "local")


def policy(name, selector, **spec):
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name},
            "spec": {"podSelector": {"matchLabels": selector}, **spec}}


def test_network_policies_hold_between_nodes(c):
    url = f"http://{ip_of(c, 'web-1')}/"
    allow = [{"from": [{"podSelector": {"matchLabels": {"number": "2"}}}], "ports": [{"port": 80}]}]
    c.apply(policy("first", {"number": "1"}, ingress=allow))
    eventually("a pod of another node is kept out", lambda: from_pod(c, "web-3", url) == "", 10)
    expect(from_pod(c, "web-2", url) == "node-1", "the one that is named gets in")
    expect(wget(c.lab.hosts[0], url) == "node-1", "its own node is never kept out")
    c.kubectl("delete", "networkpolicy", "first")
    eventually("all get in again", lambda: from_pod(c, "web-3", url) == "node-1", 10)
    c.apply(policy("out", {"number": "2"}, policyTypes=["Egress"], egress=[{"to": [{"podSelector": {"matchLabels": {"number": "3"}}}]}]))
    eventually("it gets out to nobody else", lambda: from_pod(c, "web-2", url) == "", 10)
    expect(from_pod(c, "web-2", f"http://{ip_of(c, 'web-3')}/") == "node-3", "but to whom it may")
    c.kubectl("delete", "networkpolicy", "out")
    eventually("and everywhere again", lambda: from_pod(c, "web-2", url) == "node-1", 10)


def test_pods_follow_when_their_node_gets_another_address(c):
    address = ip_of(c, "web-2")
    old = c.lab.hosts[1].address
    started = c.get("pod", "web-2")["status"]["containerStatuses"][0]["state"]["running"]["startedAt"]
    for new in ("10.89.0.52", old):
        c.lab.readdress(1, new)
        begin = time.monotonic()
        eventually("found under its new address", lambda: wget(c.lab.hosts[2], f"http://{address}/", 1) == "node-2", 20)
        print(f"       reached {time.monotonic() - begin:.1f} s after the change")
        eventually("the Node says so", lambda: new in json.dumps(c.get("node", "node-2")["status"]["addresses"]), 20)
    after = c.get("pod", "web-2")["status"]["containerStatuses"][0]
    expect(after["restartCount"] == 0 and after["state"]["running"]["startedAt"] == started, after)


def test_endpoints_of_a_node_without_cable_leave_and_come_back(c):
    ip = c.kubectl("get", "service", "web", "-o", "jsonpath={.spec.clusterIP}")
    c.apply(service("third", {"number": "3"}))
    third = c.kubectl("get", "service", "third", "-o", "jsonpath={.spec.clusterIP}")
    eventually("it answers", lambda: wget(c.lab.hosts[0], f"http://{third}/") == "node-3", 10)
    # Connected, with nothing said by either side: only somebody else can tell this client.
    client = c.background("exec", "web-1", "--", "sh", "-c", f"sleep 100 | {{ nc {third} 80; echo ended; }}")
    eventually("it is connected", lambda: [line for line in open_connections(c.lab.hosts[0]) if f"dst={third}" in line
                                           and f"src={ip_of(c, 'web-1')}" in line and "ESTABLISHED" in line], 10)
    c.lab.cut(2)
    begin = time.monotonic()
    c.wait_nodes(["node-3"], "Unknown", 60)
    ready = lambda: [e for s in c.get("endpointslices", "-l", "kubernetes.io/service-name=web")["items"]
                     for e in s["endpoints"] if e["conditions"]["ready"]]
    eventually("its endpoint leaves", lambda: len(ready()) == 2, 10)
    print(f"       gone {time.monotonic() - begin:.1f} s after the cut")
    heard = client.stdout.readline()
    expect("ended" in heard, f"its client hears of it: {heard}")
    print(f"       and its client heard of it {time.monotonic() - begin:.1f} s after the cut")
    client.kill()
    client.wait()
    time.sleep(0.2)  # the proxies apply what they were told
    for _ in range(12):
        expect(wget(c.lab.hosts[1], f"http://{ip}/", 1) in ("node-1", "node-2"), "nobody is sent to the lost node")
    c.lab.heal(2)
    c.wait_nodes(["node-3"], "True", 30)
    answers(c.lab.hosts[1], f"http://{ip}/", set(c.names()), 20)

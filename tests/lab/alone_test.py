"""A server without a cable: nothing but loopback, and everything in it works."""
import json

from harness.cluster import Cluster, eventually


def make_context(build):
    cluster = Cluster(build, address=None)
    try:
        cluster.image = cluster.import_image()
        cluster.start()
    except BaseException:
        cluster.close()
        raise
    return cluster


def test_pods_reach_the_api_under_the_gateway_address(c):
    address = eventually("the API's address is published", lambda: c.kubectl(
        "get", "endpointslice", "kubernetes", "-o", "jsonpath={.endpoints[0].addresses[0]}"))
    assert address == "10.42.0.1", address
    c.kubectl("create", "-f", "-", input=json.dumps({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "asks"},
        "spec": {"restartPolicy": "Never", "containers": [{
            "name": "main", "image": c.image, "imagePullPolicy": "Never",
            "command": ["/bin/sh", "-c", "nslookup kubernetes.default.svc.cluster.local && "
                                         "nc -w 3 kubernetes.default 443 </dev/null && echo reached"]}]}}))
    eventually("it ends", lambda: c.get("pod", "asks")["status"].get("phase") in ("Succeeded", "Failed"))
    text = c.kubectl("logs", "asks")
    assert "reached" in text and "10.43.0.1" in text, text


def test_the_node_keeps_its_range_over_a_restart(c):
    before = c.get("node", "node-1")["spec"]["podCIDR"]
    c.stop()
    c.start()
    assert c.get("node", "node-1")["spec"]["podCIDR"] == before == "10.42.0.0/24"

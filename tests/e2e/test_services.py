"""Deployment, Service, DNS: what first light is about."""
import os

from harness.cluster import SOURCE, eventually
from pods import expect, output


def curl(c, url):
    done = c.host.run(["curl", "-sS", "--noproxy", "*", "--max-time", "5", url], check=False)
    return done.stdout if done.returncode == 0 else ""


def test_hello_answers_through_cluster_ip_and_node_port(c):
    c.import_image("kinglet.example/hello:1", cmd=["/hello"], links={},
                   files={"/hello": f"{c.build}/examples/hello"})
    c.kubectl("apply", "-f", os.path.join(SOURCE, "examples/hello/hello.yaml"))
    c.kubectl("rollout", "status", "deployment/hello", "--timeout=60s")
    ip = c.kubectl("get", "service", "hello", "-o", "jsonpath={.spec.clusterIP}")
    answers = set()

    def both_have_answered():
        answers.add(curl(c, f"http://{ip}/"))
        return len([a for a in answers if a.startswith("Hello, small world, from hello-")]) == 2
    eventually("both pods answer through the cluster IP", both_have_answered)
    expect(curl(c, f"http://{c.host.address}:30080/").startswith("Hello"), "the node port answers")


def test_pods_reach_services_by_name_and_address(c):
    text = output(c, "asks", "wget -qO- http://hello/ && wget -qO- http://hello.default.svc.cluster.local/ && "
                             "nslookup kubernetes.default.svc.cluster.local && wget -qO- http://$HELLO_SERVICE_HOST/")
    expect(text.count("Hello, small world, from hello-") == 3 and "10.43.0.1" in text, text)


def test_a_pod_reaches_the_api_with_its_own_token(c):
    text = output(c, "api", "cd /var/run/secrets/kubernetes.io/serviceaccount && ls && cat namespace && "
                            "nc -w 3 kubernetes.default 443 </dev/null && echo reached")
    for part in ("ca.crt", "token", "default", "reached"):
        expect(part in text, f"{part} in {text}")


def test_a_service_without_endpoints_refuses_at_once(c):
    c.kubectl("create", "service", "clusterip", "empty", "--tcp=80")
    ip = c.kubectl("get", "service", "empty", "-o", "jsonpath={.spec.clusterIP}")
    eventually("connections are refused", lambda: c.host.run(
        ["curl", "-sS", "--noproxy", "*", "--max-time", "3", f"http://{ip}/"], check=False).returncode == 7)
    c.kubectl("delete", "service", "empty")


def test_scaling_down_and_up_follows(c):
    c.kubectl("scale", "deployment/hello", "--replicas=1")
    eventually("one endpoint", lambda: len(c.get("pods", "-l", "app=hello")["items"]) == 1)
    ip = c.kubectl("get", "service", "hello", "-o", "jsonpath={.spec.clusterIP}")
    expect(curl(c, f"http://{ip}/").startswith("Hello"), "the one that is left answers")
    c.kubectl("scale", "deployment/hello", "--replicas=2")
    c.kubectl("rollout", "status", "deployment/hello", "--timeout=30s")

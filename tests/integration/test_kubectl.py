"""The commands that people type, against objects that need no node."""
import json
import re

from harness.cluster import Failed, eventually

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: main, image: "example.org/web:1", ports: [{containerPort: 80, name: http}]}
"""


def expect(condition, message):
    if not condition:
        raise Failed(message)


def has(text, *parts):
    for part in parts:
        expect(part in text, f"{part!r} is not in {text!r}")


def test_version_names_the_server(c):
    has(c.kubectl("version"), "Server Version: v1.34")


def test_api_resources_and_versions_list_the_built_in_kinds(c):
    resources = c.kubectl("api-resources")
    for name in ("pods", "deployments", "configmaps", "cronjobs", "customresourcedefinitions", "endpointslices"):
        expect(re.search(rf"^{name}\s", resources, re.M), f"{name} is not in api-resources")
    has(c.kubectl("api-versions"), "apps/v1", "batch/v1", "v1\n", "rbac.authorization.k8s.io/v1")


def test_explain_knows_fields(c):
    has(c.kubectl("explain", "pod.spec.containers"), "KIND:", "Pod", "FIELDS:", "image", "<string>")
    has(c.kubectl("explain", "deployment.spec.replicas"), "integer")


def test_config_map_is_created_read_patched_and_deleted(c):
    has(c.kubectl("create", "configmap", "cm1", "--from-literal=a=1"), "configmap/cm1 created")
    expect(c.kubectl("get", "cm", "cm1", "-o", "jsonpath={.data.a}") == "1", "data.a")
    has(c.kubectl("get", "cm", "cm1", "-o", "yaml"), "apiVersion: v1", "kind: ConfigMap", "a: \"1\"")
    has(c.kubectl("get", "cm", "cm1"), "NAME", "DATA", "AGE")
    c.kubectl("patch", "cm", "cm1", "--type=merge", "-p", '{"data":{"b":"2"}}')
    c.kubectl("patch", "cm", "cm1", "--type=json", "-p", '[{"op":"add","path":"/data/c","value":"3"}]')
    c.kubectl("patch", "cm", "cm1", "-p", '{"data":{"d":"4"}}')
    expect(c.get("cm", "cm1")["data"] == {"a": "1", "b": "2", "c": "3", "d": "4"}, "the three patches")
    c.kubectl("label", "cm", "cm1", "tier=edge")
    c.kubectl("annotate", "cm", "cm1", "note=hi there")
    has(c.kubectl("get", "cm", "-l", "tier=edge", "-o", "name"), "configmap/cm1")
    expect(c.kubectl("get", "cm", "-l", "tier notin (edge),tier", "-o", "name") == "", "selector")
    has(c.kubectl("describe", "cm", "cm1"), "Name:         cm1", "note: hi there")
    has(c.kubectl("delete", "cm", "cm1"), 'configmap "cm1" deleted')
    has(c.refused("get", "cm", "cm1"), 'Error from server (NotFound): configmaps "cm1" not found')


def test_apply_merges_three_ways(c):
    c.apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ap}\ndata: {a: '1', b: '2'}\n")
    c.kubectl("patch", "cm", "ap", "--type=merge", "-p", '{"data":{"foreign":"x"}}')
    has(c.apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ap}\ndata: {a: '1'}\n"), "configured")
    expect(c.get("cm", "ap")["data"] == {"a": "1", "foreign": "x"}, "b goes, what others wrote stays")
    has(c.apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ap}\ndata: {a: '1'}\n"), "unchanged")
    has(c.kubectl("diff", "-f", "-", input="apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ap}\ndata: {a: '1'}\n"), "")
    c.kubectl("delete", "cm", "ap")


def test_lists_are_applied_and_checked_by_the_client(c):
    one = lambda name: {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "1"}}
    items = {"apiVersion": "v1", "kind": "List", "items": [one("l1"), one("l2")]}
    has(c.apply(items), "configmap/l1 created", "configmap/l2 created")
    items["items"][1]["dota"] = {}
    has(c.refused("apply", "-f", "-", input=json.dumps(items)), 'unknown field "dota"')
    c.kubectl("delete", "cm", "l1", "l2")


def test_dry_run_leaves_nothing(c):
    has(c.kubectl("create", "configmap", "dry", "--dry-run=server"), "created (server dry run)")
    has(c.refused("get", "cm", "dry"), "NotFound")


def test_replace_needs_the_current_version(c):
    c.kubectl("create", "configmap", "rep", "--from-literal=a=1")
    old = c.get("cm", "rep")
    c.kubectl("patch", "cm", "rep", "--type=merge", "-p", '{"data":{"a":"2"}}')
    old["data"]["a"] = "3"
    has(c.refused("replace", "-f", "-", input=json.dumps(old)), "Conflict", "the object has been modified")
    c.kubectl("delete", "cm", "rep")


def test_watch_tells_what_changes(c):
    watch = c.background("get", "cm", "-w", "-o", "name", "--field-selector", "metadata.name=seen")
    try:
        c.kubectl("create", "configmap", "seen")
        line = watch.stdout.readline().strip()
        expect(line == "configmap/seen", f"the watch said {line!r}")
    finally:
        watch.kill()
        watch.wait()
    c.kubectl("delete", "cm", "seen")


def test_deployment_makes_replica_sets_and_pods(c):
    c.apply(DEPLOYMENT)
    eventually("two pods", lambda: len(c.get("pods", "-l", "app=web")["items"]) == 2)
    has(c.kubectl("get", "deploy", "web", "-o", "wide"), "READY", "0/2", "example.org/web:1")
    replica_sets = c.get("rs", "-l", "app=web")["items"]
    expect(len(replica_sets) == 1, "one replica set")
    owner = replica_sets[0]["metadata"]["ownerReferences"][0]
    expect(owner["kind"] == "Deployment" and owner["controller"], "it belongs to the deployment")
    c.kubectl("scale", "deploy", "web", "--replicas=3")
    eventually("three pods", lambda: len(c.get("pods", "-l", "app=web")["items"]) == 3)
    has(c.kubectl("get", "deploy", "web"), "0/3")


def test_rollout_keeps_a_history(c):
    c.kubectl("set", "image", "deploy/web", "main=example.org/web:2")
    eventually("a second replica set", lambda: len(c.get("rs", "-l", "app=web")["items"]) == 2)
    has(c.kubectl("rollout", "history", "deploy/web"), "REVISION", "1", "2")
    c.kubectl("rollout", "undo", "deploy/web")
    eventually("the first image again", lambda: c.get("deploy", "web")["spec"]["template"]["spec"]["containers"][0]
               ["image"] == "example.org/web:1")
    c.kubectl("rollout", "restart", "deploy/web")
    eventually("a restarted template", lambda: "kubectl.kubernetes.io/restartedAt" in
               c.get("deploy", "web")["spec"]["template"]["metadata"].get("annotations", {}))


def test_background_deletion_takes_the_dependents(c):
    c.kubectl("delete", "deploy", "web", "--cascade=background")
    eventually("everything is gone", lambda: not c.get("rs,pods", "-l", "app=web")["items"])


def test_foreground_deletion_waits_for_the_dependents(c):
    c.apply(DEPLOYMENT)
    eventually("two pods", lambda: len(c.get("pods", "-l", "app=web")["items"]) == 2)
    c.kubectl("delete", "deploy", "web", "--cascade=foreground")
    expect(not c.get("rs", "-l", "app=web")["items"], "the replica sets went before the deployment")


def test_orphans_stay(c):
    c.apply(DEPLOYMENT)
    eventually("two pods", lambda: len(c.get("pods", "-l", "app=web")["items"]) == 2)
    c.kubectl("delete", "deploy", "web", "--cascade=orphan")
    left = c.get("rs", "-l", "app=web")["items"]
    expect(len(left) == 1 and not left[0]["metadata"].get("ownerReferences"), "a replica set without an owner")
    c.kubectl("delete", "rs", "-l", "app=web")
    eventually("the pods go with it", lambda: not c.get("pods", "-l", "app=web")["items"])


def test_service_gets_an_address_and_keeps_it(c):
    c.kubectl("create", "service", "nodeport", "svc1", "--tcp=80:8080")
    service = c.get("svc", "svc1")["spec"]
    expect(service["clusterIP"].startswith("10.43."), "a cluster IP")
    expect(30000 <= service["ports"][0]["nodePort"] <= 32767, "a node port")
    has(c.kubectl("get", "svc", "svc1"), "NodePort", service["clusterIP"], "80:")
    has(c.refused("patch", "svc", "svc1", "--type=merge", "-p", '{"spec":{"clusterIP":"10.43.9.9"}}'), "may not change once set")
    c.kubectl("delete", "svc", "svc1")


def test_namespace_deletion_empties_it(c):
    c.kubectl("create", "namespace", "temp")
    eventually("a default service account", lambda: c.try_kubectl("get", "sa", "default", "-n", "temp").returncode == 0)
    eventually("the root CA", lambda: c.try_kubectl("get", "cm", "kube-root-ca.crt", "-n", "temp").returncode == 0)
    c.kubectl("create", "configmap", "inside", "-n", "temp")
    c.kubectl("delete", "namespace", "temp", timeout=30)
    has(c.refused("get", "namespace", "temp"), "NotFound")
    has(c.refused("create", "configmap", "x", "-n", "temp"), 'namespaces "temp" not found')


def test_lists_come_in_pages(c):
    manifests = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"page-{i:03}", "labels": {"p": "1"}}}
                 for i in range(25)]
    c.apply("\n---\n".join(json.dumps(manifest) for manifest in manifests))
    names = c.kubectl("get", "cm", "-l", "p=1", "--chunk-size=7", "-o", "name").split()
    expect(names == [f"configmap/page-{i:03}" for i in range(25)], f"all in order, once: {names}")
    c.kubectl("delete", "cm", "-l", "p=1")


def test_wait_sees_a_condition(c):
    c.kubectl("create", "namespace", "waited")
    c.kubectl("wait", "--for=jsonpath={.status.phase}=Active", "namespace/waited", "--timeout=10s")
    c.kubectl("delete", "namespace", "waited")


def test_events_can_be_listed(c):
    c.apply(DEPLOYMENT.replace("web", "evented"))
    eventually("an event of the deployment", lambda: "ScalingReplicaSet" in c.kubectl("get", "events"))
    has(c.kubectl("describe", "deploy", "evented"), "ScalingReplicaSet", "Replicas:")
    c.kubectl("delete", "deploy", "evented")


def test_helm_installs_upgrades_and_removes_a_chart(c):
    chart = f"{c.host.dir}/chart"
    done = c.host.run(["sh", "-c", f"mkdir -p {chart}/templates && cat > {chart}/Chart.yaml && "
                       f"printf 'word: one\\n' > {chart}/values.yaml"],
                      input="apiVersion: v2\nname: tiny\nversion: 0.1.0\n")
    expect(done.returncode == 0, done.stderr)
    c.host.run(["sh", "-c", f"cat > {chart}/templates/cm.yaml"], input="apiVersion: v1\nkind: ConfigMap\nmetadata:\n"
               "  name: {{ .Release.Name }}-cm\ndata:\n  word: {{ .Values.word | quote }}\n")
    def helm(*args):
        done = c.client("helm", *args)
        expect(done.returncode == 0, f"helm {args}: {done.stderr}")
        return done.stdout
    has(helm("install", "rel", chart, "--server-side=false"), "STATUS: deployed")
    expect(c.get("cm", "rel-cm")["data"]["word"] == "one", "installed")
    helm("upgrade", "rel", chart, "--set", "word=two", "--server-side=false")
    expect(c.get("cm", "rel-cm")["data"]["word"] == "two", "upgraded")
    has(helm("list"), "rel", "deployed")
    helm("uninstall", "rel")
    has(c.refused("get", "cm", "rel-cm"), "NotFound")

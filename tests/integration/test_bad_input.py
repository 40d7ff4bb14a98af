"""What a user gets who asks for something wrong: the words of the real server, and nothing half-applied."""
import json

from harness.cluster import Failed
from test_kubectl import expect, has


def raw(c, method, path, body="", content_type="application/json"):
    """One request with the administrator's certificate: (status code, body)."""
    script = f"{c.host.dir}/curl.sh"
    tls = f"{c.data}/server/tls"
    done = c.host.run(["curl", "-s", "--noproxy", "*", "--cacert", f"{tls}/server-ca.crt", "--cert", f"{tls}/client-admin.crt",
                       "--key", f"{tls}/client-admin.key", "-X", method, "-H", f"Content-Type: {content_type}",
                       "--data-binary", "@-", "-w", "\n%{http_code}", f"https://127.0.0.1:6443{path}"], check=False,
                      input=body)
    text, _, code = done.stdout.rpartition("\n")
    if not code.isdigit():
        raise Failed(f"no answer: {done.stderr} {script}")
    return int(code), text


def status_of(c, *args, **more):
    code, text = raw(c, *args, **more)
    status = json.loads(text)
    expect(status["kind"] == "Status" and status["code"] == code, f"a Status with its code: {text}")
    return status


CM = "/api/v1/namespaces/default/configmaps"


def config_map(**more):
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bad"}, **more})


def test_malformed_json_is_refused(c):
    status = status_of(c, "POST", CM, '{"kind":')
    expect((status["code"], status["reason"]) == (400, "BadRequest"), status)


def test_wrong_type_names_the_field(c):
    status = status_of(c, "POST", CM, config_map(data=5))
    expect(status["code"] == 400, status)
    has(status["message"], "json: cannot unmarshal number into Go struct field ConfigMap.data of type map[string]string")


def test_unknown_fields_follow_field_validation(c):
    body = config_map(foo=1)
    expect(raw(c, "POST", CM + "?fieldValidation=Ignore&dryRun=All", body)[0] == 201, "ignored")
    expect(raw(c, "POST", CM + "?fieldValidation=Warn&dryRun=All", body)[0] == 201, "warned")
    status = status_of(c, "POST", CM + "?fieldValidation=Strict", body)
    expect(status["code"] == 400, status)
    has(status["message"], 'strict decoding error: unknown field "foo"')


def test_invalid_names_labels_and_quantities_are_named_by_path(c):
    cases = [
        ({"kind": "ConfigMap", "metadata": {"name": "UPPER"}}, CM, "metadata.name"),
        ({"kind": "ConfigMap", "metadata": {"name": "x", "labels": {"a b": "c"}}}, CM, "metadata.labels"),
        ({"kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a/b": "c"}}, CM, "data[a/b]"),
        ({"kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": []}}, "/api/v1/namespaces/default/pods",
         "spec.containers"),
    ]
    for body, path, field in cases:
        status = status_of(c, "POST", path, json.dumps({"apiVersion": "v1", **body}))
        expect(status["code"] == 422 and status["reason"] == "Invalid", status)
        fields = [cause["field"] for cause in status["details"]["causes"]]
        expect(any(f.startswith(field) for f in fields), f"{field} in {fields}")


def test_bad_quantity_is_refused(c):
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "q"}, "spec": {"containers": [
        {"name": "a", "image": "b", "resources": {"limits": {"memory": "lots"}}}]}}
    status = status_of(c, "POST", "/api/v1/namespaces/default/pods", json.dumps(body))
    expect(status["code"] == 400, status)
    has(status["message"], "quantities must match the regular expression")


def test_bad_selectors_are_refused(c):
    expect(status_of(c, "GET", CM + "?labelSelector=a%20in%20(")["code"] == 400, "label selector")
    status = status_of(c, "GET", CM + "?fieldSelector=spec.nothing%3Dx")
    expect(status["code"] == 400, status)
    has(status["message"], '"spec.nothing" is not a known field selector')


def test_body_over_the_limit_is_refused(c):
    body = config_map(data={"a": "x" * (3 * 1024 * 1024 + 1)})
    status = status_of(c, "POST", CM, body)
    expect((status["code"], status["reason"]) == (413, "RequestEntityTooLarge"), status)


def test_unknown_media_type_is_refused(c):
    expect(status_of(c, "POST", CM, "hello", content_type="text/plain")["code"] == 415, "media type")


def test_missing_namespace_and_mismatches(c):
    status = status_of(c, "POST", "/api/v1/namespaces/nowhere/configmaps", config_map())
    expect(status["code"] == 404 and 'namespaces "nowhere" not found' in status["message"], status)
    body = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bad", "namespace": "other"}})
    has(status_of(c, "POST", CM, body)["message"], "the namespace of the provided object does not match the namespace sent on the request")
    c.kubectl("create", "configmap", "named")
    has(status_of(c, "PUT", CM + "/named", config_map())["message"],
        "the name of the object (bad) does not match the name on the URL (named)")
    status = status_of(c, "POST", CM, json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "named"}}))
    expect((status["code"], status["reason"]) == (409, "AlreadyExists"), status)
    c.kubectl("delete", "cm", "named")


def test_unknown_paths_and_methods(c):
    expect(raw(c, "GET", "/apis/nothing.example/v1/things")[0] == 404, "unknown group")
    expect(raw(c, "GET", "/no/such/path")[0] == 404, "unknown path")
    expect(raw(c, "PUT", "/api/v1/namespaces")[0] == 405, "PUT on a collection")


def test_too_old_and_too_new_revisions(c):
    status = status_of(c, "GET", CM + "?resourceVersion=999999999&resourceVersionMatch=NotOlderThan")
    expect(status["code"] == 504, status)
    has(status["message"], "Too large resource version")


def test_immutable_fields_stay(c):
    c.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "frozen"}, "immutable": True, "data": {"a": "1"}})
    has(c.refused("patch", "cm", "frozen", "--type=merge", "-p", '{"data":{"a":"2"}}'), "immutable")
    c.kubectl("delete", "cm", "frozen")


def test_second_instance_is_refused(c):
    done = c.host.run([c.binary("kinglet"), "server", "--data-dir", c.data, "--config", "/dev/null",
                       "--https-listen-port", "7777"], check=False)
    expect(done.returncode == 1, f"exit {done.returncode}")
    has(done.stderr, "another kinglet", c.data)


def test_port_in_use_is_said_plainly(c):
    done = c.host.run([c.binary("kinglet"), "server", "--data-dir", f"{c.host.dir}/other", "--config", "/dev/null",
                       "--disable-agent", "--write-kubeconfig", f"{c.host.dir}/other.yaml"], check=False)
    expect(done.returncode == 1, f"exit {done.returncode}")
    has(done.stderr.lower(), "6443", "in use")


def test_unwritable_data_directory_is_said_plainly(c):
    done = c.host.run([c.binary("kinglet"), "server", "--data-dir", "/proc/nothing", "--config", "/dev/null"], check=False)
    expect(done.returncode == 1 and "/proc/nothing" in done.stderr, done.stderr)

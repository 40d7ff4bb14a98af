"""Who may do what."""
from harness.cluster import eventually
from test_bad_input import raw
from test_kubectl import expect, has


def anonymous(c, path, *headers):
    more = [part for header in headers for part in ("-H", header)]
    done = c.host.run(["curl", "-sk", "--noproxy", "*", *more, "-w", "\n%{http_code}", f"https://127.0.0.1:6443{path}"],
                      check=False)
    text, _, code = done.stdout.rpartition("\n")
    return int(code), text


def test_strangers_see_health_and_nothing_else(c):
    for path in ("/healthz", "/livez", "/readyz"):
        expect(anonymous(c, path) == (200, "ok"), path)
    for path in ("/api/v1/namespaces", "/metrics", "/api/v1/../v1/secrets", "/readyz/../api/v1/secrets"):
        code, _ = anonymous(c, path)
        expect(code in (401, 403, 404), f"{path}: {code}")
    expect(anonymous(c, "/api/v1/secrets", "Authorization: Bearer wrong")[0] == 401, "a wrong token")
    expect(anonymous(c, "/api/v1/secrets", "X-Remote-User: admin", "X-Remote-Group: system:masters")[0] in (401, 403),
           "headers that only a proxy may send")


def test_can_i(c):
    expect(c.kubectl("auth", "can-i", "delete", "nodes").strip() == "yes", "the administrator may")
    done = c.try_kubectl("auth", "can-i", "delete", "nodes", "--as=nobody")
    expect(done.stdout.strip() == "no", done.stdout + done.stderr)
    has(c.kubectl("auth", "whoami"), "system:masters")


def test_roles_give_just_what_they_say(c):
    c.kubectl("create", "role", "reader", "--verb=get,list", "--resource=configmaps")
    c.kubectl("create", "rolebinding", "reader", "--role=reader", "--user=jane")
    eventually("jane may read", lambda: c.try_kubectl("get", "cm", "--as=jane").returncode == 0)
    has(c.refused("get", "secrets", "--as=jane"),
        'secrets is forbidden: User "jane" cannot list resource "secrets" in API group "" in the namespace "default"')
    has(c.refused("delete", "cm", "x", "--as=jane"), 'cannot delete resource "configmaps"')
    c.kubectl("delete", "rolebinding/reader", "role/reader")


def test_nobody_grants_what_they_lack(c):
    c.kubectl("create", "clusterrole", "granter", "--verb=create,get,update,patch", "--resource=clusterroles.rbac.authorization.k8s.io")
    c.kubectl("create", "clusterrolebinding", "granter", "--clusterrole=granter", "--user=mallory")
    eventually("mallory may create roles", lambda: c.try_kubectl(
        "auth", "can-i", "create", "clusterroles", "--as=mallory").stdout.strip() == "yes")
    has(c.refused("create", "clusterrole", "power", "--verb=*", "--resource=*", "--as=mallory"),
        "attempting to grant RBAC permissions not currently held")
    c.kubectl("delete", "clusterrolebinding/granter", "clusterrole/granter")


def test_service_account_tokens_work_and_die_with_their_account(c):
    c.kubectl("create", "serviceaccount", "robot")
    token = c.kubectl("create", "token", "robot").strip()
    code, text = anonymous(c, "/api/v1/namespaces/default/configmaps", f"Authorization: Bearer {token}")
    expect(code == 403 and "system:serviceaccount:default:robot" in text, text)
    c.kubectl("delete", "serviceaccount", "robot")
    expect(anonymous(c, "/api/v1/namespaces/default/configmaps", f"Authorization: Bearer {token}")[0] == 401, "dead")


def test_metrics_are_for_the_administrator(c):
    code, text = raw(c, "GET", "/metrics")
    expect(code == 200, "metrics")
    has(text, "apiserver_request_duration_seconds")

"""Small manifests for the cases."""
import json

from harness.cluster import Failed, eventually


def expect(condition, message):
    if not condition:
        raise Failed(message)


def pod(c, name, command, **spec):
    container = {"name": "main", "image": c.image, "imagePullPolicy": "Never", "command": ["/bin/sh", "-c", command]}
    for key in ("env", "envFrom", "volumeMounts", "readinessProbe", "livenessProbe", "startupProbe", "resources",
                "securityContext", "ports", "terminationMessagePolicy", "lifecycle", "image", "imagePullPolicy"):
        if key in spec:
            container[key] = spec.pop(key)
    labels = spec.pop("labels", {"run": name})
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [container], **spec}}


def run(c, name, command, **spec):
    c.kubectl("create", "-f", "-", input=json.dumps(pod(c, name, command, **spec)))


def ready(c, name):
    c.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=30s")


def finished(c, name):
    """The pod's phase once it has come to its end."""
    return eventually(f"{name} ends", lambda: c.get("pod", name)["status"].get("phase") in ("Succeeded", "Failed")
                      and c.get("pod", name)["status"]["phase"])


def output(c, name, command, **spec):
    """What a command in a container of its own prints."""
    run(c, name, command, restartPolicy="Never", **spec)
    phase = finished(c, name)
    text = c.kubectl("logs", name)
    expect(phase == "Succeeded", f"{name} {phase}: {text}")
    c.kubectl("delete", "pod", name, "--now")
    return text


def status(c, name):
    return c.get("pod", name)["status"]["containerStatuses"][0]

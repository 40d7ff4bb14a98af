"""An object of each kind: created, read back, patched three ways, watched, deleted."""
import json

from harness.cluster import Failed, eventually
from test_kubectl import expect

POD_SPEC = {"containers": [{"name": "a", "image": "example.org/a:1"}]}
TEMPLATE = {"metadata": {"labels": {"k": "v"}}, "spec": POD_SPEC}
JOB_SPEC = {"template": {"spec": {**POD_SPEC, "restartPolicy": "Never"}}, "suspend": True}
SELECTOR = {"matchLabels": {"k": "v"}}
CRD = {"group": "toys.example.org", "scope": "Namespaced",
       "names": {"plural": "toys", "singular": "toy", "kind": "Toy", "listKind": "ToyList"},
       "versions": [{"name": "v1", "served": True, "storage": True,
                     "schema": {"openAPIV3Schema": {"type": "object"}}}]}
WEBHOOK = {"name": "hook.example.org", "clientConfig": {"url": "https://127.0.0.1:1/"}, "sideEffects": "None",
           "admissionReviewVersions": ["v1"], "failurePolicy": "Ignore",
           "rules": [{"apiGroups": ["none.example.org"], "apiVersions": ["v1"], "resources": ["nothings"],
                      "operations": ["CREATE"]}]}

# resource -> (apiVersion, kind, the rest of the object, name)
KINDS = {
    "configmaps": ("v1", "ConfigMap", {"data": {"a": "b"}}),
    "secrets": ("v1", "Secret", {"data": {"a": "Yg=="}}),
    "serviceaccounts": ("v1", "ServiceAccount", {}),
    "services": ("v1", "Service", {"spec": {"ports": [{"port": 80}], "selector": {"k": "v"}}}),
    "endpoints": ("v1", "Endpoints", {"subsets": [{"addresses": [{"ip": "10.1.2.3"}], "ports": [{"port": 80}]}]}),
    "pods": ("v1", "Pod", {"spec": POD_SPEC}),
    "podtemplates": ("v1", "PodTemplate", {"template": TEMPLATE}),
    "replicationcontrollers": ("v1", "ReplicationController", {"spec": {"replicas": 0, "selector": {"k": "v"}, "template": TEMPLATE}}),
    "limitranges": ("v1", "LimitRange", {"spec": {"limits": [{"type": "Container", "max": {"cpu": "8"}}]}}),
    "resourcequotas": ("v1", "ResourceQuota", {"spec": {"hard": {"pods": "1000"}}}),
    "persistentvolumeclaims": ("v1", "PersistentVolumeClaim", {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}),
    "persistentvolumes": ("v1", "PersistentVolume", {"spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}}),
    "events": ("v1", "Event", {"involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"}, "reason": "R", "message": "m", "type": "Normal", "source": {"component": "t"}}),
    "nodes": ("v1", "Node", {}),
    "namespaces": ("v1", "Namespace", {}),
    "deployments.apps": ("apps/v1", "Deployment", {"spec": {"replicas": 0, "selector": SELECTOR, "template": TEMPLATE}}),
    "replicasets.apps": ("apps/v1", "ReplicaSet", {"spec": {"replicas": 0, "selector": SELECTOR, "template": TEMPLATE}}),
    "statefulsets.apps": ("apps/v1", "StatefulSet", {"spec": {"replicas": 0, "serviceName": "s", "selector": SELECTOR, "template": TEMPLATE}}),
    "daemonsets.apps": ("apps/v1", "DaemonSet", {"spec": {"selector": SELECTOR, "template": TEMPLATE}}),
    "controllerrevisions.apps": ("apps/v1", "ControllerRevision", {"revision": 1, "data": {"a": 1}}),
    "jobs.batch": ("batch/v1", "Job", {"spec": JOB_SPEC}),
    "cronjobs.batch": ("batch/v1", "CronJob", {"spec": {"schedule": "* * * * *", "suspend": True, "jobTemplate": {"spec": JOB_SPEC}}}),
    "horizontalpodautoscalers.autoscaling": ("autoscaling/v2", "HorizontalPodAutoscaler", {"spec": {"maxReplicas": 2, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}}}),
    "poddisruptionbudgets.policy": ("policy/v1", "PodDisruptionBudget", {"spec": {"minAvailable": 1, "selector": SELECTOR}}),
    "roles.rbac.authorization.k8s.io": ("rbac.authorization.k8s.io/v1", "Role", {"rules": []}),
    "rolebindings.rbac.authorization.k8s.io": ("rbac.authorization.k8s.io/v1", "RoleBinding", {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}}),
    "clusterroles.rbac.authorization.k8s.io": ("rbac.authorization.k8s.io/v1", "ClusterRole", {"rules": []}),
    "clusterrolebindings.rbac.authorization.k8s.io": ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "r"}}),
    "ingresses.networking.k8s.io": ("networking.k8s.io/v1", "Ingress", {"spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}}),
    "ingressclasses.networking.k8s.io": ("networking.k8s.io/v1", "IngressClass", {"spec": {"controller": "example.org/c"}}),
    "networkpolicies.networking.k8s.io": ("networking.k8s.io/v1", "NetworkPolicy", {"spec": {"podSelector": {}}}),
    "ipaddresses.networking.k8s.io": ("networking.k8s.io/v1", "IPAddress", {"spec": {"parentRef": {"resource": "services", "name": "s", "namespace": "default"}}}, "10.43.77.77"),
    "servicecidrs.networking.k8s.io": ("networking.k8s.io/v1", "ServiceCIDR", {"spec": {"cidrs": ["10.99.0.0/24"]}}),
    "endpointslices.discovery.k8s.io": ("discovery.k8s.io/v1", "EndpointSlice", {"addressType": "IPv4", "endpoints": []}),
    "leases.coordination.k8s.io": ("coordination.k8s.io/v1", "Lease", {"spec": {"holderIdentity": "x"}}),
    "storageclasses.storage.k8s.io": ("storage.k8s.io/v1", "StorageClass", {"provisioner": "example.org/p"}),
    "volumeattachments.storage.k8s.io": ("storage.k8s.io/v1", "VolumeAttachment", {"spec": {"attacher": "a", "nodeName": "n", "source": {"persistentVolumeName": "pv"}}}),
    "csidrivers.storage.k8s.io": ("storage.k8s.io/v1", "CSIDriver", {"spec": {}}),
    "csinodes.storage.k8s.io": ("storage.k8s.io/v1", "CSINode", {"spec": {"drivers": []}}),
    "csistoragecapacities.storage.k8s.io": ("storage.k8s.io/v1", "CSIStorageCapacity", {"storageClassName": "s"}),
    "priorityclasses.scheduling.k8s.io": ("scheduling.k8s.io/v1", "PriorityClass", {"value": 7}),
    "runtimeclasses.node.k8s.io": ("node.k8s.io/v1", "RuntimeClass", {"handler": "crun"}),
    "validatingwebhookconfigurations.admissionregistration.k8s.io": ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", {"webhooks": [WEBHOOK]}),
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", {"webhooks": [WEBHOOK]}),
    "customresourcedefinitions.apiextensions.k8s.io": ("apiextensions.k8s.io/v1", "CustomResourceDefinition", {"spec": CRD}, "toys.toys.example.org"),
    "apiservices.apiregistration.k8s.io": ("apiregistration.k8s.io/v1", "APIService", {"spec": {"group": "m.example.org", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 10, "service": {"name": "s", "namespace": "default"}}}, "v1.m.example.org"),
    "flowschemas.flowcontrol.apiserver.k8s.io": ("flowcontrol.apiserver.k8s.io/v1", "FlowSchema", {"spec": {"priorityLevelConfiguration": {"name": "x"}}}),
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": ("flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration", {"spec": {"type": "Limited", "limited": {"nominalConcurrencyShares": 5, "limitResponse": {"type": "Reject"}}}}),
}


def one_kind(c, resource, api_version, kind, body, name):
    target = f"{resource}/{name}"
    c.kubectl("create", "-f", "-", input=json.dumps(
        {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **body}))
    created = c.get(resource, name)
    expect(created["kind"] == kind and created["apiVersion"] == api_version, f"{kind} reads back as itself")
    meta = created["metadata"]
    expect(meta["uid"] and meta["resourceVersion"] and meta["creationTimestamp"], "what the server fills in")
    expect(name in c.kubectl("get", resource), "the table has it")
    watch = c.background("get", resource, "-w", "--watch-only", "-o", "jsonpath={.metadata.labels.w}{\"\\n\"}",
                         "--field-selector", f"metadata.name={name}")
    try:
        c.kubectl("patch", target, "--type=merge", "-p", '{"metadata":{"labels":{"m":"1"}}}')
        c.kubectl("patch", target, "--type=json", "-p", '[{"op":"add","path":"/metadata/labels/j","value":"1"}]')
        c.kubectl("patch", target, "-p", '{"metadata":{"labels":{"s":"1","w":"seen"}}}')
        labels = c.get(resource, name)["metadata"]["labels"]
        expect({"m", "j", "s"} <= set(labels), f"three patches: {labels}")
        for line in watch.stdout:
            if line.strip() == "seen":
                break
        else:
            raise Failed("the watch ended without the last change")
    finally:
        watch.kill()
        watch.wait()
    c.kubectl("delete", target, "--wait=false", "--grace-period=0", "--force")
    eventually(f"{target} is gone", lambda: c.try_kubectl("get", target).returncode != 0)


def _case(resource, row):
    def case(c):
        one_kind(c, resource, row[0], row[1], row[2], row[3] if len(row) > 3 else "kind-test")
    case.__name__ = "test_kind_" + resource.split(".")[0]
    return case


for _resource, _row in KINDS.items():
    _function = _case(_resource, _row)
    _function.__module__ = __name__
    globals()[_function.__name__] = _function

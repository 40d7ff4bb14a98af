#include "apiserver/auth/node_authorizer.h"

#include "apiserver/registry.h"
#include "json/json.h"
#include "schema/types.h"

namespace kinglet::apiserver {
namespace {

constexpr std::string_view kUserPrefix = "system:node:";
constexpr std::string_view kGroup = "system:nodes";
constexpr std::string_view kNodeNameTag = "f:spec.nodeName";

using Names = std::initializer_list<std::string_view>;

bool any_of(Names names, std::string_view text) {
  return std::find(names.begin(), names.end(), text) != names.end();
}
bool reads(const Attributes& a) { return any_of({"get", "list", "watch"}, a.verb); }
bool writes(const Attributes& a) { return any_of({"update", "patch"}, a.verb); }

const schema::Resource& pods() {
  const auto* found = schema::find_resource("", "v1", "pods");
  KL_ASSERT(found != nullptr);
  return *found;
}

bool on_node(const store::Entry& entry, const std::string& node) {
  if (!entry.tags) return false;
  for (const auto& [name, value] : *entry.tags)
    if (name == kNodeNameTag) return value == node;
  return false;
}

// Whether some pod of `ns` on the node satisfies `refers`.
template <class Refers>
bool some_pod(const store::Store& store, const std::string& node, const std::string& ns,
              Refers refers) {
  if (ns.empty()) return false;
  for (const auto& entry : store.list(store_prefix(pods(), ns), {}).entries) {
    if (!on_node(*entry, node)) continue;
    const auto pod = json::parse(entry->value.view());
    if (pod && refers(*pod)) return true;
  }
  return false;
}

template <class Visit>
bool any_item(const json::Value* list, Visit visit) {
  if (!list || !list->is_array()) return false;
  const auto& items = list->get_array();
  return std::any_of(items.begin(), items.end(), visit);
}

bool container_refers(const json::Value& container, bool secret, std::string_view name) {
  const auto* from_key = secret ? "secretKeyRef" : "configMapKeyRef";
  const auto* from_all = secret ? "secretRef" : "configMapRef";
  return any_item(json::find(container, {"env"}),
                  [&](const auto& env) {
                    return json::text_at(env, {"valueFrom", from_key, "name"}) == name;
                  }) ||
         any_item(json::find(container, {"envFrom"}), [&](const auto& env) {
           return json::text_at(env, {from_all, "name"}) == name;
         });
}

// Volumes that name a Secret of the pod's namespace in a field of their own.
constexpr std::string_view kSecretVolumes[] = {"azureFile", "cephfs", "cinder",  "flexVolume",
                                               "iscsi",     "rbd",    "scaleIO", "storageos"};

bool volume_refers(const json::Value& volume, bool secret, std::string_view name) {
  const auto projected = [&](const json::Value& source) {
    return json::text_at(source, {secret ? "secret" : "configMap", "name"}) == name;
  };
  if (any_item(json::find(volume, {"projected", "sources"}), projected)) return true;
  if (!secret) return json::text_at(volume, {"configMap", "name"}) == name;
  if (json::text_at(volume, {"secret", "secretName"}) == name) return true;
  if (json::text_at(volume, {"csi", "nodePublishSecretRef", "name"}) == name) return true;
  return std::any_of(std::begin(kSecretVolumes), std::end(kSecretVolumes),
                     [&](std::string_view kind) {
                       return json::text_at(volume, {kind, "secretRef", "name"}) == name ||
                              json::text_at(volume, {kind, "secretName"}) == name;
                     });
}

bool pod_refers(const json::Value& pod, bool secret, std::string_view name) {
  if (secret && any_item(json::find(pod, {"spec", "imagePullSecrets"}),
                         [&](const auto& item) { return json::text_at(item, {"name"}) == name; }))
    return true;
  for (const auto* list : {"containers", "initContainers", "ephemeralContainers"})
    if (any_item(json::find(pod, {"spec", list}),
                 [&](const auto& container) { return container_refers(container, secret, name); }))
      return true;
  return any_item(json::find(pod, {"spec", "volumes"}),
                  [&](const auto& volume) { return volume_refers(volume, secret, name); });
}

bool pod_claims(const json::Value& pod, std::string_view claim) {
  const auto pod_name = json::text_at(pod, {"metadata", "name"});
  return any_item(json::find(pod, {"spec", "volumes"}), [&](const auto& volume) {
    if (json::text_at(volume, {"persistentVolumeClaim", "claimName"}) == claim) return true;
    // A generic ephemeral volume's claim is named <pod>-<volume>.
    return json::find(volume, {"ephemeral"}) &&
           fmt::format("{}-{}", pod_name, json::text_at(volume, {"name"})) == claim;
  });
}

class NodeGraph {
 public:
  NodeGraph(const store::Store& store, const std::string& node) : store_(store), node_(node) {}

  bool pod(const std::string& ns, const std::string& name) const {
    const auto entry = store_.find(store_key(pods(), ns, name));
    return entry && on_node(*entry, node_);
  }
  bool refers(const Attributes& a, bool secret) const {
    return !a.name.empty() && some_pod(store_, node_, a.ns, [&](const auto& pod) {
      return pod_refers(pod, secret, a.name);
    });
  }
  bool service_account(const Attributes& a) const {
    return some_pod(store_, node_, a.ns, [&](const auto& pod) {
      return json::text_at(pod, {"spec", "serviceAccountName"}) == a.name;
    });
  }
  bool claim(const std::string& ns, const std::string& name) const {
    return some_pod(store_, node_, ns, [&](const auto& pod) { return pod_claims(pod, name); });
  }
  bool volume(const std::string& name) const {
    const auto found = object("", "persistentvolumes", "", name);
    return found && claim(std::string(json::text_at(*found, {"spec", "claimRef", "namespace"})),
                          std::string(json::text_at(*found, {"spec", "claimRef", "name"})));
  }
  bool attachment(const std::string& name) const {
    const auto found = object("storage.k8s.io", "volumeattachments", "", name);
    return found && json::text_at(*found, {"spec", "nodeName"}) == node_;
  }

 private:
  std::optional<json::Value> object(std::string_view group, std::string_view plural,
                                    std::string_view ns, const std::string& name) const {
    const auto* resource = schema::find_resource(group, "v1", plural);
    const auto entry = resource ? store_.find(store_key(*resource, ns, name)) : nullptr;
    if (!entry) return std::nullopt;
    auto parsed = json::parse(entry->value.view());
    if (!parsed) return std::nullopt;
    return std::move(*parsed);
  }
  const store::Store& store_;
  const std::string& node_;
};

// A list of all pods is allowed, as upstream had it before field selectors took part in
// authorisation: the node watches its own with a selector, which the server cannot see here, and
// network policies need the addresses of others.
bool core_pods(const NodeGraph& graph, const Attributes& a) {
  if (a.subresource.empty()) {
    if (a.verb == "get") return graph.pod(a.ns, a.name);
    if (a.verb == "delete") return graph.pod(a.ns, a.name);
    return any_of({"list", "watch", "create"},
                  a.verb);  // create: mirror pods; admission checks the node name
  }
  if (a.subresource == "status") return (writes(a) || a.verb == "get") && graph.pod(a.ns, a.name);
  return a.subresource == "eviction" && a.verb == "create" && graph.pod(a.ns, a.name);
}

bool core_nodes(const std::string& node, const Attributes& a) {
  // Every node needs the addresses of the others for the pod network.
  if (reads(a)) return a.subresource.empty() || (a.subresource == "status" && a.name == node);
  if (a.verb == "create") return a.subresource.empty() && a.name.empty();
  return writes(a) && a.name == node && any_of({"", "status"}, a.subresource);
}

bool core(const NodeGraph& graph, const std::string& node, const Attributes& a) {
  if (a.resource == "pods") return core_pods(graph, a);
  if (a.resource == "nodes") return core_nodes(node, a);
  if (a.resource == "serviceaccounts") {
    if (a.subresource == "token") return a.verb == "create" && graph.service_account(a);
    return a.subresource.empty() && a.verb == "get" && graph.service_account(a);
  }
  if (a.resource == "persistentvolumeclaims") {
    if (a.subresource == "status")
      return (writes(a) || a.verb == "get") && graph.claim(a.ns, a.name);
    return a.subresource.empty() && a.verb == "get" && graph.claim(a.ns, a.name);
  }
  if (!a.subresource.empty()) return false;
  if (a.resource == "secrets") return reads(a) && graph.refers(a, true);
  if (a.resource == "configmaps") return reads(a) && graph.refers(a, false);
  if (a.resource == "persistentvolumes") return a.verb == "get" && graph.volume(a.name);
  if (a.resource == "events") return any_of({"create", "patch", "update"}, a.verb);
  return reads(a) && any_of({"services", "endpoints", "namespaces"}, a.resource);
}

bool own_named(const std::string& node, const Attributes& a, Names verbs) {
  if (a.verb == "create") return a.name.empty() || a.name == node;
  return a.name == node && any_of(verbs, a.verb);
}

bool others(const NodeGraph& graph, const std::string& node, const Attributes& a) {
  if (a.group == "certificates.k8s.io")
    return a.resource == "certificatesigningrequests" && a.subresource.empty() &&
           (reads(a) || a.verb == "create");
  if (!a.subresource.empty()) return false;
  if (a.group == "coordination.k8s.io")
    return a.resource == "leases" && a.ns == "kube-node-lease" &&
           own_named(node, a, {"get", "update", "patch", "delete"});
  if (a.group == "storage.k8s.io") {
    if (a.resource == "csinodes") return own_named(node, a, {"get", "update", "patch", "delete"});
    if (a.resource == "volumeattachments") return a.verb == "get" && graph.attachment(a.name);
    return a.resource == "csidrivers" && reads(a);
  }
  if (a.group == "authentication.k8s.io") return a.resource == "tokenreviews" && a.verb == "create";
  if (a.group == "authorization.k8s.io")
    return any_of({"subjectaccessreviews", "localsubjectaccessreviews"}, a.resource) &&
           a.verb == "create";
  if (a.group == "events.k8s.io")
    return a.resource == "events" && any_of({"create", "patch", "update"}, a.verb);
  if (a.group == "node.k8s.io") return a.resource == "runtimeclasses" && reads(a);
  if (a.group == "discovery.k8s.io") return a.resource == "endpointslices" && reads(a);
  if (a.group == "networking.k8s.io") return a.resource == "networkpolicies" && reads(a);
  return false;
}

}  // namespace

std::optional<std::string> node_of(const User& user) {
  if (!user.name.starts_with(kUserPrefix) || !user.in_group(kGroup)) return std::nullopt;
  std::string node = user.name.substr(kUserPrefix.size());
  if (node.empty()) return std::nullopt;
  return node;
}

Decision authorize_node(const store::Store& store, const std::string& node, const Attributes& a) {
  // Paths without a resource (/version, /healthz) are RBAC's business.
  if (!a.is_resource) return {};
  const NodeGraph graph(store, node);
  if (a.group.empty() ? core(graph, node, a) : others(graph, node, a)) return {true, ""};
  Decision refused;
  if (any_of({"secrets", "configmaps", "persistentvolumeclaims", "persistentvolumes"}, a.resource))
    refused.reason =
        a.name.empty()
            ? "No Object name found"
            : fmt::format("no relationship found between node '{}' and this object", node);
  return refused;
}

}  // namespace kinglet::apiserver

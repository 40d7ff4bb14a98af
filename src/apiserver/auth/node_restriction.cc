#include "apiserver/auth/node_restriction.h"

#include "apiserver/auth/node_authorizer.h"
#include "apiserver/errors.h"
#include "base/task.h"

namespace kinglet::apiserver {
namespace {

constexpr std::string_view kMirror = "kubernetes.io/config.mirror";

const json::Object& labels_of(const json::Value& object) {
  static const json::Object none;
  const auto* labels = json::find(object, {"metadata", "labels"});
  return labels && labels->is_object() ? labels->get_object() : none;
}

// Whether the label's name ends in a domain that belongs to Kubernetes.
bool kubernetes_domain(std::string_view label) {
  const auto domain = label.substr(0, std::min(label.find('/'), label.size()));
  if (domain.size() == label.size()) return false;
  for (const std::string_view own : {"kubernetes.io", "k8s.io"})
    if (domain == own || (domain.ends_with(own) && domain[domain.size() - own.size() - 1] == '.'))
      return true;
  return false;
}

// Labels by which people steer workloads to nodes must not be a node's to choose: a broken-in node
// would draw the workloads that it wants to see.
bool node_may_set(std::string_view label) {
  if (!kubernetes_domain(label)) return true;
  const auto domain = label.substr(0, label.find('/'));
  for (const std::string_view free : {"kubelet.kubernetes.io", "node.kubernetes.io"})
    if (domain == free ||
        (domain.ends_with(free) && domain[domain.size() - free.size() - 1] == '.'))
      return true;
  static constexpr std::string_view kOwn[] = {
      "kubernetes.io/hostname",
      "kubernetes.io/arch",
      "kubernetes.io/os",
      "beta.kubernetes.io/arch",
      "beta.kubernetes.io/os",
      "beta.kubernetes.io/instance-type",
      "failure-domain.beta.kubernetes.io/region",
      "failure-domain.beta.kubernetes.io/zone",
      "topology.kubernetes.io/region",
      "topology.kubernetes.io/zone",
  };
  return std::find(std::begin(kOwn), std::end(kOwn), label) != std::end(kOwn);
}

// The first label that differs and is not the node's to set; empty: none.
std::string foreign_label(const json::Value& object, const json::Value* old) {
  static const json::Value nothing = json::Object();
  const auto& now = labels_of(object);
  const auto& before = labels_of(old ? *old : nothing);
  for (const auto& item : now) {
    const auto* was = before.if_contains(item.key());
    if ((!was || *was != item.value()) && !node_may_set(item.key())) return item.key();
  }
  for (const auto& item : before)
    if (!now.contains(item.key()) && !node_may_set(item.key())) return item.key();
  return "";
}

bool refers_to_others(const json::Value& pod) {
  if (!json::text_at(pod, {"spec", "serviceAccountName"}).empty()) return true;
  const auto* volumes = json::find(pod, {"spec", "volumes"});
  if (volumes && volumes->is_array())
    for (const auto& volume : volumes->get_array())
      for (const auto* kind :
           {"secret", "configMap", "persistentVolumeClaim", "projected", "ephemeral"})
        if (json::find(volume, {kind})) return true;
  for (const auto* list : {"containers", "initContainers"}) {
    const auto* containers = json::find(pod, {"spec", list});
    if (!containers || !containers->is_array()) continue;
    for (const auto& container : containers->get_array()) {
      if (json::find(container, {"envFrom"})) return true;
      const auto* env = json::find(container, {"env"});
      if (!env || !env->is_array()) continue;
      for (const auto& item : env->get_array())
        if (json::find(item, {"valueFrom", "secretKeyRef"}) ||
            json::find(item, {"valueFrom", "configMapKeyRef"}))
          return true;
    }
  }
  return false;
}

class NodeRestriction final : public AdmissionPlugin {
 public:
  const char* name() const override { return "NodeRestriction"; }

  Task<Result<void>> validate(const WriteContext& context, const json::Value* object,
                              const json::Value* old) override {
    co_return check(context, object, old);
  }

 private:
  static Result<void> check(const WriteContext& context, const json::Value* object,
                            const json::Value* old) {
    const auto node = node_of(context.user);
    if (!node || !object) return {};
    const auto& resource = context.resource;
    if (resource.group.empty() && resource.plural == "nodes")
      return check_node(context, *node, *object, old);
    if (resource.group.empty() && resource.plural == "pods")
      return check_pod(context, *node, *object, old);
    // Created without a name in the address: the authoriser could not see whose it is.
    const bool own = resource.plural == "leases" || resource.plural == "csinodes";
    if (own && json::text_at(*object, {"metadata", "name"}) != *node)
      return refuse(context, fmt::format("node \"{}\" can only write its own", *node));
    return {};
  }

  static Result<void> check_node(const WriteContext& context, const std::string& node,
                                 const json::Value& object, const json::Value* old) {
    const auto name = json::text_at(object, {"metadata", "name"});
    if (name != node)
      return refuse(context,
                    fmt::format("node \"{}\" is not allowed to modify node \"{}\"", node, name));
    const auto label = foreign_label(object, old);
    if (!label.empty())
      return refuse(context, fmt::format("is not allowed to modify labels: {}", label));
    if (!old) return {};
    const auto taints = [](const json::Value& of) {
      const auto* list = json::find(of, {"spec", "taints"});
      return list && list->is_array() && !list->get_array().empty() ? *list : json::Value();
    };
    if (taints(object) != taints(*old))
      return refuse(context, fmt::format("node \"{}\" is not allowed to modify taints", node));
    return {};
  }

  static Result<void> check_pod(const WriteContext& context, const std::string& node,
                                const json::Value& object, const json::Value* old) {
    if (context.subresource == "status") {
      if (old && labels_of(object) != labels_of(*old))
        return refuse(context,
                      fmt::format("node \"{}\" cannot update labels through pod status", node));
      return {};
    }
    if (context.operation != Operation::create || !context.subresource.empty()) return {};
    const auto* annotations = json::find(object, {"metadata", "annotations"});
    const bool mirror =
        annotations && annotations->is_object() && annotations->get_object().contains(kMirror);
    if (!mirror)
      return refuse(
          context,
          fmt::format(
              "pod does not have \"{}\" annotation, node \"{}\" can only create mirror pods",
              kMirror, node));
    if (json::text_at(object, {"spec", "nodeName"}) != node)
      return refuse(
          context,
          fmt::format("node \"{}\" can only create pods with spec.nodeName set to itself", node));
    // Naming them would make them the node's to read.
    if (refers_to_others(object))
      return refuse(
          context,
          fmt::format("node \"{}\" can not create pods that reference service accounts, secrets, "
                      "configmaps or claims",
                      node));
    return {};
  }

  static Error refuse(const WriteContext& context, const std::string& detail) {
    return forbidden_error(context.resource, context.name, detail);
  }
};

}  // namespace

std::unique_ptr<AdmissionPlugin> make_node_restriction() {
  return std::make_unique<NodeRestriction>();
}

}  // namespace kinglet::apiserver

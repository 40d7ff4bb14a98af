// Namespace, Node, Lease, PriorityClass, RuntimeClass, Event.
#include <set>

#include "apiserver/hooks/kinds.h"
#include "apiserver/hooks/rules.h"
#include "schema/names.h"
#include "schema/values.h"

namespace kinglet::apiserver {
namespace {

class NamespaceHooks final : public KindHooks {
 public:
  void prepare(const WriteContext&, json::Value& object, const json::Value* old) const override {
    if (old) return;
    auto& root = object.get_object();
    json::child(root, "status")["phase"] = "Active";
    auto& spec = json::child(root, "spec");
    auto& finalizers = spec["finalizers"];
    if (!finalizers.is_array()) finalizers = json::Array();
    auto& list = finalizers.get_array();
    if (std::find(list.begin(), list.end(), json::Value("kubernetes")) == list.end())
      list.emplace_back("kubernetes");
  }

  void validate(const WriteContext& context, const json::Value& object, const json::Value*,
                std::vector<Cause>& causes) const override {
    const auto& finalizers = items(at(object, "spec"), "finalizers");
    const Path path("spec");
    for (const auto& finalizer : finalizers)
      check_name(causes, path.child("finalizers"), finalizer, schema::label_key_errors);
    if (context.subresource != "status") return;
    const auto& phase = at(object, {"status", "phase"});
    const bool going = given(at(object, {"metadata", "deletionTimestamp"}));
    const Path status("status");
    if (!going && phase == "Terminating")
      schema::add_invalid(causes, status.child("Phase"), phase,
                          "may only be 'Active' if `deletionTimestamp` is empty");
    if (going && phase != "Terminating")
      schema::add_invalid(causes, status.child("Phase"), phase,
                          "may only be 'Terminating' if `deletionTimestamp` is not empty");
  }
};

class NodeHooks final : public KindHooks {
 public:
  void validate(const WriteContext&, const json::Value& object, const json::Value* old,
                std::vector<Cause>& causes) const override {
    const auto& spec = at(object, "spec");
    const Path path("spec");
    const auto& cidrs = items(spec, "podCIDRs");
    const Path list = path.child("podCIDRs");
    for (size_t i = 0; i < cidrs.size(); ++i) check_cidr(causes, list.index(i), cidrs[i]);
    check_taints(items(spec, "taints"), path, causes);
    if (!old) return;
    const auto& before = at(*old, "spec");
    if (!is_empty(at(before, "podCIDRs")) && !equal(at(spec, "podCIDRs"), at(before, "podCIDRs")))
      schema::add_forbidden(causes, list,
                            "node updates may not change podCIDR except from \"\" to valid");
    if (!is_empty(at(before, "providerID")) && at(spec, "providerID") != at(before, "providerID"))
      schema::add_forbidden(causes, path.child("providerID"),
                            "node updates may not change providerID except from \"\" to valid");
  }

 private:
  static void check_taints(const json::Array& taints, const Path& path, Causes& causes) {
    const Path list = path.child("taints");
    std::set<std::pair<std::string, std::string>> seen;
    for (size_t i = 0; i < taints.size(); ++i) {
      const Path item = list.index(i);
      const auto key = text(taints[i], "key");
      schema::add_invalid_each(causes, item.child("key"), json::Value(key),
                               schema::label_key_errors(key));
      const auto value = text(taints[i], "value");
      schema::add_invalid_each(causes, item.child("value"), json::Value(value),
                               schema::label_value_errors(value));
      check_one_of(causes, item.child("effect"), at(taints[i], "effect"),
                   {"NoSchedule", "PreferNoSchedule", "NoExecute"});
      if (!seen.emplace(key, text(taints[i], "effect")).second)
        schema::add_duplicate(causes, item, taints[i]);
    }
  }
};

class LeaseHooks final : public KindHooks {
 public:
  void validate(const WriteContext&, const json::Value& object, const json::Value*,
                std::vector<Cause>& causes) const override {
    const auto& spec = at(object, "spec");
    const Path path("spec");
    const auto& seconds = at(spec, "leaseDurationSeconds");
    if (seconds.is_int64() && seconds.get_int64() <= 0)
      schema::add_invalid(causes, path.child("leaseDurationSeconds"), seconds,
                          "must be greater than 0");
    check_not_negative(causes, path.child("leaseTransitions"), at(spec, "leaseTransitions"));
    const auto& holder = at(spec, "holderIdentity");
    if (given(holder) && is_empty(holder))
      schema::add_invalid(causes, path.child("holderIdentity"), holder, "must not be empty");
  }
};

constexpr int64_t kUserPriorityMax = 1'000'000'000;

bool is_system_class(std::string_view name) {
  return name == "system-cluster-critical" || name == "system-node-critical";
}

class PriorityClassHooks final : public KindHooks {
 public:
  void validate(const WriteContext&, const json::Value& object, const json::Value* old,
                std::vector<Cause>& causes) const override {
    const auto name = text(at(object, "metadata"), "name");
    const Path metadata("metadata");
    const Path value("value");
    if (name.starts_with("system-") && !is_system_class(name))
      schema::add_forbidden(
          causes, metadata.child("name"),
          "priority class names with 'system-' prefix are reserved for system use "
          "only. error: " +
              std::string(name) + " is not a known system priority class");
    if (!is_system_class(name) && number(object, "value") > kUserPriorityMax)
      schema::add_forbidden(
          causes, value,
          fmt::format("maximum allowed value of a user defined priority is {}", kUserPriorityMax));
    if (!old) return;
    if (!equal(at(object, "value"), at(*old, "value")))
      schema::add_forbidden(causes, value, "may not be changed in an update.");
    check_immutable(causes, Path("preemptionPolicy"), at(object, "preemptionPolicy"),
                    at(*old, "preemptionPolicy"));
  }
};

class RuntimeClassHooks final : public KindHooks {
 public:
  void validate(const WriteContext&, const json::Value& object, const json::Value* old,
                std::vector<Cause>& causes) const override {
    check_name(causes, Path("handler"), at(object, "handler"), schema::dns1123_label_errors);
    if (old) check_immutable(causes, Path("handler"), at(object, "handler"), at(*old, "handler"));
  }
};

// Both groups' events are stored in the core form.
class EventHooks final : public KindHooks {
 public:
  void validate(const WriteContext& context, const json::Value& object, const json::Value*,
                std::vector<Cause>& causes) const override {
    const auto& involved = at(object, "involvedObject");
    const auto ns = text(involved, "namespace");
    const Path path("involvedObject");
    const bool cluster_scoped = ns.empty();
    const bool ok =
        cluster_scoped ? context.ns == "default" || context.ns == "kube-system" : ns == context.ns;
    if (!ok)
      schema::add_invalid(causes, path.child("namespace"), json::Value(ns),
                          "does not match event.namespace");
  }
};

}  // namespace

void add_cluster_hooks(Hooks& hooks) {
  hooks.emplace("/namespaces", std::make_unique<NamespaceHooks>());
  hooks.emplace("/nodes", std::make_unique<NodeHooks>());
  hooks.emplace("/events", std::make_unique<EventHooks>());
  hooks.emplace("coordination.k8s.io/leases", std::make_unique<LeaseHooks>());
  hooks.emplace("scheduling.k8s.io/priorityclasses", std::make_unique<PriorityClassHooks>());
  hooks.emplace("node.k8s.io/runtimeclasses", std::make_unique<RuntimeClassHooks>());
}

}  // namespace kinglet::apiserver

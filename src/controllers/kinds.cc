#include "controllers/internal/kinds.h"

namespace kinglet::controllers {

json::Value whole(const Object& object) {
  auto value = json::parse(object.raw.view());
  return value ? std::move(*value) : json::Value(json::Object{});
}

const schema::Resource& ReplicaSet::resource() {
  static const auto& found = client::resource("apps", "v1", "replicasets");
  return found;
}

std::shared_ptr<ReplicaSet> ReplicaSet::decode(const json::Value& object) {
  auto set = std::make_shared<ReplicaSet>();
  set->replicas = static_cast<int>(json::int_at(object, {"spec", "replicas"}, 1));
  set->min_ready_seconds = static_cast<int>(json::int_at(object, {"spec", "minReadySeconds"}));
  if (const auto* selector = json::find(object, {"spec", "selector"}))
    if (auto parsed = schema::Selector::from_object(*selector)) set->selector = std::move(*parsed);
  auto& status = set->status;
  const auto number = [&](const char* name) {
    return static_cast<int>(json::int_at(object, {"status", name}));
  };
  status.replicas = number("replicas");
  status.fully_labeled = number("fullyLabeledReplicas");
  status.ready = number("readyReplicas");
  status.available = number("availableReplicas");
  status.observed_generation = json::int_at(object, {"status", "observedGeneration"});
  status.conditions = client::conditions_at(object, {"status", "conditions"});
  return set;
}

const schema::Resource& Namespace::resource() {
  static const auto& found = client::resource("", "v1", "namespaces");
  return found;
}

std::shared_ptr<Namespace> Namespace::decode(const json::Value& object) {
  auto space = std::make_shared<Namespace>();
  for (const auto& finalizer : client::array_at(object, {"spec", "finalizers"}))
    if (finalizer == "kubernetes") space->kept_by_us = true;
  space->conditions = client::conditions_at(object, {"status", "conditions"});
  return space;
}

}  // namespace kinglet::controllers

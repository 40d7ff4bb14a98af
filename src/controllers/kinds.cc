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

namespace {
template <class Set>
std::shared_ptr<Set> decode_set(const json::Value& object) {
  auto set = std::make_shared<Set>();
  set->replicas = static_cast<int>(json::int_at(object, {"spec", "replicas"}, 1));
  set->min_ready_seconds = static_cast<int>(json::int_at(object, {"spec", "minReadySeconds"}));
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
}  // namespace

std::shared_ptr<ReplicaSet> ReplicaSet::decode(const json::Value& object) {
  auto set = decode_set<ReplicaSet>(object);
  if (const auto* selector = json::find(object, {"spec", "selector"}))
    if (auto parsed = schema::Selector::from_object(*selector)) set->selector = std::move(*parsed);
  return set;
}

const schema::Resource& ReplicationController::resource() {
  static const auto& found = client::resource("", "v1", "replicationcontrollers");
  return found;
}

std::shared_ptr<ReplicationController> ReplicationController::decode(const json::Value& object) {
  auto set = decode_set<ReplicationController>(object);
  const auto labels = client::pairs_of(json::find(object, {"spec", "selector"}));
  if (labels.empty()) return set;  // the API requires one; without it nothing matches
  set->selector = {};
  for (const auto& [key, value] : labels) set->selector.add({key, schema::Requirement::Op::in, {value}});
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

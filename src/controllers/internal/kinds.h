// What the controllers read of the kinds they share; the rest of an object is in its `raw`.
#pragma once
#include "client/conditions.h"
#include "client/node.h"
#include "client/object.h"
#include "client/pod.h"

namespace kinglet::controllers {

using client::Condition;
using client::Conditions;
using client::Meta;
using client::Node;
using client::Object;
using client::ObjectKey;
using client::Pod;
using client::Ref;

struct ReplicaSet : Object {
  static const schema::Resource& resource();
  static std::shared_ptr<ReplicaSet> decode(const json::Value& object);

  int replicas = 1;
  int min_ready_seconds = 0;
  schema::Selector selector = schema::Selector::nothing();
  struct Status {
    int replicas = 0, fully_labeled = 0, ready = 0, available = 0;
    int64_t observed_generation = 0;
    Conditions conditions;
    bool operator==(const Status&) const = default;
  } status;
};

// The same decisions, an older kind: its selector is a plain map.
struct ReplicationController : ReplicaSet {
  static const schema::Resource& resource();
  static std::shared_ptr<ReplicationController> decode(const json::Value& object);
};

struct Namespace : Object {
  static const schema::Resource& resource();
  static std::shared_ptr<Namespace> decode(const json::Value& object);
  bool kept_by_us = false;  // spec.finalizers has "kubernetes"
  Conditions conditions;
};

// The whole object again; what came out of a cache parses.
json::Value whole(const Object& object);

}  // namespace kinglet::controllers

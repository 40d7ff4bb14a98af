// The cluster as the scheduler sees it: nodes with what their pods take, pods included whose binding is under way.
#pragma once
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "scheduler/internal/wants.h"

namespace kinglet::scheduler {

using client::ObjectKey;
using client::Resources;

struct HostPort {
  std::string ip, protocol;  // ip "0.0.0.0": any
  int32_t port;
  bool clashes(const HostPort& other) const;
};
std::vector<HostPort> host_ports_of(const Pod& pod);

struct NodeInfo {
  Ref<const Node> node;     // null: pods are bound to it, but it is not known (any more)
  Resources used;
  // The same with a small amount for containers that ask for nothing: scoring should spread those too.
  int64_t scored_milli_cpu = 0, scored_memory = 0;
  std::map<ObjectKey, Ref<const Pod>> pods;
  std::vector<HostPort> ports;
  std::unordered_map<std::string, int> by_owner;  // pods per controller's uid
};
int64_t scored_milli_cpu(const Pod& pod);
int64_t scored_memory(const Pod& pod);

class Cluster {
 public:
  void set_node(Ref<const Node> node);
  void remove_node(const std::string& name);
  // A pod on a node, from the cache: replaces what was assumed of it.
  void set_pod(Ref<const Pod> pod);
  void remove_pod(const ObjectKey& key);
  // A pod that is being bound.
  void assume(Ref<const Pod> pod, const std::string& node);
  void forget(const ObjectKey& key);  // the binding failed
  bool assumed(const ObjectKey& key) const { return assumed_.contains(key); }

  size_t size() const { return order_.size(); }
  const NodeInfo& at(size_t i) const { return nodes_.at(order_[i]); }  // known nodes, by name
  const NodeInfo* find(const std::string& name) const;
  struct Guard {
    Ref<const Pod> pod;
    std::string node;
    std::vector<PodTerm> terms;
  };
  // Placed pods that want to be apart from some others.
  const std::map<ObjectKey, Guard>& guards() const { return guards_; }
  size_t pods() const { return placed_.size(); }

 private:
  void place(Ref<const Pod> pod, const std::string& node);
  void displace(const ObjectKey& key);

  std::map<std::string, NodeInfo> nodes_;
  std::vector<std::string> order_;
  std::map<ObjectKey, std::pair<Ref<const Pod>, std::string>> placed_;
  std::set<ObjectKey> assumed_;
  std::map<ObjectKey, Guard> guards_;
};

}  // namespace kinglet::scheduler

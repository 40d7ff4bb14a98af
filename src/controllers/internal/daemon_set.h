// The daemon set's decisions: on which nodes a pod belongs, which to start and end, what the status says. Pure.
// Source: upstream's daemon controller, whose event reasons and added tolerations stay.
#pragma once
#include "client/node_affinity.h"
#include "controllers/internal/history.h"

namespace kinglet::controllers {

struct DaemonSet : Object {
  static const schema::Resource& resource();
  static std::shared_ptr<DaemonSet> decode(const json::Value& object);

  int min_ready_seconds = 0, history_limit = 10;
  bool on_delete = false;
  schema::IntOrString max_unavailable, max_surge;
  schema::Selector selector = schema::Selector::nothing();
  std::string node_name;  // of the template, rarely
  client::NodeWants nodes;
  std::vector<client::Toleration> tolerations;  // with those that every daemon pod gets
  struct Status {
    int current = 0, misscheduled = 0, desired = 0, ready = 0, updated = 0, available = 0, unavailable = 0;
    int64_t observed_generation = 0;
    std::optional<int> collisions;
    bool operator==(const Status&) const = default;
  } status;
};

// Whether a pod belongs on a node, and whether one that is there may stay.
struct NodeFit {
  bool run = false, keep = false;
};
NodeFit node_fit(const DaemonSet& set, const Node& node);
// The node of a daemon pod: where it is, or where it is bound to go. Empty: unknown.
std::string target_node(const Pod& pod);
json::Value daemon_pod(const DaemonSet& set, const json::Value& template_json, const std::string& hash, const std::string& node);

// How often pods of a set ended on a node, so that one that ends at once is not replaced without pause.
struct DaemonFailures {
  int count = 0;
  WallTime last{};
};
constexpr Duration kDaemonBackoffFirst = std::chrono::seconds(1);
constexpr Duration kDaemonBackoffMax = std::chrono::minutes(15);
using NodeFailures = std::map<std::string, DaemonFailures>;  // by node

struct DaemonPlan {
  std::vector<std::string> create;  // nodes
  std::vector<Ref<const Pod>> remove;
  std::vector<Ref<const Pod>> ended;  // of `remove`: failed or succeeded by themselves
  NodeFailures failures;
  DaemonSet::Status status;
  std::optional<Duration> again_after;
};
DaemonPlan plan_daemons(const DaemonSet& set, const std::vector<Ref<const Node>>& nodes, const std::vector<Ref<const Pod>>& pods,
                        const std::string& hash, const NodeFailures& failures, WallTime now);

}  // namespace kinglet::controllers

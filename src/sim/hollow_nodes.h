// Hollow nodes: machines that are nothing but their API traffic. Each registers itself, renews its lease, brings the
// pods it is given to Ready after a while, and removes those that are being deleted.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/signal.h"
#include "base/task_group.h"
#include "client/api.h"
#include "client/informer.h"
#include "client/pod.h"

namespace kinglet::sim {

struct HollowOptions {
  int nodes = 3;
  int zones = 1;
  int cpus = 4;
  int memory_gib = 8;
  int pods_max = 110;
  Duration start_min = std::chrono::milliseconds(50), start_max = std::chrono::seconds(3);  // of a pod, drawn
  Duration stop_max = std::chrono::seconds(2);
  double never_ready_share = 0;  // pods whose image is "broken" never get ready; this share of the others too
};

class HollowNodes {
 public:
  // References outlive it. `informers` is the nodes' own: they see the world through their own watch.
  HollowNodes(client::Api& api, Clock& clock, Random& random, HollowOptions options);
  Task<Result<void>> run();  // until cancelled

  const std::vector<std::string>& names() const { return names_; }
  void power_off(const std::string& node);  // silent from now on
  void power_on(const std::string& node);   // takes up what it finds
  bool is_on(const std::string& node) const { return !off_.contains(node); }
  void add_node(const std::string& name);

 private:
  Task<void> live(std::string node);
  Task<Result<void>> register_node(std::string node);
  Task<Result<void>> renew_lease(std::string node);
  void look_at(const client::Pod& pod);
  Task<void> start_pod(client::Ref<const client::Pod> pod);
  Task<void> end_pod(client::Ref<const client::Pod> pod, const char* phase);
  Task<void> stop_pod(client::Ref<const client::Pod> pod);
  json::Value running_status(const client::Pod& pod, bool ready);

  client::Api& api_;
  Clock& clock_;
  Random& random_;
  HollowOptions options_;
  client::Informers informers_;
  client::Informer<client::Pod> pods_;
  size_t pods_by_node_ = 0;
  TaskGroup group_{TaskGroup::WhenEmpty::keep_open};
  std::vector<std::string> names_;
  std::set<std::string> off_;
  Signal power_;
  std::set<std::string> busy_;  // pod uids with a task of their own
  int next_address_ = 0;
};

}  // namespace kinglet::sim

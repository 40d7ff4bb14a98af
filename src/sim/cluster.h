// Cluster: store, API server, controllers, scheduler and hollow nodes on one loop, in virtual time, from one seed.
//
// The code is the production code; only the clock, the randomness, the disk and the machines are not. Everything random
// comes from the seed, so a run repeats itself exactly: trace_hash() tells. While it runs, invariants are checked;
// violations() is empty in a healthy world.
#pragma once
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "apiserver/registry.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/task_group.h"
#include "client/informer.h"
#include "controllers/controllers.h"
#include "scheduler/scheduler.h"
#include "sim/hollow_nodes.h"
#include "store/store.h"

namespace kinglet::sim {

struct ClusterOptions {
  uint64_t seed = 1;
  HollowOptions nodes = {};
  controllers::Options controllers = {};
};

// The seeds of a test: `count` of them, or the one in KINGLET_SIM_SEED.
std::vector<uint64_t> seeds(int count);

class Cluster {
 public:
  explicit Cluster(ClusterOptions options);
  ~Cluster();

  // Creates, or replaces the spec of, the objects of a YAML stream, as an administrator; asserts that it works.
  void apply(const std::string& yaml);
  void patch(const std::string& kind_name, const std::string& ns, const std::string& merge_patch_yaml);
  void remove(const std::string& kind_name, const std::string& ns,
              client::Propagation propagation = client::Propagation::background);
  // null when there is none. kind_name: "deployments/web".
  json::Value get(const std::string& kind_name, const std::string& ns = "default");
  std::vector<json::Value> list(const std::string& plural, const std::string& ns = "default");
  // Pods of a namespace that are Ready and not being deleted; on `node` only, when given.
  int ready_pods(const std::string& ns = "default", const std::string& node = {});
  // Ready addresses in the slices of a service; on `node` only, when given.
  int endpoints(const std::string& service, const std::string& node = {}, const std::string& ns = "default");

  void run_for(Duration time);
  bool run_until(const std::function<bool()>& done, Duration limit);

  HollowNodes& nodes() { return *nodes_; }
  std::string pick_node();  // one that is on, by chance
  Random& random() { return *random_; }
  Duration now() const { return clock_->now().since_start; }

  // Called for every event of the store, in order.
  using Checker = std::function<void(const store::Event&)>;
  void check(Checker checker) { checkers_.push_back(std::move(checker)); }
  void violation(std::string text);
  const std::vector<std::string>& violations() const { return violations_; }
  uint64_t trace_hash() const { return hash_; }
  size_t events() const { return events_; }
  std::string replay() const;  // how to repeat this run

 private:
  template <class T>
  Result<T> wait(Task<Result<T>> task);
  Task<Result<void>> follow();
  void note(const store::Event& event);
  void check_pod(const store::Event& event);

  ClusterOptions options_;
  boost::asio::io_context loop_;
  std::unique_ptr<Random> random_;
  std::unique_ptr<SimClock> clock_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<apiserver::Registry> registry_;
  std::unique_ptr<client::Api> admin_, api_;
  std::unique_ptr<client::Informers> informers_;
  std::unique_ptr<controllers::Controllers> controllers_;
  std::unique_ptr<scheduler::Scheduler> scheduler_;
  std::unique_ptr<HollowNodes> nodes_;
  TaskGroup parts_{TaskGroup::WhenEmpty::keep_open};
  bool running_ = false;
  std::optional<std::string> failed_;

  std::vector<Checker> checkers_;
  std::vector<std::string> violations_;
  store::Revision last_ = 0;
  uint64_t hash_ = 0xcbf29ce484222325u;
  size_t events_ = 0;
};

}  // namespace kinglet::sim

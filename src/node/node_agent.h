// NodeAgent: this machine as a Node: registration, lease and status, and a worker for each of its pods.
//
// Everything it knows of the cluster comes through one Api. When the API does not answer, pods go on.
#pragma once
#include <map>
#include <memory>
#include <string>

#include "base/log.h"
#include "base/signal.h"
#include "base/task_group.h"
#include "client/informer.h"
#include "node/host_facts.h"
#include "node/local_pod.h"
#include "node/node_object.h"
#include "node/pod_parts.h"
#include "node/pod_worker.h"

namespace kinglet::node {

struct Shortage;

class NodeAgent final {
 public:
  // All outlive the agent. `pods` watches the pods of this node only.
  NodeAgent(const PodParts& parts, client::Informer<LocalPod> pods, NodeIdentity identity, HostFacts facts);
  ~NodeAgent();

  // Until cancelled, or until the runtime fails for good. Containers keep running.
  Task<Result<void>> run();

  // Pods can have networks now. Until this is said the node is not Ready.
  void network_ready();

  // The server may think otherwise of this node than it did (it was away, or we were): the status is written anew at
  // once. `address` is the node's from now on; empty: as before.
  void announce(const std::string& address);

  // Null: no such pod here. By namespace and name.
  const PodWorker* find(const std::string& ns, const std::string& name) const;
  std::vector<const PodWorker*> workers() const;
  // ConfigMaps or Secrets of this namespace have changed: volumes follow.
  void refresh_volumes(const std::string& ns);

 private:
  Task<Result<void>> start_runtime();
  Task<Result<void>> both_ready();
  Task<Result<void>> announced();
  Task<void> follow_containers();
  Task<void> keep_registered();
  Task<Result<void>> register_node();
  Task<void> keep_lease();
  Task<Result<void>> renew_lease();
  Task<Result<void>> write_status(bool heartbeat);
  Task<void> remove_orphans();
  Task<void> rotate_logs();
  void pod_changed(const LocalPod* before, const LocalPod* after);
  void start_worker(api::Pod pod);
  Task<void> run_worker(std::string uid);
  std::vector<api::ContainerImage> images() const;
  // Node pressure (pressure_agent.cc).
  Task<void> watch_pressure();
  void evict_for_memory(const Shortage& shortage);
  bool short_since(const std::optional<TimePoint>& at) const;
  // Static pods (static_pods_agent.cc). True: something is not as it should be yet.
  Task<void> follow_static_pods();
  bool sync_static_pods();
  Task<bool> sync_mirrors();
  Task<Result<void>> remove_mirror(std::string ns, std::string name, std::string uid);

  const PodParts& parts_;
  client::Informer<LocalPod> pods_;
  NodeIdentity identity_;
  HostFacts facts_;
  TaskGroup tasks_;
  std::map<std::string, std::unique_ptr<PodWorker>> workers_;  // by pod uid
  std::map<std::pair<std::string, std::string>, std::string> by_name_;
  std::string node_uid_;
  std::optional<TimePoint> memory_short_at_, disk_short_at_;  // when that was seen last
  struct Mirror {
    std::string uid, hash;
    bool deleting = false;
  };
  std::map<std::pair<std::string, std::string>, Mirror> mirrors_;  // by namespace and name, as the watch brings them
  std::map<std::string, std::string> complaints_;                  // about manifests, by file: each is told once
  bool lease_made_ = false;
  std::optional<api::Node> written_;
  TimePoint written_at_{};
  bool runtime_ready_ = false, network_ready_ = false;
  Signal ready_;
  bool announce_due_ = false;
  Signal announce_;
  Log log_{"node"};
};

}  // namespace kinglet::node

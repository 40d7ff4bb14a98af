// PodWorker: brings one pod of this node to what its spec says, and tells the API how it goes.
//
// One coroutine asks plan_pod() what to do, does it, and sleeps until something happens. Stops and probes run beside it.
// Nothing here is lost with the process: what the runtime knows is adopted by the next worker.
#pragma once
#include <memory>
#include <string>

#include "base/signal.h"
#include "base/task_group.h"
#include "node/pod_parts.h"
#include "node/pod_plan.h"
#include "node/pod_state.h"

namespace kinglet::node {

class PodWorker final {
 public:
  // `parts` outlives the worker.
  PodWorker(const PodParts& parts, api::Pod pod);
  ~PodWorker();

  // The newest object from the API.
  void update(api::Pod pod);
  // The object has gone from the API (force delete, or while we were away): end the pod and remove its traces.
  void removed();
  // A container of this pod has ended.
  void container_ended();
  // The node is short of something: the pod ends at once and is Failed.
  void evict(const std::string& message);
  // A static pod's status goes to this object of the API; empty: there is none yet.
  void set_mirror(std::string uid);
  // ConfigMaps or Secrets may have changed.
  void refresh_volumes();

  // Until the pod is gone, or cancelled (which leaves its containers running).
  Task<Result<void>> run();

  const api::Pod& pod() const;
  const PodState& state() const;
  const std::string& sandbox_id() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// The state of a pod as the runtime has it: what a worker starts from. Pure.
struct Adopted {
  std::string sandbox_id;  // empty: none, or only dead ones
  std::vector<std::string> dead_sandboxes;
  PodState state;
};
Adopted adopt(const api::Pod& pod, const std::vector<runtime::SandboxStatus>& sandboxes,
              const std::vector<runtime::ContainerStatus>& containers);
// Brings `container` up to what the runtime says of its newest attempt. Returns true when it has just ended.
bool take_status(ContainerState& container, const runtime::ContainerStatus& status);

}  // namespace kinglet::node

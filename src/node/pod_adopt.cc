#include "node/pod_worker.h"

namespace kinglet::node {
namespace {

Attempt attempt_of(const runtime::ContainerStatus& status) {
  Attempt out;
  out.id = status.id;
  out.started = status.started;
  out.finished = status.finished;
  out.exit_code = status.exit_code;
  out.oom_killed = status.oom_killed;
  out.message = status.message;
  return out;
}

}  // namespace

bool take_status(ContainerState& container, const runtime::ContainerStatus& status) {
  const bool ran = container.running();
  const std::string message = container.attempt.id == status.id ? container.attempt.message : "";
  container.attempt = attempt_of(status);
  if (container.attempt.message.empty()) container.attempt.message = message;
  container.image = status.image_reference;
  container.image_id = status.image_id;
  container.restart_count = status.attempt;
  switch (status.state) {
    case runtime::ContainerState::created:
      container.phase = ContainerState::Phase::waiting;
      break;
    case runtime::ContainerState::running:
      container.phase = ContainerState::Phase::running;
      break;
    case runtime::ContainerState::exited:
      container.phase = ContainerState::Phase::exited;
      container.ready = container.startup_passed = container.liveness_failed = container.stopping = false;
      break;
  }
  return ran && container.exited();
}

Adopted adopt(const api::Pod& pod, const std::vector<runtime::SandboxStatus>& sandboxes,
              const std::vector<runtime::ContainerStatus>& containers) {
  Adopted out;
  const runtime::SandboxStatus* newest = nullptr;
  for (const auto& sandbox : sandboxes) {
    if (sandbox.config.pod_uid != pod.metadata.uid) continue;
    if (!sandbox.ready) {
      out.dead_sandboxes.push_back(sandbox.id);
      continue;
    }
    if (newest != nullptr) out.dead_sandboxes.push_back(sandbox.created < newest->created ? sandbox.id : newest->id);
    if (newest == nullptr || sandbox.created >= newest->created) newest = &sandbox;
  }
  if (newest != nullptr) {
    out.sandbox_id = newest->id;
    out.state.sandbox_up = true;
    out.state.start_time = newest->created;
    const auto ip = newest->config.labels.find("ip");
    if (ip != newest->config.labels.end()) out.state.ip = ip->second;
  }
  if (pod.status.phase == "Failed" && !pod.status.reason.empty())
    out.state.end = PodEnd{pod.status.reason, pod.status.message};
  if (pod.status.startTime) out.state.start_time = pod.status.startTime;
  // Attempts in order: the newest is the state, the one before it the last state. What never started is made again.
  std::map<std::string, std::map<int, const runtime::ContainerStatus*>> attempts;
  for (const auto& container : containers) {
    const auto uid = container.labels.find("io.kubernetes.pod.uid");
    if (uid == container.labels.end() || uid->second != pod.metadata.uid) continue;
    if (container.state != runtime::ContainerState::created) attempts[container.name][container.attempt] = &container;
  }
  for (const auto& [name, by_attempt] : attempts) {
    auto& state = out.state.containers[name];
    auto it = by_attempt.rbegin();
    take_status(state, *it->second);
    if (++it != by_attempt.rend()) state.previous = attempt_of(*it->second);
  }
  return out;
}

}  // namespace kinglet::node

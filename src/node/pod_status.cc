#include "node/pod_status.h"

#include <set>

#include "node/pod_plan.h"

namespace kinglet::node {
namespace {

std::string kubernetes_id(const std::string& id) { return id.empty() ? id : "kinglet://" + id; }

api::ContainerStateTerminated terminated(const Attempt& attempt) {
  api::ContainerStateTerminated out;
  out.exitCode = attempt.exit_code;
  if (attempt.oom_killed)
    out.reason = "OOMKilled";
  else
    out.reason = attempt.exit_code == 0 ? "Completed" : "Error";
  out.message = attempt.message;
  out.startedAt = attempt.started;
  out.finishedAt = attempt.finished;
  out.containerID = kubernetes_id(attempt.id);
  return out;
}

// Why a container that does not run is waiting, when it has not said so itself.
std::string waiting_reason(const api::Pod& pod, const PodState& state, bool init) {
  return !pod.spec.initContainers.empty() && !init && state.sandbox_up ? "PodInitializing"
                                                                       : "ContainerCreating";
}

api::ContainerStatus container_status(const StatusInput& in, const api::Container& container, bool init) {
  const ContainerState& it = in.state.of(container.name);
  api::ContainerStatus out;
  out.name = container.name;
  out.image = it.image.empty() ? container.image : it.image;
  out.imageID = it.image_id;
  out.restartCount = it.restart_count;
  out.containerID = kubernetes_id(it.attempt.id);
  if (it.previous) out.lastState.terminated = terminated(*it.previous);
  if (it.running()) {
    out.state.running = api::ContainerStateRunning{};
    out.state.running->startedAt = it.attempt.started;
    out.started = it.startup_passed;
    const bool deleting = in.pod.metadata.deletionTimestamp.has_value();
    out.ready = it.startup_passed && it.ready && !deleting;
    return out;
  }
  out.started = false;
  if (it.exited()) {
    // A finished init container counts as ready; so the columns and conditions of clients have it.
    out.ready = init && it.succeeded();
    if (wants_restart(in.pod, container, init, it) && !in.pod.metadata.deletionTimestamp) {
      out.lastState.terminated = terminated(it.attempt);
      out.state.waiting = api::ContainerStateWaiting{};
      const bool looping = it.waiting_reason.empty();
      out.state.waiting->reason = looping ? "CrashLoopBackOff" : it.waiting_reason;
      out.state.waiting->message =
          looping ? fmt::format("back-off {}s restarting failed container={} pod={}_{}({})",
                                std::chrono::duration_cast<std::chrono::seconds>(it.backoff).count(),
                                container.name, in.pod.metadata.name, in.pod.metadata.namespace_,
                                in.pod.metadata.uid)
                  : it.waiting_message;
      return out;
    }
    out.state.terminated = terminated(it.attempt);
    return out;
  }
  out.state.waiting = api::ContainerStateWaiting{};
  out.state.waiting->reason =
      it.waiting_reason.empty() ? waiting_reason(in.pod, in.state, init) : it.waiting_reason;
  out.state.waiting->message = it.waiting_message;
  return out;
}

// Debugging containers are not restarted and are never ready.
api::ContainerStatus ephemeral_status(const StatusInput& in, const api::EphemeralContainer& container) {
  const ContainerState& it = in.state.of(container.name);
  api::ContainerStatus out;
  out.name = container.name;
  out.image = it.image.empty() ? container.image : it.image;
  out.imageID = it.image_id;
  out.containerID = kubernetes_id(it.attempt.id);
  if (it.running()) {
    out.state.running = api::ContainerStateRunning{};
    out.state.running->startedAt = it.attempt.started;
  } else if (it.exited()) {
    out.state.terminated = terminated(it.attempt);
  } else {
    out.state.waiting = api::ContainerStateWaiting{};
    out.state.waiting->reason = it.waiting_reason.empty() ? "ContainerCreating" : it.waiting_reason;
    out.state.waiting->message = it.waiting_message;
  }
  return out;
}

bool init_done(const api::Pod& pod, const PodState& state) {
  for (const auto& container : pod.spec.initContainers) {
    const auto& it = state.of(container.name);
    if (is_sidecar(container) ? !(it.running() && it.startup_passed) : !it.succeeded()) return false;
  }
  return true;
}

// Source: kubelet's getPhase: what the containers have come to, seen through the restart policy.
std::string phase_of(const StatusInput& in) {
  const auto& pod = in.pod;
  if (in.state.end) {
    const bool alive = std::any_of(in.state.containers.begin(), in.state.containers.end(),
                                   [](const auto& item) { return item.second.running(); });
    // Not before its containers have ended: who replaces the pod must not meet them.
    return alive ? "Running" : "Failed";
  }
  for (const auto& container : pod.spec.initContainers) {
    const auto& it = in.state.of(container.name);
    if (!is_sidecar(container) && it.exited() && !it.succeeded() && !wants_restart(pod, container, true, it))
      return "Failed";
  }
  if (!init_done(pod, in.state)) {
    // A sidecar that restarts does not throw a running pod back to Pending.
    bool any_main = false;
    for (const auto& container : pod.spec.containers)
      any_main = any_main || !in.state.of(container.name).never_ran();
    if (!any_main) return "Pending";
  }
  int running = 0, waiting = 0, failed = 0, stopped = 0;
  for (const auto& container : pod.spec.containers) {
    const auto& it = in.state.of(container.name);
    if (it.running()) {
      ++running;
    } else if (it.exited()) {
      ++stopped;
      if (!it.succeeded()) ++failed;
    } else {
      ++waiting;
    }
  }
  if (waiting > 0) return "Pending";
  if (running > 0) return "Running";
  if (stopped == 0) return "Pending";
  const bool finished = is_finished(pod, in.state) || in.pod.metadata.deletionTimestamp.has_value();
  if (!finished) return "Running";  // all are to be restarted
  return failed > 0 ? "Failed" : "Succeeded";
}

struct Unready {
  std::string names;
  int count = 0;
};
Unready unready_of(const std::vector<api::ContainerStatus>& statuses) {
  Unready out;
  for (const auto& status : statuses) {
    if (status.ready) continue;
    out.names += (out.count++ > 0 ? " " : "") + status.name;
  }
  return out;
}

void set_conditions(const StatusInput& in, api::PodStatus& status) {
  auto& conditions = status.conditions;
  const bool over = status.phase == "Succeeded" || status.phase == "Failed";
  const std::string completed = status.phase == "Succeeded" ? "PodCompleted" : "PodFailed";
  set_condition(conditions, "PodReadyToStartContainers", in.state.sandbox_up, "", "", in.now);

  const bool initialized = init_done(in.pod, in.state) || status.phase == "Running";
  if (status.phase == "Succeeded") {
    set_condition(conditions, "Initialized", true, completed, "", in.now);
  } else {
    const auto unready = unready_of(status.initContainerStatuses);
    set_condition(conditions, "Initialized", initialized, initialized ? "" : "ContainersNotInitialized",
                  initialized ? "" : "containers with incomplete status: [" + unready.names + "]", in.now);
  }

  const auto unready = unready_of(status.containerStatuses);
  const bool all_ready = status.phase == "Running" && unready.count == 0;
  std::string reason, message;
  if (over) {
    reason = completed;
  } else if (!all_ready) {
    reason = "ContainersNotReady";
    message = "containers with unready status: [" + unready.names + "]";
  }
  set_condition(conditions, "ContainersReady", all_ready, reason, message, in.now);

  bool gates = true;
  for (const auto& gate : in.pod.spec.readinessGates) {
    const bool passed = std::any_of(conditions.begin(), conditions.end(), [&](const auto& condition) {
      return condition.type == gate.conditionType && condition.status == "True";
    });
    if (!passed && all_ready) {
      reason = "ReadinessGatesNotReady";
      message = fmt::format("corresponding condition of pod readiness gate \"{}\" does not exist or is not \"True\".",
                            gate.conditionType);
    }
    gates = gates && passed;
  }
  set_condition(conditions, "Ready", all_ready && gates, reason, message, in.now);
  if (in.state.end && in.state.end->reason == "Evicted")
    set_condition(conditions, "DisruptionTarget", true, "TerminationByKubelet", in.state.end->message, in.now);
  set_condition(conditions, "PodScheduled", true, "", "", in.now);
}

}  // namespace

void set_condition(std::vector<api::PodCondition>& conditions, const std::string& type, bool status,
                   const std::string& reason, const std::string& message, WallTime now) {
  auto found = std::find_if(conditions.begin(), conditions.end(),
                            [&](const auto& condition) { return condition.type == type; });
  if (found == conditions.end()) {
    found = conditions.emplace(conditions.end());
    found->type = type;
  }
  const std::string text = status ? "True" : "False";
  if (found->status != text) found->lastTransitionTime = now;
  found->status = text;
  found->reason = reason;
  found->message = message;
}

api::PodStatus status_of(const StatusInput& in) {
  api::PodStatus status = in.pod.status;
  status.hostIP = in.host_ip;
  status.hostIPs.clear();
  if (!in.host_ip.empty()) {
    status.hostIPs.emplace_back();
    status.hostIPs.back().ip = in.host_ip;
  }
  const std::string ip = in.pod.spec.hostNetwork ? in.host_ip : in.state.ip;
  if (!ip.empty()) {
    status.podIP = ip;
    status.podIPs.clear();
    status.podIPs.emplace_back();
    status.podIPs.back().ip = ip;
  }
  if (in.state.start_time) status.startTime = in.state.start_time;
  status.initContainerStatuses.clear();
  for (const auto& container : in.pod.spec.initContainers)
    status.initContainerStatuses.push_back(container_status(in, container, true));
  status.containerStatuses.clear();
  for (const auto& container : in.pod.spec.containers)
    status.containerStatuses.push_back(container_status(in, container, false));
  status.ephemeralContainerStatuses.clear();
  for (const auto& container : in.pod.spec.ephemeralContainers)
    status.ephemeralContainerStatuses.push_back(ephemeral_status(in, container));
  if (in.state.end) {
    status.reason = in.state.end->reason;
    status.message = in.state.end->message;
  }
  // A phase that has been reached for good stays, whatever is forgotten here later.
  if (status.phase != "Succeeded" && status.phase != "Failed") status.phase = phase_of(in);
  set_conditions(in, status);
  status.observedGeneration = in.pod.metadata.generation;
  return status;
}

}  // namespace kinglet::node

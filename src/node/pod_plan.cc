#include "node/pod_plan.h"

namespace kinglet::node {
namespace {

constexpr int64_t kGraceDefaultSeconds = 30;

Duration grace_of(const api::Pod& pod) {
  if (pod.metadata.deletionGracePeriodSeconds)
    return std::chrono::seconds(*pod.metadata.deletionGracePeriodSeconds);
  return std::chrono::seconds(pod.spec.terminationGracePeriodSeconds.value_or(kGraceDefaultSeconds));
}

void wake_by(PodPlan& plan, TimePoint at) {
  if (!plan.wake || at < *plan.wake) plan.wake = at;
}

void kill_all(const api::Pod& pod, const PodState& state, Duration grace, PodPlan& plan) {
  const auto kill = [&](const api::Container& container) {
    const auto& now = state.of(container.name);
    if (now.running() && !now.stopping)
      plan.kill.push_back({container.name, grace, "Stopping container " + container.name});
  };
  // Main containers first; sidecars end after those that they serve.
  bool main_running = false;
  for (const auto& container : pod.spec.containers) {
    kill(container);
    main_running = main_running || state.of(container.name).running();
  }
  for (const auto& container : pod.spec.ephemeralContainers) {
    const auto& now = state.of(container.name);
    if (now.running() && !now.stopping)
      plan.kill.push_back({container.name, grace, "Stopping container " + container.name});
  }
  if (main_running) return;
  // Sidecars in the reverse of the order in which they started, each after those that may need it.
  for (auto it = pod.spec.initContainers.rbegin(); it != pod.spec.initContainers.rend(); ++it) {
    if (!state.of(it->name).running()) continue;
    kill(*it);
    return;
  }
}

// When the pod has been active for longer than it may be; else wakes when it will have been.
void plan_deadline(const api::Pod& pod, const PodState& state, TimePoint now, WallTime wall, PodPlan& plan) {
  if (!pod.spec.activeDeadlineSeconds || !state.start_time) return;
  const Duration left = state.start_time->since_epoch + std::chrono::seconds(*pod.spec.activeDeadlineSeconds) - wall.since_epoch;
  if (left > Duration::zero())
    wake_by(plan, now + left);
  else
    plan.end = PodEnd{"DeadlineExceeded", "Pod was active on the node longer than the specified deadline"};
}

// Debugging containers start once, whatever the others do, and are never started again.
void plan_ephemeral(const api::Pod& pod, const PodState& state, TimePoint now, PodPlan& plan) {
  for (const auto& container : pod.spec.ephemeralContainers) {
    const auto& it = state.of(container.name);
    if (!it.never_ran()) continue;
    if (it.retry_at > now)
      wake_by(plan, it.retry_at);
    else
      plan.start.push_back(container.name);
  }
}

bool anything_running(const PodState& state) {
  for (const auto& [name, container] : state.containers)
    if (container.running()) return true;
  return false;
}

// Starts `container` when its back-off is over; else wakes when it is.
void start_when_due(const api::Container& container, const ContainerState& state, TimePoint now,
                    PodPlan& plan) {
  if (state.retry_at > now)
    wake_by(plan, state.retry_at);
  else
    plan.start.push_back(container.name);
}

// Init containers run one after the other. True when the main ones may start.
bool plan_init(const api::Pod& pod, const PodState& state, TimePoint now, PodPlan& plan) {
  for (const auto& container : pod.spec.initContainers) {
    const auto& it = state.of(container.name);
    if (is_sidecar(container)) {
      if (!it.running()) start_when_due(container, it, now, plan);
      if (!it.running() || !it.startup_passed) return false;
      continue;
    }
    if (it.succeeded()) continue;
    if (it.running()) return false;
    if (it.never_ran() || wants_restart(pod, container, true, it)) start_when_due(container, it, now, plan);
    return false;
  }
  return true;
}

void plan_main(const api::Pod& pod, const PodState& state, TimePoint now, PodPlan& plan) {
  for (const auto& container : pod.spec.containers) {
    const auto& it = state.of(container.name);
    if (it.running()) continue;
    if (it.never_ran() || wants_restart(pod, container, false, it)) start_when_due(container, it, now, plan);
  }
}

// Probes asked for these to die; what happens after the exit is decided then.
void plan_unhealthy(const api::Pod& pod, const PodState& state, PodPlan& plan) {
  const auto check = [&](const api::Container& container) {
    const auto& it = state.of(container.name);
    if (it.running() && it.liveness_failed && !it.stopping)
      plan.kill.push_back({container.name, it.kill_grace.value_or(grace_of(pod)), it.kill_message});
  };
  for (const auto& container : pod.spec.initContainers) check(container);
  for (const auto& container : pod.spec.containers) check(container);
}

Duration next_backoff(Duration last) {
  return last == Duration::zero() ? kBackoffFirst : std::min(last * 2, kBackoffMax);
}

}  // namespace

bool is_sidecar(const api::Container& container) { return container.restartPolicy.value_or("") == "Always"; }

bool wants_restart(const api::Pod& pod, const api::Container& container, bool init,
                   const ContainerState& state) {
  if (!state.exited()) return !state.running();
  if (init && is_sidecar(container)) return true;
  const std::string& policy = pod.spec.restartPolicy;
  if (init) return state.attempt.exit_code != 0 && policy != "Never";
  if (policy == "Never") return false;
  return policy != "OnFailure" || state.attempt.exit_code != 0;
}

bool is_finished(const api::Pod& pod, const PodState& state) {
  for (const auto& container : pod.spec.initContainers) {
    if (is_sidecar(container)) continue;
    const auto& it = state.of(container.name);
    if (it.succeeded()) continue;
    // A failed init container that is not retried ends the pod.
    return it.exited() && !wants_restart(pod, container, true, it);
  }
  for (const auto& container : pod.spec.containers) {
    const auto& it = state.of(container.name);
    if (!it.exited() || wants_restart(pod, container, false, it)) return false;
  }
  return true;
}

PodPlan plan_pod(const api::Pod& pod, const PodState& state, TimePoint now, WallTime wall) {
  PodPlan plan;
  if (pod.metadata.deletionTimestamp) {
    // What is left of the grace period counts: a restart of kinglet does not begin it anew.
    const auto left = *pod.metadata.deletionTimestamp <= wall
                          ? Duration::zero()
                          : Duration(pod.metadata.deletionTimestamp->since_epoch - wall.since_epoch);
    kill_all(pod, state, std::min(grace_of(pod), std::max<Duration>(left, 1s)), plan);
    plan.forget = !anything_running(state);
    return plan;
  }
  if (state.end || is_finished(pod, state)) {
    // What still runs of a finished pod: its sidecars; of one that was ended: all.
    kill_all(pod, state, state.end ? state.end->grace.value_or(grace_of(pod)) : grace_of(pod), plan);
    plan.drop_sandbox = state.sandbox_up && !anything_running(state);
    return plan;
  }
  plan_deadline(pod, state, now, wall, plan);
  if (plan.end) return plan;
  if (!state.sandbox_up) {
    if (state.sandbox_retry_at > now)
      wake_by(plan, state.sandbox_retry_at);
    else
      plan.make_sandbox = true;
    return plan;
  }
  plan_unhealthy(pod, state, plan);
  if (plan_init(pod, state, now, plan)) plan_main(pod, state, now, plan);
  plan_ephemeral(pod, state, now, plan);
  return plan;
}

void note_exit(ContainerState& container, TimePoint now) {
  const bool ran_long = container.running_since + kBackoffForgetAfter <= now;
  // The first restart is immediate; the pauses begin with the second.
  if (container.restart_count == 0 || ran_long)
    container.backoff = Duration::zero();
  else
    container.backoff = next_backoff(container.backoff);
  container.retry_at = now + container.backoff;
}

void note_failed_start(ContainerState& container, const std::string& reason,
                       const std::string& message, TimePoint now) {
  container.waiting_reason = reason;
  container.waiting_message = message;
  container.backoff = next_backoff(container.backoff);
  container.retry_at = now + container.backoff;
}

}  // namespace kinglet::node

// What to do next for one pod. Pure: same pod, state and time, same plan. The worker executes it and asks again.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "api/core.h"
#include "node/pod_state.h"

namespace kinglet::node {

struct Kill {
  std::string container;
  Duration grace{};
  std::string reason;  // for the event: "Stopping container web"
  bool operator==(const Kill&) const = default;
};

struct PodPlan {
  bool make_sandbox = false;
  bool drop_sandbox = false;            // nothing will run any more: network and mounts go, logs stay
  std::vector<std::string> start;       // containers to start now
  std::vector<Kill> kill;
  bool forget = false;                  // a deleted pod of which nothing runs: remove all traces, confirm the deletion
  std::optional<PodEnd> end;            // the pod has come to its end as a whole: note it and ask again
  std::optional<TimePoint> wake;        // ask again at this time even if nothing happens
  bool operator==(const PodPlan&) const = default;
};

PodPlan plan_pod(const api::Pod& pod, const PodState& state, TimePoint now, WallTime wall);

// Crash loops: 10 s doubling to 300 s, forgotten after 10 minutes of running. Source: kubelet's back-off.
constexpr Duration kBackoffFirst = std::chrono::seconds(10);
constexpr Duration kBackoffMax = std::chrono::seconds(300);
constexpr Duration kBackoffForgetAfter = std::chrono::minutes(10);
// Notes that a container has exited at `now`: sets the time of its next start.
void note_exit(ContainerState& container, TimePoint now);
// Notes a start that failed (image missing, bad configuration).
void note_failed_start(ContainerState& container, const std::string& reason, const std::string& message, TimePoint now);

// Whether the pod has come to its end: every container is done and none will be restarted.
bool is_finished(const api::Pod& pod, const PodState& state);
// Init containers with restartPolicy Always run beside the main ones (KEP-753).
bool is_sidecar(const api::Container& container);
bool wants_restart(const api::Pod& pod, const api::Container& container, bool init, const ContainerState& state);

}  // namespace kinglet::node

// What this node knows of one pod: the newest attempt of each container, the sandbox, the verdicts of probes.
#pragma once
#include <map>
#include <optional>
#include <string>

#include "base/clock.h"

namespace kinglet::node {

struct Attempt {
  std::string id;  // of the runtime
  WallTime started{}, finished{};
  int exit_code = 0;
  bool oom_killed = false;
  std::string message;  // termination message
};

struct ContainerState {
  enum class Phase : uint8_t { waiting, running, exited };
  Phase phase = Phase::waiting;
  Attempt attempt;                  // the newest: running or exited
  std::optional<Attempt> previous;  // the one before it (lastState)
  int restart_count = 0;
  std::string image, image_id;

  // Why it waits: "ContainerCreating", "ErrImageNeverPull"... Empty: nothing to say yet.
  std::string waiting_reason, waiting_message;
  TimePoint retry_at{};         // not before: back-off after an exit or a failed start
  Duration backoff{};           // the pause that led to retry_at; zero: none yet
  TimePoint pull_settles_at{};  // when ErrImagePull becomes ImagePullBackOff; in the past: nothing to become
  TimePoint running_since{};    // resets the back-off once it has run for long enough

  bool startup_passed = false;  // or there is no startup probe
  bool ready = false;           // readiness probe's verdict, or running when there is none
  bool liveness_failed = false; // a probe wants it dead
  std::string kill_message;     // why, for the event
  std::optional<Duration> kill_grace;  // of the probe that failed; unset: the pod's
  bool stopping = false;        // a stop is under way

  bool running() const { return phase == Phase::running; }
  bool exited() const { return phase == Phase::exited; }
  bool never_ran() const { return phase == Phase::waiting && attempt.id.empty(); }
  bool succeeded() const { return exited() && attempt.exit_code == 0; }
};

// Why a pod came to its end as a whole: its deadline, an eviction, a shutdown of the node.
struct PodEnd {
  std::string reason, message;
  std::optional<Duration> grace = {};  // for its containers; unset: the pod's own
  bool operator==(const PodEnd&) const = default;
};

struct PodState {
  bool sandbox_up = false;
  std::string ip;
  std::string sandbox_message;  // why there is no sandbox, for people
  TimePoint sandbox_retry_at{};
  std::map<std::string, ContainerState> containers;  // init and main, by name (unique in a pod)
  bool removed_from_disk = false;
  std::optional<WallTime> start_time;
  std::optional<PodEnd> end;  // set: all containers are stopped, and none starts again

  const ContainerState& of(const std::string& name) const {
    static const ContainerState none;
    const auto found = containers.find(name);
    return found == containers.end() ? none : found->second;
  }
};

}  // namespace kinglet::node

// The cells of a Pod: above all its status in one word.
#include <algorithm>

#include "schema/codec.h"
#include "schema/internal/table_row.h"

namespace kinglet::schema {
namespace {

// What the status lists add up to.
struct PodSummary {
  std::string reason;
  int64_t ready = 0;
  int64_t restarts = 0;
  int64_t last_restart = 0;  // seconds since 1970; 0: none
};

int64_t last_finish(const json::Value& status) {
  return seconds_of(json::text_at(status, {"lastState", "terminated", "finishedAt"}));
}

void count_restarts(PodSummary& summary, const json::Value& status) {
  summary.restarts += json::int_at(status, {"restartCount"});
  summary.last_restart = std::max(summary.last_restart, last_finish(status));
}

std::string exit_text(const json::Value& terminated) {
  const auto reason = json::text_at(terminated, {"reason"});
  if (!reason.empty()) return std::string(reason);
  const auto signal = json::int_at(terminated, {"signal"});
  if (signal != 0) return fmt::format("Signal:{}", signal);
  return fmt::format("ExitCode:{}", json::int_at(terminated, {"exitCode"}));
}

const json::Value* object_at(const json::Value& value, JsonPath path) {
  const auto* found = json::find(value, path);
  return found && found->is_object() ? found : nullptr;
}

bool is_sidecar(const json::Value& pod, std::string_view name) {
  for (const auto& container : array_at(pod, {"spec", "initContainers"}))
    if (json::text_at(container, {"name"}) == name)
      return json::text_at(container, {"restartPolicy"}) == "Always";
  return false;
}

// Goes through the init containers; true when one of them has not finished.
bool summarise_init(const json::Value& pod, PodSummary& summary, PodSummary& sidecars) {
  const auto total = array_at(pod, {"spec", "initContainers"}).size();
  const auto& statuses = array_at(pod, {"status", "initContainerStatuses"});
  for (size_t i = 0; i < statuses.size(); ++i) {
    const auto& status = statuses[i];
    const bool sidecar = is_sidecar(pod, json::text_at(status, {"name"}));
    count_restarts(summary, status);
    if (sidecar) count_restarts(sidecars, status);
    const auto* terminated = object_at(status, {"state", "terminated"});
    if (terminated && json::int_at(*terminated, {"exitCode"}) == 0) continue;
    if (sidecar && json::bool_at(status, {"started"})) {
      if (json::bool_at(status, {"ready"})) ++summary.ready;
      continue;
    }
    const auto waiting = json::text_at(status, {"state", "waiting", "reason"});
    if (terminated) {
      summary.reason = "Init:" + exit_text(*terminated);
    } else if (!waiting.empty() && waiting != "PodInitializing") {
      summary.reason = fmt::format("Init:{}", waiting);
    } else {
      summary.reason = fmt::format("Init:{}/{}", i, total);
    }
    return true;
  }
  return false;
}

void summarise_containers(const json::Value& pod, PodSummary& summary) {
  bool running = false;
  const auto& statuses = array_at(pod, {"status", "containerStatuses"});
  for (size_t i = statuses.size(); i-- > 0;) {
    const auto& status = statuses[i];
    count_restarts(summary, status);
    const auto waiting = json::text_at(status, {"state", "waiting", "reason"});
    if (!waiting.empty()) {
      summary.reason = waiting;
    } else if (const auto* terminated = object_at(status, {"state", "terminated"})) {
      summary.reason = exit_text(*terminated);
    } else if (json::bool_at(status, {"ready"}) && object_at(status, {"state", "running"})) {
      running = true;
      ++summary.ready;
    }
  }
  if (summary.reason == "Completed" && running)
    summary.reason = condition_is(pod, "Ready", "True") ? "Running" : "NotReady";
}

PodSummary summarise(const json::Value& pod) {
  PodSummary summary;
  const auto phase = json::text_at(pod, {"status", "phase"});
  const auto why = json::text_at(pod, {"status", "reason"});
  summary.reason = why.empty() ? phase : why;
  const auto* scheduled = find_condition(pod, "PodScheduled");
  if (scheduled && json::text_at(*scheduled, {"reason"}) == "SchedulingGated")
    summary.reason = "SchedulingGated";
  PodSummary sidecars;
  const bool initialising = summarise_init(pod, summary, sidecars);
  if (!initialising || condition_is(pod, "Initialized", "True")) {
    summary.restarts = sidecars.restarts;
    summary.last_restart = sidecars.last_restart;
    summarise_containers(pod, summary);
  }
  if (!json::text_at(pod, {"metadata", "deletionTimestamp"}).empty()) {
    if (why == "NodeLost") {
      summary.reason = "Unknown";
    } else if (phase != "Succeeded" && phase != "Failed") {
      summary.reason = "Terminating";
    }
  }
  return summary;
}

std::string readiness_gates(const json::Value& pod) {
  const auto& gates = array_at(pod, {"spec", "readinessGates"});
  if (gates.empty()) return std::string(kNone);
  int passed = 0;
  for (const auto& gate : gates)
    if (condition_is(pod, json::text_at(gate, {"conditionType"}), "True")) ++passed;
  return fmt::format("{}/{}", passed, gates.size());
}

std::string pod_ip(const json::Value& pod) {
  const auto& ips = array_at(pod, {"status", "podIPs"});
  const auto ip =
      ips.empty() ? json::text_at(pod, {"status", "podIP"}) : json::text_at(ips[0], {"ip"});
  return ip.empty() ? std::string(kNone) : std::string(ip);
}

}  // namespace

void pod_cells(TableRow& row) {
  const auto& pod = row.object();
  const auto summary = summarise(pod);
  size_t total = array_at(pod, {"spec", "containers"}).size();
  for (const auto& container : array_at(pod, {"spec", "initContainers"}))
    if (json::text_at(container, {"restartPolicy"}) == "Always") ++total;
  row.add(json::Value(fmt::format("{}/{}", summary.ready, total)));
  row.add(json::Value(summary.reason));
  std::string restarts = std::to_string(summary.restarts);
  if (summary.restarts != 0 && summary.last_restart != 0)
    restarts += fmt::format(" ({} ago)", short_age(row.now() - summary.last_restart));
  row.add(json::Value(restarts));
  row.age();
  row.add(json::Value(pod_ip(pod)));
  row.text({"spec", "nodeName"}, kNone);
  row.text({"status", "nominatedNodeName"}, kNone);
  row.add(json::Value(readiness_gates(pod)));
}

}  // namespace kinglet::schema

// Probes: the thresholds (pure), and one coroutine per probe that asks and reports.
#pragma once
#include <functional>
#include <optional>
#include <string>

#include "api/core.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/task_fwd.h"
#include "net/client.h"

namespace kinglet::node {

enum class ProbeKind : uint8_t { startup, readiness, liveness };
const char* text_of(ProbeKind kind);  // "Startup"

// Turns single answers into verdicts by successThreshold and failureThreshold.
class ProbeTracker {
 public:
  ProbeTracker(int success_threshold, int failure_threshold)
      : success_threshold_(success_threshold), failure_threshold_(failure_threshold) {}
  // The verdict that this answer leads to; nullopt: no threshold is reached yet.
  std::optional<bool> record(bool success);

 private:
  int success_threshold_, failure_threshold_;
  bool last_ = false;
  int run_ = 0;
};

struct ProbeAnswer {
  bool success = false;
  std::string message;  // for the event: "HTTP probe failed with statuscode: 500"
};

// How a probe reaches its container.
class ProbeTarget {
 public:
  virtual ~ProbeTarget() = default;
  virtual std::string pod_ip() const = 0;
  virtual Task<Result<ProbeAnswer>> exec(std::vector<std::string> command, Duration timeout) = 0;
};

// One question. Never fails: what goes wrong is a failed probe.
Task<ProbeAnswer> ask(Clock& clock, api::Probe probe, api::Container container, ProbeTarget& target);

// Asks until cancelled, and reports each answer with the verdict it leads to. `report` returns false to end it.
using ProbeReport = std::function<bool(const ProbeAnswer&, std::optional<bool> verdict)>;
Task<void> run_probe(Clock& clock, Random& random, api::Probe probe, api::Container container, ProbeTarget& target,
                     ProbeReport report);

// As a probe or a lifecycle handler sends it; timeout and limits are the caller's.
net::ClientRequest http_get_request(const api::HTTPGetAction& action, int port, const std::string& pod_ip);

// A port number of the container by number or name; 0: no such port.
int port_of(const schema::IntOrString& port, const api::Container& container);

}  // namespace kinglet::node

// Pod: what controllers and the scheduler read of a pod, often. The rest is in `raw`.
#pragma once
#include "client/object.h"
#include "client/resources.h"
#include "client/taints.h"

namespace kinglet::client {

struct Pod : Object {
  enum class Phase : uint8_t { pending, running, succeeded, failed, unknown };
  struct Port {
    std::string name, protocol, host_ip;
    int32_t container_port = 0, host_port = 0;
  };

  static const schema::Resource& resource();
  static std::shared_ptr<Pod> decode(const json::Value& object);

  std::string node_name, scheduler_name, hostname, subdomain;
  std::vector<std::string> ips;
  std::vector<Port> ports;  // of containers and sidecars
  std::vector<Toleration> tolerations;
  Resources requests;
  Phase phase = Phase::pending;
  bool ready = false;                     // condition Ready
  std::optional<WallTime> ready_since;    // its last transition, when ready
  bool gated = false;                     // spec.schedulingGates
  int priority = 0;
  int restarts = 0;  // of the container that was restarted most

  bool terminal() const { return phase == Phase::succeeded || phase == Phase::failed; }
  bool active() const { return !terminal() && !meta.deleted; }
  // Ready for at least `min_ready` at `now`.
  bool available(Duration min_ready, WallTime now) const;
};

}  // namespace kinglet::client

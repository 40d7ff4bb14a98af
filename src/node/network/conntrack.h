// Connection tracking: UDP has no end, so a flow to an endpoint that is gone would live on as long as packets come.
#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"

namespace kinglet::network {

// What a flow was sent to, and who answers it now.
struct UdpFlow {
  std::string destination;  // of the first packet
  uint16_t port = 0;
  std::string answers_from;  // the same as `destination` if it was not translated
  bool operator==(const UdpFlow&) const = default;
};

// By destination ("10.43.0.9 53", or "node 30053" for any address of this node): who may answer. As in Ruleset::udp.
using UdpServices = std::map<std::string, std::set<std::string>>;

// Whether a flow belongs to one of `changed` and leads to somebody who no longer serves it. Pure.
bool is_stale(const UdpFlow& flow, const UdpServices& changed);
// The services whose endpoints differ from before; a service that is gone has none.
UdpServices changed_udp(const UdpServices& before, const UdpServices& after);

// Deletes the stale flows of this network namespace; returns how many. Blocking. Errors: io.
Result<size_t> delete_stale_flows(const UdpServices& changed);

}  // namespace kinglet::network

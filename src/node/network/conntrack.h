// Connection tracking: UDP has no end, so a flow to an endpoint that is gone would live on as long as packets come; and
// a TCP connection to a node that lost its power hangs for minutes, since nobody is left to refuse its packets.
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

// A flow that a Service sent elsewhere than where its first packet was addressed.
struct TranslatedFlow {
  bool tcp = false;
  std::string source;
  uint16_t source_port = 0;
  std::string destination;  // of the first packet
  uint16_t port = 0;
  std::string answers_from;
};
// Deletes the translated flows, TCP and UDP, that are answered from one of these networks ("10.42.3.0/24"), and says which
// they were: the next packet of such a flow is sent to another endpoint, which does not know a TCP connection and resets
// it. Blocking. Errors: io.
Result<std::vector<TranslatedFlow>> delete_flows_to(const std::vector<std::string>& networks);

// Ends the local end of a TCP connection in this network namespace: its owner sees "connection aborted" at once, also when
// it only listens. False: there is no such socket here. Blocking. Errors: io (a kernel without INET_DIAG_DESTROY).
Result<bool> abort_connection(const TranslatedFlow& flow);

}  // namespace kinglet::network

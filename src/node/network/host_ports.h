// hostPort: ports of this node that lead to one of its pods. Pure.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kinglet::network {

struct HostPort {
  std::string host_ip;   // IPv4; empty: any address of the node
  std::string protocol;  // "TCP", "UDP", "SCTP"
  uint16_t port = 0;
  std::string pod_ip;
  uint16_t container_port = 0;
  bool operator==(const HostPort&) const = default;
};

// Of a Pod object, as JSON: none while it has no address, has ended, or lives in the host's own network.
std::vector<HostPort> host_ports_of(std::string_view pod);

}  // namespace kinglet::network

// The pod network between nodes, as values: which routes, neighbours and tunnel ends lead to the pods of other nodes.
// Pure: the same peers, the same state.
//
// vxlan: one device without a fixed far end; per peer a route to its pods through its gateway address, that gateway's
// hardware address, and the node's address behind it. Hardware addresses follow from node names, so nothing needs to be
// published beside the Node object. host-gw: per peer a route through the node itself; all nodes share a link.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace kinglet::network {

enum class Backend : uint8_t { vxlan, host_gw, none };
// "vxlan", "host-gw", "none": as k3s's --flannel-backend.
std::optional<Backend> backend_of(const std::string& name);

constexpr uint32_t kVxlanId = 1;         // id and port: flannel's, which firewalls may have been told of
constexpr uint16_t kVxlanPort = 8472;
constexpr int kVxlanOverheadBytes = 50;  // Ethernet, IPv4, UDP and VXLAN headers

struct Peer {
  std::string node, pod_cidr;
  std::string address;  // of the node, IPv4
  bool operator==(const Peer&) const = default;
};

struct OverlayConfig {
  Backend backend = Backend::vxlan;
  std::string node_name, pod_cidr, cluster_cidr;
  std::string gateway;  // this node's address on the pod network: packets of the host go out under it
  std::string device = "kl-vxlan";
  int mtu = 0;
};

struct OverlayState {
  std::map<std::string, std::string> routes;      // "10.42.1.0/24" -> through which address
  std::map<std::string, std::string> neighbours;  // that address -> hardware address (vxlan)
  std::map<std::string, std::string> tunnels;     // hardware address -> the node's address (vxlan)
  bool operator==(const OverlayState&) const = default;
};

// Peers that cannot be reached are left out: without pod network or usable address, ourselves, a network outside of the
// cluster's, one that overlaps ours or that a node before (by name) has.
OverlayState overlay_of(const OverlayConfig& config, const std::vector<Peer>& peers);

// Locally administered, from the name.
std::string hardware_address(const std::string& node_name);

}  // namespace kinglet::network

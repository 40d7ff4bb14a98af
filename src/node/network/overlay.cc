#include "node/network/overlay.h"

#include <algorithm>
#include <boost/asio/ip/network_v4.hpp>

#include "base/result.h"

namespace kinglet::network {
namespace {
namespace ip = boost::asio::ip;

std::optional<ip::network_v4> network_of(const std::string& cidr) {
  boost::system::error_code bad;
  const auto network = ip::make_network_v4(cidr, bad);
  if (bad || network.canonical() != network || network.prefix_length() > 30) return std::nullopt;
  return network;
}

bool inside(const ip::network_v4& a, const ip::network_v4& b) {
  return a == b || a.is_subnet_of(b);
}

// Networks that do not overlap, by first and last address.
class Taken {
 public:
  bool add(const ip::network_v4& network) {
    const uint32_t first = network.network().to_uint(), last = network.broadcast().to_uint();
    const auto after = ranges_.upper_bound(last);
    if (after != ranges_.begin() && std::prev(after)->second >= first) return false;
    ranges_[first] = last;
    return true;
  }

 private:
  std::map<uint32_t, uint32_t> ranges_;
};

bool usable(const std::string& address) {
  boost::system::error_code bad;
  const auto parsed = ip::make_address_v4(address, bad);
  return !bad && !parsed.is_unspecified() && !parsed.is_loopback() && !parsed.is_multicast();
}

std::string gateway_of(const ip::network_v4& network) {
  return ip::address_v4(network.network().to_uint() + 1).to_string();
}

}  // namespace

std::optional<Backend> backend_of(const std::string& name) {
  if (name == "vxlan") return Backend::vxlan;
  if (name == "host-gw") return Backend::host_gw;
  if (name == "none") return Backend::none;
  return std::nullopt;
}

std::string hardware_address(const std::string& node_name) {
  uint64_t hash = 14695981039346656037ull;  // FNV-1a
  for (const unsigned char c : node_name) hash = (hash ^ c) * 1099511628211ull;
  hash ^= hash >> 40;
  // 0a: unicast, locally administered; then 40 bits of the name.
  std::string out = "0a";
  for (int shift = 32; shift >= 0; shift -= 8)
    out += fmt::format(":{:02x}", static_cast<unsigned>(hash >> shift & 0xff));
  return out;
}

OverlayState overlay_of(const OverlayConfig& config, const std::vector<Peer>& peers) {
  OverlayState state;
  const auto own = network_of(config.pod_cidr), cluster = network_of(config.cluster_cidr);
  if (config.backend == Backend::none || !own || !cluster) return state;
  std::vector<const Peer*> sorted;
  for (const auto& peer : peers)
    if (peer.node != config.node_name && usable(peer.address)) sorted.push_back(&peer);
  std::sort(sorted.begin(), sorted.end(),
            [](const Peer* a, const Peer* b) { return a->node < b->node; });
  Taken taken;
  taken.add(*own);
  for (const auto* peer : sorted) {
    const auto network = network_of(peer->pod_cidr);
    if (!network || !inside(*network, *cluster) || !taken.add(*network)) continue;
    if (config.backend == Backend::host_gw) {
      state.routes[network->to_string()] = peer->address;
      continue;
    }
    const std::string gateway = gateway_of(*network), hardware = hardware_address(peer->node);
    state.routes[network->to_string()] = gateway;
    state.neighbours[gateway] = hardware;
    state.tunnels[hardware] = peer->address;
  }
  return state;
}

}  // namespace kinglet::network

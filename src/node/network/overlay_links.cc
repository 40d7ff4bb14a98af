#include "node/network/overlay_links.h"

#include <arpa/inet.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/route/link/vxlan.h>
#include <netlink/route/nexthop.h>

#include <array>

#include "node/network/links.h"
#include "node/network/netlink_types.h"
#include "node/network/sysctl.h"

namespace kinglet::network {
namespace {
using namespace netlink;

constexpr uint8_t kRouteProtocol = 107;  // marks the routes as ours, as `proto` in `ip route` shows

using Hardware = std::array<uint8_t, 6>;

std::optional<Hardware> hardware_bytes(const std::string& text) {
  Hardware out{};
  unsigned v[6];
  if (std::sscanf(text.c_str(), "%x:%x:%x:%x:%x:%x", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5]) != 6)
    return std::nullopt;
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<uint8_t>(v[i]);
  return out;
}
std::string hardware_text(const nlattr* attribute) {
  if (attribute == nullptr || nla_len(attribute) != 6) return "";
  const auto* b = static_cast<const uint8_t*>(nla_data(attribute));
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", b[0], b[1], b[2], b[3], b[4],
                     b[5]);
}
std::string address_text(const void* bytes) {
  char text[INET_ADDRSTRLEN] = {};
  ::inet_ntop(AF_INET, bytes, text, sizeof text);
  return text;
}
std::string address_text(const nlattr* attribute) {
  return attribute != nullptr && nla_len(attribute) == 4 ? address_text(nla_data(attribute)) : "";
}

// One entry of the neighbour table (AF_INET), or of the device's table of tunnel ends (AF_BRIDGE).
struct Entry {
  uint8_t family = AF_INET;
  std::string hardware, address;
};

class Kernel {
 public:
  static Result<Kernel> open(const OverlayConfig& config) {
    Kernel kernel(config);
    kernel.socket_.reset(nl_socket_alloc());
    KL_CHECK_FN(done(nl_connect(kernel.socket_.get(), NETLINK_ROUTE), "open netlink"));
    KL_TRY_FN(links, open_links());
    kernel.links_ = std::move(links);
    return kernel;
  }

  Result<OverlayState> read() {
    OverlayState state;
    KL_CHECK_FN(read_routes(state));
    if (device() == 0) return state;
    KL_CHECK_FN(read_entries(AF_INET, state));
    KL_CHECK_FN(read_entries(AF_BRIDGE, state));
    return state;
  }

  // Tunnel end, neighbour and then the route, so that no packet finds half a way; the other way
  // round when they go.
  Result<void> change(const OverlayState& from, const OverlayState& to) {
    Result<void> first;
    const auto keep_first = [&](Result<void> result) {
      if (first && !result) first = std::move(result);
    };
    for (const auto& [network, gateway] : from.routes)
      if (!to.routes.contains(network)) keep_first(remove_route(network));
    for (const auto& [gateway, hardware] : from.neighbours)
      if (!to.neighbours.contains(gateway))
        keep_first(entry(RTM_DELNEIGH, {AF_INET, hardware, gateway}));
    for (const auto& [hardware, address] : from.tunnels)
      if (!to.tunnels.contains(hardware))
        keep_first(entry(RTM_DELNEIGH, {AF_BRIDGE, hardware, address}));
    for (const auto& [hardware, address] : to.tunnels)
      if (differs(from.tunnels, hardware, address))
        keep_first(entry(RTM_NEWNEIGH, {AF_BRIDGE, hardware, address}));
    for (const auto& [gateway, hardware] : to.neighbours)
      if (differs(from.neighbours, gateway, hardware))
        keep_first(entry(RTM_NEWNEIGH, {AF_INET, hardware, gateway}));
    for (const auto& [network, gateway] : to.routes)
      if (differs(from.routes, network, gateway)) keep_first(add_route(network, gateway));
    return first;
  }

  Result<void> make_device() {
    if (device() != 0) {
      if (links_->address(config_.device) == config_.gateway) return {};
      KL_CHECK_FN(links_->remove(config_.device));  // of another range, or half made
    }
    const Link link(rtnl_link_vxlan_alloc());
    rtnl_link_set_name(link.get(), config_.device.c_str());
    rtnl_link_set_mtu(link.get(), static_cast<unsigned>(config_.mtu));
    KL_TRY_FN(hardware, parse_address(hardware_address(config_.node_name), AF_LLC));
    rtnl_link_set_addr(link.get(), hardware.get());
    rtnl_link_vxlan_set_id(link.get(), kVxlanId);
    rtnl_link_vxlan_set_port(link.get(), kVxlanPort);
    rtnl_link_vxlan_disable_learning(link.get());
    const auto made =
        done_or_there(rtnl_link_add(socket_.get(), link.get(), NLM_F_CREATE | NLM_F_EXCL),
                      "make " + config_.device);
    if (!made)
      return Error(Code::unavailable,
                   "{} (does the kernel have the vxlan module? try: modprobe vxlan, or use "
                   "--flannel-backend=host-gw)",
                   made.error().message());
    return set_up_device();
  }

  Links& links() { return *links_; }

 private:
  explicit Kernel(const OverlayConfig& config) : config_(config) {}

  int device() const { return static_cast<int>(::if_nametoindex(config_.device.c_str())); }
  static bool differs(const std::map<std::string, std::string>& from, const std::string& key,
                      const std::string& value) {
    const auto found = from.find(key);
    return found == from.end() || found->second != value;
  }

  Result<void> set_up_device() {
    const std::string v4 = "net/ipv4/conf/" + config_.device;
    // A NodePort on 127.0.0.1 may lead to another node's pod; a rule keeps others from using it
    // (proxy_text.cc).
    KL_CHECK_FN(set_sysctl(v4 + "/route_localnet", "1"));
    KL_CHECK_FN(set_sysctl(v4 + "/send_redirects", "0"));
    // A kernel without IPv6 has no such setting and needs none.
    (void)set_sysctl("net/ipv6/conf/" + config_.device + "/disable_ipv6", "1");
    // The bridge has the same address. Masquerading takes it from here.
    KL_CHECK_FN(links_->add_address(config_.device, config_.gateway, 32));
    return links_->set_up(config_.device);
  }

  Result<void> read_routes(OverlayState& state) {
    nl_cache* raw = nullptr;
    KL_CHECK_FN(done(rtnl_route_alloc_cache(socket_.get(), AF_INET, 0, &raw), "list routes"));
    const Cache cache(raw);
    for (nl_object* at = nl_cache_get_first(raw); at != nullptr; at = nl_cache_get_next(at)) {
      auto* route = reinterpret_cast<rtnl_route*>(at);
      const nl_addr* to = rtnl_route_get_dst(route);
      if (rtnl_route_get_protocol(route) != kRouteProtocol ||
          rtnl_route_get_table(route) != RT_TABLE_MAIN || to == nullptr ||
          nl_addr_get_len(to) != 4 || rtnl_route_get_nnexthops(route) != 1)
        continue;
      const nl_addr* gateway = rtnl_route_nh_get_gateway(rtnl_route_nexthop_n(route, 0));
      const std::string network = fmt::format("{}/{}", address_text(nl_addr_get_binary_addr(to)),
                                              nl_addr_get_prefixlen(to));
      state.routes[network] = gateway ? address_text(nl_addr_get_binary_addr(gateway)) : "";
    }
    return {};
  }

  struct Reading {
    int device;
    uint8_t family;
    OverlayState* state;
  };
  static int on_entry(nl_msg* message, void* out) {
    const auto& reading = *static_cast<Reading*>(out);
    nlmsghdr* header = nlmsg_hdr(message);
    if (header->nlmsg_type != RTM_NEWNEIGH) return NL_OK;
    nlattr* found[NDA_MAX + 1] = {};
    if (nlmsg_parse(header, sizeof(ndmsg), found, NDA_MAX, nullptr) < 0) return NL_OK;
    const auto* entry = static_cast<const ndmsg*>(nlmsg_data(header));
    if (entry->ndm_ifindex != reading.device || (entry->ndm_state & NUD_PERMANENT) == 0)
      return NL_OK;
    const std::string hardware = hardware_text(found[NDA_LLADDR]),
                      address = address_text(found[NDA_DST]);
    if (hardware.empty() || address.empty()) return NL_OK;
    if (reading.family == AF_INET)
      reading.state->neighbours[address] = hardware;
    else
      reading.state->tunnels[hardware] = address;
    return NL_OK;
  }
  Result<void> read_entries(uint8_t family, OverlayState& state) {
    Reading reading{device(), family, &state};
    const Message ask(nlmsg_alloc_simple(RTM_GETNEIGH, NLM_F_REQUEST | NLM_F_DUMP));
    ndmsg header{};
    header.ndm_family = family;
    nlmsg_append(ask.get(), &header, sizeof header, NLMSG_ALIGNTO);
    nl_socket_modify_cb(socket_.get(), NL_CB_VALID, NL_CB_CUSTOM, on_entry, &reading);
    int code = nl_send_auto(socket_.get(), ask.get());
    if (code >= 0) code = nl_recvmsgs_default(socket_.get());
    nl_socket_modify_cb(socket_.get(), NL_CB_VALID, NL_CB_DEFAULT, nullptr, nullptr);
    return done(code, "list neighbours of " + config_.device);
  }

  Result<void> entry(int type, const Entry& wanted) {
    const auto hardware = hardware_bytes(wanted.hardware);
    in_addr address{};
    const int index = device();
    if (!hardware || ::inet_pton(AF_INET, wanted.address.c_str(), &address) != 1)
      return Error(Code::invalid, "neighbour {} {}", wanted.hardware, wanted.address);
    const bool adds = type == RTM_NEWNEIGH;
    if (index == 0 && !adds) return {};  // gone with its device
    const Message message(nlmsg_alloc_simple(
        type, NLM_F_REQUEST | NLM_F_ACK | (adds ? NLM_F_CREATE | NLM_F_REPLACE : 0)));
    ndmsg header{};
    header.ndm_family = wanted.family;
    header.ndm_ifindex = index;
    header.ndm_state = NUD_PERMANENT | (wanted.family == AF_BRIDGE ? NUD_NOARP : 0);
    header.ndm_flags = wanted.family == AF_BRIDGE ? NTF_SELF : 0;
    nlmsg_append(message.get(), &header, sizeof header, NLMSG_ALIGNTO);
    nla_put(message.get(), NDA_DST, sizeof address, &address);
    nla_put(message.get(), NDA_LLADDR, static_cast<int>(hardware->size()), hardware->data());
    const std::string what = fmt::format("{} neighbour {} of {}", adds ? "set" : "remove",
                                         wanted.address, config_.device);
    int code = nl_send_auto(socket_.get(), message.get());
    if (code >= 0) code = nl_wait_for_ack(socket_.get());
    if (!adds && code == -NLE_OBJ_NOTFOUND) return {};
    return done(code, what);
  }

  Result<Route> route_to(const std::string& network) {
    KL_TRY_FN(to, parse_address(network));
    Route route(rtnl_route_alloc());
    rtnl_route_set_family(route.get(), AF_INET);
    rtnl_route_set_table(route.get(), RT_TABLE_MAIN);
    rtnl_route_set_protocol(route.get(), kRouteProtocol);
    rtnl_route_set_scope(route.get(), RT_SCOPE_UNIVERSE);
    rtnl_route_set_dst(route.get(), to.get());
    return route;
  }
  Result<void> add_route(const std::string& network, const std::string& gateway) {
    KL_TRY_FN(route, route_to(network));
    KL_TRY_FN(via, parse_address(gateway));
    KL_TRY_FN(source, parse_address(config_.gateway));
    rtnl_route_set_pref_src(route.get(), source.get());
    rtnl_nexthop* hop = rtnl_route_nh_alloc();
    rtnl_route_nh_set_gateway(hop, via.get());
    if (config_.backend == Backend::vxlan) {
      rtnl_route_nh_set_ifindex(hop, device());
      rtnl_route_set_flags(route.get(),
                           RTNH_F_ONLINK);  // the gateway is in no network of the device's
    }
    rtnl_route_add_nexthop(route.get(), hop);  // owns it from here
    return done(rtnl_route_add(socket_.get(), route.get(), NLM_F_CREATE | NLM_F_REPLACE),
                fmt::format("route to {} through {}", network, gateway));
  }
  Result<void> remove_route(const std::string& network) {
    KL_TRY_FN(route, route_to(network));
    const int code = rtnl_route_delete(socket_.get(), route.get(), 0);
    if (code == -NLE_OBJ_NOTFOUND || code == -NLE_FAILURE) return {};  // went with its device
    return done(code, "remove the route to " + network);
  }

  const OverlayConfig& config_;
  Socket socket_;
  std::unique_ptr<Links> links_;
};

}  // namespace

Result<OverlayState> read_overlay(const OverlayConfig& config) {
  KL_TRY_FN(kernel, Kernel::open(config));
  return kernel.read();
}

Result<void> apply_overlay(const OverlayConfig& config, const OverlayState& wanted) {
  KL_TRY_FN(kernel, Kernel::open(config));
  if (!wanted.tunnels.empty()) KL_CHECK_FN(kernel.make_device());
  KL_TRY_FN(now, kernel.read());
  return kernel.change(now, wanted);
}

Result<void> remove_overlay(const OverlayConfig& config) {
  KL_TRY_FN(kernel, Kernel::open(config));
  KL_TRY_FN(now, kernel.read());
  KL_CHECK_FN(kernel.change(now, {}));
  return kernel.links().remove(config.device);
}

}  // namespace kinglet::network

#include "node/network/links.h"

#include <linux/if_bridge.h>
#include <linux/rtnetlink.h>
#include <netlink/route/link/bridge.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/nexthop.h>

#include "node/network/netlink_types.h"

namespace kinglet::network {
namespace {
using namespace netlink;

// Locally administered; the bridges of two nodes are never on one link.
constexpr const char* kBridgeAddress = "0a:6b:6c:00:00:01";

class NetlinkLinks final : public Links {
 public:
  explicit NetlinkLinks(Socket socket) : socket_(std::move(socket)) {}

  Result<void> make_bridge(const std::string& name, int mtu) override {
    if (exists(name)) return {};
    const Link bridge(rtnl_link_bridge_alloc());
    rtnl_link_set_name(bridge.get(), name.c_str());
    rtnl_link_set_mtu(bridge.get(), static_cast<unsigned>(mtu));
    KL_TRY_FN(hardware, parse_address(kBridgeAddress, AF_LLC));
    rtnl_link_set_addr(bridge.get(), hardware.get());
    return done_or_there(rtnl_link_add(socket_.get(), bridge.get(), NLM_F_CREATE | NLM_F_EXCL),
                         "make bridge " + name);
  }

  Result<void> make_veth(const std::string& host, const std::string& bridge,
                         const std::string& peer, int peer_netns, int mtu) override {
    KL_TRY_FN(bridge_index, index(bridge));
    const Link link(rtnl_link_veth_alloc());
    rtnl_link_set_name(link.get(), host.c_str());
    rtnl_link_set_mtu(link.get(), static_cast<unsigned>(mtu));
    rtnl_link_set_master(link.get(), bridge_index);
    rtnl_link* inside = rtnl_link_veth_get_peer(link.get());  // a reference of its own
    rtnl_link_set_name(inside, peer.c_str());
    rtnl_link_set_mtu(inside, static_cast<unsigned>(mtu));
    rtnl_link_set_ns_fd(inside, peer_netns);
    rtnl_link_put(inside);
    const auto made =
        done_or_there(rtnl_link_add(socket_.get(), link.get(), NLM_F_CREATE | NLM_F_EXCL),
                      "make interface " + host);
    if (!made) return made;
    KL_CHECK_FN(set_hairpin(host));
    return set_up(host);
  }

  Result<void> set_up(const std::string& name) override {
    KL_TRY_FN(link, find(name));
    const Link change(rtnl_link_alloc());
    rtnl_link_set_flags(change.get(), IFF_UP);
    return done(rtnl_link_change(socket_.get(), link.get(), change.get(), 0), "set up " + name);
  }

  Result<void> add_address(const std::string& name, const std::string& ip, int prefix) override {
    KL_TRY_FN(address, address_on(name, ip, prefix));
    return done_or_there(rtnl_addr_add(socket_.get(), address.get(), 0),
                         fmt::format("give {} the address {}", name, ip));
  }
  Result<void> remove_address(const std::string& name, const std::string& ip, int prefix) override {
    KL_TRY_FN(address, address_on(name, ip, prefix));
    const int code = rtnl_addr_delete(socket_.get(), address.get(), 0);
    if (code == -NLE_NOADDR) return {};
    return done(code, fmt::format("take the address {} from {}", ip, name));
  }

  Result<void> add_route(const std::string& to, const std::string& name, const std::string& gateway,
                         const std::string& source) override {
    KL_TRY_FN(destination, parse_address(to));
    KL_TRY_FN(interface, index(name));
    const Route route(rtnl_route_alloc());
    rtnl_route_set_family(route.get(), AF_INET);
    rtnl_route_set_table(route.get(), RT_TABLE_MAIN);
    rtnl_route_set_protocol(route.get(), RTPROT_STATIC);
    rtnl_route_set_scope(route.get(), gateway.empty() ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE);
    rtnl_route_set_dst(route.get(), destination.get());
    if (!source.empty()) {
      KL_TRY_FN(from, parse_address(source));
      rtnl_route_set_pref_src(route.get(), from.get());
    }
    rtnl_nexthop* hop = rtnl_route_nh_alloc();
    rtnl_route_nh_set_ifindex(hop, interface);
    if (!gateway.empty()) {
      auto via = parse_address(gateway);
      if (via) rtnl_route_nh_set_gateway(hop, via->get());
    }
    rtnl_route_add_nexthop(route.get(), hop);  // owns it from here
    return done_or_there(rtnl_route_add(socket_.get(), route.get(), NLM_F_REPLACE),
                         fmt::format("route to {} through {}", to, name));
  }

  Result<void> remove(const std::string& name) override {
    auto link = find(name);
    if (link.is(Code::not_found)) return {};
    if (!link) return std::move(link.error());
    const int code = rtnl_link_delete(socket_.get(), link->get());
    if (code == -NLE_NODEV || code == -NLE_OBJ_NOTFOUND) return {};
    return done(code, "remove interface " + name);
  }

  bool exists(const std::string& name) override { return find(name).has_value(); }

  std::optional<std::string> address(const std::string& name) override {
    const auto interface = index(name);
    if (!interface) return std::nullopt;
    nl_cache* raw = nullptr;
    if (rtnl_addr_alloc_cache(socket_.get(), &raw) < 0) return std::nullopt;
    const Cache cache(raw);
    for (nl_object* at = nl_cache_get_first(raw); at != nullptr; at = nl_cache_get_next(at)) {
      auto* found = reinterpret_cast<rtnl_addr*>(at);
      if (rtnl_addr_get_ifindex(found) != *interface || rtnl_addr_get_family(found) != AF_INET)
        continue;
      char text[64];
      const std::string ip = nl_addr2str(rtnl_addr_get_local(found), text, sizeof text);
      return ip.substr(0, ip.find('/'));
    }
    return std::nullopt;
  }

  Result<std::vector<std::string>> names() override {
    nl_cache* raw = nullptr;
    KL_CHECK_FN(done(rtnl_link_alloc_cache(socket_.get(), AF_UNSPEC, &raw), "list interfaces"));
    const Cache cache(raw);
    std::vector<std::string> out;
    for (nl_object* at = nl_cache_get_first(raw); at != nullptr; at = nl_cache_get_next(at))
      out.emplace_back(rtnl_link_get_name(reinterpret_cast<rtnl_link*>(at)));
    return out;
  }

  int mtu(const std::string& name) override {
    const auto link = find(name);
    return link ? static_cast<int>(rtnl_link_get_mtu(link->get())) : 0;
  }

  std::optional<std::string> default_interface() override {
    nl_cache* raw = nullptr;
    if (rtnl_route_alloc_cache(socket_.get(), AF_INET, 0, &raw) < 0) return std::nullopt;
    const Cache cache(raw);
    std::optional<std::string> best;
    uint32_t best_metric = UINT32_MAX;
    for (nl_object* at = nl_cache_get_first(raw); at != nullptr; at = nl_cache_get_next(at)) {
      auto* route = reinterpret_cast<rtnl_route*>(at);
      const nl_addr* to = rtnl_route_get_dst(route);
      if (rtnl_route_get_table(route) != RT_TABLE_MAIN || (to && nl_addr_get_prefixlen(to) > 0) ||
          rtnl_route_get_nnexthops(route) < 1 || rtnl_route_get_priority(route) >= best_metric)
        continue;
      const int interface = rtnl_route_nh_get_ifindex(rtnl_route_nexthop_n(route, 0));
      rtnl_link* link = nullptr;
      if (rtnl_link_get_kernel(socket_.get(), interface, nullptr, &link) < 0) continue;
      best = rtnl_link_get_name(link);
      best_metric = rtnl_route_get_priority(route);
      rtnl_link_put(link);
    }
    return best;
  }

 private:
  Result<Link> find(const std::string& name) {
    rtnl_link* link = nullptr;
    const int code = rtnl_link_get_kernel(socket_.get(), 0, name.c_str(), &link);
    if (code < 0) return error_of(code, "interface " + name);
    return Link(link);
  }
  Result<int> index(const std::string& name) {
    KL_TRY_FN(link, find(name));
    return rtnl_link_get_ifindex(link.get());
  }
  Result<Address> address_on(const std::string& name, const std::string& ip, int prefix) {
    KL_TRY_FN(interface, index(name));
    KL_TRY_FN(local, parse_address(fmt::format("{}/{}", ip, prefix)));
    Address address(rtnl_addr_alloc());
    rtnl_addr_set_ifindex(address.get(), interface);
    rtnl_addr_set_local(address.get(), local.get());
    return address;
  }
  // A pod that reaches itself through its Service goes out and in by the same port.
  Result<void> set_hairpin(const std::string& name) {
    KL_TRY_FN(interface, index(name));
    const Message message(nlmsg_alloc_simple(RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK));
    ifinfomsg header{};
    header.ifi_family = AF_BRIDGE;
    header.ifi_index = interface;
    nlmsg_append(message.get(), &header, sizeof header, NLMSG_ALIGNTO);
    nlattr* port = nla_nest_start(message.get(), IFLA_PROTINFO | NLA_F_NESTED);
    nla_put_u8(message.get(), IFLA_BRPORT_MODE, 1);
    nla_nest_end(message.get(), port);
    const int sent = nl_send_auto(socket_.get(), message.get());
    if (sent < 0) return error_of(sent, "hairpin mode of " + name);
    return done(nl_wait_for_ack(socket_.get()), "hairpin mode of " + name);
  }

  Socket socket_;
};

}  // namespace

Result<std::unique_ptr<Links>> open_links() {
  Socket socket(nl_socket_alloc());
  const int code = nl_connect(socket.get(), NETLINK_ROUTE);
  if (code < 0) return error_of(code, "open netlink");
  return std::unique_ptr<Links>(std::make_unique<NetlinkLinks>(std::move(socket)));
}

}  // namespace kinglet::network

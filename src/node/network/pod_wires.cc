#include "node/network/pod_wires.h"

#include "base/files.h"
#include "node/network/links.h"
#include "node/network/netns.h"
#include "node/network/sysctl.h"

namespace kinglet::network {
namespace {

constexpr const char* kPodInterface = "eth0";
constexpr int kMtuDefault = 1500;

Result<void> set_bridge_sysctls(const std::string& bridge) {
  KL_CHECK_FN(set_sysctl("net/ipv4/ip_forward", "1"));
  const std::string conf = "net/ipv4/conf/";
  // Pods send everything to us on purpose: telling them a shorter way would lead around the
  // Services' rules. The kernel sends redirects if either of the two says so.
  KL_CHECK_FN(set_sysctl(conf + "all/send_redirects", "0"));
  KL_CHECK_FN(set_sysctl(conf + bridge + "/send_redirects", "0"));
  // A NodePort on 127.0.0.1 leaves through the bridge; what comes back in to 127.0.0.0/8 by itself
  // is dropped by a rule (proxy_rules.cc).
  return set_sysctl(conf + bridge + "/route_localnet", "1");
}

Result<void> configure_inside(const WireOptions& options, const std::string& ip) {
  KL_TRY_FN(links, open_links());
  KL_CHECK_FN(links->set_up("lo"));
  KL_CHECK_FN(links->set_up(kPodInterface));
  KL_CHECK_FN(links->add_address(kPodInterface, ip, 32));
  KL_CHECK_FN(links->add_route(options.gateway + "/32", kPodInterface, "", ""));
  return links->add_route("0.0.0.0/0", kPodInterface, options.gateway, "");
}

std::optional<std::string> address_inside(int netns) {
  std::optional<std::string> ip;
  const auto looked = in_netns(netns, [&]() -> Result<void> {
    KL_TRY_FN(links, open_links());
    ip = links->address(kPodInterface);
    return {};
  });
  return looked ? ip : std::nullopt;
}

Result<void> wire(const WireOptions& options, const std::string& uid, const std::string& ip) {
  KL_CHECK_FN(make_netns(netns_path(options, uid)));
  KL_TRY_FN(netns, open_netns(netns_path(options, uid)));
  KL_TRY_FN(links, open_links());
  const std::string host = host_interface(uid);
  if (links->exists(host) && address_inside(netns.get()) == ip) return {};
  KL_CHECK_FN(links->remove(host));
  const int mtu = links->mtu(options.bridge);
  KL_CHECK_FN(links->make_veth(host, options.bridge, kPodInterface, netns.get(), mtu));
  return in_netns(netns.get(), [&] { return configure_inside(options, ip); });
}

}  // namespace

std::string netns_path(const WireOptions& options, const std::string& uid) {
  return options.netns_dir + "/" + uid;
}

std::string host_interface(const std::string& uid) {
  uint64_t hash = 14695981039346656037ull;  // FNV-1a
  for (const unsigned char c : uid) hash = (hash ^ c) * 1099511628211ull;
  return fmt::format("kl{:012x}", hash >> 16);
}

Result<void> make_bridge(const WireOptions& options) {
  const auto files = make_system_files();
  KL_CHECK_FN(files->make_dirs(options.netns_dir, 0755));
  KL_TRY_FN(links, open_links());
  int mtu = options.mtu;
  if (mtu == 0) {
    const auto uplink = links->default_interface();
    mtu = (uplink ? links->mtu(*uplink) : kMtuDefault) - options.mtu_overhead;
  }
  auto made = links->make_bridge(options.bridge, mtu);
  if (!made)
    return Error(Code::unavailable,
                 "{} (does the kernel have the bridge module? try: modprobe bridge)",
                 made.error().message());
  // The range of before the node was given another one may be some other node's by now.
  const auto old = links->address(options.bridge);
  if (old && *old != options.gateway && *old != options.cluster_dns)
    KL_CHECK_FN(links->remove_address(options.bridge, *old, options.prefix));
  KL_CHECK_FN(links->add_address(options.bridge, options.gateway, options.prefix));
  // The cluster's DNS is answered here, on every node.
  if (!options.cluster_dns.empty())
    KL_CHECK_FN(links->add_address(options.bridge, options.cluster_dns, 32));
  KL_CHECK_FN(links->set_up(options.bridge));
  KL_CHECK_FN(links->set_up("lo"));
  // Without a route the host itself could not even try to reach a Service when there is no default
  // route; and with this source address, which belongs to the pod network, the answers find their
  // way back from every node.
  KL_CHECK_FN(links->add_route(options.service_cidr, options.bridge, "", options.gateway));
  return set_bridge_sysctls(options.bridge);
}

Result<std::map<std::string, std::string>> find_pods(const WireOptions& options) {
  std::map<std::string, std::string> found;
  const auto files = make_system_files();
  KL_TRY_FN(uids, files->list(options.netns_dir));
  for (const auto& uid : uids) {
    std::optional<std::string> ip;
    if (is_netns(netns_path(options, uid))) {
      KL_TRY_FN(netns, open_netns(netns_path(options, uid)));
      ip = address_inside(netns.get());
    }
    if (ip)
      found[uid] = *ip;
    else
      KL_CHECK_FN(unwire_pod(options, uid));
  }
  return found;
}

Result<void> wire_pod(const WireOptions& options, const std::string& uid, const std::string& ip) {
  auto wired = wire(options, uid, ip);
  if (!wired) {
    const auto undone = unwire_pod(options, uid);  // the first error is the one to tell
    return std::move(wired.error()).with_context("network of pod " + uid);
  }
  return {};
}

Result<void> unwire_pod(const WireOptions& options, const std::string& uid) {
  KL_TRY_FN(links, open_links());
  KL_CHECK_FN(links->remove(host_interface(uid)));  // its other end goes with it
  return remove_netns(netns_path(options, uid));
}

Result<void> remove_all_wires(const WireOptions& options) {
  const auto files = make_system_files();
  const auto uids = files->list(options.netns_dir);
  if (uids)
    for (const auto& uid : *uids) KL_CHECK_FN(unwire_pod(options, uid));
  KL_TRY_FN(links, open_links());
  return links->remove(options.bridge);
}

}  // namespace kinglet::network

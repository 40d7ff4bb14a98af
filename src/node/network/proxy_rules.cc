#include "node/network/proxy_rules.h"

#include <boost/asio/ip/network_v4.hpp>

namespace kinglet::network {
namespace {
namespace ip = boost::asio::ip;

constexpr const char* kMark =
    "meta mark set meta mark or 0x4000";  // the bit kube-proxy uses for "masquerade"
constexpr size_t kChainNameMax = 100;     // of the kernel's 127

struct Target {
  std::string address;
  uint16_t port = 0;
  bool local = false;  // on this node
  auto operator<=>(const Target&) const = default;
};
using Targets = std::set<Target>;  // sorted: the same endpoints in another order are the same rules

std::string short_hash(const std::string& text) {
  uint64_t hash = 14695981039346656037ull;  // FNV-1a
  for (const unsigned char c : text) hash = (hash ^ c) * 1099511628211ull;
  return fmt::format("{:08x}", static_cast<uint32_t>(hash ^ hash >> 32));
}

// Names are for those who read `nft list`; the hash makes them unique where they are cut.
std::string chain_name(const char* kind, const std::string& what) {
  return fmt::format("{}-{}-{}", kind, short_hash(what), what).substr(0, kChainNameMax);
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

class Builder {
 public:
  explicit Builder(const ProxyConfig& config) : config_(config) {
    boost::system::error_code bad;
    pod_network_ = ip::make_network_v4(config.pod_cidr, bad);
    // The maps exist even when they are empty.
    for (const char* name : {"services", "nodeports", "refused", "refused_nodeports", "hairpin"})
      rules_.elements[name];
  }

  void add(const ServiceModel& service, const std::vector<const SliceModel*>& slices) {
    if (service.cluster_ip.empty() || service.headless()) return;
    if (service.cluster_ip == config_.cluster_dns) return;  // it comes to us, not to pods
    for (const auto& port : service.ports) add_port(service, port, slices);
  }

  // The pod is here, so that nothing needs to be masqueraded: it answers through us. Services go
  // first.
  void add(const HostPort& port) {
    const std::string protocol = lower(port.protocol);
    const std::string chain =
        chain_name("host", fmt::format("{}/{}/{}/{}/{}", port.host_ip, protocol, port.port,
                                       port.pod_ip, port.container_port));
    rules_.chains[chain] =
        fmt::format("meta l4proto {} dnat to {}:{}\n", protocol, port.pod_ip, port.container_port);
    if (port.host_ip.empty())
      rules_.elements["nodeports"].try_emplace(fmt::format("{} . {}", protocol, port.port),
                                               "goto " + chain);
    else
      rules_.elements["services"].try_emplace(
          fmt::format("{} . {} . {}", port.host_ip, protocol, port.port), "goto " + chain);
    rules_.elements["hairpin"][fmt::format("{0} . {0}", port.pod_ip)] = "";
    if (port.protocol == "UDP")
      rules_.udp.try_emplace(port.host_ip.empty() ? fmt::format("node {}", port.port)
                                                  : fmt::format("{} {}", port.host_ip, port.port),
                             std::set<std::string>{port.pod_ip});
  }

  Ruleset take() { return std::move(rules_); }

 private:
  struct PortChains {
    std::string id;         // "ns/name/tcp/80"
    std::string everybody;  // chain to any endpoint; empty: there is none
    std::string here;       // to one on this node
  };

  void add_port(const ServiceModel& service, const ServicePort& port,
                const std::vector<const SliceModel*>& slices) {
    const Targets all = targets(port, slices, false), here = targets(port, slices, true);
    const std::string protocol = lower(port.protocol);
    PortChains chains;
    chains.id = fmt::format("{}/{}/{}/{}", service.ns, service.name, protocol, port.port);
    if (!all.empty()) chains.everybody = balance("svc", chains.id, service, protocol, all, true);
    const bool needs_here = service.internal_local || service.external_local;
    if (needs_here && !here.empty())
      chains.here = balance("loc", chains.id, service, protocol, here, false);

    enter_cluster_ip(service, port, chains);
    enter_external(service, port, chains);
    remember_udp(service, port, all);
  }

  // Ready endpoints; when there is none, those that still serve while they terminate.
  Targets targets(const ServicePort& port, const std::vector<const SliceModel*>& slices,
                  bool only_here) const {
    Targets ready, serving;
    for (const auto* slice : slices) {
      for (const auto& from : slice->ports) {
        if (from.name != port.name || from.protocol != port.protocol || from.port == 0) continue;
        for (const auto& endpoint : slice->endpoints) {
          const bool local = is_here(endpoint);
          if (only_here && !local) continue;
          const Target target{endpoint.addresses.front(), from.port, local};
          if (endpoint.ready) ready.insert(target);
          if (endpoint.serving && endpoint.terminating) serving.insert(target);
        }
      }
    }
    return ready.empty() ? serving : ready;
  }

  bool is_here(const EndpointModel& endpoint) const {
    if (!endpoint.node_name.empty()) return endpoint.node_name == config_.node_name;
    boost::system::error_code bad;
    const auto address = ip::make_address_v4(endpoint.addresses.front(), bad);
    return !bad && ip::make_network_v4(address, pod_network_.prefix_length()).canonical() ==
                       pod_network_.canonical();
  }

  // Makes the chain that picks one of `targets`.
  std::string balance(const char* kind, const std::string& id, const ServiceModel& service,
                      const std::string& protocol, const Targets& targets, bool masquerade) {
    std::string text;
    // From outside of the pod network an endpoint elsewhere would answer past us.
    if (masquerade) text += fmt::format("ip saddr != {} {}\n", config_.cluster_cidr, kMark);
    for (const auto& target : targets)
      if (target.local) rules_.elements["hairpin"][fmt::format("{0} . {0}", target.address)] = "";
    if (service.affinity_seconds > 0)
      text += sticky(kind, id, service.affinity_seconds, protocol, targets);
    else
      text += fmt::format("meta l4proto {} {}\n", protocol, dnat(targets));
    const std::string name = chain_name(kind, id);
    rules_.chains[name] = std::move(text);
    return name;
  }

  static std::string dnat(const Targets& targets) {
    if (targets.size() == 1)
      return fmt::format("dnat to {}:{}", targets.begin()->address, targets.begin()->port);
    std::string choices;
    int number = 0;
    for (const auto& target : targets)
      choices += fmt::format("{}{} : {} . {}", number == 0 ? "" : ", ", number, target.address,
                             target.port),
          ++number;
    return fmt::format("dnat ip to numgen random mod {} map {{ {} }}", targets.size(), choices);
  }

  // A client that was here within the timeout goes where it went before.
  std::string sticky(const char* kind, const std::string& id, int seconds,
                     const std::string& protocol, const Targets& targets) {
    std::string known, choices;
    int number = 0;
    for (const auto& target : targets) {
      const std::string to = fmt::format("{}/{}/{}/{}", kind, id, target.address, target.port);
      // A set in use cannot be changed or replaced: another timeout is another set.
      const std::string set = chain_name("aff", fmt::format("{}s/{}", seconds, to));
      const std::string chain = chain_name("ep", to);
      rules_.sets[set] =
          fmt::format("type ipv4_addr; flags dynamic,timeout; size 65536; timeout {}s;", seconds);
      rules_.chains[chain] =
          fmt::format("update @{} {{ ip saddr }}\nmeta l4proto {} dnat to {}:{}\n", set, protocol,
                      target.address, target.port);
      known += fmt::format("ip saddr @{} goto {}\n", set, chain);
      choices += fmt::format("{}{} : goto {}", number == 0 ? "" : ", ", number, chain);
      ++number;
    }
    return known + fmt::format("numgen random mod {} vmap {{ {} }}\n", targets.size(), choices);
  }

  void enter_cluster_ip(const ServiceModel& service, const ServicePort& port,
                        const PortChains& chains) {
    const std::string key = address_key(service.cluster_ip, port);
    const std::string& chain = service.internal_local ? chains.here : chains.everybody;
    if (!chain.empty())
      rules_.elements["services"][key] = "goto " + chain;
    else
      rules_.elements["refused"][key] = chains.everybody.empty() ? "goto refuse" : "drop";
  }

  void enter_external(const ServiceModel& service, const ServicePort& port,
                      const PortChains& chains) {
    const bool anything =
        port.node_port != 0 || !service.external_ips.empty() || !service.load_balancer_ips.empty();
    if (!anything) return;
    const bool nobody_here = service.external_local && chains.here.empty();
    const std::string refusal = chains.everybody.empty() ? "goto refuse" : "drop";
    std::string verdict;
    if (!chains.everybody.empty()) verdict = "goto " + external_chain(service, chains);
    const auto enter = [&](const char* map, const char* refused, const std::string& key,
                           const std::string& to) {
      if (!to.empty()) rules_.elements[map][key] = to;
      if (to.empty() || nobody_here) rules_.elements[refused][key] = refusal;
    };
    if (port.node_port != 0)
      enter("nodeports", "refused_nodeports",
            fmt::format("{} . {}", lower(port.protocol), port.node_port), verdict);
    for (const auto& address : service.external_ips)
      enter("services", "refused", address_key(address, port), verdict);
    if (!verdict.empty() && !service.source_ranges.empty() && !service.load_balancer_ips.empty())
      verdict = "goto " + guarded_chain(service, chains, verdict);
    for (const auto& address : service.load_balancer_ips)
      enter("services", "refused", address_key(address, port), verdict);
  }

  std::string external_chain(const ServiceModel& service, const PortChains& chains) {
    const std::string name = chain_name("ext", chains.id);
    if (!service.external_local) {
      rules_.chains[name] = fmt::format("{}\ngoto {}\n", kMark, chains.everybody);
      return name;
    }
    // The policy is about clients from outside; pods and this host go to any endpoint.
    std::string text =
        fmt::format("ip saddr {} goto {}\nfib saddr type local {}\nfib saddr type local goto {}\n",
                    config_.cluster_cidr, chains.everybody, kMark, chains.everybody);
    if (!chains.here.empty()) text += fmt::format("goto {}\n", chains.here);
    rules_.chains[name] = std::move(text);
    return name;
  }

  std::string guarded_chain(const ServiceModel& service, const PortChains& chains,
                            const std::string& verdict) {
    const std::string name = chain_name("fw", chains.id);
    rules_.chains[name] = fmt::format("ip saddr {{ {} }} {}\ndrop\n",
                                      fmt::join(service.source_ranges, ", "), verdict);
    return name;
  }

  static std::string address_key(const std::string& address, const ServicePort& port) {
    return fmt::format("{} . {} . {}", address, lower(port.protocol), port.port);
  }

  void remember_udp(const ServiceModel& service, const ServicePort& port, const Targets& targets) {
    if (port.protocol != "UDP") return;
    std::set<std::string> endpoints;
    for (const auto& target : targets) endpoints.insert(target.address);
    const auto remember = [&](const std::string& address, uint16_t number) {
      rules_.udp[fmt::format("{} {}", address, number)] = endpoints;
    };
    remember(service.cluster_ip, port.port);
    for (const auto& address : service.external_ips) remember(address, port.port);
    for (const auto& address : service.load_balancer_ips) remember(address, port.port);
    if (port.node_port != 0) remember("node", port.node_port);
  }

  const ProxyConfig& config_;
  ip::network_v4 pod_network_;
  Ruleset rules_;
};

}  // namespace

Ruleset build_rules(const ProxyConfig& config, const ServiceWorld& world) {
  Builder builder(config);
  for (const auto* service : world.services) {
    const auto [from, to] = world.slices.equal_range({service->ns, service->name});
    std::vector<const SliceModel*> slices;
    for (auto at = from; at != to; ++at) slices.push_back(at->second);
    builder.add(*service, slices);
  }
  for (const auto& port : world.host_ports) builder.add(port);
  return builder.take();
}

}  // namespace kinglet::network

// The rules as nft's text. Traps of nft 1.0.6: the last statement on a line before `}` needs `;`,
// and in the output hook the priority must be a number.
#include "node/network/proxy_rules.h"

namespace kinglet::network {
namespace {

constexpr const char* kTable = "ip kinglet";

std::string element_list(const std::map<std::string, std::string>& elements) {
  std::string out;
  for (const auto& [key, verdict] : elements) {
    out += out.empty() ? "" : ",\n";
    out += verdict.empty() ? key : key + " : " + verdict;
  }
  return out;
}

std::string rules_of_chain(const std::string& table, const std::string& name,
                           const std::string& rules) {
  std::string out;
  for (size_t at = 0; at < rules.size();) {
    const size_t end = rules.find('\n', at);
    out += fmt::format("add rule {} {} {}\n", table, name, rules.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

// Keys of `from` that are not the same in `to`.
std::map<std::string, std::string> lost(const std::map<std::string, std::string>& from,
                                        const std::map<std::string, std::string>& to) {
  std::map<std::string, std::string> out;
  for (const auto& [key, value] : from) {
    const auto found = to.find(key);
    if (found == to.end() || found->second != value) out.emplace(key, value);
  }
  return out;
}

std::string keys_only(const std::map<std::string, std::string>& elements) {
  std::map<std::string, std::string> keys;
  for (const auto& [key, value] : elements) keys.emplace(key, "");
  return element_list(keys);
}

// The frame that does not depend on the Services.
std::string base_chains(const ProxyConfig& c) {
  const std::string not_dns =
      c.cluster_dns.empty() ? "" : fmt::format("ip daddr != {} ", c.cluster_dns);
  return fmt::format(R"(
add map {t} services {{ type ipv4_addr . inet_proto . inet_service : verdict; }}
add map {t} nodeports {{ type inet_proto . inet_service : verdict; }}
add map {t} refused {{ type ipv4_addr . inet_proto . inet_service : verdict; }}
add map {t} refused_nodeports {{ type inet_proto . inet_service : verdict; }}
add set {t} hairpin {{ type ipv4_addr . ipv4_addr; }}

# A NodePort on 127.0.0.1 needs route_localnet on the bridge and on the way to other nodes; nobody else shall profit from it.
add chain {t} guard {{ type filter hook prerouting priority -300; }}
add rule {t} guard iifname {{ "{bridge}", "{overlay}" }} ip daddr 127.0.0.0/8 drop

add chain {t} to_services
add rule {t} to_services ip daddr . meta l4proto . th dport vmap @services
add rule {t} to_services fib daddr type local meta l4proto . th dport vmap @nodeports
add chain {t} prerouting {{ type nat hook prerouting priority -100; }}
add rule {t} prerouting jump to_services
add chain {t} output {{ type nat hook output priority -100; }}
add rule {t} output jump to_services

# What still has a Service's address here has no endpoint: say so at once.
add chain {t} refuse
add rule {t} refuse meta l4proto tcp reject with tcp reset
add rule {t} refuse reject
add chain {t} unserved
add rule {t} unserved ip daddr . meta l4proto . th dport vmap @refused
add rule {t} unserved fib daddr type local meta l4proto . th dport vmap @refused_nodeports
add rule {t} unserved ip daddr {services} {not_dns}goto refuse
add chain {t} filter_input {{ type filter hook input priority 0; }}
add rule {t} filter_input ct state new jump unserved
add chain {t} filter_forward {{ type filter hook forward priority 0; }}
add rule {t} filter_forward ct state new jump unserved
add chain {t} filter_output {{ type filter hook output priority 0; }}
add rule {t} filter_output ct state new jump unserved

# Masquerade only what could not find its way back: a pod talking to itself, this host's 127.0.0.1 and what was marked on
# its way to an endpoint elsewhere, and pods that talk to the world.
add chain {t} postrouting {{ type nat hook postrouting priority 100; }}
add rule {t} postrouting oifname "{bridge}" ip saddr . ip daddr @hairpin masquerade
add rule {t} postrouting oifname "{bridge}" ip saddr 127.0.0.0/8 masquerade
add rule {t} postrouting oifname != "{bridge}" meta mark and 0x4000 == 0x4000 masquerade fully-random
add rule {t} postrouting oifname != "{bridge}" ip saddr {pods} ip daddr != {cluster} masquerade fully-random
)",
                     fmt::arg("t", kTable), fmt::arg("bridge", c.bridge),
                     fmt::arg("overlay", c.overlay), fmt::arg("services", c.service_cidr),
                     fmt::arg("not_dns", not_dns), fmt::arg("pods", c.pod_cidr),
                     fmt::arg("cluster", c.cluster_cidr));
}

}  // namespace

std::string table_change_text(const std::string& table, const Ruleset& from, const Ruleset& to) {
  std::string out;
  const auto new_chains = lost(to.chains, from.chains), old_chains = lost(from.chains, to.chains);
  for (const auto& [name, definition] : lost(to.sets, from.sets))
    out += fmt::format("add set {} {} {{ {} }}\n", table, name, definition);
  // All chains first: they name each other.
  for (const auto& [name, rules] : new_chains)
    out +=
        fmt::format("{} chain {} {}\n", from.chains.contains(name) ? "flush" : "add", table, name);
  for (const auto& [name, rules] : new_chains) out += rules_of_chain(table, name, rules);
  for (const auto& [map, elements] : to.elements) {
    const auto before = from.elements.find(map);
    static const std::map<std::string, std::string> none;
    const auto& old_elements = before == from.elements.end() ? none : before->second;
    if (const auto gone = lost(old_elements, elements); !gone.empty())
      out += fmt::format("delete element {} {} {{ {} }}\n", table, map, keys_only(gone));
    if (const auto added = lost(elements, old_elements); !added.empty())
      out += fmt::format("add element {} {} {{ {} }}\n", table, map, element_list(added));
  }
  // A chain can go only when nothing leads to it any more: empty them all, then delete them all.
  for (const auto& [name, rules] : old_chains)
    if (!to.chains.contains(name)) out += fmt::format("flush chain {} {}\n", table, name);
  for (const auto& [name, rules] : old_chains)
    if (!to.chains.contains(name)) out += fmt::format("delete chain {} {}\n", table, name);
  for (const auto& [name, definition] : lost(from.sets, to.sets))
    out += fmt::format("delete set {} {}\n", table, name);
  return out;
}

std::string change_text(const Ruleset& from, const Ruleset& to) {
  return table_change_text(kTable, from, to);
}

std::string full_text(const ProxyConfig& config, const Ruleset& rules) {
  // Adding first makes the deletion safe when there is no table yet.
  return fmt::format("add table {0}\ndelete table {0}\nadd table {0}\n", kTable) +
         base_chains(config) + change_text(Ruleset{}, rules);
}

std::string removal_text() { return fmt::format("add table {0}\ndelete table {0}\n", kTable); }

}  // namespace kinglet::network

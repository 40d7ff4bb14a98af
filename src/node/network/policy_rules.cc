#include "node/network/policy_rules.h"

namespace kinglet::network {
namespace {

constexpr const char* kPolicyTable = "ip kinglet_policy";

std::string hash_text(const std::string& text) {
  uint64_t hash = 14695981039346656037ull;  // FNV-1a
  for (const unsigned char c : text) hash = (hash ^ c) * 1099511628211ull;
  return fmt::format("{:016x}", hash);
}

std::string lower_case(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

struct Direction {
  const char* map;    // "ingress"
  const char* field;  // whose address the peers' is: "ip saddr"
  const std::vector<PolicyRule> PolicyObject::*rules;
  bool PolicyObject::*isolates;
};
constexpr Direction kDirections[] = {
    {"ingress", "ip saddr", &PolicyObject::ingress, &PolicyObject::isolates_ingress},
    {"egress", "ip daddr", &PolicyObject::egress, &PolicyObject::isolates_egress},
};

class PolicyBuilder {
 public:
  explicit PolicyBuilder(const PolicyWorld& world) : world_(world) {
    for (const char* name : {"ingress", "egress", "self"}) rules_.elements[name];
    for (const auto* ns : world.namespaces) namespaces_[ns->meta.name] = ns;
  }

  void add(const PolicyPod& pod) {
    if (pod.node != world_.node_name || pod.in_host_network || pod.ended) return;
    const std::string ip = address(pod);
    if (ip.empty()) return;
    for (const auto& direction : kDirections) {
      std::vector<const PolicyObject*> selecting;
      for (const auto* policy : world_.policies)
        if (policy->meta.ns == pod.meta.ns && policy->*direction.isolates &&
            client::matches(policy->pods, pod.meta.labels))
          selecting.push_back(policy);
      if (selecting.empty()) continue;
      rules_.elements[direction.map][ip] = "goto " + chain_of(direction, selecting);
      // A pod may always talk to itself, through its Service too.
      rules_.elements["self"][fmt::format("{0} . {0}", ip)] = "";
    }
  }

  Ruleset take() { return std::move(rules_); }

 private:
  std::string address(const PolicyPod& pod) const {
    if (pod.node == world_.node_name && world_.address_here) {
      std::string here = world_.address_here(pod);
      if (!here.empty()) return here;
    }
    return pod.ip;
  }

  std::string chain_of(const Direction& direction,
                       const std::vector<const PolicyObject*>& policies) {
    std::string key = direction.map;
    for (const auto* policy : policies) key += " " + policy->meta.ns + "/" + policy->meta.name;
    const std::string name = fmt::format("{}-{}", direction.map, hash_text(key));
    auto [chain, fresh] = rules_.chains.try_emplace(name);
    if (!fresh) return name;
    std::string text;
    for (const auto* policy : policies)
      for (const auto& rule : policy->*direction.rules) add_rule(direction, *policy, rule, text);
    rules_.chains[name] = text + "drop\n";
    return name;
  }

  void add_rule(const Direction& direction, const PolicyObject& policy, const PolicyRule& rule,
                std::string& out) {
    std::vector<std::string> peers, ports;
    for (const auto& peer : rule.peers)
      if (!peer.nobody) peers.push_back(peer_match(direction, policy, peer));
    if (rule.peers.empty()) peers.push_back("");
    for (const auto& port : rule.ports) ports.push_back(port_match(port));
    if (rule.ports.empty()) ports.push_back("");
    for (const auto& peer : peers)
      for (const auto& port : ports) out += peer + port + "accept\n";
  }

  std::string peer_match(const Direction& direction, const PolicyObject& policy,
                         const PolicyPeer& peer) {
    if (peer.cidr.empty()) return fmt::format("{} @{} ", direction.field, peer_set(policy, peer));
    // nft takes no block of everything.
    std::string out =
        peer.cidr.ends_with("/0") ? "" : fmt::format("{} {} ", direction.field, peer.cidr);
    for (const auto& except : peer.except) out += fmt::format("{} != {} ", direction.field, except);
    return out;
  }

  // The set of the addresses of the pods that a peer's selectors mean.
  std::string peer_set(const PolicyObject& policy, const PolicyPeer& peer) {
    const std::string scope =
        peer.namespaces ? "all " + peer.namespaces->text() : "own " + policy.meta.ns;
    const std::string name =
        "pods-" + hash_text(scope + " / " + (peer.pods ? peer.pods->text() : std::string("all")));
    const auto [set, fresh] = rules_.sets.try_emplace(name, "type ipv4_addr;");
    if (!fresh) return name;
    auto& elements = rules_.elements[name];
    for (const auto* pod : world_.pods) {
      if (peer.namespaces ? !namespace_matches(*peer.namespaces, pod->meta.ns)
                          : pod->meta.ns != policy.meta.ns)
        continue;
      if (peer.pods && !client::matches(*peer.pods, pod->meta.labels)) continue;
      const std::string ip = pod->in_host_network || pod->ended ? "" : address(*pod);
      if (!ip.empty()) elements[ip] = "";
    }
    return name;
  }

  bool namespace_matches(const schema::Selector& selector, const std::string& ns) const {
    const auto found = namespaces_.find(ns);
    return found != namespaces_.end() && client::matches(selector, found->second->meta.labels);
  }

  std::string port_match(const PolicyPort& port) {
    const std::string protocol = lower_case(port.protocol);
    if (!port.name.empty())
      return fmt::format("ip daddr . meta l4proto . th dport @{} ", named_port_set(protocol, port));
    if (port.port == 0) return fmt::format("meta l4proto {} ", protocol);
    if (port.end_port > port.port)
      return fmt::format("meta l4proto {} th dport {}-{} ", protocol, port.port, port.end_port);
    return fmt::format("meta l4proto {} th dport {} ", protocol, port.port);
  }

  // Where pods have a port of this name: packets go to the pod, in both directions of policy.
  std::string named_port_set(const std::string& protocol, const PolicyPort& port) {
    const std::string name = "ports-" + hash_text(protocol + " " + port.name);
    const auto [set, fresh] =
        rules_.sets.try_emplace(name, "type ipv4_addr . inet_proto . inet_service;");
    if (!fresh) return name;
    auto& elements = rules_.elements[name];
    for (const auto* pod : world_.pods) {
      const std::string ip = pod->in_host_network || pod->ended ? "" : address(*pod);
      if (ip.empty()) continue;
      for (const auto& own : pod->named_ports)
        if (own.name == port.name && own.protocol == port.protocol)
          elements[fmt::format("{} . {} . {}", ip, protocol, own.port)] = "";
    }
    return name;
  }

  const PolicyWorld& world_;
  std::map<std::string, const PolicyNamespace*> namespaces_;
  Ruleset rules_;
};

std::string policy_frame() {
  return fmt::format(R"(
add map {t} ingress {{ type ipv4_addr : verdict; }}
add map {t} egress {{ type ipv4_addr : verdict; }}
add set {t} self {{ type ipv4_addr . ipv4_addr; }}

# Two chains on one hook: what the first accepts, the second still judges.
add chain {t} leaving {{ type filter hook forward priority 10; }}
add rule {t} leaving ct state established,related accept
add rule {t} leaving ip saddr . ip daddr @self accept
add rule {t} leaving ip saddr vmap @egress
add chain {t} arriving {{ type filter hook forward priority 11; }}
add rule {t} arriving ct state established,related accept
add rule {t} arriving ip saddr . ip daddr @self accept
add rule {t} arriving ip daddr vmap @ingress
)",
                     fmt::arg("t", kPolicyTable));
}

}  // namespace

Ruleset build_policy_rules(const PolicyWorld& world) {
  PolicyBuilder builder(world);
  for (const auto* pod : world.pods) builder.add(*pod);
  return builder.take();
}

std::string policy_full_text(const Ruleset& rules) {
  return policy_removal_text() + fmt::format("add table {}\n", kPolicyTable) + policy_frame() +
         policy_change_text(Ruleset(), rules);
}
std::string policy_change_text(const Ruleset& from, const Ruleset& to) {
  return table_change_text(kPolicyTable, from, to);
}
std::string policy_removal_text() {
  return fmt::format("add table {0}\ndelete table {0}\n", kPolicyTable);
}

}  // namespace kinglet::network

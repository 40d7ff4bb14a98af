// The Services' rules for nftables, as values. Pure: the same world, the same rules.
//
// One table, `ip kinglet`: verdict maps from address, protocol and port to a chain per Service port, which picks an
// endpoint and rewrites the destination. A lookup costs the same for one Service and for a thousand.
// Source: kube-proxy's nftables mode (behaviour); traffic policies, session affinity: Service API.
#pragma once
#include <map>
#include <set>
#include <string>

#include "node/network/service_model.h"

namespace kinglet::network {

struct ProxyConfig {
  std::string bridge = "kl0";
  std::string overlay = "kl-vxlan";  // the device to other nodes; need not exist
  std::string pod_cidr, cluster_cidr, service_cidr;
  std::string cluster_dns;  // answered by this node itself; empty: none
  std::string node_name;
};

struct Ruleset {
  std::map<std::string, std::string> sets;    // dynamic ones (affinity): name -> definition
  std::map<std::string, std::string> chains;  // name -> rules, a line each
  // Of the fixed maps: map -> key -> verdict (empty in a set).
  std::map<std::string, std::map<std::string, std::string>> elements;
  // UDP destinations ("10.43.0.9 53", "node 30053") with the endpoints behind them, for conntrack's sake.
  std::map<std::string, std::set<std::string>> udp;
  bool operator==(const Ruleset&) const = default;
};

Ruleset build_rules(const ProxyConfig& config, const ServiceWorld& world);

// Replaces the whole table, in one transaction.
std::string full_text(const ProxyConfig& config, const Ruleset& rules);
// Leads from one to the other, in one transaction; empty when they are equal. Affinities survive it.
std::string change_text(const Ruleset& from, const Ruleset& to);
std::string removal_text();
// The same for any table that has the fixed maps of both.
std::string table_change_text(const std::string& table, const Ruleset& from, const Ruleset& to);

}  // namespace kinglet::network

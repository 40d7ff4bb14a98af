#include "node/network/policy_model.h"

#include <boost/asio/ip/network_v4.hpp>

#include "client/conditions.h"
#include "node/network/service_model.h"

namespace kinglet::network {
namespace {
using client::array_at;
using client::string_at;

// Of one policy; more are cut off, which isolates more and not less.
constexpr size_t kRulesMax = 256, kPeersMax = 256, kPortsMax = 256, kExceptMax = 256,
                 kNamedPortsMax = 64;

// Canonical, so that it can go into a rule's text; empty: not an IPv4 block.
std::string block_of(const std::string& text) {
  boost::system::error_code bad;
  const auto network = boost::asio::ip::make_network_v4(text, bad);
  return bad ? "" : network.canonical().to_string();
}

schema::Selector selector_of(const json::Value& selector) {
  auto parsed = schema::Selector::from_object(selector);
  return parsed ? std::move(*parsed) : schema::Selector::nothing();
}

PolicyPeer peer_of(const json::Value& item) {
  PolicyPeer peer;
  if (const auto* block = json::find(item, {"ipBlock"})) {
    peer.cidr = block_of(string_at(*block, {"cidr"}));
    peer.nobody = peer.cidr.empty();
    for (const auto& except : array_at(*block, {"except"})) {
      std::string cidr = except.is_string() ? block_of(std::string(except.as_string())) : "";
      if (!cidr.empty() && peer.except.size() < kExceptMax) peer.except.push_back(std::move(cidr));
    }
    return peer;
  }
  if (const auto* pods = json::find(item, {"podSelector"})) peer.pods = selector_of(*pods);
  if (const auto* all = json::find(item, {"namespaceSelector"}))
    peer.namespaces = selector_of(*all);
  peer.nobody = !peer.pods && !peer.namespaces;
  return peer;
}

uint16_t port_number(int64_t number) {
  return number > 0 && number < 65536 ? static_cast<uint16_t>(number) : 0;
}

PolicyPort port_of(const json::Value& item) {
  PolicyPort port;
  port.protocol = string_at(item, {"protocol"});
  if (port.protocol.empty()) port.protocol = "TCP";
  const auto* number = json::find(item, {"port"});
  if (number && number->is_string())
    port.name = std::string(number->as_string());
  else
    port.port = port_number(json::int_at(item, {"port"}));
  port.end_port = port_number(json::int_at(item, {"endPort"}));
  return port;
}

std::vector<PolicyRule> rules_of(const json::Value& object, const char* direction,
                                 const char* peers) {
  std::vector<PolicyRule> rules;
  for (const auto& item : array_at(object, {"spec", direction})) {
    if (rules.size() == kRulesMax) break;
    PolicyRule rule;
    for (const auto& peer : array_at(item, {peers}))
      if (rule.peers.size() < kPeersMax) rule.peers.push_back(peer_of(peer));
    for (const auto& port : array_at(item, {"ports"})) {
      PolicyPort read = port_of(port);
      const bool known =
          read.protocol == "TCP" || read.protocol == "UDP" || read.protocol == "SCTP";
      if (known && rule.ports.size() < kPortsMax) rule.ports.push_back(std::move(read));
    }
    // A list of ports of which we know none must not turn into "every port".
    if (!array_at(item, {"ports"}).empty() && rule.ports.empty()) continue;
    rules.push_back(std::move(rule));
  }
  return rules;
}

}  // namespace

const schema::Resource& PolicyObject::resource() {
  static const auto& found = client::resource("networking.k8s.io", "v1", "networkpolicies");
  return found;
}

std::shared_ptr<PolicyObject> PolicyObject::decode(const json::Value& object) {
  auto policy = std::make_shared<PolicyObject>();
  const auto* selector = json::find(object, {"spec", "podSelector"});
  policy->pods = selector ? selector_of(*selector) : schema::Selector();
  policy->ingress = rules_of(object, "ingress", "from");
  policy->egress = rules_of(object, "egress", "to");
  const auto& types = array_at(object, {"spec", "policyTypes"});
  // Without types: always ingress, and egress when there is a rule for it.
  policy->isolates_ingress = types.empty();
  policy->isolates_egress = types.empty() && !array_at(object, {"spec", "egress"}).empty();
  for (const auto& type : types) {
    if (type == "Ingress") policy->isolates_ingress = true;
    if (type == "Egress") policy->isolates_egress = true;
  }
  return policy;
}

const schema::Resource& PolicyPod::resource() {
  static const auto& found = client::resource("", "v1", "pods");
  return found;
}

std::shared_ptr<PolicyPod> PolicyPod::decode(const json::Value& object) {
  auto pod = std::make_shared<PolicyPod>();
  pod->node = string_at(object, {"spec", "nodeName"});
  pod->in_host_network = json::bool_at(object, {"spec", "hostNetwork"});
  const std::string phase = string_at(object, {"status", "phase"}),
                    ip = string_at(object, {"status", "podIP"});
  pod->ended = phase == "Succeeded" || phase == "Failed";
  if (!pod->in_host_network && !pod->ended && is_ipv4(ip)) pod->ip = ip;
  for (const char* list : {"containers", "initContainers"})
    for (const auto& container : array_at(object, {"spec", list}))
      for (const auto& item : array_at(container, {"ports"})) {
        Port port{string_at(item, {"name"}), string_at(item, {"protocol"}),
                  port_number(json::int_at(item, {"containerPort"}))};
        if (port.protocol.empty()) port.protocol = "TCP";
        if (!port.name.empty() && port.port != 0 && pod->named_ports.size() < kNamedPortsMax)
          pod->named_ports.push_back(std::move(port));
      }
  return pod;
}

const schema::Resource& PolicyNamespace::resource() {
  static const auto& found = client::resource("", "v1", "namespaces");
  return found;
}

std::shared_ptr<PolicyNamespace> PolicyNamespace::decode(const json::Value&) {
  return std::make_shared<PolicyNamespace>();
}

}  // namespace kinglet::network

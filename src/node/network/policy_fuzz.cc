// Property: whatever an object says, the rules are made of our own words: nothing of it reaches
// nft's grammar unchecked.
#include <cstdint>
#include <cstring>

#include "base/result.h"
#include "node/network/host_ports.h"
#include "node/network/peer_routes.h"
#include "node/network/policy_rules.h"
#include "node/network/service_model.h"

namespace {
using namespace kinglet::network;

void check_words(const std::string& text) {
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    KL_ASSERT(std::isalnum(u) || std::strchr(" .:/@!=-_\n", c) != nullptr,
              "a strange character in a rule");
  }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& port : host_ports_of(text)) {
    KL_ASSERT(port.port != 0 && port.container_port != 0 && is_ipv4(port.pod_ip),
              "a host port that leads nowhere");
    KL_ASSERT(port.host_ip.empty() || is_ipv4(port.host_ip), "a host port at a strange address");
  }
  const auto object = kinglet::json::parse(text);
  if (!object) return 0;
  const auto policy = PolicyObject::decode(*object);
  const auto pod = PolicyPod::decode(*object);
  const auto ns = PolicyNamespace::decode(*object);
  const auto peer = PeerNode::decode(*object);
  policy->meta = pod->meta = ns->meta = kinglet::client::decode_meta(*object);
  pod->node = "here";
  pod->in_host_network = pod->ended = false;
  pod->ip = "10.42.0.2";
  PolicyWorld world;
  world.node_name = "here";
  world.policies = {policy.get()};
  world.pods = {pod.get()};
  world.namespaces = {ns.get()};
  const Ruleset rules = build_policy_rules(world);
  for (const auto& [name, lines] : rules.chains) check_words(name + lines);
  for (const auto& [map, elements] : rules.elements)
    for (const auto& [key, verdict] : elements) check_words(map + key + verdict);
  OverlayConfig config;
  config.node_name = "here";
  config.pod_cidr = "10.42.0.0/24";
  config.cluster_cidr = "10.42.0.0/16";
  for (const auto& [network, gateway] :
       overlay_of(config, {{"there", peer->pod_cidr, peer->address}}).routes)
    KL_ASSERT(network.starts_with("10.42.") && is_ipv4(gateway),
              "a route out of the cluster's network");
  return 0;
}

// What NetworkPolicy enforcement needs to know of policies, pods and namespaces: plain values, without the rest.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "client/object.h"
#include "json/json.h"
#include "schema/values.h"

namespace kinglet::network {

struct PolicyPort {
  std::string protocol;  // "TCP", "UDP", "SCTP"
  uint16_t port = 0, end_port = 0;  // 0: every port; end_port 0: just one
  std::string name;                 // a port's name in the destination's pod; then `port` is 0
};

struct PolicyPeer {
  // By address...
  std::string cidr;  // IPv4; empty: by selectors
  std::vector<std::string> except;
  bool nobody = false;  // an IPv6 block, or one that is not a block: matches nothing here
  // ... or by labels.
  std::optional<schema::Selector> pods, namespaces;  // no namespaces: the policy's own
};

struct PolicyRule {
  std::vector<PolicyPeer> peers;  // none: everybody
  std::vector<PolicyPort> ports;  // none: every port
};

struct PolicyObject : client::Object {
  static constexpr bool kWithoutRaw = true;
  static const schema::Resource& resource();
  static std::shared_ptr<PolicyObject> decode(const json::Value& object);
  schema::Selector pods = schema::Selector::nothing();
  bool isolates_ingress = false, isolates_egress = false;
  std::vector<PolicyRule> ingress, egress;
};

struct PolicyPod : client::Object {
  static constexpr bool kWithoutRaw = true;
  static const schema::Resource& resource();
  static std::shared_ptr<PolicyPod> decode(const json::Value& object);
  std::string ip, node;  // ip: empty also for pods that have ended or live in their host's network
  bool in_host_network = false, ended = false;
  struct Port {
    std::string name, protocol;
    uint16_t port = 0;
    bool operator==(const Port&) const = default;
  };
  std::vector<Port> named_ports;
};

struct PolicyNamespace : client::Object {
  static constexpr bool kWithoutRaw = true;
  static const schema::Resource& resource();
  static std::shared_ptr<PolicyNamespace> decode(const json::Value& object);
};

}  // namespace kinglet::network

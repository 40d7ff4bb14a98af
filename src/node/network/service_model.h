// What the proxy and the DNS need to know of Services and EndpointSlices: plain values, without the rest of the objects.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "client/object.h"
#include "json/json.h"
#include "node/network/host_ports.h"

namespace kinglet::network {

struct ServicePort {
  std::string name, protocol;  // "TCP", "UDP", "SCTP"
  uint16_t port = 0, node_port = 0;
  bool operator==(const ServicePort&) const = default;
};

struct ServiceModel {
  std::string ns, name;
  std::string cluster_ip;     // IPv4; "None": headless; empty: ExternalName, or IPv6 only
  std::string external_name;  // type ExternalName
  bool publish_not_ready = false;
  bool external_local = false, internal_local = false;  // traffic policies
  int affinity_seconds = 0;                             // sessionAffinity ClientIP; 0: none
  std::vector<ServicePort> ports;
  std::vector<std::string> external_ips;       // IPv4
  std::vector<std::string> load_balancer_ips;  // of status, IPv4
  std::vector<std::string> source_ranges;      // who may use those; empty: everybody
  bool headless() const { return cluster_ip == "None"; }
  bool operator==(const ServiceModel&) const = default;
};

struct EndpointModel {
  std::vector<std::string> addresses;  // IPv4
  std::string hostname, node_name;
  bool ready = true, serving = true, terminating = false;
  bool operator==(const EndpointModel&) const = default;
};

struct SliceModel {
  std::string ns, service;
  struct Port {
    std::string name, protocol;
    uint16_t port = 0;
    bool operator==(const Port&) const = default;
  };
  std::vector<Port> ports;
  std::vector<EndpointModel> endpoints;
  bool operator==(const SliceModel&) const = default;
};

ServiceModel service_of(const json::Value& object);
SliceModel slice_of(const json::Value& object);  // no endpoints unless its addressType is IPv4

// For the informers.
struct ServiceObject : client::Object {
  static constexpr bool kWithoutRaw = true;
  static const schema::Resource& resource();
  static std::shared_ptr<ServiceObject> decode(const json::Value& object);
  ServiceModel model;
};
struct SliceObject : client::Object {
  static constexpr bool kWithoutRaw = true;
  static const schema::Resource& resource();
  static std::shared_ptr<SliceObject> decode(const json::Value& object);
  SliceModel model;
};

// Everything, in a fixed order (by namespace and name).
struct ServiceWorld {
  std::vector<const ServiceModel*> services;
  std::multimap<std::pair<std::string, std::string>, const SliceModel*> slices;  // by namespace and service
  std::vector<HostPort> host_ports;  // of this node's pods
};

// An IPv4 address in its usual form; what comes from the API is not trusted to be one.
bool is_ipv4(const std::string& text);
// The port number in member `name`; 0: none, or no port.
uint16_t port_at(const json::Value& of, const char* name);

}  // namespace kinglet::network

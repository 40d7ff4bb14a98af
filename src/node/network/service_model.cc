#include "node/network/service_model.h"

#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/network_v4.hpp>

#include "client/conditions.h"

namespace kinglet::network {
namespace {
using client::array_at;
using client::string_at;

constexpr int kAffinitySecondsDefault = 10800;  // as the API defaults it

std::string protocol_at(const json::Value& value) {
  std::string protocol = string_at(value, {"protocol"});
  return protocol == "UDP" || protocol == "SCTP" ? protocol : "TCP";
}

// What nft shall parse must be what we think it is, whoever wrote the object.
bool is_ipv4_network(const std::string& text) {
  boost::system::error_code bad;
  boost::asio::ip::make_network_v4(text, bad);
  return !bad;
}

std::vector<std::string> ipv4_strings(const json::Array& array) {
  std::vector<std::string> out;
  for (const auto& item : array)
    if (item.is_string() && is_ipv4(std::string(item.as_string())))
      out.emplace_back(item.as_string());
  return out;
}

std::string ipv4_cluster_ip(const json::Value& object) {
  std::string ip = string_at(object, {"spec", "clusterIP"});
  if (ip == "None" || is_ipv4(ip)) return ip;
  const auto all = ipv4_strings(array_at(object, {"spec", "clusterIPs"}));
  return all.empty() ? "" : all.front();
}
}  // namespace

uint16_t port_at(const json::Value& value, const char* name) {
  const int64_t port = json::int_at(value, {name});
  return port > 0 && port <= 65535 ? static_cast<uint16_t>(port) : 0;
}

bool is_ipv4(const std::string& text) {
  boost::system::error_code bad;
  const auto address = boost::asio::ip::make_address_v4(text, bad);
  return !bad && address.to_string() == text;
}

ServiceModel service_of(const json::Value& object) {
  ServiceModel service;
  service.ns = string_at(object, {"metadata", "namespace"});
  service.name = string_at(object, {"metadata", "name"});
  if (string_at(object, {"spec", "type"}) == "ExternalName") {
    service.external_name = string_at(object, {"spec", "externalName"});
    return service;
  }
  service.cluster_ip = ipv4_cluster_ip(object);
  service.publish_not_ready = json::bool_at(object, {"spec", "publishNotReadyAddresses"});
  service.external_local = string_at(object, {"spec", "externalTrafficPolicy"}) == "Local";
  service.internal_local = string_at(object, {"spec", "internalTrafficPolicy"}) == "Local";
  if (string_at(object, {"spec", "sessionAffinity"}) == "ClientIP") {
    const int64_t seconds =
        json::int_at(object, {"spec", "sessionAffinityConfig", "clientIP", "timeoutSeconds"},
                     kAffinitySecondsDefault);
    service.affinity_seconds = static_cast<int>(std::clamp<int64_t>(seconds, 1, 86400));
  }
  for (const auto& port : array_at(object, {"spec", "ports"}))
    if (const uint16_t number = port_at(port, "port"); number != 0)
      service.ports.push_back(
          {string_at(port, {"name"}), protocol_at(port), number, port_at(port, "nodePort")});
  service.external_ips = ipv4_strings(array_at(object, {"spec", "externalIPs"}));
  for (const auto& ingress : array_at(object, {"status", "loadBalancer", "ingress"}))
    if (auto ip = string_at(ingress, {"ip"});
        is_ipv4(ip) && string_at(ingress, {"ipMode"}) != "Proxy")
      service.load_balancer_ips.push_back(std::move(ip));
  for (const auto& range : array_at(object, {"spec", "loadBalancerSourceRanges"}))
    if (range.is_string() && is_ipv4_network(std::string(range.as_string())))
      service.source_ranges.emplace_back(range.as_string());
  return service;
}

SliceModel slice_of(const json::Value& object) {
  SliceModel slice;
  slice.ns = string_at(object, {"metadata", "namespace"});
  slice.service = string_at(object, {"metadata", "labels", "kubernetes.io/service-name"});
  if (string_at(object, {"addressType"}) != "IPv4") return slice;
  for (const auto& port : array_at(object, {"ports"}))
    slice.ports.push_back({string_at(port, {"name"}), protocol_at(port), port_at(port, "port")});
  for (const auto& item : array_at(object, {"endpoints"})) {
    EndpointModel endpoint;
    endpoint.addresses = ipv4_strings(array_at(item, {"addresses"}));
    if (endpoint.addresses.empty()) continue;
    endpoint.hostname = string_at(item, {"hostname"});
    endpoint.node_name = string_at(item, {"nodeName"});
    // Source: EndpointConditions: unknown readiness counts as ready, unknown serving as readiness.
    endpoint.ready = json::bool_at(item, {"conditions", "ready"}, true);
    endpoint.serving = json::bool_at(item, {"conditions", "serving"}, endpoint.ready);
    endpoint.terminating = json::bool_at(item, {"conditions", "terminating"});
    slice.endpoints.push_back(std::move(endpoint));
  }
  return slice;
}

const schema::Resource& ServiceObject::resource() {
  static const auto& found = client::resource("", "v1", "services");
  return found;
}
std::shared_ptr<ServiceObject> ServiceObject::decode(const json::Value& object) {
  auto out = std::make_shared<ServiceObject>();
  out->model = service_of(object);
  return out;
}

const schema::Resource& SliceObject::resource() {
  static const auto& found = client::resource("discovery.k8s.io", "v1", "endpointslices");
  return found;
}
std::shared_ptr<SliceObject> SliceObject::decode(const json::Value& object) {
  auto out = std::make_shared<SliceObject>();
  out->model = slice_of(object);
  return out;
}

}  // namespace kinglet::network

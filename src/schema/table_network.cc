// The cells of Services, endpoints, ingresses, policies and address ranges.
#include <algorithm>
#include <set>

#include "schema/internal/table_row.h"

namespace kinglet::schema {
namespace {

// Addresses that a load balancer gave, sorted and without repetition.
std::vector<std::string> balancer_addresses(const json::Value& object) {
  std::set<std::string> out;
  for (const auto& ingress : array_at(object, {"status", "loadBalancer", "ingress"})) {
    const auto ip = json::text_at(ingress, {"ip"});
    const auto host = json::text_at(ingress, {"hostname"});
    if (!ip.empty() || !host.empty()) out.emplace(ip.empty() ? host : ip);
  }
  return {out.begin(), out.end()};
}

std::string external_ip(const json::Value& service) {
  const auto type = json::text_at(service, {"spec", "type"});
  if (type == "ExternalName") return std::string(json::text_at(service, {"spec", "externalName"}));
  std::vector<std::string> parts;
  if (type == "LoadBalancer") parts = balancer_addresses(service);
  for (const auto& ip : array_at(service, {"spec", "externalIPs"}))
    parts.push_back(member_text(ip));
  if (!parts.empty()) return join(parts, ",");
  return std::string(type == "LoadBalancer" ? std::string_view("<pending>") : kNone);
}

std::string service_ports(const json::Value& service) {
  std::vector<std::string> parts;
  for (const auto& port : array_at(service, {"spec", "ports"})) {
    const auto node_port = json::int_at(port, {"nodePort"});
    const auto number = json::int_at(port, {"port"});
    const auto protocol = json::text_at(port, {"protocol"});
    parts.push_back(node_port > 0 ? fmt::format("{}:{}/{}", number, node_port, protocol)
                                  : fmt::format("{}/{}", number, protocol));
  }
  return parts.empty() ? std::string(kNone) : join(parts, ",");
}

void service_cells(TableRow& row) {
  row.text({"spec", "type"});
  const auto& ips = array_at(row.object(), {"spec", "clusterIPs"});
  const auto ip = ips.empty() ? std::string(json::text_at(row.object(), {"spec", "clusterIP"}))
                              : member_text(ips[0]);
  row.add(ip.empty() ? json::Value(kNone) : json::Value(ip));
  row.add(json::Value(external_ip(row.object())));
  row.add(json::Value(service_ports(row.object())));
  row.age();
  row.label_map({"spec", "selector"});
}

std::string host_port(std::string_view ip, int64_t port) {
  return ip.find(':') == std::string_view::npos ? fmt::format("{}:{}", ip, port)
                                                : fmt::format("[{}]:{}", ip, port);
}

std::string endpoints_text(const json::Value& object) {
  std::vector<std::string> parts;
  for (const auto& subset : array_at(object, {"subsets"})) {
    const auto& addresses = array_at(subset, {"addresses"});
    const auto& ports = array_at(subset, {"ports"});
    if (ports.empty())
      for (const auto& address : addresses) parts.emplace_back(json::text_at(address, {"ip"}));
    for (const auto& port : ports)
      for (const auto& address : addresses)
        parts.push_back(host_port(json::text_at(address, {"ip"}), json::int_at(port, {"port"})));
  }
  return parts.empty() ? std::string(kNone) : join_some(parts, ",", kListedItemsMax);
}

void endpoint_slice_cells(TableRow& row) {
  row.text({"addressType"});
  std::vector<std::string> ports, addresses;
  for (const auto& port : array_at(row.object(), {"ports"})) {
    const auto* number = json::find(port, {"port"});
    ports.push_back(number && !number->is_null() ? member_text(*number) : "*");
  }
  for (const auto& endpoint : array_at(row.object(), {"endpoints"}))
    for (const auto& address : array_at(endpoint, {"addresses"}))
      addresses.push_back(member_text(address));
  const auto listed = [](const std::vector<std::string>& parts) {
    return parts.empty() ? std::string(kUnset) : join_some(parts, ",", kListedItemsMax);
  };
  row.add(json::Value(listed(ports)));
  row.add(json::Value(listed(addresses)));
  row.age();
}

void ingress_cells(TableRow& row) {
  row.text({"spec", "ingressClassName"}, kNone);
  std::vector<std::string> hosts;
  for (const auto& rule : array_at(row.object(), {"spec", "rules"})) {
    const auto host = json::text_at(rule, {"host"});
    if (!host.empty()) hosts.emplace_back(host);
  }
  row.add(json::Value(hosts.empty() ? "*" : join_some(hosts, ",", kListedItemsMax)));
  row.add(json::Value(join(balancer_addresses(row.object()), ",")));
  row.add(json::Value(array_at(row.object(), {"spec", "tls"}).empty() ? "80" : "80, 443"));
  row.age();
}

void ingress_class_cells(TableRow& row) {
  row.text({"spec", "controller"});
  const auto* parameters = json::find(row.object(), {"spec", "parameters"});
  if (parameters && parameters->is_object()) {
    std::string text(json::text_at(*parameters, {"kind"}));
    const auto group = json::text_at(*parameters, {"apiGroup"});
    if (!group.empty()) text += fmt::format(".{}", group);
    row.add(json::Value(fmt::format("{}/{}", text, json::text_at(*parameters, {"name"}))));
  } else {
    row.add(json::Value(kNone));
  }
  row.age();
}

void ip_address_cells(TableRow& row) {
  const auto* parent = json::find(row.object(), {"spec", "parentRef"});
  if (!parent || !parent->is_object()) return row.add(json::Value(kNone));
  std::string text(json::text_at(*parent, {"resource"}));
  for (const auto& [part, separator] :
       {std::pair("group", "."), std::pair("namespace", "/"), std::pair("name", "/")}) {
    const auto value = json::text_at(*parent, {part});
    if (!value.empty()) text += fmt::format("{}{}", separator, value);
  }
  row.add(json::Value(text));
}

bool networking_cells(std::string_view plural, TableRow& row) {
  if (plural == "ingresses") {
    ingress_cells(row);
  } else if (plural == "ingressclasses") {
    ingress_class_cells(row);
  } else if (plural == "networkpolicies") {
    row.label_selector({"spec", "podSelector"});
    row.age();
  } else if (plural == "servicecidrs") {
    row.items({"spec", "cidrs"}, ",", "");
    row.age();
  } else if (plural == "ipaddresses") {
    ip_address_cells(row);
  } else {
    return false;
  }
  return true;
}

}  // namespace

bool network_cells(std::string_view group, std::string_view plural, TableRow& row) {
  if (group == "networking.k8s.io") return networking_cells(plural, row);
  if (group.empty() && plural == "services") {
    service_cells(row);
  } else if (group.empty() && plural == "endpoints") {
    row.add(json::Value(endpoints_text(row.object())));
    row.age();
  } else if (group == "discovery.k8s.io" && plural == "endpointslices") {
    endpoint_slice_cells(row);
  } else {
    return false;
  }
  return true;
}

}  // namespace kinglet::schema

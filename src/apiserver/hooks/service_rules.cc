#include "apiserver/hooks/service_rules.h"

#include <set>

#include "apiserver/hooks/address.h"
#include "schema/metadata_rules.h"
#include "schema/names.h"
#include "schema/values.h"

namespace kinglet::apiserver {
namespace {

constexpr int64_t kAffinitySecondsMax = 86400;

bool is_type(const json::Value& spec, std::string_view type) { return text(spec, "type") == type; }

void check_ports(Causes& causes, const json::Value& spec, const Path& path) {
  const auto& ports = items(spec, "ports");
  const Path list = path.child("ports");
  if (ports.empty() && !is_headless(spec) && !is_type(spec, "ExternalName"))
    schema::add_required(causes, list);
  std::set<std::pair<std::string, int64_t>> seen, node_ports;
  for (size_t i = 0; i < ports.size(); ++i) {
    const Path port = list.index(i);
    const auto& value = ports[i];
    const auto& name = at(value, "name");
    if (is_empty(name)) {
      if (ports.size() > 1) schema::add_required(causes, port.child("name"));
    } else {
      check_name(causes, port.child("name"), name, schema::dns1123_label_errors);
    }
    check_port(causes, port.child("port"), at(value, "port"));
    check_one_of(causes, port.child("protocol"), at(value, "protocol"), {"TCP", "UDP", "SCTP"});
    if (given(at(value, "targetPort")))
      check_port_or_name(causes, port.child("targetPort"), at(value, "targetPort"));
    if (const auto& protocol = at(value, "appProtocol"); !is_empty(protocol))
      check_name(causes, port.child("appProtocol"), protocol, schema::label_key_errors);
    const std::string protocol(text(value, "protocol"));
    if (!seen.emplace(protocol, number(value, "port")).second) {
      schema::add_duplicate(causes, port,
                            json::Object{{"port", number(value, "port")}, {"protocol", protocol}});
    }
    const auto node_port = number(value, "nodePort");
    if (node_port == 0) continue;
    if (!needs_node_port(spec)) {
      schema::add_forbidden(causes, port.child("nodePort"),
                            fmt::format("may not be used when `type` is '{}'", text(spec, "type")));
    } else if (!node_ports.emplace(protocol, node_port).second) {
      schema::add_duplicate(causes, port.child("nodePort"), json::Value(node_port));
    }
  }
  check_unique(causes, list, ports, "name");
}

void check_cluster_ips(Causes& causes, const json::Value& spec, const Path& path) {
  const auto& ip = at(spec, "clusterIP");
  const auto& ips = items(spec, "clusterIPs");
  if (is_type(spec, "ExternalName")) {
    if (!is_empty(ip))
      schema::add_forbidden(causes, path.child("clusterIP"),
                            "may not be set when `type` is 'ExternalName'");
    if (!ips.empty())
      schema::add_forbidden(causes, path.child("clusterIPs"),
                            "may not be set when `type` is 'ExternalName'");
    return;
  }
  if (is_headless(spec) && !is_type(spec, "ClusterIP"))
    schema::add_invalid(
        causes, path.child("clusterIP"), ip,
        fmt::format("may not be set to 'None' for {} services", text(spec, "type")));
  if (!ips.empty() && ips[0] != ip)
    schema::add_invalid(causes, path.child("clusterIPs"), at(spec, "clusterIPs"),
                        "element [0] must match clusterIP");
  if (ips.size() > 2)
    schema::add_invalid(causes, path.child("clusterIPs"), at(spec, "clusterIPs"),
                        "may only hold up to 2 values");
  const Path list = path.child("clusterIPs");
  for (size_t i = 0; i < ips.size(); ++i) {
    if (ips[i] == "None") {
      if (ips.size() > 1)
        schema::add_invalid(causes, list.index(i), ips[i],
                            "'None' must be the first and only value");
    } else {
      check_ip(causes, list.index(i), ips[i]);
    }
  }
}

void check_affinity(Causes& causes, const json::Value& spec, const Path& path) {
  check_one_of(causes, path.child("sessionAffinity"), at(spec, "sessionAffinity"),
               {"ClientIP", "None"});
  const Path config = path.child("sessionAffinityConfig");
  const auto& seconds = at(spec, {"sessionAffinityConfig", "clientIP", "timeoutSeconds"});
  if (text(spec, "sessionAffinity") == "ClientIP") {
    const Path client = config.child("clientIP");
    const int64_t value = seconds.is_int64() ? seconds.get_int64() : 0;
    if (value <= 0 || value > kAffinitySecondsMax)
      schema::add_invalid(
          causes, client.child("timeoutSeconds"), json::Value(value),
          fmt::format("must be greater than 0 and less than {}", kAffinitySecondsMax));
  } else if (given(at(spec, "sessionAffinityConfig"))) {
    schema::add_forbidden(causes, config, "must not be set when session affinity is None");
  }
}

void check_external(Causes& causes, const json::Value& spec, const Path& path) {
  const auto& ips = items(spec, "externalIPs");
  const Path list = path.child("externalIPs");
  for (size_t i = 0; i < ips.size(); ++i) {
    check_ip(causes, list.index(i), ips[i]);
    const auto address = ips[i].is_string() ? Address::parse(ips[i].get_string()) : std::nullopt;
    const auto reason = address ? address->special_reason() : std::string();
    if (!reason.empty()) schema::add_invalid(causes, list.index(i), ips[i], reason);
  }
  const bool balancer = is_type(spec, "LoadBalancer");
  const bool reachable = balancer || is_type(spec, "NodePort") || !ips.empty();
  const auto& policy = at(spec, "externalTrafficPolicy");
  if (!is_empty(policy) && !reachable) {
    schema::add_invalid(causes, path.child("externalTrafficPolicy"), policy,
                        "may only be set for externally-accessible services");
  } else if (!is_empty(policy)) {
    check_one_of(causes, path.child("externalTrafficPolicy"), policy, {"Cluster", "Local"});
  }
  if (!is_empty(at(spec, "healthCheckNodePort")) && !needs_health_check_port(spec))
    schema::add_invalid(
        causes, path.child("healthCheckNodePort"), at(spec, "healthCheckNodePort"),
        "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'");
}

void check_balancer(Causes& causes, const json::Value& spec, const Path& path) {
  const bool balancer = is_type(spec, "LoadBalancer");
  const auto& ranges = items(spec, "loadBalancerSourceRanges");
  const Path list = path.child("loadBalancerSourceRanges");
  if (!ranges.empty() && !balancer)
    schema::add_forbidden(causes, list, "may only be used when `type` is 'LoadBalancer'");
  for (size_t i = 0; i < ranges.size(); ++i) check_cidr(causes, list.index(i), ranges[i]);
  if (given(at(spec, "allocateLoadBalancerNodePorts")) && !balancer)
    schema::add_forbidden(causes, path.child("allocateLoadBalancerNodePorts"),
                          "may only be used when `type` is 'LoadBalancer'");
  const auto& name = at(spec, "loadBalancerClass");
  if (!is_empty(name)) {
    if (!balancer)
      schema::add_forbidden(causes, path.child("loadBalancerClass"),
                            "may only be used when `type` is 'LoadBalancer'");
    check_name(causes, path.child("loadBalancerClass"), name, schema::label_key_errors);
  }
}

void check_families(Causes& causes, const json::Value& spec, const Path& path) {
  if (is_type(spec, "ExternalName")) {
    for (const std::string_view field : {"ipFamilies", "ipFamilyPolicy"})
      if (!is_empty(at(spec, field)))
        schema::add_forbidden(causes, path.child(field),
                              "may not be set when `type` is 'ExternalName'");
    return;
  }
  const auto& families = items(spec, "ipFamilies");
  const Path list = path.child("ipFamilies");
  if (families.size() > 2)
    schema::add_invalid(causes, list, at(spec, "ipFamilies"), "may only hold up to 2 values");
  if (families.size() == 2 && families[0] == families[1])
    schema::add_duplicate(causes, list.index(1), families[1]);
}

}  // namespace

bool needs_cluster_ip(const json::Value& spec) {
  const auto type = text(spec, "type");
  return type == "ClusterIP" || type == "NodePort" || type == "LoadBalancer";
}

bool needs_node_port(const json::Value& spec) {
  if (is_type(spec, "NodePort")) return true;
  const auto& wanted = at(spec, "allocateLoadBalancerNodePorts");
  return is_type(spec, "LoadBalancer") && !(wanted.is_bool() && !wanted.get_bool());
}

bool needs_health_check_port(const json::Value& spec) {
  return is_type(spec, "LoadBalancer") && text(spec, "externalTrafficPolicy") == "Local";
}

bool is_headless(const json::Value& spec) { return text(spec, "clusterIP") == "None"; }

void validate_service(const json::Value& service, Causes& causes) {
  const auto& spec = at(service, "spec");
  const Path path("spec");
  check_ports(causes, spec, path);
  check_one_of(causes, path.child("type"), at(spec, "type"),
               {"ClusterIP", "NodePort", "LoadBalancer", "ExternalName"});
  check_cluster_ips(causes, spec, path);
  check_families(causes, spec, path);
  schema::check_labels(at(spec, "selector"), path.child("selector"), causes);
  check_affinity(causes, spec, path);
  check_external(causes, spec, path);
  check_balancer(causes, spec, path);
  if (is_type(spec, "ExternalName")) {
    const Path name = path.child("externalName");
    // A trailing dot is allowed: the name is absolute.
    std::string_view host = text(spec, "externalName");
    if (host.ends_with('.')) host.remove_suffix(1);
    check_name(causes, name, json::Value(host), schema::dns1123_subdomain_errors);
  }
  if (const auto& nearness = at(spec, "trafficDistribution"); !is_empty(nearness))
    check_one_of(causes, path.child("trafficDistribution"), nearness,
                 {"PreferClose", "PreferSameZone", "PreferSameNode"});
}

void validate_service_update(const json::Value& service, const json::Value& old, Causes& causes) {
  const auto& now = at(service, "spec");
  const auto& before = at(old, "spec");
  const Path path("spec");
  if (needs_cluster_ip(now) && needs_cluster_ip(before)) {
    const auto& old_ips = items(before, "clusterIPs");
    const auto& ips = items(now, "clusterIPs");
    if (!old_ips.empty() && (ips.empty() || ips[0] != old_ips[0])) {
      const Path list = path.child("clusterIPs");
      schema::add_invalid(causes, list.index(0), at(now, "clusterIPs"), "may not change once set");
    }
    const auto& old_families = items(before, "ipFamilies");
    const auto& families = items(now, "ipFamilies");
    if (!old_families.empty() && (families.empty() || families[0] != old_families[0])) {
      const Path list = path.child("ipFamilies");
      schema::add_invalid(causes, list.index(0), at(now, "ipFamilies"), "may not change once set");
    }
  }
  if (needs_health_check_port(now) && needs_health_check_port(before) &&
      !is_empty(at(before, "healthCheckNodePort")))
    check_immutable(causes, path.child("healthCheckNodePort"), at(now, "healthCheckNodePort"),
                    at(before, "healthCheckNodePort"));
  if (is_type(now, "LoadBalancer") && is_type(before, "LoadBalancer"))
    check_immutable(causes, path.child("loadBalancerClass"), at(now, "loadBalancerClass"),
                    at(before, "loadBalancerClass"));
}

}  // namespace kinglet::apiserver

#include "schema/internal/base64.h"
#include "schema/internal/defaulters.h"

namespace kinglet::schema {
namespace {

void service(json::Object& service) {
  json::Object* spec = object_at(service, "spec");
  if (spec == nullptr) return;
  std::string type(string_at(*spec, "type"));  // a copy: `spec` grows below
  if (type.empty()) type = "ClusterIP";
  const bool load_balancer = type == "LoadBalancer";
  const bool node_port = type == "NodePort" || load_balancer;
  if (node_port || (type == "ClusterIP" && !empty(*spec, "externalIPs")))
    set_if_empty(*spec, "externalTrafficPolicy", "Cluster");
  if (node_port || type == "ClusterIP") set_if_unset(*spec, "internalTrafficPolicy", "Cluster");
  if (!load_balancer) return;
  set_if_unset(*spec, "allocateLoadBalancerNodePorts", true);
  json::Object* status = object_at(service, "status");
  json::Object* balancer = status != nullptr ? object_at(*status, "loadBalancer") : nullptr;
  if (balancer == nullptr) return;
  for_each_object(*balancer, "ingress", [](json::Object& ingress) {
    if (!empty(ingress, "ip")) set_if_unset(ingress, "ipMode", "VIP");
  });
}

void service_spec(json::Object& spec) {
  const std::string affinity(string_at(spec, "sessionAffinity"));
  if (affinity == "None") spec.erase("sessionAffinityConfig");
  if (affinity == "ClientIP") {
    json::Object& client_ip = json::child(json::child(spec, "sessionAffinityConfig"), "clientIP");
    set_if_unset(client_ip, "timeoutSeconds", 10800);
  }
  for_each_object(spec, "ports", [](json::Object& port) {
    if (const json::Value* number = port.if_contains("port"))
      set_if_empty(port, "targetPort", json::Value(*number));
  });
}

void name_space(json::Object& space) {
  json::Object* metadata = object_at(space, "metadata");
  if (metadata != nullptr && !empty(*metadata, "name"))
    json::child(*metadata, "labels")["kubernetes.io/metadata.name"] =
        json::Value((*metadata)["name"]);
}

void node(json::Object& node) {
  if (json::Object* status = object_at(node, "status"))
    if (!empty(*status, "capacity"))
      set_if_unset(*status, "allocatable", json::Value((*status)["capacity"]));
  json::Object* spec = object_at(node, "spec");
  if (spec == nullptr) return;
  if (!empty(*spec, "podCIDR")) {
    set_if_empty(*spec, "podCIDRs", json::Array{json::Value((*spec)["podCIDR"])});
  } else if (!empty(*spec, "podCIDRs") && (*spec)["podCIDRs"].is_array()) {
    (*spec)["podCIDR"] = json::Value((*spec)["podCIDRs"].get_array().front());
  }
}

// stringData is for writing only: it goes into data and wins there.
void secret(json::Object& secret) {
  json::Object* plain = object_at(secret, "stringData");
  if (plain == nullptr) return;
  const json::Object given = *plain;
  json::Object& data = json::child(secret, "data");
  for (const auto& member : given)
    if (const auto* text = member.value().if_string())
      data[member.key()] = json::Value(encode_base64({text->data(), text->size()}));
  secret.erase("stringData");
}

// Copies the keys of `from` that `to` lacks.
void fill(json::Object& item, const char* to, const char* from) {
  json::Object* source = object_at(item, from);
  if (source == nullptr || source->empty()) return;
  const json::Object given = *source;
  json::Object& target = json::child(item, to);
  for (const auto& member : given)
    if (target.if_contains(member.key()) == nullptr) target.emplace(member.key(), member.value());
}

void limit_range_item(json::Object& item) {
  if (string_at(item, "type") != "Container") return;
  fill(item, "default", "max");
  fill(item, "defaultRequest", "default");
  fill(item, "defaultRequest", "min");
}

void replication_controller(json::Object& controller) {
  json::Object* spec = object_at(controller, "spec");
  json::Object* pod_template = spec != nullptr ? object_at(*spec, "template") : nullptr;
  json::Object* metadata = pod_template != nullptr ? object_at(*pod_template, "metadata") : nullptr;
  if (metadata == nullptr || empty(*metadata, "labels")) return;
  const json::Value labels = (*metadata)["labels"];
  set_if_empty(*spec, "selector", labels);
  set_if_empty(json::child(controller, "metadata"), "labels", labels);
}

constexpr Defaulter kDefaulters[] = {
    {"core.v1.Service", service},
    {"core.v1.ServiceSpec", service_spec},
    {"core.v1.Namespace", name_space},
    {"core.v1.Node", node},
    {"core.v1.Secret", secret},
    {"core.v1.LimitRangeItem", limit_range_item},
    {"core.v1.ReplicationController", replication_controller},
};

}  // namespace

std::span<const Defaulter> core_defaulters() { return kDefaulters; }

}  // namespace kinglet::schema

#include "controllers/internal/service.h"

namespace kinglet::controllers {

const schema::Resource& Service::resource() {
  static const auto& found = client::resource("", "v1", "services");
  return found;
}

std::shared_ptr<Service> Service::decode(const json::Value& object) {
  auto service = std::make_shared<Service>();
  const auto* spec = json::find(object, {"spec"});
  if (!spec) return service;
  if (const auto* labels = json::find(*spec, {"selector"}); labels && labels->is_object() && !labels->get_object().empty()) {
    service->has_selector = true;
    service->selector = schema::Selector();
    for (const auto& [key, value] : client::pairs_of(labels))
      service->selector.add({key, schema::Requirement::Op::in, {value}});
  }
  service->external_name = json::text_at(*spec, {"type"}) == "ExternalName";
  service->headless = json::text_at(*spec, {"clusterIP"}) == "None";
  service->publish_not_ready = json::bool_at(*spec, {"publishNotReadyAddresses"});
  for (const auto& family : client::array_at(*spec, {"ipFamilies"}))
    if (family.is_string()) service->families.emplace_back(family.get_string());
  if (service->families.empty()) service->families.push_back("IPv4");
  for (const auto& item : client::array_at(*spec, {"ports"})) {
    Port port{client::string_at(item, {"name"}), client::string_at(item, {"protocol"}),
              client::string_at(item, {"appProtocol"}), static_cast<int32_t>(json::int_at(item, {"port"})), {}};
    if (port.protocol.empty()) port.protocol = "TCP";
    const auto* target = json::find(item, {"targetPort"});
    if (target && target->is_string())
      port.target.text = std::string(target->get_string());
    else
      port.target.number = static_cast<int32_t>(json::int_at(item, {"targetPort"}));
    service->ports.push_back(std::move(port));
  }
  return service;
}

EndpointPorts ports_at(const Service& service, const Pod& pod) {
  EndpointPorts ports;
  for (const auto& port : service.ports) {
    EndpointPort out{port.name, port.protocol, port.app_protocol, 0};
    if (port.target.text) {
      for (const auto& at : pod.ports)
        if (at.name == *port.target.text && at.protocol == port.protocol) {
          out.port = at.container_port;
          break;
        }
    } else {
      out.port = port.target.number != 0 ? port.target.number : port.port;
    }
    if (out.port != 0) ports.push_back(std::move(out));
  }
  std::sort(ports.begin(), ports.end());
  return ports;
}

std::string address_of(const Pod& pod, std::string_view family) {
  for (const auto& ip : pod.ips)
    if ((ip.find(':') != std::string::npos) == (family == "IPv6")) return ip;
  return {};
}

std::optional<Endpoint> endpoint_of(const Service& service, const Pod& pod, std::string_view family,
                                    const std::string& zone) {
  auto address = address_of(pod, family);
  if (address.empty() || pod.terminal()) return std::nullopt;
  Endpoint endpoint;
  endpoint.address = std::move(address);
  if (!pod.hostname.empty() && pod.subdomain == service.meta.name) endpoint.hostname = pod.hostname;
  endpoint.node_name = pod.node_name;
  endpoint.zone = zone;
  endpoint.pod_ns = pod.meta.ns;
  endpoint.pod_name = pod.meta.name;
  endpoint.pod_uid = pod.meta.uid;
  endpoint.serving = pod.ready;
  endpoint.terminating = pod.meta.deleted.has_value();
  endpoint.ready = service.publish_not_ready || (endpoint.serving && !endpoint.terminating);
  return endpoint;
}

bool endpoints_differ(const Pod* before, const Pod* after) {
  if (!before || !after) return true;
  return before->ready != after->ready || before->ips != after->ips || before->terminal() != after->terminal() ||
         before->meta.deleted.has_value() != after->meta.deleted.has_value() ||
         before->meta.labels != after->meta.labels || before->node_name != after->node_name ||
         before->hostname != after->hostname || before->subdomain != after->subdomain;
}

json::Value to_json(const EndpointPort& port) {
  // The name is printed also when it is empty: clients of slices expect the pointer to be set.
  json::Object out = {{"name", port.name}, {"port", port.port}, {"protocol", port.protocol}};
  if (!port.app_protocol.empty()) out["appProtocol"] = port.app_protocol;
  return out;
}

EndpointPorts ports_of(const json::Value& list_owner) {
  EndpointPorts ports;
  for (const auto& item : client::array_at(list_owner, {"ports"}))
    ports.push_back({client::string_at(item, {"name"}), client::string_at(item, {"protocol"}),
                     client::string_at(item, {"appProtocol"}), static_cast<int32_t>(json::int_at(item, {"port"}))});
  std::sort(ports.begin(), ports.end());
  return ports;
}

json::Object target_of(const Endpoint& e) {
  return {{"kind", "Pod"}, {"namespace", e.pod_ns}, {"name", e.pod_name}, {"uid", e.pod_uid}};
}

}  // namespace kinglet::controllers

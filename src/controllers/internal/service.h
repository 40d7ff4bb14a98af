// Services, and the pods behind them as endpoints: what EndpointSlice and Endpoints controllers share. Pure.
#pragma once
#include "controllers/internal/kinds.h"

namespace kinglet::controllers {

inline constexpr char kHeadlessLabel[] = "service.kubernetes.io/headless";

struct Service : Object {
  static const schema::Resource& resource();
  static std::shared_ptr<Service> decode(const json::Value& object);

  struct Port {
    std::string name, protocol, app_protocol;
    int32_t port = 0;
    schema::IntOrString target;
  };
  std::vector<Port> ports;
  std::vector<std::string> families;  // "IPv4", "IPv6"; never empty
  schema::Selector selector = schema::Selector::nothing();
  bool has_selector = false;
  bool external_name = false, headless = false, publish_not_ready = false;

  // Its endpoints are ours to keep; those of a service without a selector are somebody else's.
  bool managed() const { return has_selector && !external_name; }
};

struct EndpointPort {
  std::string name, protocol, app_protocol;
  int32_t port = 0;
  auto operator<=>(const EndpointPort&) const = default;
};
using EndpointPorts = std::vector<EndpointPort>;

struct Endpoint {
  std::string address, hostname, node_name, zone, pod_ns, pod_name, pod_uid;
  bool ready = false, serving = false, terminating = false;
  bool operator==(const Endpoint&) const = default;
};

// The ports of `service` at `pod`; a named port that the pod does not have is left out.
EndpointPorts ports_at(const Service& service, const Pod& pod);
// The pod's address of a family ("IPv4", "IPv6"), or empty.
std::string address_of(const Pod& pod, std::string_view family);
// The pod as endpoint, or none: without an address, or ended.
std::optional<Endpoint> endpoint_of(const Service& service, const Pod& pod, std::string_view family,
                                    const std::string& zone);
// Whether a change of a pod can change endpoints.
bool endpoints_differ(const Pod* before, const Pod* after);
json::Value to_json(const EndpointPort& port);
EndpointPorts ports_of(const json::Value& list_owner);  // its "ports"
json::Object target_of(const Endpoint& endpoint);

}  // namespace kinglet::controllers

// Endpoints and EndpointSlice.
#include "apiserver/hooks/address.h"
#include "apiserver/hooks/kinds.h"
#include "apiserver/hooks/rules.h"
#include "schema/names.h"
#include "schema/values.h"

namespace kinglet::apiserver {
namespace {

constexpr size_t kEndpointsMax = 1000, kPortsMax = 20000, kAddressesMax = 100;

void check_endpoint_ip(Causes& causes, const Path& path, const json::Value& value) {
  const auto address = value.is_string() ? Address::parse(value.get_string()) : std::nullopt;
  if (!address) return check_ip(causes, path, value);
  const auto reason = address->special_reason();
  if (!reason.empty()) schema::add_invalid(causes, path, value, reason);
}

class EndpointsHooks final : public KindHooks {
 public:
  void validate(const WriteContext&, const json::Value& object, const json::Value*,
                std::vector<Cause>& causes) const override {
    const auto& subsets = items(object, "subsets");
    const Path list("subsets");
    for (size_t i = 0; i < subsets.size(); ++i) check_subset(subsets[i], list.index(i), causes);
  }

 private:
  static void check_subset(const json::Value& subset, const Path& path, Causes& causes) {
    if (items(subset, "addresses").empty() && items(subset, "notReadyAddresses").empty())
      schema::add_required(causes, path, "must specify `addresses` or `notReadyAddresses`");
    for (const std::string_view member : {"addresses", "notReadyAddresses"}) {
      const auto& addresses = items(subset, member);
      const Path list = path.child(member);
      for (size_t i = 0; i < addresses.size(); ++i) {
        const Path item = list.index(i);
        check_endpoint_ip(causes, item.child("ip"), at(addresses[i], "ip"));
      }
    }
    const auto& ports = items(subset, "ports");
    const Path list = path.child("ports");
    for (size_t i = 0; i < ports.size(); ++i) {
      const Path item = list.index(i);
      const auto& name = at(ports[i], "name");
      if (!is_empty(name)) {
        check_name(causes, item.child("name"), name, schema::dns1123_label_errors);
      } else if (ports.size() > 1) {
        schema::add_required(causes, item.child("name"));
      }
      check_port(causes, item.child("port"), at(ports[i], "port"));
      check_one_of(causes, item.child("protocol"), at(ports[i], "protocol"),
                   {"TCP", "UDP", "SCTP"});
    }
  }
};

class EndpointSliceHooks final : public KindHooks {
 public:
  void validate(const WriteContext&, const json::Value& object, const json::Value* old,
                std::vector<Cause>& causes) const override {
    check_one_of(causes, Path("addressType"), at(object, "addressType"), {"FQDN", "IPv4", "IPv6"});
    if (old)
      check_immutable(causes, Path("addressType"), at(object, "addressType"),
                      at(*old, "addressType"));
    check_endpoints(object, causes);
    check_ports(object, causes);
  }

 private:
  static void check_endpoints(const json::Value& object, Causes& causes) {
    const auto& endpoints = items(object, "endpoints");
    const Path list("endpoints");
    if (endpoints.size() > kEndpointsMax)
      return schema::add_too_many(causes, list, endpoints.size(), kEndpointsMax);
    const auto type = text(object, "addressType");
    for (size_t i = 0; i < endpoints.size(); ++i) {
      const Path item = list.index(i);
      const auto& addresses = items(endpoints[i], "addresses");
      const Path at_addresses = item.child("addresses");
      if (addresses.empty())
        schema::add_required(causes, at_addresses, "must contain at least 1 address");
      if (addresses.size() > kAddressesMax)
        schema::add_too_many(causes, at_addresses, addresses.size(), kAddressesMax);
      for (size_t j = 0; j < addresses.size(); ++j)
        check_address(addresses[j], type, at_addresses.index(j), causes);
    }
  }

  static void check_address(const json::Value& value, std::string_view type, const Path& path,
                            Causes& causes) {
    if (type == "FQDN") return check_name(causes, path, value, schema::dns1123_subdomain_errors);
    const auto address = value.is_string() ? Address::parse(value.get_string()) : std::nullopt;
    if (address && address->is_v4() != (type == "IPv4"))
      return schema::add_invalid(causes, path, value, fmt::format("must be an {} address", type));
    check_endpoint_ip(causes, path, value);
  }

  static void check_ports(const json::Value& object, Causes& causes) {
    const auto& ports = items(object, "ports");
    const Path list("ports");
    if (ports.size() > kPortsMax)
      return schema::add_too_many(causes, list, ports.size(), kPortsMax);
    for (size_t i = 0; i < ports.size(); ++i) {
      const Path item = list.index(i);
      if (const auto& name = at(ports[i], "name"); !is_empty(name))
        check_name(causes, item.child("name"), name, schema::dns1123_label_errors);
      check_one_of(causes, item.child("protocol"), at(ports[i], "protocol"),
                   {"TCP", "UDP", "SCTP"});
    }
    check_unique(causes, list, ports, "name");
  }
};

}  // namespace

void add_endpoint_hooks(Hooks& hooks) {
  hooks.emplace("/endpoints", std::make_unique<EndpointsHooks>());
  hooks.emplace("discovery.k8s.io/endpointslices", std::make_unique<EndpointSliceHooks>());
}

}  // namespace kinglet::apiserver

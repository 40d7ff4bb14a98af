// Ingress, IngressClass, NetworkPolicy, ServiceCIDR, IPAddress.
#include "apiserver/hooks/address.h"
#include "apiserver/hooks/kinds.h"
#include "apiserver/hooks/rules.h"
#include "schema/names.h"
#include "schema/values.h"

namespace kinglet::apiserver {
namespace {

// --- Ingress -------------------------------------------------------------------------------------

void check_host(const json::Value& host, const Path& path, Causes& causes) {
  if (is_empty(host) || !host.is_string()) return;
  const std::string_view name = host.get_string();
  if (Address::parse(name))
    return schema::add_invalid(causes, path, host, "must be a DNS name, not an IP address");
  schema::add_invalid_each(causes, path, host,
                           name.find('*') == std::string_view::npos
                               ? schema::dns1123_subdomain_errors(name)
                               : schema::dns1123_wildcard_errors(name));
}

void check_backend(const json::Value& backend, const Path& path, Causes& causes) {
  const auto& service = at(backend, "service");
  const bool resource = given(at(backend, "resource"));
  if (!given(service)) {
    if (!resource) schema::add_required(causes, path, "resource or service backend is required");
    return;
  }
  const Path at_service = path.child("service");
  if (resource)
    schema::add_invalid(causes, path, json::Value(""),
                        "cannot set both resource and service backends");
  if (text(service, "name").empty()) {
    schema::add_required(causes, at_service.child("name"));
  } else {
    check_name(causes, at_service.child("name"), at(service, "name"), schema::dns1035_label_errors);
  }
  const auto& name = at(service, {"port", "name"});
  const auto port = number(at(service, "port"), "number");
  const Path at_port = at_service.child("port");
  if (!is_empty(name) && port != 0)
    schema::add_invalid(causes, at_port, json::Value(""),
                        "cannot set both port name & port number");
  if (!is_empty(name)) {
    check_name(causes, at_port.child("name"), name, schema::port_name_errors);
  } else if (port != 0) {
    check_port(causes, at_port.child("number"), at(service, {"port", "number"}));
  } else {
    schema::add_required(causes, at_port, "port name or number is required");
  }
}

void check_path(const json::Value& rule, const Path& path, Causes& causes) {
  const auto type = text(rule, "pathType");
  const auto& where = at(rule, "path");
  if (type.empty())
    schema::add_required(causes, path.child("pathType"), "pathType must be specified");
  if ((type == "Exact" || type == "Prefix") && !text(rule, "path").starts_with('/')) {
    schema::add_invalid(causes, path.child("path"), json::Value(text(rule, "path")),
                        "must be an absolute path");
  } else if (type == "Exact" || type == "Prefix") {
    const std::string_view value = where.get_string();
    for (const std::string_view wrong : {"//", "/./", "/../", "%2f", "%2F"})
      if (value.find(wrong) != std::string_view::npos)
        schema::add_invalid(causes, path.child("path"), where,
                            fmt::format("must not contain '{}'", wrong));
    for (const std::string_view wrong : {"/..", "/."})
      if (value.ends_with(wrong))
        schema::add_invalid(causes, path.child("path"), where,
                            fmt::format("cannot end with '{}'", wrong));
  }
  check_backend(at(rule, "backend"), path.child("backend"), causes);
}

class IngressHooks final : public KindHooks {
 public:
  void validate(const WriteContext& context, const json::Value& object, const json::Value* old,
                std::vector<Cause>& causes) const override {
    if (context.subresource == "status") return;
    const auto& spec = at(object, "spec");
    const Path path("spec");
    const auto& rules = items(spec, "rules");
    const auto& backend = at(spec, "defaultBackend");
    if (rules.empty() && !given(backend))
      schema::add_invalid(causes, path, json::Value(rules),
                          "either `defaultBackend` or `rules` must be specified");
    if (given(backend)) check_backend(backend, path.child("defaultBackend"), causes);
    const Path list = path.child("rules");
    for (size_t i = 0; i < rules.size(); ++i) check_rule(rules[i], list.index(i), causes);
    const auto& tls = items(spec, "tls");
    const Path tls_list = path.child("tls");
    for (size_t i = 0; i < tls.size(); ++i) {
      const Path item = tls_list.index(i);
      const Path hosts = item.child("hosts");
      const auto& names = items(tls[i], "hosts");
      for (size_t j = 0; j < names.size(); ++j) check_host(names[j], hosts.index(j), causes);
    }
    const auto& name = at(spec, "ingressClassName");
    if (given(name))
      check_name(causes, path.child("ingressClassName"), name, schema::dns1123_subdomain_errors);
    constexpr std::string_view kOld = "kubernetes.io/ingress.class";
    if (!old && given(name) && given(at(object, {"metadata", "annotations", kOld}))) {
      const Path annotations("annotations");
      schema::add_invalid(causes, annotations.child(kOld),
                          at(object, {"metadata", "annotations", kOld}),
                          "can not be set when the class field is also set");
    }
  }

 private:
  static void check_rule(const json::Value& rule, const Path& path, Causes& causes) {
    check_host(at(rule, "host"), path.child("host"), causes);
    const auto& http = at(rule, "http");
    if (!given(http)) return;
    const Path at_http = path.child("http");
    const auto& paths = items(http, "paths");
    const Path list = at_http.child("paths");
    if (paths.empty()) schema::add_required(causes, list);
    for (size_t i = 0; i < paths.size(); ++i) check_path(paths[i], list.index(i), causes);
  }
};

constexpr size_t kControllerBytesMax = 250;

class IngressClassHooks final : public KindHooks {
 public:
  void validate(const WriteContext&, const json::Value& object, const json::Value* old,
                std::vector<Cause>& causes) const override {
    const auto& spec = at(object, "spec");
    const Path path("spec");
    const auto controller = text(spec, "controller");
    if (controller.size() > kControllerBytesMax)
      schema::add_too_long(causes, path.child("controller"), kControllerBytesMax);
    if (controller.empty()) {
      schema::add_required(causes, path.child("controller"));
    } else if (controller.find('/') == std::string_view::npos) {
      schema::add_invalid(causes, path.child("controller"), at(spec, "controller"),
                          "must be a domain-prefixed path (such as \"acme.io/foo\")");
    }
    if (old)
      check_immutable(causes, path.child("controller"), at(spec, "controller"),
                      at(*old, {"spec", "controller"}));
    const auto& parameters = at(spec, "parameters");
    if (!given(parameters)) return;
    const Path at_parameters = path.child("parameters");
    const bool wants_namespace = text(parameters, "scope") == "Namespace";
    const bool has_namespace = !text(parameters, "namespace").empty();
    if (wants_namespace && !has_namespace)
      schema::add_required(causes, at_parameters.child("namespace"),
                           "`parameters.scope` is set to 'Namespace'");
    if (!wants_namespace && has_namespace)
      schema::add_forbidden(causes, at_parameters.child("namespace"),
                            "`parameters.scope` is set to 'Cluster'");
  }
};

// --- NetworkPolicy -------------------------------------------------------------------------------

void check_policy_ports(const json::Value& rule, const Path& path, Causes& causes) {
  const auto& ports = items(rule, "ports");
  const Path list = path.child("ports");
  for (size_t i = 0; i < ports.size(); ++i) {
    const Path item = list.index(i);
    const auto& port = at(ports[i], "port");
    const auto& end = at(ports[i], "endPort");
    if (given(port)) check_port_or_name(causes, item.child("port"), port);
    if (!given(end)) continue;
    if (!given(port)) {
      schema::add_required(causes, item.child("port"),
                           "may not be empty when `endPort` is specified");
    } else if (port.is_string()) {
      schema::add_required(causes, item.child("port"),
                           "must be numeric when `endPort` is specified");
    } else if (end.is_int64() && end.get_int64() < port.get_int64()) {
      schema::add_invalid(causes, item.child("endPort"), end,
                          "must be greater than or equal to `port`");
    }
  }
}

void check_ip_block(const json::Value& block, const Path& path, Causes& causes) {
  const auto& range = at(block, "cidr");
  if (is_empty(range)) return schema::add_required(causes, path.child("cidr"));
  check_cidr(causes, path.child("cidr"), range);
  const auto outer = range.is_string() ? Cidr::parse(range.get_string()) : std::nullopt;
  const auto& excepted = items(block, "except");
  const Path list = path.child("except");
  for (size_t i = 0; i < excepted.size(); ++i) {
    check_cidr(causes, list.index(i), excepted[i]);
    const auto inner =
        excepted[i].is_string() ? Cidr::parse(excepted[i].get_string()) : std::nullopt;
    if (outer && inner && (!outer->contains(*inner) || inner->bits == outer->bits))
      schema::add_invalid(causes, list.index(i), excepted[i], "must be a strict subset of `cidr`");
  }
}

void check_peers(const json::Value& rule, std::string_view member, const Path& path,
                 Causes& causes) {
  const auto& peers = items(rule, member);
  const Path list = path.child(member);
  for (size_t i = 0; i < peers.size(); ++i) {
    const Path item = list.index(i);
    int count = 0;
    for (const std::string_view selector : {"podSelector", "namespaceSelector"}) {
      const auto& value = at(peers[i], selector);
      if (!given(value)) continue;
      ++count;
      check_selector(causes, item.child(selector), value);
    }
    const auto& block = at(peers[i], "ipBlock");
    if (given(block)) {
      check_ip_block(block, item.child("ipBlock"), causes);
      if (count > 0)
        schema::add_forbidden(causes, item, "may not specify both ipBlock and another peer");
    } else if (count == 0) {
      schema::add_required(causes, item, "must specify a peer");
    }
  }
}

class NetworkPolicyHooks final : public KindHooks {
 public:
  void validate(const WriteContext&, const json::Value& object, const json::Value*,
                std::vector<Cause>& causes) const override {
    const auto& spec = at(object, "spec");
    const Path path("spec");
    check_selector(causes, path.child("podSelector"), at(spec, "podSelector"));
    for (const auto& [member, peers] : {std::pair("ingress", "from"), std::pair("egress", "to")}) {
      const auto& rules = items(spec, member);
      const Path list = path.child(member);
      for (size_t i = 0; i < rules.size(); ++i) {
        const Path item = list.index(i);
        check_policy_ports(rules[i], item, causes);
        check_peers(rules[i], peers, item, causes);
      }
    }
    const auto& types = items(spec, "policyTypes");
    const Path list = path.child("policyTypes");
    if (types.size() > 2)
      return schema::add_invalid(causes, list, at(spec, "policyTypes"),
                                 "may not specify more than two policyTypes");
    for (size_t i = 0; i < types.size(); ++i)
      check_one_of(causes, list.index(i), types[i], {"Ingress", "Egress"});
  }
};

class ServiceCidrHooks final : public KindHooks {
 public:
  void validate(const WriteContext& context, const json::Value& object, const json::Value* old,
                std::vector<Cause>& causes) const override {
    if (context.subresource == "status") return;
    const auto& cidrs = items(at(object, "spec"), "cidrs");
    const Path path("spec");
    const Path list = path.child("cidrs");
    if (cidrs.empty()) schema::add_required(causes, list, "at least one CIDR required");
    if (cidrs.size() > 2)
      schema::add_invalid(causes, list, json::Value(cidrs), "may only hold up to 2 values");
    for (size_t i = 0; i < cidrs.size(); ++i) check_cidr(causes, list.index(i), cidrs[i]);
    if (old)
      check_immutable(causes, list, at(object, {"spec", "cidrs"}), at(*old, {"spec", "cidrs"}));
  }
};

class IpAddressHooks final : public KindHooks {
 public:
  void validate(const WriteContext&, const json::Value& object, const json::Value* old,
                std::vector<Cause>& causes) const override {
    const auto name = text(at(object, "metadata"), "name");
    const Path metadata("metadata");
    const auto address = Address::parse(name);
    if (!address || address->text() != name)
      schema::add_invalid(causes, metadata.child("name"), json::Value(name),
                          "must be a valid IP address in canonical form");
    const Path path("spec");
    if (!given(at(object, {"spec", "parentRef"})))
      schema::add_required(causes, path.child("parentRef"));
    if (old) check_immutable(causes, path, at(object, "spec"), at(*old, "spec"));
  }
};

}  // namespace

void add_network_hooks(Hooks& hooks) {
  hooks.emplace("networking.k8s.io/ingresses", std::make_unique<IngressHooks>());
  hooks.emplace("networking.k8s.io/ingressclasses", std::make_unique<IngressClassHooks>());
  hooks.emplace("networking.k8s.io/networkpolicies", std::make_unique<NetworkPolicyHooks>());
  hooks.emplace("networking.k8s.io/servicecidrs", std::make_unique<ServiceCidrHooks>());
  hooks.emplace("networking.k8s.io/ipaddresses", std::make_unique<IpAddressHooks>());
}

}  // namespace kinglet::apiserver

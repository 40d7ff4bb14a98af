// Services: cluster IPs and node ports. prepare() carries over what was allocated before and drops
// what a new type does not need; allocate() takes what is missing; release() gives back what nobody
// uses any more.
#include "apiserver/hooks/address.h"
#include "apiserver/hooks/kinds.h"
#include "apiserver/hooks/number_allocator.h"
#include "apiserver/hooks/service_rules.h"

namespace kinglet::apiserver {
namespace {

json::Object& spec_of(json::Value& service) { return json::child(service.get_object(), "spec"); }

// --- prepare -------------------------------------------------------------------------------------

void carry_node_ports(json::Object& spec, const json::Value& old_spec) {
  auto* ports = spec.if_contains("ports");
  if (!ports || !ports->is_array()) return;
  const auto used = [&](int64_t node_port) {
    for (const auto& port : ports->get_array())
      if (number(port, "nodePort") == node_port) return true;
    return false;
  };
  for (auto& port : ports->get_array()) {
    if (!port.is_object() || number(port, "nodePort") != 0) continue;
    for (const auto& old_port : items(old_spec, "ports")) {
      const auto node_port = number(old_port, "nodePort");
      if (node_port == 0 || used(node_port)) continue;
      if (at(old_port, "protocol") != at(port, "protocol") ||
          at(old_port, "port") != at(port, "port"))
        continue;
      port.get_object()["nodePort"] = node_port;
      break;
    }
  }
}

// What the client left out of an update is kept as it was allocated.
void carry_allocated(json::Object& spec, const json::Value& old_spec) {
  const json::Value now(spec);
  if (needs_cluster_ip(now) && needs_cluster_ip(old_spec)) {
    if (is_empty(at(now, "clusterIP"))) spec["clusterIP"] = at(old_spec, "clusterIP");
    if (is_empty(at(now, "clusterIPs")) && spec["clusterIP"] == at(old_spec, "clusterIP"))
      spec["clusterIPs"] = at(old_spec, "clusterIPs");
  }
  if (needs_node_port(now) && needs_node_port(old_spec)) carry_node_ports(spec, old_spec);
  if (needs_health_check_port(now) && needs_health_check_port(old_spec) &&
      is_empty(at(now, "healthCheckNodePort")))
    spec["healthCheckNodePort"] = number(old_spec, "healthCheckNodePort");
}

void drop_if_unchanged(json::Object& spec, const json::Value& old_spec, std::string_view member) {
  const auto* value = spec.if_contains(member);
  if (value && *value == at(old_spec, member)) spec.erase(member);
}

// A new type sheds what belonged to the old one, unless the client changed it on purpose.
void drop_of_old_type(json::Object& spec, const json::Value& old_spec) {
  const json::Value now(spec);
  if (needs_cluster_ip(old_spec) && !needs_cluster_ip(now))
    for (const std::string_view member :
         {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"})
      drop_if_unchanged(spec, old_spec, member);
  if (needs_node_port(old_spec) && !needs_node_port(now)) {
    const auto same = [&](const json::Value& port) {
      for (const auto& old_port : items(old_spec, "ports"))
        if (at(old_port, "nodePort") == at(port, "nodePort")) return true;
      return false;
    };
    if (auto* ports = spec.if_contains("ports"); ports && ports->is_array())
      for (auto& port : ports->get_array())
        if (port.is_object() && same(port)) port.get_object().erase("nodePort");
  }
  if (needs_health_check_port(old_spec) && !needs_health_check_port(now))
    drop_if_unchanged(spec, old_spec, "healthCheckNodePort");
  const auto reachable = [](const json::Value& s) {
    const auto type = text(s, "type");
    return type == "NodePort" || type == "LoadBalancer" || !items(s, "externalIPs").empty();
  };
  if (reachable(old_spec) && !reachable(now))
    drop_if_unchanged(spec, old_spec, "externalTrafficPolicy");
  if (text(old_spec, "type") == "LoadBalancer" && text(now, "type") != "LoadBalancer")
    for (const std::string_view member : {"allocateLoadBalancerNodePorts", "loadBalancerClass"})
      drop_if_unchanged(spec, old_spec, member);
}

// clusterIPs follows clusterIP where only one of them was written.
void match_cluster_ips(json::Object& spec, const json::Value* old_spec) {
  const json::Value ip = at(json::Value(spec), "clusterIP");
  const json::Value ips = at(json::Value(spec), "clusterIPs");
  if (!old_spec) {
    if (!is_empty(ip) && is_empty(ips)) spec["clusterIPs"] = json::Array{ip};
    return;
  }
  if (!is_empty(ip) && is_empty(ips)) {
    spec["clusterIPs"] = json::Array{ip};
    return;
  }
  const bool ip_changed = ip != at(*old_spec, "clusterIP");
  const bool ips_changed = !equal(ips, at(*old_spec, "clusterIPs"));
  if (!ip_changed || ips_changed) return;
  if (is_empty(ip)) {
    spec.erase("clusterIPs");
  } else {
    spec["clusterIPs"] = json::Array{ip};
  }
}

// The cluster has one family. A headless Service without selector stands for addresses of any.
void set_families(json::Object& spec) {
  const json::Value now(spec);
  if (!needs_cluster_ip(now)) return;
  const bool free = is_headless(now) && is_empty(at(now, "selector"));
  if (is_empty(at(now, "ipFamilyPolicy")))
    spec["ipFamilyPolicy"] = free ? "RequireDualStack" : "SingleStack";
  if (is_empty(at(now, "ipFamilies")))
    spec["ipFamilies"] = free ? json::Array{"IPv4", "IPv6"} : json::Array{"IPv4"};
}

// --- hooks ---------------------------------------------------------------------------------------

class ServiceHooks final : public KindHooks {
 public:
  ServiceHooks(std::string cidr_text, Cidr cidr, uint32_t first_port, uint32_t last_port)
      : cidr_text_(std::move(cidr_text)),
        cidr_(cidr),
        ports_text_(fmt::format("{}-{}", first_port, last_port)),
        ips_(first_ip(cidr), last_ip(cidr), reserved_ips(cidr)),
        ports_(first_port, last_port, reserved_ports(last_port - first_port + 1)) {}

  void prepare(const WriteContext& context, json::Value& object,
               const json::Value* old) const override {
    if (!context.subresource.empty()) return;
    auto& spec = spec_of(object);
    const json::Value* old_spec = old ? &at(*old, "spec") : nullptr;
    if (old_spec) {
      carry_allocated(spec, *old_spec);
      drop_of_old_type(spec, *old_spec);
    }
    match_cluster_ips(spec, old_spec);
    set_families(spec);
  }

  void validate(const WriteContext&, const json::Value& object, const json::Value* old,
                std::vector<Cause>& causes) const override {
    validate_service(object, causes);
    const auto& spec = at(object, "spec");
    const Path path("spec");
    const bool free = is_headless(spec) && is_empty(at(spec, "selector"));
    if (!free && text(spec, "ipFamilyPolicy") == "RequireDualStack")
      schema::add_invalid(causes, path.child("ipFamilyPolicy"), at(spec, "ipFamilyPolicy"),
                          "this cluster is not configured for dual-stack services");
    const auto& families = items(spec, "ipFamilies");
    const Path list = path.child("ipFamilies");
    for (size_t i = 0; i < families.size() && !free; ++i)
      if (families[i] == "IPv6")
        schema::add_invalid(causes, list.index(i), families[i], "not configured on this cluster");
    if (old) validate_service_update(object, *old, causes);
  }

  Result<void> allocate(const WriteContext& context, json::Value& object,
                        const json::Value* old) override {
    if (!context.subresource.empty()) return {};
    static const json::Value kNothing;
    const auto& old_spec = old ? at(*old, "spec") : kNothing;
    Taken taken;
    auto done = allocate_ip(object, old_spec, taken);
    if (done) done = allocate_ports(object, old_spec, taken);
    if (done) return {};
    for (const auto ip : taken.ips) ips_.release(ip);
    for (const auto port : taken.ports) ports_.release(port);
    schema::Causes causes{std::move(done.error().mutable_details().causes)};
    return schema::invalid_error("Service", "", context.name, std::move(causes));
  }

  void release(const json::Value& object, const json::Value* still_used_by) override {
    static const json::Value kNothing;
    const auto& spec = at(object, "spec");
    const auto& kept = still_used_by ? at(*still_used_by, "spec") : kNothing;
    const auto kept_ips = ips_of(kept);
    for (const auto ip : ips_of(spec))
      if (!kept_ips.contains(ip)) ips_.release(ip);
    const auto kept_ports = ports_of(kept);
    for (const auto port : ports_of(spec))
      if (!kept_ports.contains(port)) ports_.release(port);
  }

  void restore(const Reader& reader) override {
    ips_.clear();
    ports_.clear();
    const auto* services = schema::find_resource("", "v1", "services");
    if (!services) return;
    for (const auto& service : reader.list(*services, "")) {
      for (const auto ip : ips_of(at(service, "spec"))) ips_.take(ip);
      for (const auto port : ports_of(at(service, "spec"))) ports_.take(port);
    }
  }

 private:
  struct Taken {
    std::vector<uint32_t> ips, ports;
  };

  // The network's own and its broadcast address are nobody's.
  static uint32_t mask_of(const Cidr& cidr) {
    const int host_bits = 128 - cidr.bits;
    return host_bits >= 32 ? 0 : ~0u << host_bits;
  }
  static uint32_t first_ip(const Cidr& cidr) { return (cidr.base.as_v4() & mask_of(cidr)) + 1; }
  static uint32_t last_ip(const Cidr& cidr) { return (cidr.base.as_v4() | ~mask_of(cidr)) - 1; }
  static uint32_t reserved_ips(const Cidr& cidr) {
    const uint32_t size = last_ip(cidr) - first_ip(cidr) + 1;
    return size < 16 ? 0 : std::clamp(size / 16, 16u, 256u);
  }
  static uint32_t reserved_ports(uint32_t size) {
    return size < 16 ? 0 : std::clamp(size / 32, 16u, 128u);
  }

  static Error cause_error(schema::Causes causes) {
    Error error(Code::invalid, "not allocated");
    error.mutable_details().causes = std::move(causes);
    return error;
  }
  static Error ip_error(const json::Value& spec, std::string_view ip, std::string_view why) {
    schema::Causes causes;
    const Path path("spec");
    schema::add_invalid(causes, path.child("clusterIPs"), at(spec, "clusterIPs"),
                        ip.empty() ? fmt::format("failed to allocate a serviceIP: {}", why)
                                   : fmt::format("failed to allocate IP {}: {}", ip, why));
    return cause_error(std::move(causes));
  }
  static Error port_error(size_t index, int64_t port, std::string_view why) {
    schema::Causes causes;
    const Path path("spec");
    const Path list = path.child("ports");
    const Path item = list.index(index);
    schema::add_invalid(causes, item.child("nodePort"), json::Value(port), why);
    return cause_error(std::move(causes));
  }

  std::set<uint32_t> ips_of(const json::Value& spec) const {
    std::set<uint32_t> out;
    const auto add = [&](const json::Value& value) {
      const auto address = value.is_string() ? Address::parse(value.get_string()) : std::nullopt;
      if (address && cidr_.contains(*address)) out.insert(address->as_v4());
    };
    add(at(spec, "clusterIP"));
    for (const auto& ip : items(spec, "clusterIPs")) add(ip);
    return out;
  }

  static std::set<uint32_t> ports_of(const json::Value& spec) {
    std::set<uint32_t> out;
    for (const auto& port : items(spec, "ports"))
      if (const auto node_port = number(port, "nodePort"); node_port > 0)
        out.insert(static_cast<uint32_t>(node_port));
    if (const auto port = number(spec, "healthCheckNodePort"); port > 0)
      out.insert(static_cast<uint32_t>(port));
    return out;
  }

  Result<void> allocate_ip(json::Value& object, const json::Value& old_spec, Taken& taken) {
    const json::Value spec = at(object, "spec");
    if (!needs_cluster_ip(spec) || is_headless(spec)) return {};
    const auto wanted = text(spec, "clusterIP");
    if (wanted.empty()) {
      const auto next = ips_.take_next();
      if (!next) return ip_error(spec, "", "range is full");
      taken.ips.push_back(*next);
      const auto ip = Address::v4(*next).text();
      spec_of(object)["clusterIP"] = ip;
      spec_of(object)["clusterIPs"] = json::Array{json::Value(ip)};
      return {};
    }
    const auto address = Address::parse(wanted);
    if (!address || !cidr_.contains(*address) || !ips_.in_range(address->as_v4()))
      return ip_error(
          spec, wanted,
          fmt::format(
              "the provided IP ({}) is not in the valid range. The range of valid IPs is {}",
              wanted, cidr_text_));
    if (ips_of(old_spec).contains(address->as_v4())) return {};
    if (!ips_.take(address->as_v4()))
      return ip_error(spec, wanted, "provided IP is already allocated");
    taken.ips.push_back(address->as_v4());
    return {};
  }

  Result<void> allocate_ports(json::Value& object, const json::Value& old_spec, Taken& taken) {
    const json::Value spec = at(object, "spec");
    const auto own = ports_of(old_spec);
    // The ports written by the client first, so that none of them is given out to a neighbour.
    const auto& ports = items(spec, "ports");
    std::set<int64_t> seen;
    for (size_t i = 0; i < ports.size(); ++i) {
      const auto port = number(ports[i], "nodePort");
      if (port == 0 || !seen.insert(port).second) continue;  // TCP and UDP may share a number
      KL_CHECK_FN(take_port(i, port, own, taken));
    }
    if (needs_node_port(spec)) {
      auto* list = spec_of(object).if_contains("ports");
      if (list && list->is_array())
        for (auto& port : list->get_array())
          if (port.is_object() && number(port, "nodePort") == 0)
            KL_CHECK_FN(give_port(port.get_object(), taken));
    }
    return allocate_health_check_port(object, own, taken);
  }

  Result<void> take_port(size_t index, int64_t port, const std::set<uint32_t>& own, Taken& taken) {
    if (port < 0 || !ports_.in_range(static_cast<uint32_t>(port)))
      return port_error(
          index, port,
          fmt::format("provided port is not in the valid range. The range of valid ports is {}",
                      ports_text_));
    const auto number = static_cast<uint32_t>(port);
    if (own.contains(number)) return {};
    if (!ports_.take(number)) return port_error(index, port, "provided port is already allocated");
    taken.ports.push_back(number);
    return {};
  }

  Result<void> give_port(json::Object& port, Taken& taken) {
    const auto next = ports_.take_next();
    if (!next) return port_error(0, 0, "failed to allocate a nodePort: range is full");
    taken.ports.push_back(*next);
    port["nodePort"] = *next;
    return {};
  }

  Result<void> allocate_health_check_port(json::Value& object, const std::set<uint32_t>& own,
                                          Taken& taken) {
    const json::Value spec = at(object, "spec");
    if (!needs_health_check_port(spec)) return {};
    const auto wanted = number(spec, "healthCheckNodePort");
    if (wanted != 0) {
      const auto port = static_cast<uint32_t>(wanted);
      if (own.contains(port)) return {};
      if (!ports_.take(port)) return port_error(0, wanted, "provided port is already allocated");
      taken.ports.push_back(port);
      return {};
    }
    const auto next = ports_.take_next();
    if (!next)
      return port_error(0, 0, "failed to allocate requested HealthCheck NodePort: range is full");
    taken.ports.push_back(*next);
    spec_of(object)["healthCheckNodePort"] = *next;
    return {};
  }

  std::string cidr_text_;
  Cidr cidr_;
  std::string ports_text_;
  NumberAllocator ips_;
  NumberAllocator ports_;
};

struct PortRange {
  uint32_t first, last;
};

std::optional<PortRange> parse_ports(const std::string& text) {
  unsigned first = 0, last = 0;
  char end = 0;
  if (std::sscanf(text.c_str(), "%5u-%5u%c", &first, &last, &end) != 2) return std::nullopt;
  if (first == 0 || last > 65535 || first > last) return std::nullopt;
  return PortRange{first, last};
}

constexpr int kSmallestServiceRangeBits = 96 + 29;  // fewer than six addresses make no cluster
constexpr int kLargestServiceRangeBits = 96 + 8;

std::optional<Cidr> parse_service_cidr(const std::string& text) {
  const auto cidr = Cidr::parse(text);
  if (!cidr || !cidr->is_v4()) return std::nullopt;
  if (cidr->bits > kSmallestServiceRangeBits || cidr->bits < kLargestServiceRangeBits)
    return std::nullopt;
  return cidr;
}

}  // namespace

Result<void> check_hook_options(const HookOptions& options) {
  if (!parse_service_cidr(options.service_cidr))
    return Error(Code::bad_request, "service CIDR {}: not an IPv4 range between /8 and /29",
                 options.service_cidr);
  if (!parse_ports(options.node_port_range))
    return Error(Code::bad_request, "node port range {}: not FIRST-LAST within 1-65535",
                 options.node_port_range);
  return {};
}

void add_service_hooks(Hooks& hooks, const HookOptions& options) {
  const auto cidr = parse_service_cidr(options.service_cidr);
  const auto ports = parse_ports(options.node_port_range);
  KL_ASSERT(cidr && ports, "check_hook_options was not asked");
  hooks.emplace("/services", std::make_unique<ServiceHooks>(options.service_cidr, *cidr,
                                                            ports->first, ports->last));
}

}  // namespace kinglet::apiserver

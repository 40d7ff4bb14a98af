#include "node/network/dns_zone.h"

#include <algorithm>
#include <boost/asio/ip/network_v4.hpp>

namespace kinglet::network {
namespace {
namespace ip = boost::asio::ip;
constexpr std::string_view kReverse = ".in-addr.arpa";

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

bool inside(std::string_view name, std::string_view domain) {
  return name == domain || (name.size() > domain.size() && name.ends_with(domain) &&
                            name[name.size() - domain.size() - 1] == '.');
}

std::string dashed(std::string address) {
  std::replace(address.begin(), address.end(), '.', '-');
  return address;
}

std::string undashed(std::string label) {
  std::replace(label.begin(), label.end(), '-', '.');
  return label;
}

// An endpoint without a hostname is named by its address.
std::string label_of(const EndpointModel& endpoint, const std::string& address) {
  return endpoint.hostname.empty() ? dashed(address) : lower(endpoint.hostname);
}
}  // namespace

std::string reverse_name(const std::string& address) {
  boost::system::error_code bad;
  const auto bytes = ip::make_address_v4(address, bad).to_bytes();
  return fmt::format("{}.{}.{}.{}{}", bytes[3], bytes[2], bytes[1], bytes[0], kReverse);
}

DnsZone::DnsZone(std::string domain, std::vector<std::string> networks)
    : domain_(lower(std::move(domain))), networks_(std::move(networks)) {
  rebuild(ServiceWorld{});
}

void DnsZone::add_name_and_parents(const std::string& name) {
  for (std::string at = name; inside(at, domain_) && names_.insert(at).second;) {
    const size_t dot = at.find('.');
    if (dot == std::string::npos) break;
    at = at.substr(dot + 1);
  }
}

void DnsZone::add(DnsRecord record) {
  add_name_and_parents(record.name);
  auto& here = records_[record.name];
  if (std::find(here.begin(), here.end(), record) == here.end()) here.push_back(std::move(record));
}

void DnsZone::rebuild(const ServiceWorld& world) {
  records_.clear();
  names_.clear();
  namespaces_.clear();
  add_name_and_parents(domain_);
  add_name_and_parents("svc." + domain_);
  add_name_and_parents("pod." + domain_);
  add({"dns-version." + domain_, DnsType::txt, "1.1.0"});
  for (const auto* service : world.services) {
    namespaces_.insert(service->ns);
    const std::string name = fmt::format("{}.{}.svc.{}", service->name, service->ns, domain_);
    if (!service->external_name.empty()) {
      std::string target = lower(service->external_name);
      if (target.ends_with('.')) target.pop_back();
      add({name, DnsType::cname, std::move(target)});
    } else if (service->headless()) {
      const auto [from, to] = world.slices.equal_range({service->ns, service->name});
      std::vector<const SliceModel*> slices;
      for (auto at = from; at != to; ++at) slices.push_back(at->second);
      add_headless(*service, name, slices);
    } else if (!service->cluster_ip.empty()) {
      add_cluster_ip(*service, name);
    }
  }
}

void DnsZone::add_cluster_ip(const ServiceModel& service, const std::string& name) {
  add({name, DnsType::a, service.cluster_ip});
  add({reverse_name(service.cluster_ip), DnsType::ptr, name});
  for (const auto& port : service.ports)
    if (!port.name.empty())
      add({fmt::format("_{}._{}.{}", lower(port.name), lower(port.protocol), name), DnsType::srv,
           name, port.port, 100});
}

void DnsZone::add_headless(const ServiceModel& service, const std::string& name,
                           const std::vector<const SliceModel*>& slices) {
  add_name_and_parents(name);  // without endpoints the name exists and has no addresses
  for (const auto* slice : slices) {
    for (const auto& endpoint : slice->endpoints) {
      if (!endpoint.ready && !service.publish_not_ready) continue;
      for (const auto& address : endpoint.addresses) {
        const std::string own = label_of(endpoint, address) + "." + name;
        add({name, DnsType::a, address});
        add({own, DnsType::a, address});
        if (!endpoint.hostname.empty()) add({reverse_name(address), DnsType::ptr, own});
        for (const auto& port : slice->ports)
          if (!port.name.empty() && port.port != 0)
            add({fmt::format("_{}._{}.{}", lower(port.name), lower(port.protocol), name),
                 DnsType::srv, own, port.port, 100});
      }
    }
  }
}

DnsAnswer DnsZone::resolve(std::string name, DnsType type) const {
  name = lower(std::move(name));
  if (name.ends_with('.')) name.pop_back();
  if (name.ends_with(kReverse)) {
    if (records_.contains(name)) return found(name, type);
    // Addresses of the cluster are nobody else's business.
    return {reverse_is_ours(name) ? DnsAnswer::Kind::no_name : DnsAnswer::Kind::elsewhere, {}, {}};
  }
  if (!inside(name, domain_)) return {};
  if (inside(name, "pod." + domain_)) return pod(name, type);
  if (names_.contains(name)) return found(name, type);
  return {DnsAnswer::Kind::no_name, {}, {}};
}

DnsAnswer DnsZone::found(const std::string& name, DnsType type) const {
  DnsAnswer answer{DnsAnswer::Kind::answer, {}, {}};
  const auto here = records_.find(name);
  if (here == records_.end()) return answer;
  for (const auto& record : here->second) {
    // A name that is another's alias says so, whatever was asked.
    if (record.type != type && type != DnsType::any && record.type != DnsType::cname) continue;
    answer.records.push_back(record);
    if (record.type != DnsType::srv) continue;
    const auto target = records_.find(record.target);
    if (target == records_.end()) continue;
    for (const auto& address : target->second)
      if (address.type == DnsType::a) answer.additional.push_back(address);
  }
  return answer;
}

// "10-42-0-5.<namespace>.pod.<domain>": the name says the address, whether such a pod exists or
// not.
DnsAnswer DnsZone::pod(const std::string& name, DnsType type) const {
  const std::string zone = "pod." + domain_;
  if (name == zone) return {DnsAnswer::Kind::answer, {}, {}};
  const std::string rest = name.substr(0, name.size() - zone.size() - 1);
  const size_t dot = rest.find('.');
  const std::string ns = dot == std::string::npos ? rest : rest.substr(dot + 1);
  if (!namespaces_.contains(ns)) return {DnsAnswer::Kind::no_name, {}, {}};
  if (dot == std::string::npos) return {DnsAnswer::Kind::answer, {}, {}};
  const std::string address = undashed(rest.substr(0, dot));
  if (!is_ipv4(address)) return {DnsAnswer::Kind::no_name, {}, {}};
  DnsAnswer answer{DnsAnswer::Kind::answer, {}, {}};
  if (type == DnsType::a || type == DnsType::any)
    answer.records.push_back({name, DnsType::a, address});
  return answer;
}

bool DnsZone::reverse_is_ours(const std::string& name) const {
  boost::system::error_code bad;
  const auto backwards = ip::make_address_v4(name.substr(0, name.size() - kReverse.size()), bad);
  if (bad) return false;
  const auto b = backwards.to_bytes();
  const ip::address_v4 address(ip::address_v4::bytes_type{b[3], b[2], b[1], b[0]});
  return std::any_of(networks_.begin(), networks_.end(), [&](const std::string& text) {
    const auto network = ip::make_network_v4(text, bad);
    return !bad &&
           ip::make_network_v4(address, network.prefix_length()).canonical() == network.canonical();
  });
}

}  // namespace kinglet::network

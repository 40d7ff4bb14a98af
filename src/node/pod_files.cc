#include "node/pod_files.h"

namespace kinglet::node {
namespace {

constexpr size_t kNameserversMax = 3, kSearchMax = 32;  // what the C library and the kubelet take
constexpr size_t kHostnameMax = 63;

struct Resolver {
  std::vector<std::string> nameservers, search, options;
};

std::vector<std::string> words(const std::string& line) {
  std::vector<std::string> out;
  std::string word;
  for (const char c : line + " ") {
    if (c != ' ' && c != '\t' && c != '\r') {
      word += c;
    } else if (!word.empty()) {
      out.push_back(std::move(word));
      word.clear();
    }
  }
  return out;
}

Resolver parse_resolv_conf(const std::string& text) {
  Resolver out;
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const auto line = words(text.substr(at, end - at));
    at = end + 1;
    if (line.size() < 2 || line[0][0] == '#' || line[0][0] == ';') continue;
    if (line[0] == "nameserver") out.nameservers.push_back(line[1]);
    if (line[0] == "search" || line[0] == "domain") out.search.assign(line.begin() + 1, line.end());
    if (line[0] == "options") out.options.insert(out.options.end(), line.begin() + 1, line.end());
  }
  return out;
}

void append_new(std::vector<std::string>& list, const std::string& item) {
  if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
}

void merge_config(Resolver& resolver, const api::PodDNSConfig& config) {
  for (const auto& server : config.nameservers) append_new(resolver.nameservers, server);
  for (const auto& domain : config.searches) append_new(resolver.search, domain);
  for (const auto& option : config.options) {
    const std::string text = option.value ? option.name + ":" + *option.value : option.name;
    const auto same = std::find_if(resolver.options.begin(), resolver.options.end(), [&](const std::string& have) {
      return have == option.name || have.rfind(option.name + ":", 0) == 0;
    });
    if (same != resolver.options.end())
      *same = text;
    else
      resolver.options.push_back(text);
  }
}
}  // namespace

std::string resolv_conf_of(const api::Pod& pod, const DnsSettings& dns) {
  const Resolver host = parse_resolv_conf(dns.host_resolv_conf);
  const std::string& policy = pod.spec.dnsPolicy;
  const bool cluster = dns.cluster_dns_enabled && policy != "Default" && policy != "None" &&
                       !(pod.spec.hostNetwork && policy != "ClusterFirstWithHostNet");
  Resolver resolver;
  if (cluster) {
    resolver.nameservers = {dns.cluster_dns};
    resolver.search = {pod.metadata.namespace_ + ".svc." + dns.cluster_domain, "svc." + dns.cluster_domain,
                       dns.cluster_domain};
    for (const auto& domain : host.search) append_new(resolver.search, domain);
    resolver.options = {"ndots:5"};
  } else if (policy != "None") {
    resolver = host;
  }
  if (pod.spec.dnsConfig) merge_config(resolver, *pod.spec.dnsConfig);
  std::string out;
  for (size_t i = 0; i < resolver.nameservers.size() && i < kNameserversMax; ++i)
    out += "nameserver " + resolver.nameservers[i] + "\n";
  if (resolver.search.size() > kSearchMax) resolver.search.resize(kSearchMax);
  if (!resolver.search.empty()) out += fmt::format("search {}\n", fmt::join(resolver.search, " "));
  if (!resolver.options.empty()) out += fmt::format("options {}\n", fmt::join(resolver.options, " "));
  return out;
}

std::string hostname_of(const api::Pod& pod) {
  std::string name = pod.spec.hostname.empty() ? pod.metadata.name : pod.spec.hostname;
  if (name.size() > kHostnameMax) name.resize(kHostnameMax);
  while (!name.empty() && (name.back() == '-' || name.back() == '.')) name.pop_back();
  return name;
}

std::string sandbox_hostname_of(const api::Pod& pod, const std::string& cluster_domain) {
  const std::string host = hostname_of(pod);
  if (!pod.spec.setHostnameAsFQDN.value_or(false) || pod.spec.subdomain.empty()) return host;
  return fmt::format("{}.{}.{}.svc.{}", host, pod.spec.subdomain, pod.metadata.namespace_, cluster_domain);
}

std::string hosts_file_of(const api::Pod& pod, const std::string& ip, const std::string& cluster_domain) {
  std::string out =
      "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
      "fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n";
  const std::string host = hostname_of(pod);
  if (!ip.empty()) {
    if (pod.spec.subdomain.empty())
      out += fmt::format("{}\t{}\n", ip, host);
    else
      out += fmt::format("{}\t{}.{}.{}.svc.{}\t{}\n", ip, host, pod.spec.subdomain, pod.metadata.namespace_,
                         cluster_domain, host);
  }
  if (!pod.spec.hostAliases.empty()) out += "\n# Entries added by HostAliases.\n";
  for (const auto& alias : pod.spec.hostAliases)
    out += fmt::format("{}\t{}\n", alias.ip, fmt::join(alias.hostnames, "\t"));
  return out;
}

}  // namespace kinglet::node

// The files that a pod finds in /etc: hosts and resolv.conf. Pure.
#pragma once
#include <string>
#include <vector>

#include "api/core.h"

namespace kinglet::node {

struct DnsSettings {
  std::string cluster_dns = "10.43.0.10";
  std::string cluster_domain = "cluster.local";
  bool cluster_dns_enabled = true;
  std::string host_resolv_conf;  // text of the host's
};
// By dnsPolicy and dnsConfig. Source: kubelet's DNS configurer; at most 3 name servers, 32 search domains.
std::string resolv_conf_of(const api::Pod& pod, const DnsSettings& dns);
std::string hosts_file_of(const api::Pod& pod, const std::string& ip, const std::string& cluster_domain);
// hostname and, with a subdomain, the fully qualified name.
std::string hostname_of(const api::Pod& pod);
// What the containers' own `hostname` says: the fully qualified name when the pod asks for that.
std::string sandbox_hostname_of(const api::Pod& pod, const std::string& cluster_domain);

}  // namespace kinglet::node

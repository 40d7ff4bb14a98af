#include "cli/cluster_config.h"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>

#include "json/json.h"

namespace kinglet::cli {

std::string encode_cluster_config(const ClusterConfig& config) {
  return json::print(json::Object{{"clusterCIDR", config.cluster_cidr},
                                  {"serviceCIDR", config.service_cidr},
                                  {"clusterDNS", config.cluster_dns},
                                  {"clusterDNSEnabled", config.cluster_dns_enabled},
                                  {"clusterDomain", config.cluster_domain},
                                  {"flannelBackend", config.flannel_backend}});
}

Result<ClusterConfig> decode_cluster_config(std::string_view text) {
  KL_TRY_FN(object, json::parse(text));
  ClusterConfig out;
  out.cluster_cidr = json::text_at(object, {"clusterCIDR"});
  out.service_cidr = json::text_at(object, {"serviceCIDR"});
  out.cluster_dns = json::text_at(object, {"clusterDNS"});
  out.cluster_dns_enabled = json::bool_at(object, {"clusterDNSEnabled"}, true);
  out.cluster_domain = json::text_at(object, {"clusterDomain"});
  out.flannel_backend = json::text_at(object, {"flannelBackend"});
  for (const auto* cidr : {&out.cluster_cidr, &out.service_cidr}) {
    boost::system::error_code bad;
    boost::asio::ip::make_network_v4(*cidr, bad);
    if (bad) return Error(Code::bad_request, "cluster configuration: \"{}\" is no network", *cidr);
  }
  boost::system::error_code bad;
  boost::asio::ip::make_address(out.cluster_dns, bad);
  if (bad || out.cluster_domain.empty() || out.flannel_backend.empty())
    return Error(Code::bad_request, "the cluster configuration is incomplete");
  return out;
}

}  // namespace kinglet::cli

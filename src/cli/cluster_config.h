// What every node of a cluster must have in common. The server tells it to agents; they keep it for
// starts without one.
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"

namespace kinglet::cli {

inline constexpr const char* kClusterConfigPath = "/kinglet.io/v1/cluster-config";

struct ClusterConfig {
  std::string cluster_cidr, service_cidr, cluster_dns, cluster_domain, flannel_backend;
  bool cluster_dns_enabled = true;
  bool operator==(const ClusterConfig&) const = default;
};
std::string encode_cluster_config(const ClusterConfig& config);
// Unknown fields are left alone: a newer server may say more. Errors: bad_request (one is missing
// or no network).
Result<ClusterConfig> decode_cluster_config(std::string_view text);

}  // namespace kinglet::cli

// The pods' volumes, filled from the API: what the pod worker uses (node/pod_parts.h, PodVolumes).
//
//   <dir>/<pod uid>/volumes/<name>    emptyDir, configMap, secret, downwardAPI and projected volumes
// Service-account tokens are asked for at serviceaccounts/token, bound to the pod, and renewed in time.
#pragma once
#include <memory>
#include <string>

#include "base/clock.h"
#include "client/api.h"
#include "node/pod_parts.h"

namespace kinglet::node {

// All outlive the result. `dir`: made on demand, readable by root only.
std::unique_ptr<PodVolumes> make_api_volumes(std::string dir, PodConfig& config, client::Api& api, Clock& clock);

}  // namespace kinglet::node

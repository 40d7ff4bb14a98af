// Lifecycle handlers: what a container asked for after its start and before its stop.
#pragma once
#include <string>

#include "base/task_fwd.h"
#include "node/pod_parts.h"

namespace kinglet::node {

// A handler after the start has no limit upstream; here every wait has an end.
constexpr Duration kPostStartMax = std::chrono::hours(1);
// What a container gets to end after its handler, even when that took all of the grace. Source:
// kubelet.
constexpr Duration kStopGraceMin = std::chrono::seconds(2);

// Runs one. An HTTP answer counts whatever its status, as upstream. Errors: what went wrong, for
// people.
Task<Result<void>> run_hook(const PodParts& parts, std::string container_id,
                            api::Container container, api::LifecycleHandler handler,
                            std::string pod_ip, Duration limit);

}  // namespace kinglet::node

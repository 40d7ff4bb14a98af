// A server whose machine gets another address: the node, the kubernetes Service and the agents
// learn it at once.
#pragma once
#include "base/task_fwd.h"
#include "cli/server_setup.h"
#include "cli/wire_node.h"
#include "cli/wire_server.h"

namespace kinglet::cli {

// Until cancelled. `node` may be null. The references outlive it. Addresses that flags name stay as
// they are.
Task<Result<void>> follow_addresses(ControlPlane& control, NodeSide* node,
                                    const ServerSetup& setup);

}  // namespace kinglet::cli

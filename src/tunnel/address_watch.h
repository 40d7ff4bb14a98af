// The machine's own addresses: which there are, and a notice when they or the routes change
// (netlink).
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/task_fwd.h"

namespace kinglet::tunnel {

// Addresses of links that are up, without loopback and link-local ones.
std::vector<std::string> own_addresses();
bool have_address(const std::string& address);

// Calls `changed` after addresses, links or routes have changed, once for a burst, until cancelled.
// Without netlink it says so in the log and returns: changes are then noticed when connections
// fail.
Task<void> watch_addresses(std::function<void()> changed);

}  // namespace kinglet::tunnel

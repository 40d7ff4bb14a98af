// Kernel settings below /proc/sys. Blocking.
#pragma once
#include <string>

#include "base/result.h"

namespace kinglet::network {

// Writes a setting ("net/ipv4/ip_forward") unless it has that value already: /proc/sys may be read-only, and right all
// the same. Errors: unavailable, in words for the operator.
Result<void> set_sysctl(const std::string& name, const std::string& value);

}  // namespace kinglet::network

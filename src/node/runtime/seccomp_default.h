// The RuntimeDefault seccomp profile: what ordinary programs need is allowed, everything else answers EPERM.
#pragma once
#include <set>
#include <string>

#include "json/json.h"

namespace kinglet::runtime {

// The "linux.seccomp" member of an OCI spec for a container with these capabilities ("CAP_SYS_ADMIN").
json::Object default_seccomp(const std::set<std::string>& capabilities);

}  // namespace kinglet::runtime

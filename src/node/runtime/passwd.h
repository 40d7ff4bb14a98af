// Users and groups by an image's own /etc/passwd and /etc/group. Pure.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "node/runtime/container_config.h"

namespace kinglet::runtime {

struct ProcessUser {
  uint32_t uid = 0, gid = 0;
  std::vector<uint32_t> groups;
  std::string home;  // "/" when the image does not say
};

// Who the process runs as: the security context goes before the image's USER.
// Errors: invalid ("container has runAsNonRoot and image will run as root", no such user, out of range).
Result<ProcessUser> resolve_user(const Security& security, const std::string& image_user,
                                 std::string_view passwd, std::string_view group);

}  // namespace kinglet::runtime

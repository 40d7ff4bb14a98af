// Mounts below a pod's directory: tmpfs, and sub-paths bound so that no symbolic link can lead out of the volume.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace kinglet::node {

// Mounts a tmpfs on `dir` (made if missing) unless one is there. `size_bytes` 0: the kernel's default. `group`: of its
// top directory. Errors: io.
Result<void> mount_tmpfs(const std::string& dir, uint64_t size_bytes, uint32_t mode, std::optional<int64_t> group);

// Binds <volume>/<sub_path> to `target`, making a missing directory. Every step of the path is opened beneath the
// volume; a link that leads out of it, or "..", is refused. Errors: invalid, io.
Result<void> bind_sub_path(const std::string& volume, const std::string& sub_path, const std::string& target);

// Unmounts everything at and below `dir`, deepest first. Idempotent. Errors: io (also when something is still mounted:
// whoever removes the files next must not remove those of a host path).
Result<void> unmount_below(const std::string& dir);

}  // namespace kinglet::node

// Mounts and namespaces that outlive this process. Everything here blocks: call it on a Worker.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace kinglet::runtime {

// Mounts the layers (lowest first), with `upper` on top, at `target`. Changes the working directory of the calling
// thread, and of it alone. Errors: unavailable (no overlayfs here: says what to do), io.
struct OverlayMount {
  std::string images_dir;
  std::vector<std::string> layers;  // diff ids
  std::string upper, work, target;
};
Result<void> mount_overlay(const OverlayMount& mount);

// A tmpfs for a sandbox's /dev/shm.
Result<void> mount_tmpfs(const std::string& target, uint64_t bytes, unsigned mode);

// Unmounts everything at or below `path`, topmost first; what is busy is detached. Idempotent.
Result<void> unmount_all(const std::string& path);

// Makes new IPC and UTS namespaces (those whose path is not empty) and keeps them at these files.
struct PinnedNamespaces {
  std::string ipc_path, uts_path, hostname;
};
Result<void> pin_namespaces(const PinnedNamespaces& wanted);

}  // namespace kinglet::runtime

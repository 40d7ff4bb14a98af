// The part of making a container that blocks: its root file system and its bundle. Runs on a Worker, from values.
#pragma once
#include <string>
#include <vector>

#include "base/result.h"
#include "node/runtime/container_config.h"
#include "node/runtime/images.h"
#include "node/runtime/oci_spec.h"
#include "node/runtime/state_paths.h"

namespace kinglet::runtime {

struct PrepareInput {
  StatePaths paths;
  Image image;
  SpecInput spec;  // user, devices and localhost_seccomp are filled in here
};
// Leaves a mounted root file system and <bundle>/config.json, process.json. What it made when it fails is for
// discard_container() to take away.
Result<void> prepare_container(PrepareInput input);

// Unmounts and removes everything of a container but its record and its log. Idempotent.
Result<void> discard_container(const StatePaths& paths, const std::string& id);

struct SandboxFiles {
  StatePaths paths;
  std::string id;
  SandboxConfig config;
};
// Files, /dev/shm and namespaces of a sandbox. discard_sandbox() is its opposite.
Result<void> prepare_sandbox(const SandboxFiles& input);
Result<void> discard_sandbox(const StatePaths& paths, const std::string& id);

// What this process may give away: the names in its bounding set.
std::set<std::string> own_capabilities();
// The lowest oom_score_adj that the kernel lets this process set.
int lowest_oom_score_adj();

}  // namespace kinglet::runtime

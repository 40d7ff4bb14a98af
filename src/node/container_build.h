// From a container in a pod to what the runtime shall make. Pure.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "api/core.h"
#include "base/result.h"
#include "node/runtime/container_config.h"

namespace kinglet::node {

struct ContainerInput {
  const api::Pod& pod;
  const api::Container& container;
  int attempt = 0;
  std::vector<std::string> env;  // "K=V", of container_env()
  std::vector<runtime::Mount> mounts;
  std::string log_path;
  std::string termination_file;
  int64_t node_memory_bytes = 0;
  std::string processes_of;  // the id of a container whose processes it shall see; empty: it has its own
};
// A debugging container, as the rest of the node sees containers.
api::Container container_of(const api::EphemeralContainer& ephemeral);
// Main, init and debugging containers; nullopt: no such name.
std::optional<api::Container> find_container(const api::Pod& pod, const std::string& name);

runtime::ContainerConfig build_container(const ContainerInput& input);
runtime::Security build_security(const api::Pod& pod, const api::Container& container);

// <root>/<ns>_<pod>_<uid>/<container>/<attempt>.log, as every log collector expects it.
std::string pod_log_dir(const std::string& root, const std::string& ns, const std::string& name, const std::string& uid);
std::string container_log_path(const std::string& root, const api::Pod& pod, const std::string& container, int attempt);

}  // namespace kinglet::node

// The environment of a container: service variables, envFrom, env, with $(NAME) references expanded. Pure.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "api/core.h"
#include "base/result.h"

namespace kinglet::node {

// What a pod may read, fetched beforehand; null: there is no such object.
class ConfigSource {
 public:
  virtual ~ConfigSource() = default;
  virtual const api::ConfigMap* config_map(const std::string& name) const = 0;
  virtual const api::Secret* secret(const std::string& name) const = 0;
};

struct EnvInput {
  const api::Pod& pod;  // with the status that downward fields are read from
  const api::Container& container;
  const ConfigSource& config;
  const std::vector<const api::Service*>& services;  // of the pod's namespace, and default/kubernetes
  std::string pod_ip, host_ip;
  int64_t node_cpu_milli = 0, node_memory_bytes = 0;  // limits that are not set read as these
};
// "NAME=value", sorted by first appearance. Errors: invalid, with the words of CreateContainerConfigError:
// `configmap "x" not found`, `couldn't find key k in ConfigMap ns/x`.
Result<std::vector<std::string>> container_env(const EnvInput& input);

// metadata.name, metadata.labels['k'], spec.nodeName, status.podIP...: what env and downward volumes may name.
Result<std::string> field_value(const api::Pod& pod, const std::string& path);
// limits.cpu, requests.memory... in units of `divisor`.
Result<std::string> resource_value(const EnvInput& input, const api::Container& container,
                                   const std::string& resource, const schema::Quantity& divisor);

// Replaces $(NAME) by its value, $$ by $; an unknown name stays as it is.
std::string expand(const std::string& text, const std::map<std::string, std::string>& values);

}  // namespace kinglet::node

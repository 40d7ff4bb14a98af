#include "apiserver/hooks.h"

#include "apiserver/hooks/kinds.h"

namespace kinglet::apiserver {

std::map<std::string, std::unique_ptr<KindHooks>> make_hooks(const HookOptions& options) {
  Hooks hooks;
  add_pod_hooks(hooks);
  add_service_hooks(hooks, options);
  add_workload_hooks(hooks);
  add_job_hooks(hooks);
  add_config_hooks(hooks);
  add_cluster_hooks(hooks);
  add_endpoint_hooks(hooks);
  add_storage_hooks(hooks);
  add_rbac_hooks(hooks);
  add_network_hooks(hooks);
  add_policy_hooks(hooks);
  add_extension_hooks(hooks);
  return hooks;
}

}  // namespace kinglet::apiserver

#include "apiserver/admission/plugins.h"

namespace kinglet::apiserver {

bool is_kind(const WriteContext& context, std::string_view group, std::string_view plural) {
  return context.subresource.empty() && context.resource.group == group &&
         context.resource.plural == plural;
}

// Not here: StorageObjectInUseProtection (its finalizers need a controller that takes them off),
// LimitRanger, ResourceQuota and RuntimeClass (docs/compat.md says that those kinds are stored, not
// enforced).
std::vector<std::unique_ptr<AdmissionPlugin>> make_admission(Clock&) {
  std::vector<std::unique_ptr<AdmissionPlugin>> chain;
  chain.push_back(make_namespace_lifecycle());
  chain.push_back(make_service_account_admission());
  chain.push_back(make_taint_nodes());
  chain.push_back(make_priority_admission());
  chain.push_back(make_default_tolerations());
  chain.push_back(make_default_storage_class());
  chain.push_back(make_default_ingress_class());
  return chain;
}

}  // namespace kinglet::apiserver

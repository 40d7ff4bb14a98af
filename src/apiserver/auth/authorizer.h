// Who may do what: system:masters, then nodes by what their pods need, then RBAC.
#pragma once
#include <memory>

#include "apiserver/auth/rbac_rules.h"
#include "apiserver/hooks.h"
#include "apiserver/user.h"
#include "store/store.h"

namespace kinglet::apiserver {

// What the escalation check needs beyond Authorizer.
class RbacAuthorizer : public Authorizer {
 public:
  // All rules in force for the user: cluster-wide ones, and those of `ns` when it is not empty.
  virtual PolicyRules held_rules(const User& user, std::string_view ns) const = 0;
  // Rules of a Role (ns not empty) or ClusterRole with aggregation resolved; nullopt: there is
  // none.
  virtual std::optional<PolicyRules> role_rules(std::string_view ns,
                                                std::string_view name) const = 0;
};
std::unique_ptr<RbacAuthorizer> make_authorizer(store::Store& store);

// Nobody hands out rights that they do not have: refuses Roles, ClusterRoles and bindings that
// would give the writer or anybody else more than the writer holds, unless the verb "escalate"
// (roles) or "bind" (bindings) is granted. Append it to the admission chain; `authorizer` outlives
// it.
std::unique_ptr<AdmissionPlugin> make_escalation_check(const RbacAuthorizer& authorizer);

}  // namespace kinglet::apiserver

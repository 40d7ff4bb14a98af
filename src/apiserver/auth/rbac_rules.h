// RBAC rules as values: what a rule allows, and whether a set of rules covers another. Pure.
// Source: rbac/v1 PolicyRule and the way upstream's RBAC authoriser reads it.
#pragma once
#include <string>
#include <vector>

#include "apiserver/user.h"
#include "json/json.h"

namespace kinglet::apiserver {

struct PolicyRule {
  std::vector<std::string> verbs, api_groups, resources, resource_names, non_resource_urls;
  bool operator==(const PolicyRule&) const = default;
};
using PolicyRules = std::vector<PolicyRule>;

// From the `rules` member of a Role; what is not a list of rules gives none.
PolicyRules parse_rules(const json::Value* rules);
json::Object rule_object(const PolicyRule& rule);

bool rule_allows(const PolicyRule& rule, const Attributes& attributes);

// The smallest pieces of `wanted` that no rule of `held` grants: what somebody would gain by
// writing `wanted`.
PolicyRules missing_rules(const PolicyRules& held, const PolicyRules& wanted);
// The same rules with fewer words: pieces that differ in one field only are joined, for messages.
PolicyRules compact_rules(PolicyRules rules);
// `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`, as upstream's escalation message prints
// it.
std::string describe_rule(const PolicyRule& rule);

}  // namespace kinglet::apiserver

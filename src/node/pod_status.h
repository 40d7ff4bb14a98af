// The pod's status as the API shows it, from what this node knows. Pure.
#pragma once
#include <string>

#include "api/core.h"
#include "node/pod_state.h"

namespace kinglet::node {

struct StatusInput {
  const api::Pod& pod;      // spec, and the status that the API has (conditions keep their transition times)
  const PodState& state;
  std::string host_ip;
  WallTime now{};
};
api::PodStatus status_of(const StatusInput& input);

// Sets or updates one condition; lastTransitionTime changes only with the status. Conditions that this node does not
// own stay as they are.
void set_condition(std::vector<api::PodCondition>& conditions, const std::string& type, bool status,
                   const std::string& reason, const std::string& message, WallTime now);

}  // namespace kinglet::node

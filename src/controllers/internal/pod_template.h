// Pods from templates, and what the controllers of pods share.
#pragma once
#include "controllers/internal/kinds.h"

namespace kinglet::controllers {

// spec.template of a workload; an empty object when it has none.
json::Value spec_template(const Object& workload);

// The pod that `template_json` (a PodTemplateSpec) describes, owned by `owner`. Named by `name`, or when that is empty
// by the server, from "<owner>-".
json::Value pod_from(const json::Value& template_json, const client::OwnerRef& owner, const std::string& name = {});

// Active pods in the order in which they are given up, cheapest first. `siblings_on` counts the active pods of the
// same purpose on a node: crowded nodes give first. Source: upstream's ActivePodsWithRanks.
using NodeCounts = std::map<std::string, int>;
void sort_cheapest_first(std::vector<Ref<const Pod>>& pods, const NodeCounts& siblings_on, WallTime now);

// How long until the next ready pod has been ready for `min_ready`; nullopt: none is waiting.
std::optional<Duration> next_available(const std::vector<Ref<const Pod>>& pods, Duration min_ready, WallTime now);

}  // namespace kinglet::controllers

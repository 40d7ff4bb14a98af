// From requests and limits to cgroups. Pure. Source: kubelet's cgroup and QoS rules.
#pragma once
#include <string>

#include "api/core.h"
#include "node/runtime/container_config.h"

namespace kinglet::node {

enum class Qos : uint8_t { guaranteed, burstable, best_effort };
Qos qos_of(const api::Pod& pod);
const char* text_of(Qos qos);  // "Guaranteed"

// "/kubepods/pod<uid>", "/kubepods/burstable/pod<uid>", "/kubepods/besteffort/pod<uid>" below `root`.
std::string cgroup_parent_of(const api::Pod& pod, const std::string& root = "/kubepods");

runtime::Resources container_resources(const api::Container& container);
runtime::Resources pod_resources(const api::Pod& pod);
// 2 (protected) to 1000 (first to go).
int oom_score_adj_of(const api::Pod& pod, const api::Container& container, int64_t node_memory_bytes);

}  // namespace kinglet::node

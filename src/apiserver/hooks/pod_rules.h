// What a pod's spec must be, in a Pod or in a template (k8s.io/kubernetes ValidatePodSpec). Split
// by idea: containers, probes and lifecycle, volumes, scheduling; pod_rules.cc puts them together.
#pragma once
#include <set>

#include "apiserver/hooks/rules.h"

namespace kinglet::apiserver {

enum class PodPlace : uint8_t { pod, template_ };

void validate_pod_spec(const json::Value& spec, const Path& path, PodPlace place, Causes& causes);
// Metadata and spec of a template: labels, annotations, spec.
void validate_template(const json::Value& pod_template, const Path& path, Causes& causes);

struct ContainerRules {
  const json::Value& spec;  // of the pod
  std::set<std::string> volumes;
  bool host_network;
};
enum class ContainerRole : uint8_t { regular, init };
void validate_container(const json::Value& container, const Path& path, ContainerRole role,
                        const ContainerRules& rules, Causes& causes);
void validate_resources(const json::Value& resources, const Path& path, Causes& causes);
void validate_probes(const json::Value& container, const Path& path, ContainerRole role,
                     Causes& causes);
void validate_volumes(const json::Array& volumes, const Path& path, Causes& causes);
void validate_scheduling(const json::Value& spec, const Path& path, Causes& causes);
void validate_security(const json::Value& spec, const Path& path, Causes& causes);

// Guaranteed, Burstable or BestEffort, from cpu and memory.
std::string qos_class(const json::Value& spec);

// Whether `now` may follow `old`: the rules of a Pod's update.
void validate_pod_update(const json::Value& now, const json::Value& old, Causes& causes);

}  // namespace kinglet::apiserver

// What a Service must be (k8s.io/kubernetes ValidateService), apart from what its allocators know.
#pragma once
#include "apiserver/hooks/rules.h"

namespace kinglet::apiserver {

void validate_service(const json::Value& service, Causes& causes);
void validate_service_update(const json::Value& service, const json::Value& old, Causes& causes);

bool needs_cluster_ip(const json::Value& spec);  // any type but ExternalName
bool needs_node_port(const json::Value& spec);
bool needs_health_check_port(const json::Value& spec);
bool is_headless(const json::Value& spec);

}  // namespace kinglet::apiserver

// The hooks of each kind or group of kinds, for make_hooks().
#pragma once
#include <map>
#include <memory>
#include <string>

#include "apiserver/hooks.h"

namespace kinglet::apiserver {

using Hooks = std::map<std::string, std::unique_ptr<KindHooks>>;

void add_pod_hooks(Hooks& hooks);
void add_service_hooks(Hooks& hooks, const HookOptions& options);
void add_workload_hooks(Hooks& hooks);
void add_job_hooks(Hooks& hooks);
void add_config_hooks(Hooks& hooks);   // ConfigMap, Secret, ServiceAccount
void add_cluster_hooks(Hooks& hooks);  // Namespace, Node, Lease, PriorityClass, RuntimeClass, Event
void add_endpoint_hooks(Hooks& hooks);  // Endpoints, EndpointSlice
void add_storage_hooks(Hooks& hooks);   // PV, PVC, StorageClass, CSI kinds
void add_rbac_hooks(Hooks& hooks);
void add_network_hooks(
    Hooks& hooks);  // Ingress, IngressClass, NetworkPolicy, ServiceCIDR, IPAddress
void add_policy_hooks(Hooks& hooks);     // PDB, HPA, ResourceQuota, LimitRange
void add_extension_hooks(Hooks& hooks);  // CRD, APIService, webhooks, CSR

}  // namespace kinglet::apiserver

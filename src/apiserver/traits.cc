#include "apiserver/internal/traits.h"

#include <array>

namespace kinglet::apiserver {
namespace {

using Names = std::string_view[];
constexpr Names kPodFields = {"spec.hostNetwork",
                              "spec.nodeName",
                              "spec.restartPolicy",
                              "spec.schedulerName",
                              "spec.serviceAccountName",
                              "status.nominatedNodeName",
                              "status.phase",
                              "status.podIP",
                              "status.podIPs"};
constexpr Names kEventFields = {"involvedObject.apiVersion",
                                "involvedObject.fieldPath",
                                "involvedObject.kind",
                                "involvedObject.name",
                                "involvedObject.namespace",
                                "involvedObject.resourceVersion",
                                "involvedObject.uid",
                                "reason",
                                "reportingComponent",
                                "source",
                                "type"};
constexpr Names kNodeFields = {"spec.unschedulable"};
constexpr Names kNamespaceFields = {"status.phase"};
constexpr Names kSecretFields = {"type"};
constexpr Names kReplicaFields = {"status.replicas"};
constexpr Names kJobFields = {"status.successful"};
constexpr Names kServiceFields = {"spec.clusterIP", "spec.type"};
constexpr Names kCsrFields = {"spec.signerName"};

constexpr auto kVolatile = store::Durability::volatile_;
constexpr const char* kRbac = "rbac.authorization.k8s.io";
constexpr const char* kStorage = "storage.k8s.io";
constexpr const char* kAdmission = "admissionregistration.k8s.io";
constexpr const char* kFlow = "flowcontrol.apiserver.k8s.io";

// Sources: the registry strategies of k8s.io/kubernetes 1.34 (http.md sections 1, 3, 6;
// wellknown.tsv of the API facts).
const Traits kRows[] = {
    {.group = "", .plural = "endpoints", .create_on_update = true},
    {.group = "",
     .plural = "events",
     .create_on_update = true,
     .durability = kVolatile,
     .fields = kEventFields},
    {.group = "", .plural = "limitranges", .create_on_update = true},
    {.group = "",
     .plural = "namespaces",
     .delete_returns_object = true,
     .fields = kNamespaceFields},
    {.group = "", .plural = "nodes", .keeps_status_on_create = true, .fields = kNodeFields},
    {.group = "", .plural = "persistentvolumeclaims", .delete_returns_object = true},
    {.group = "", .plural = "persistentvolumes", .delete_returns_object = true},
    {.group = "",
     .plural = "pods",
     .delete_returns_object = true,
     .generation = true,
     .fields = kPodFields},
    {.group = "", .plural = "podtemplates", .delete_returns_object = true, .generation = true},
    {.group = "", .plural = "replicationcontrollers", .generation = true, .fields = kReplicaFields},
    {.group = "", .plural = "resourcequotas", .delete_returns_object = true},
    {.group = "", .plural = "secrets", .fields = kSecretFields},
    {.group = "", .plural = "serviceaccounts", .delete_returns_object = true},
    {.group = "",
     .plural = "services",
     .create_on_update = true,
     .delete_returns_object = true,
     .fields = kServiceFields},
    {.group = kAdmission,
     .plural = "mutatingwebhookconfigurations",
     .generation = true,
     .needs_revision = true},
    {.group = kAdmission,
     .plural = "validatingadmissionpolicies",
     .generation = true,
     .needs_revision = true},
    {.group = kAdmission,
     .plural = "validatingadmissionpolicybindings",
     .generation = true,
     .needs_revision = true},
    {.group = kAdmission,
     .plural = "validatingwebhookconfigurations",
     .generation = true,
     .needs_revision = true},
    {.group = "apiextensions.k8s.io",
     .plural = "customresourcedefinitions",
     .generation = true,
     .needs_revision = true},
    {.group = "apiregistration.k8s.io", .plural = "apiservices", .needs_revision = true},
    {.group = "apps", .plural = "controllerrevisions"},
    {.group = "apps", .plural = "daemonsets", .generation = true},
    {.group = "apps", .plural = "deployments", .generation = true},
    {.group = "apps", .plural = "replicasets", .generation = true, .fields = kReplicaFields},
    {.group = "apps", .plural = "statefulsets", .generation = true},
    {.group = "batch", .plural = "cronjobs", .generation = true},
    {.group = "batch", .plural = "jobs", .generation = true, .fields = kJobFields},
    {.group = "certificates.k8s.io", .plural = "certificatesigningrequests", .fields = kCsrFields},
    {.group = "coordination.k8s.io",
     .plural = "leases",
     .create_on_update = true,
     .needs_revision = true,
     .durability = kVolatile},
    {.group = "discovery.k8s.io", .plural = "endpointslices", .generation = true},
    {.group = kFlow, .plural = "flowschemas", .generation = true},
    {.group = kFlow, .plural = "prioritylevelconfigurations", .generation = true},
    {.group = "networking.k8s.io", .plural = "ingressclasses", .generation = true},
    {.group = "networking.k8s.io", .plural = "ingresses", .generation = true},
    {.group = "networking.k8s.io", .plural = "networkpolicies", .generation = true},
    {.group = "node.k8s.io",
     .plural = "runtimeclasses",
     .create_on_update = true,
     .needs_revision = true},
    {.group = "policy",
     .plural = "poddisruptionbudgets",
     .generation = true,
     .needs_revision = true},
    {.group = kRbac, .plural = "clusterrolebindings", .create_on_update = true},
    {.group = kRbac, .plural = "clusterroles", .create_on_update = true},
    {.group = kRbac, .plural = "rolebindings", .create_on_update = true},
    {.group = kRbac, .plural = "roles", .create_on_update = true},
    {.group = "scheduling.k8s.io", .plural = "priorityclasses", .generation = true},
    {.group = kStorage,
     .plural = "csidrivers",
     .delete_returns_object = true,
     .needs_revision = true},
    {.group = kStorage,
     .plural = "csinodes",
     .delete_returns_object = true,
     .needs_revision = true},
    {.group = kStorage, .plural = "storageclasses", .delete_returns_object = true},
    {.group = kStorage,
     .plural = "volumeattachments",
     .delete_returns_object = true,
     .needs_revision = true},
};

}  // namespace

const Traits& traits_of(std::string_view group, std::string_view plural) {
  static const Traits rule{};
  const auto row = std::lower_bound(std::begin(kRows), std::end(kRows), std::pair(group, plural),
                                    [](const Traits& traits, const auto& key) {
                                      return std::pair(traits.group, traits.plural) < key;
                                    });
  if (row == std::end(kRows) || row->group != group || row->plural != plural) return rule;
  return *row;
}

const schema::Resource& stored_form(const schema::Resource& resource) {
  const schema::Resource* stored = nullptr;
  if (resource.group == "events.k8s.io" && resource.plural == "events") {
    stored = schema::find_resource("", "v1", "events");
  } else if (resource.group == "autoscaling" && resource.plural == "horizontalpodautoscalers") {
    stored = schema::find_resource("autoscaling", "v2", "horizontalpodautoscalers");
  }
  return stored ? *stored : resource;
}

}  // namespace kinglet::apiserver

#include <unordered_map>

#include "schema/codec.h"
#include "schema/internal/defaulters.h"
#include "schema/internal/scalars.h"

namespace kinglet::schema {
namespace {

constexpr ConstantDefault kConstants[] = {
    {"core.v1.Container", "terminationMessagePath", R"("/dev/termination-log")"},
    {"core.v1.Container", "terminationMessagePolicy", R"("File")"},
    {"core.v1.EphemeralContainerCommon", "terminationMessagePath", R"("/dev/termination-log")"},
    {"core.v1.EphemeralContainerCommon", "terminationMessagePolicy", R"("File")"},
    {"core.v1.PodSpec", "restartPolicy", R"("Always")"},
    {"core.v1.PodSpec", "terminationGracePeriodSeconds", "30"},
    {"core.v1.PodSpec", "dnsPolicy", R"("ClusterFirst")"},
    {"core.v1.PodSpec", "securityContext", "{}"},
    {"core.v1.PodSpec", "schedulerName", R"("default-scheduler")"},
    {"core.v1.HostPathVolumeSource", "type", R"("")"},
    {"core.v1.SecretVolumeSource", "defaultMode", "420"},
    {"core.v1.ConfigMapVolumeSource", "defaultMode", "420"},
    {"core.v1.DownwardAPIVolumeSource", "defaultMode", "420"},
    {"core.v1.ProjectedVolumeSource", "defaultMode", "420"},
    {"core.v1.ServiceAccountTokenProjection", "expirationSeconds", "3600"},
    {"core.v1.Probe", "timeoutSeconds", "1"},
    {"core.v1.Probe", "periodSeconds", "10"},
    {"core.v1.Probe", "successThreshold", "1"},
    {"core.v1.Probe", "failureThreshold", "3"},
    {"core.v1.HTTPGetAction", "path", R"("/")"},
    {"core.v1.HTTPGetAction", "scheme", R"("HTTP")"},
    {"core.v1.ObjectFieldSelector", "apiVersion", R"("v1")"},
    {"core.v1.NamespaceStatus", "phase", R"("Active")"},
    {"core.v1.PersistentVolumeStatus", "phase", R"("Pending")"},
    {"core.v1.PersistentVolumeSpec", "persistentVolumeReclaimPolicy", R"("Retain")"},
    {"core.v1.PersistentVolumeSpec", "volumeMode", R"("Filesystem")"},
    {"core.v1.PersistentVolumeClaimStatus", "phase", R"("Pending")"},
    {"core.v1.PersistentVolumeClaimSpec", "volumeMode", R"("Filesystem")"},
    {"core.v1.Secret", "type", R"("Opaque")"},
    {"core.v1.EndpointPort", "protocol", R"("TCP")"},
    {"core.v1.ServiceSpec", "sessionAffinity", R"("None")"},
    {"core.v1.ServiceSpec", "type", R"("ClusterIP")"},
    {"apps.v1.DeploymentSpec", "replicas", "1"},
    {"apps.v1.DeploymentSpec", "revisionHistoryLimit", "10"},
    {"apps.v1.DeploymentSpec", "progressDeadlineSeconds", "600"},
    {"apps.v1.ReplicaSetSpec", "replicas", "1"},
    {"apps.v1.DaemonSetSpec", "revisionHistoryLimit", "10"},
    {"apps.v1.StatefulSetSpec", "replicas", "1"},
    {"apps.v1.StatefulSetSpec", "podManagementPolicy", R"("OrderedReady")"},
    {"apps.v1.StatefulSetSpec", "revisionHistoryLimit", "10"},
    {"apps.v1.StatefulSetSpec", "persistentVolumeClaimRetentionPolicy", "{}"},
    {"apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy", "whenDeleted", R"("Retain")"},
    {"apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy", "whenScaled", R"("Retain")"},
    {"batch.v1.JobSpec", "completionMode", R"("NonIndexed")"},
    {"batch.v1.JobSpec", "suspend", "false"},
    {"batch.v1.PodFailurePolicyOnPodConditionsPattern", "status", R"("True")"},
    {"batch.v1.CronJobSpec", "concurrencyPolicy", R"("Allow")"},
    {"batch.v1.CronJobSpec", "suspend", "false"},
    {"batch.v1.CronJobSpec", "successfulJobsHistoryLimit", "3"},
    {"batch.v1.CronJobSpec", "failedJobsHistoryLimit", "1"},
    {"autoscaling.v1.HorizontalPodAutoscalerSpec", "minReplicas", "1"},
    {"autoscaling.v2.HorizontalPodAutoscalerSpec", "minReplicas", "1"},
    {"networking.v1.NetworkPolicyPort", "protocol", R"("TCP")"},
    {"networking.v1.IngressClassParametersReference", "scope", R"("Cluster")"},
    {"discovery.v1.EndpointPort", "name", R"("")"},
    {"discovery.v1.EndpointPort", "protocol", R"("TCP")"},
    {"rbac.v1.RoleRef", "apiGroup", R"("rbac.authorization.k8s.io")"},
    {"storage.v1.StorageClass", "reclaimPolicy", R"("Delete")"},
    {"storage.v1.StorageClass", "volumeBindingMode", R"("Immediate")"},
    {"storage.v1.CSIDriverSpec", "attachRequired", "true"},
    {"storage.v1.CSIDriverSpec", "podInfoOnMount", "false"},
    {"storage.v1.CSIDriverSpec", "storageCapacity", "false"},
    {"storage.v1.CSIDriverSpec", "fsGroupPolicy", R"("ReadWriteOnceWithFSType")"},
    {"storage.v1.CSIDriverSpec", "volumeLifecycleModes", R"(["Persistent"])"},
    {"storage.v1.CSIDriverSpec", "requiresRepublish", "false"},
    {"storage.v1.CSIDriverSpec", "seLinuxMount", "false"},
    {"scheduling.v1.PriorityClass", "preemptionPolicy", R"("PreemptLowerPriority")"},
    {"admissionregistration.v1.ValidatingWebhook", "failurePolicy", R"("Fail")"},
    {"admissionregistration.v1.ValidatingWebhook", "matchPolicy", R"("Equivalent")"},
    {"admissionregistration.v1.ValidatingWebhook", "namespaceSelector", "{}"},
    {"admissionregistration.v1.ValidatingWebhook", "objectSelector", "{}"},
    {"admissionregistration.v1.ValidatingWebhook", "timeoutSeconds", "10"},
    {"admissionregistration.v1.MutatingWebhook", "failurePolicy", R"("Fail")"},
    {"admissionregistration.v1.MutatingWebhook", "matchPolicy", R"("Equivalent")"},
    {"admissionregistration.v1.MutatingWebhook", "namespaceSelector", "{}"},
    {"admissionregistration.v1.MutatingWebhook", "objectSelector", "{}"},
    {"admissionregistration.v1.MutatingWebhook", "timeoutSeconds", "10"},
    {"admissionregistration.v1.MutatingWebhook", "reinvocationPolicy", R"("Never")"},
    {"admissionregistration.v1.Rule", "scope", R"("*")"},
    {"admissionregistration.v1.ServiceReference", "port", "443"},
    {"admissionregistration.v1.ValidatingAdmissionPolicySpec", "failurePolicy", R"("Fail")"},
    {"admissionregistration.v1.MatchResources", "matchPolicy", R"("Equivalent")"},
    {"admissionregistration.v1.MatchResources", "namespaceSelector", "{}"},
    {"admissionregistration.v1.MatchResources", "objectSelector", "{}"},
    {"apiextensions.v1.ServiceReference", "port", "443"},
    {"apiextensions.v1.CustomResourceDefinitionSpec", "conversion", R"({"strategy":"None"})"},
    {"apiregistration.v1.ServiceReference", "port", "443"},
    {"flowcontrol.v1.FlowSchemaSpec", "matchingPrecedence", "1000"},
    {"flowcontrol.v1.LimitedPriorityLevelConfiguration", "nominalConcurrencyShares", "30"},
    {"flowcontrol.v1.LimitedPriorityLevelConfiguration", "lendablePercent", "0"},
    {"flowcontrol.v1.ExemptPriorityLevelConfiguration", "nominalConcurrencyShares", "0"},
    {"flowcontrol.v1.ExemptPriorityLevelConfiguration", "lendablePercent", "0"},
    {"flowcontrol.v1.QueuingConfiguration", "queues", "64"},
    {"flowcontrol.v1.QueuingConfiguration", "handSize", "8"},
    {"flowcontrol.v1.QueuingConfiguration", "queueLengthLimit", "50"},
    {"authentication.v1.TokenRequestSpec", "expirationSeconds", "3600"},
    {"resource.v1.ExactDeviceRequest", "allocationMode", R"("ExactCount")"},
    {"resource.v1.DeviceSubRequest", "allocationMode", R"("ExactCount")"},
};

struct Constant {
  const Field* field;
  std::string_view json;
};
struct Rules {
  std::vector<Constant> constants;
  std::vector<void (*)(json::Object&)> functions;
};

// By type, made once. A wrong name is our own mistake and dies in the first test.
const std::unordered_map<const Type*, Rules>& rules() {
  static const auto kRules = [] {
    std::unordered_map<const Type*, Rules> rules;
    for (const Type* type : types())
      for (const Field& field : type->fields)
        if (!field.default_json.empty())
          rules[type].constants.push_back({&field, field.default_json});
    for (const ConstantDefault& constant : constant_defaults()) {
      const Type* type = find_type(constant.type);
      KL_ASSERT(type != nullptr, "no type {}", constant.type);
      const Field* field = type->field(constant.field);
      KL_ASSERT(field != nullptr, "no field {}.{}", constant.type, constant.field);
      rules[type].constants.push_back({field, constant.json});
    }
    for (const auto defaulters :
         {pod_defaulters(), core_defaulters(), workload_defaulters(), policy_defaulters()})
      for (const Defaulter& defaulter : defaulters) {
        const Type* type = find_type(defaulter.type);
        KL_ASSERT(type != nullptr, "no type {}", defaulter.type);
        rules[type].functions.push_back(defaulter.apply);
      }
    return rules;
  }();
  return kRules;
}

void apply_constant(const Constant& constant, json::Object& object) {
  const Field& field = *constant.field;
  const json::Value* present = object.if_contains(field.name);
  const bool missing =
      present == nullptr || present->is_null() || (!field.pointer && is_zero(field, *present));
  if (!missing) return;
  auto value = json::parse(constant.json);
  KL_ASSERT(value, "default of {} is no JSON", field.name);
  // Zero is how an unset value looks anyway.
  if (!field.pointer && is_zero(field, *value)) return;
  object[field.name] = *std::move(value);
}

void apply(const Type& type, json::Object& object);

void apply_to_value(const Field& field, json::Value& value) {
  if (json::Object* object = value.if_object()) {
    apply(*field.type, *object);
  } else if (json::Array* array = value.if_array()) {
    for (json::Value& item : *array) apply_to_value(field, item);
  }
}

void apply_to_member(const Field& field, json::Object& object) {
  json::Value* value = object.if_contains(field.name);
  if (field.type->form == JsonForm::strings) return;
  if (value == nullptr || value->is_null()) {
    // A struct by value is always there, and may have defaults of its own.
    if (field.pointer || field.cardinality != Cardinality::one ||
        field.type->form != JsonForm::object)
      return;
    json::Object made;
    apply(*field.type, made);
    if (!made.empty()) object[field.name] = std::move(made);
    return;
  }
  if (field.type->form != JsonForm::object) {
    for (const Field& choice : field.type->fields)
      if (choice.kind == Kind::object && choice.cardinality == Cardinality::one)
        apply_to_value(choice, *value);
    return;
  }
  if (field.cardinality != Cardinality::map) return apply_to_value(field, *value);
  if (json::Object* members = value->if_object())
    for (auto& member : *members) apply_to_value(field, member.value());
}

void apply(const Type& type, json::Object& object) {
  const auto& all = rules();
  if (const auto it = all.find(&type); it != all.end()) {
    for (const Constant& constant : it->second.constants) apply_constant(constant, object);
    for (const auto function : it->second.functions) function(object);
  }
  for (const Field& field : type.fields) {
    if (field.kind != Kind::object) continue;
    if (field.is_inline) {
      apply(*field.type, object);
    } else {
      apply_to_member(field, object);
    }
  }
}

}  // namespace

std::span<const ConstantDefault> constant_defaults() { return kConstants; }

void apply_defaults(const Resource& resource, json::Value& object) {
  if (object.is_object()) apply(*resource.type, object.get_object());
}

bool unset(const json::Object& object, std::string_view name) {
  const json::Value* value = object.if_contains(name);
  return value == nullptr || value->is_null();
}

bool empty(const json::Object& object, std::string_view name) {
  const json::Value* value = object.if_contains(name);
  static const Field kText{};  // any kind will do: JSON decides
  return value == nullptr || is_zero(kText, *value);
}

void set_if_unset(json::Object& object, std::string_view name, json::Value value) {
  if (unset(object, name)) object[name] = std::move(value);
}

void set_if_empty(json::Object& object, std::string_view name, json::Value value) {
  if (empty(object, name)) object[name] = std::move(value);
}

json::Object* object_at(json::Object& object, std::string_view name) {
  json::Value* value = object.if_contains(name);
  return value != nullptr ? value->if_object() : nullptr;
}

std::string_view string_at(const json::Object& object, std::string_view name) {
  const json::Value* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

}  // namespace kinglet::schema

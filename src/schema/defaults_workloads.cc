#include "schema/internal/defaulters.h"

namespace kinglet::schema {
namespace {

void deployment_spec(json::Object& spec) {
  json::Object& strategy = json::child(spec, "strategy");
  set_if_empty(strategy, "type", "RollingUpdate");
  if (string_at(strategy, "type") != "RollingUpdate") return;
  json::Object& rolling = json::child(strategy, "rollingUpdate");
  set_if_unset(rolling, "maxUnavailable", "25%");
  set_if_unset(rolling, "maxSurge", "25%");
}

void daemon_set_spec(json::Object& spec) {
  json::Object& strategy = json::child(spec, "updateStrategy");
  set_if_empty(strategy, "type", "RollingUpdate");
  if (string_at(strategy, "type") != "RollingUpdate") return;
  json::Object& rolling = json::child(strategy, "rollingUpdate");
  set_if_unset(rolling, "maxUnavailable", 1);
  set_if_unset(rolling, "maxSurge", 0);
}

void stateful_set_spec(json::Object& spec) {
  json::Object& strategy = json::child(spec, "updateStrategy");
  const bool chosen = !empty(strategy, "type");
  set_if_empty(strategy, "type", "RollingUpdate");
  if (string_at(strategy, "type") == "RollingUpdate") {
    if (!chosen) json::child(strategy, "rollingUpdate");
    if (json::Object* rolling = object_at(strategy, "rollingUpdate"))
      set_if_unset(*rolling, "partition", 0);
  }
  for_each_object(spec, "volumeClaimTemplates", [](json::Object& claim) {
    set_if_empty(claim, "kind", "PersistentVolumeClaim");
    set_if_empty(claim, "apiVersion", "v1");
  });
}

void job(json::Object& job) {
  json::Object* spec = object_at(job, "spec");
  json::Object* pod_template = spec != nullptr ? object_at(*spec, "template") : nullptr;
  json::Object* metadata = pod_template != nullptr ? object_at(*pod_template, "metadata") : nullptr;
  if (metadata == nullptr || empty(*metadata, "labels")) return;
  const json::Value labels = (*metadata)["labels"];
  set_if_empty(json::child(job, "metadata"), "labels", labels);
}

void job_spec(json::Object& spec) {
  // A job without either number runs one pod once; one with parallelism only is a work queue.
  if (unset(spec, "completions") && unset(spec, "parallelism")) spec["completions"] = 1;
  set_if_unset(spec, "parallelism", 1);
  set_if_unset(spec, "backoffLimit", unset(spec, "backoffLimitPerIndex") ? 6 : INT32_MAX);
  set_if_unset(spec, "podReplacementPolicy",
               unset(spec, "podFailurePolicy") ? "TerminatingOrFailed" : "Failed");
}

json::Value policy(const char* type, int value, int seconds) {
  return json::Object{{"type", type}, {"value", value}, {"periodSeconds", seconds}};
}

void autoscaler_v1_spec(json::Object& spec) {
  set_if_unset(spec, "targetCPUUtilizationPercentage", 80);
}

void autoscaler_spec(json::Object& spec) {
  if (empty(spec, "metrics")) {
    json::Object target{{"type", "Utilization"}, {"averageUtilization", 80}};
    json::Object resource{{"name", "cpu"}, {"target", std::move(target)}};
    spec["metrics"] =
        json::Array{json::Object{{"type", "Resource"}, {"resource", std::move(resource)}}};
  }
  json::Object* behavior = object_at(spec, "behavior");
  if (behavior == nullptr) return;
  json::Object& up = json::child(*behavior, "scaleUp");
  set_if_unset(up, "stabilizationWindowSeconds", 0);
  set_if_unset(up, "selectPolicy", "Max");
  set_if_empty(up, "policies", json::Array{policy("Pods", 4, 15), policy("Percent", 100, 15)});
  json::Object& down = json::child(*behavior, "scaleDown");
  set_if_unset(down, "selectPolicy", "Max");
  set_if_empty(down, "policies", json::Array{policy("Percent", 100, 15)});
}

void device_request(json::Object& request) {
  if (string_at(request, "allocationMode") == "ExactCount") set_if_empty(request, "count", 1);
}

constexpr Defaulter kDefaulters[] = {
    {"apps.v1.DeploymentSpec", deployment_spec},
    {"apps.v1.DaemonSetSpec", daemon_set_spec},
    {"apps.v1.StatefulSetSpec", stateful_set_spec},
    {"batch.v1.Job", job},
    {"batch.v1.JobSpec", job_spec},
    {"autoscaling.v1.HorizontalPodAutoscalerSpec", autoscaler_v1_spec},
    {"autoscaling.v2.HorizontalPodAutoscalerSpec", autoscaler_spec},
    {"resource.v1.ExactDeviceRequest", device_request},
    {"resource.v1.DeviceSubRequest", device_request},
};

}  // namespace

std::span<const Defaulter> workload_defaulters() { return kDefaulters; }

}  // namespace kinglet::schema

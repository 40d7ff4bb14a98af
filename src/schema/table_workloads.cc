// The cells of Pods and of what makes them.
#include "schema/codec.h"
#include "schema/internal/table_row.h"

namespace kinglet::schema {
namespace {

void replica_counts(TableRow& row) {
  row.integer({"spec", "replicas"});
  row.integer({"status", "replicas"});
  row.integer({"status", "readyReplicas"});
  row.age();
  row.containers({"spec", "template", "spec"});
}

void add_ready_of_replicas(TableRow& row) {
  row.add(json::Value(fmt::format("{}/{}", json::int_at(row.object(), {"status", "readyReplicas"}),
                                  json::int_at(row.object(), {"spec", "replicas"}))));
}

void deployment_cells(TableRow& row) {
  add_ready_of_replicas(row);
  row.integer_text({"status", "updatedReplicas"});
  row.integer_text({"status", "availableReplicas"});
  row.age();
  row.containers({"spec", "template", "spec"});
  row.label_selector({"spec", "selector"});
}

void daemon_set_cells(TableRow& row) {
  row.integer({"status", "desiredNumberScheduled"});
  row.integer({"status", "currentNumberScheduled"});
  row.integer({"status", "numberReady"});
  row.integer({"status", "updatedNumberScheduled"});
  row.integer({"status", "numberAvailable"});
  row.label_map({"spec", "template", "spec", "nodeSelector"});
  row.age();
  row.containers({"spec", "template", "spec"});
  row.label_selector({"spec", "selector"});
}

std::string job_status(const json::Value& job) {
  for (const std::string_view type : {"Complete", "Failed"})
    if (condition_is(job, type, "True")) return std::string(type);
  if (!json::text_at(job, {"metadata", "deletionTimestamp"}).empty()) return "Terminating";
  for (const std::string_view type : {"Suspended", "FailureTarget", "SuccessCriteriaMet"})
    if (condition_is(job, type, "True")) return std::string(type);
  return "Running";
}

std::string job_completions(const json::Value& job) {
  const auto succeeded = json::int_at(job, {"status", "succeeded"});
  const auto* completions = json::find(job, {"spec", "completions"});
  if (completions && !completions->is_null())
    return fmt::format("{}/{}", succeeded, member_text(*completions));
  const auto parallelism = json::int_at(job, {"spec", "parallelism"});
  if (parallelism > 1) return fmt::format("{}/1 of {}", succeeded, parallelism);
  return fmt::format("{}/1", succeeded);
}

std::string job_duration(const json::Value& job, int64_t now) {
  const auto start = json::text_at(job, {"status", "startTime"});
  if (start.empty()) return {};
  const auto end = json::text_at(job, {"status", "completionTime"});
  return short_age((end.empty() ? now : seconds_of(end)) - seconds_of(start));
}

void job_cells(TableRow& row) {
  row.add(json::Value(job_status(row.object())));
  row.add(json::Value(job_completions(row.object())));
  row.add(json::Value(job_duration(row.object(), row.now())));
  row.age();
  row.containers({"spec", "template", "spec"});
  row.label_selector({"spec", "selector"});
}

void cron_job_cells(TableRow& row) {
  row.text({"spec", "schedule"});
  row.text({"spec", "timeZone"}, kNone);
  row.add(json::Value(json::bool_at(row.object(), {"spec", "suspend"}) ? "True" : "False"));
  row.count({"status", "active"});
  row.age_of({"status", "lastScheduleTime"}, kNone);
  row.age();
  row.containers({"spec", "jobTemplate", "spec", "template", "spec"});
  row.label_selector({"spec", "jobTemplate", "spec", "selector"});
}

void pod_template_cells(TableRow& row) {
  row.containers({"template", "spec"});
  row.label_map({"template", "metadata", "labels"});
}

std::string controller_of(const json::Value& object) {
  for (const auto& owner : array_at(object, {"metadata", "ownerReferences"})) {
    if (!json::bool_at(owner, {"controller"})) continue;
    std::string kind(json::text_at(owner, {"kind"}));
    for (char& c : kind) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const auto version = json::text_at(owner, {"apiVersion"});
    const size_t slash = version.find('/');
    if (slash != std::string_view::npos) kind += fmt::format(".{}", version.substr(0, slash));
    return fmt::format("{}/{}", kind, json::text_at(owner, {"name"}));
  }
  return std::string(kNone);
}

void revision_cells(TableRow& row) {
  row.add(json::Value(controller_of(row.object())));
  row.integer_text({"revision"});
  row.age();
}

bool apps_cells(std::string_view plural, TableRow& row) {
  if (plural == "deployments") {
    deployment_cells(row);
  } else if (plural == "replicasets") {
    replica_counts(row);
    row.label_selector({"spec", "selector"});
  } else if (plural == "daemonsets") {
    daemon_set_cells(row);
  } else if (plural == "statefulsets") {
    add_ready_of_replicas(row);
    row.age();
    row.containers({"spec", "template", "spec"});
  } else if (plural == "controllerrevisions") {
    revision_cells(row);
  } else {
    return false;
  }
  return true;
}

}  // namespace

bool workload_cells(std::string_view group, std::string_view plural, TableRow& row) {
  if (group == "apps") return apps_cells(plural, row);
  if (group.empty() && plural == "pods") {
    pod_cells(row);
  } else if (group.empty() && plural == "podtemplates") {
    pod_template_cells(row);
  } else if (group.empty() && plural == "replicationcontrollers") {
    replica_counts(row);
    row.label_map({"spec", "selector"});
  } else if (group == "batch" && plural == "jobs") {
    job_cells(row);
  } else if (group == "batch" && plural == "cronjobs") {
    cron_job_cells(row);
  } else if (group == "autoscaling" && plural == "horizontalpodautoscalers") {
    autoscaler_cells(row);
  } else {
    return false;
  }
  return true;
}

}  // namespace kinglet::schema

// What is read of a Job, and how its status and its pods are written.
#include <charconv>

#include "controllers/internal/job.h"
#include "controllers/internal/pod_template.h"
#include "controllers/internal/status_json.h"

namespace kinglet::controllers {
namespace {
using client::array_at;
using client::string_at;

std::optional<int> optional_int(const json::Value& object, std::initializer_list<std::string_view> path) {
  const auto* value = json::find(object, path);
  if (!value || !value->is_number()) return std::nullopt;
  return static_cast<int>(json::int_at(object, path));
}

Job::FailureRule::Action action_of(std::string_view text) {
  using Action = Job::FailureRule::Action;
  if (text == "Ignore") return Action::ignore;
  if (text == "FailJob") return Action::fail_job;
  if (text == "FailIndex") return Action::fail_index;
  return Action::count;
}

Job::FailureRule failure_rule(const json::Value& item) {
  Job::FailureRule rule;
  rule.action = action_of(json::text_at(item, {"action"}));
  if (json::find(item, {"onExitCodes"})) {
    rule.by_codes = true;
    rule.codes_in = json::text_at(item, {"onExitCodes", "operator"}) == "In";
    rule.container = string_at(item, {"onExitCodes", "containerName"});
    for (const auto& code : array_at(item, {"onExitCodes", "values"}))
      if (code.is_number()) rule.codes.push_back(code.to_number<int>());
  }
  for (const auto& pattern : array_at(item, {"onPodConditions"})) {
    auto status = string_at(pattern, {"status"});
    rule.conditions.emplace_back(string_at(pattern, {"type"}), status.empty() ? "True" : status);
  }
  return rule;
}

std::set<std::string> uids_at(const json::Value& object, std::string_view name) {
  std::set<std::string> uids;
  for (const auto& uid : array_at(object, {"status", "uncountedTerminatedPods", name}))
    if (uid.is_string()) uids.emplace(uid.get_string());
  return uids;
}

json::Value uids_json(const std::set<std::string>& uids) {
  json::Array list;
  for (const auto& uid : uids) list.push_back(json::Value(uid));
  return list_or_null(std::move(list));
}

Job::Status read_status(const json::Value& object, int limit) {
  Job::Status status;
  status.active = status_number(object, "active");
  status.ready = status_number(object, "ready");
  status.terminating = status_number(object, "terminating");
  status.succeeded = status_number(object, "succeeded");
  status.failed = status_number(object, "failed");
  status.started = string_at(object, {"status", "startTime"});
  status.completed = string_at(object, {"status", "completionTime"});
  status.indexes = IndexSet::parse(json::text_at(object, {"status", "completedIndexes"}), limit);
  if (json::find(object, {"status", "failedIndexes"}))
    status.failed_indexes = IndexSet::parse(json::text_at(object, {"status", "failedIndexes"}), limit);
  status.uncounted_succeeded = uids_at(object, "succeeded");
  status.uncounted_failed = uids_at(object, "failed");
  status.conditions = client::conditions_at(object, {"status", "conditions"});
  return status;
}
}  // namespace

const schema::Resource& Job::resource() {
  static const auto& found = client::resource("batch", "v1", "jobs");
  return found;
}

std::shared_ptr<Job> Job::decode(const json::Value& object) {
  auto job = std::make_shared<Job>();
  job->parallelism = static_cast<int>(json::int_at(object, {"spec", "parallelism"}, 1));
  job->completions = optional_int(object, {"spec", "completions"});
  job->backoff_limit_per_index = optional_int(object, {"spec", "backoffLimitPerIndex"});
  job->backoff_limit =
      static_cast<int>(json::int_at(object, {"spec", "backoffLimit"}, job->backoff_limit_per_index ? INT32_MAX : 6));
  job->max_failed_indexes = optional_int(object, {"spec", "maxFailedIndexes"});
  job->ttl_seconds = optional_int(object, {"spec", "ttlSecondsAfterFinished"});
  if (json::find(object, {"spec", "activeDeadlineSeconds"}))
    job->deadline_seconds = json::int_at(object, {"spec", "activeDeadlineSeconds"});
  job->indexed = json::text_at(object, {"spec", "completionMode"}) == "Indexed";
  job->suspend = json::bool_at(object, {"spec", "suspend"});
  job->restarts_containers = json::text_at(object, {"spec", "template", "spec", "restartPolicy"}) == "OnFailure";
  for (const auto& rule : array_at(object, {"spec", "podFailurePolicy", "rules"}))
    job->failure_rules.push_back(failure_rule(rule));
  const auto replacement = json::text_at(object, {"spec", "podReplacementPolicy"});
  job->replace_failed_only =
      replacement == "Failed" || (replacement.empty() && json::find(object, {"spec", "podFailurePolicy"}));
  const auto manager = json::text_at(object, {"spec", "managedBy"});
  job->managed = manager.empty() || manager == "kubernetes.io/job-controller";
  const int limit = job->completions.value_or(0);
  for (const auto& item : array_at(object, {"spec", "successPolicy", "rules"})) {
    Job::SuccessRule rule;
    if (json::find(item, {"succeededIndexes"}))
      rule.indexes = IndexSet::parse(json::text_at(item, {"succeededIndexes"}), limit);
    rule.count = optional_int(item, {"succeededCount"});
    job->success_rules.push_back(std::move(rule));
  }
  if (const auto* selector = json::find(object, {"spec", "selector"}))
    if (auto parsed = schema::Selector::from_object(*selector)) job->selector = std::move(*parsed);
  job->written = json::find(object, {"status", "uncountedTerminatedPods"}) != nullptr;
  job->status = read_status(object, limit);
  return job;
}

bool Job::finished() const { return finished_at().has_value(); }

std::optional<WallTime> Job::finished_at() const {
  for (const auto& condition : status.conditions) {
    if (condition.status != "True" || (condition.type != "Complete" && condition.type != "Failed")) continue;
    const auto when = parse_rfc3339(condition.transition);
    return when ? *when : meta.created;
  }
  return std::nullopt;
}

json::Value job_status_patch(const Job& job, const Job::Status& s) {
  json::Array conditions;
  for (const auto& c : s.conditions)
    conditions.push_back(json::Object{{"type", c.type},
                                      {"status", c.status},
                                      {"lastProbeTime", c.transition},
                                      {"lastTransitionTime", c.transition},
                                      {"reason", c.reason},
                                      {"message", c.message}});
  json::Object status = {{"active", number_or_null(s.active)},
                         {"ready", s.ready},
                         {"terminating", s.terminating},
                         {"succeeded", number_or_null(s.succeeded)},
                         {"failed", number_or_null(s.failed)},
                         {"startTime", text_or_null(s.started)},
                         {"completionTime", text_or_null(s.completed)},
                         {"completedIndexes", text_or_null(s.indexes.text())},
                         {"failedIndexes", s.failed_indexes ? json::Value(s.failed_indexes->text()) : json::Value()},
                         {"uncountedTerminatedPods", json::Object{{"succeeded", uids_json(s.uncounted_succeeded)},
                                                                  {"failed", uids_json(s.uncounted_failed)}}},
                         {"conditions", list_or_null(std::move(conditions))}};
  // Counting is exact only when nobody else has written in between.
  return json::Object{
      {"metadata", json::Object{{"uid", job.meta.uid}, {"resourceVersion", std::to_string(job.meta.revision)}}},
      {"status", std::move(status)}};
}

int completion_index(const Pod& pod) {
  const auto* text = pod.meta.annotation(kCompletionIndex);
  int index = -1;
  if (!text) return -1;
  const auto read = std::from_chars(text->data(), text->data() + text->size(), index);
  return read.ec == std::errc() && read.ptr == text->data() + text->size() && index >= 0 ? index : -1;
}

json::Value finalizer_patch(const Meta& object, std::string_view finalizer, const std::string& owner_uid) {
  json::Array left, owners;
  for (const auto& name : object.finalizers)
    if (name != finalizer) left.push_back(json::Value(name));
  json::Object meta = {{"uid", object.uid}, {"finalizers", list_or_null(std::move(left))}};
  // Somebody else's finalizer, added meanwhile, must not be lost.
  meta["resourceVersion"] = std::to_string(object.revision);
  if (!owner_uid.empty()) {
    for (const auto& owner : object.owners)
      if (owner.uid != owner_uid) owners.push_back(client::to_json(owner));
    meta["ownerReferences"] = list_or_null(std::move(owners));
  }
  return json::Object{{"metadata", std::move(meta)}};
}

json::Value job_pod(const Job& job, const json::Value& template_json, const JobPlan::NewPod& wanted) {
  auto pod = pod_from(template_json, client::controller_ref(Job::resource(), job.meta));
  auto& meta = json::child(pod.as_object(), "metadata");
  auto& finalizers = meta["finalizers"];
  if (!finalizers.is_array()) finalizers = json::Array();
  finalizers.get_array().push_back(json::Value(kJobTracking));
  if (wanted.index < 0) return pod;
  const auto index = std::to_string(wanted.index);
  meta["generateName"] = fmt::format("{}-{}-", job.meta.name, wanted.index);
  json::child(meta, "labels")[kCompletionIndex] = index;
  auto& annotations = json::child(meta, "annotations");
  annotations[kCompletionIndex] = index;
  if (job.backoff_limit_per_index) annotations[kIndexFailures] = std::to_string(wanted.failures);
  auto& spec = json::child(pod.as_object(), "spec");
  spec["hostname"] = fmt::format("{}-{}", job.meta.name, wanted.index);
  const json::Value variable = json::Object{
      {"name", "JOB_COMPLETION_INDEX"},
      {"valueFrom",
       json::Object{{"fieldRef", json::Object{{"apiVersion", "v1"},
                                              {"fieldPath", fmt::format("metadata.labels['{}']", kCompletionIndex)}}}}}};
  for (const char* list : {"initContainers", "containers"}) {
    auto* containers = spec.if_contains(list);
    if (!containers || !containers->is_array()) continue;
    for (auto& container : containers->get_array()) {
      if (!container.is_object()) continue;
      auto& env = container.get_object()["env"];
      if (!env.is_array()) env = json::Array();
      const bool given = std::any_of(env.get_array().begin(), env.get_array().end(), [](const json::Value& row) {
        return json::text_at(row, {"name"}) == "JOB_COMPLETION_INDEX";
      });
      if (!given) env.get_array().push_back(variable);
    }
  }
  return pod;
}

}  // namespace kinglet::controllers

// Job and CronJob.
#include "apiserver/hooks/kinds.h"
#include "apiserver/hooks/pod_rules.h"
#include "apiserver/hooks/workload_rules.h"
#include "schema/values.h"

namespace kinglet::apiserver {
namespace {

constexpr std::string_view kUidLabel = "batch.kubernetes.io/controller-uid";
constexpr std::string_view kNameLabel = "batch.kubernetes.io/job-name";
constexpr size_t kCronJobNameMax = 52;  // the job's suffix must fit into a label value
constexpr size_t kFailureRulesMax = 20;

// The selector and labels by which a job finds its own pods and nobody else's.
void generate_selector(json::Value& job) {
  auto& spec = json::child(job.get_object(), "spec");
  if (json::bool_at(job, {"spec", "manualSelector"})) return;
  const json::Value uid = at(job, {"metadata", "uid"});
  const json::Value name = at(job, {"metadata", "name"});
  auto& labels = json::child(json::child(json::child(spec, "template"), "metadata"), "labels");
  for (const std::string_view key : {kUidLabel, std::string_view("controller-uid")})
    if (!labels.contains(key)) labels[key] = uid;
  for (const std::string_view key : {kNameLabel, std::string_view("job-name")})
    if (!labels.contains(key)) labels[key] = name;
  auto& match = json::child(json::child(spec, "selector"), "matchLabels");
  if (!match.contains(kUidLabel)) match[kUidLabel] = uid;
}

void check_completion_mode(const json::Value& spec, const Path& path, Causes& causes) {
  if (text(spec, "completionMode") != "Indexed") {
    for (const std::string_view member : {"backoffLimitPerIndex", "successPolicy"})
      if (given(at(spec, member)))
        schema::add_invalid(causes, path.child(member), at(spec, member),
                            "requires indexed completion mode");
    return;
  }
  if (!given(at(spec, "completions")))
    schema::add_required(causes, path.child("completions"), "when completion mode is Indexed");
}

void check_failure_policy(const json::Value& spec, const Path& path, Causes& causes) {
  const auto& policy = at(spec, "podFailurePolicy");
  if (!given(policy)) return;
  const Path at_policy = path.child("podFailurePolicy");
  if (text(at(spec, {"template", "spec"}), "restartPolicy") != "Never")
    schema::add_invalid(
        causes, at_policy, policy,
        "only \"Never\" restart policy is supported when podFailurePolicy is specified");
  const auto& rules = items(policy, "rules");
  const Path list = at_policy.child("rules");
  if (rules.size() > kFailureRulesMax)
    schema::add_too_many(causes, list, rules.size(), kFailureRulesMax);
  for (size_t i = 0; i < rules.size(); ++i) {
    const bool codes = given(at(rules[i], "onExitCodes"));
    const bool conditions = !items(rules[i], "onPodConditions").empty();
    if (codes == conditions)
      schema::add_invalid(causes, list.index(i), rules[i],
                          codes ? "specifying both OnExitCodes and OnPodConditions is not supported"
                                : "specifying one of OnExitCodes and OnPodConditions is required");
  }
}

bool suspended(const json::Value& spec) { return json::bool_at(spec, {"suspend"}); }

// While a job is suspended and has not begun, where its pods go may still change.
json::Value without_scheduling(json::Value pod_template) {
  auto* spec = pod_template.is_object() ? pod_template.get_object().if_contains("spec") : nullptr;
  if (spec && spec->is_object())
    for (const std::string_view member :
         {"nodeSelector", "affinity", "tolerations", "schedulingGates"})
      spec->get_object().erase(member);
  auto* metadata =
      pod_template.is_object() ? pod_template.get_object().if_contains("metadata") : nullptr;
  if (metadata && metadata->is_object())
    for (const std::string_view member : {"labels", "annotations"})
      metadata->get_object().erase(member);
  return pod_template;
}

void check_job_changes(const json::Value& now, const json::Value& old, Causes& causes) {
  const auto& spec = at(now, "spec");
  const auto& before = at(old, "spec");
  const Path path("spec");
  for (const std::string_view member : {"selector", "completionMode", "podFailurePolicy",
                                        "backoffLimitPerIndex", "managedBy", "successPolicy"})
    check_immutable(causes, path.child(member), at(spec, member), at(before, member));
  const bool free = suspended(before) && !given(at(old, {"status", "startTime"}));
  json::Value pod_template = at(spec, "template"), old_template = at(before, "template");
  if (free) {
    pod_template = without_scheduling(std::move(pod_template));
    old_template = without_scheduling(std::move(old_template));
  }
  check_immutable(causes, path.child("template"), pod_template, old_template);
  const bool elastic = text(spec, "completionMode") == "Indexed" &&
                       at(spec, "completions") == at(spec, "parallelism") &&
                       given(at(spec, "completions"));
  if (!elastic)
    check_immutable(causes, path.child("completions"), at(spec, "completions"),
                    at(before, "completions"));
}

class JobHooks final : public KindHooks {
 public:
  void prepare(const WriteContext&, json::Value& object, const json::Value* old) const override {
    if (!old) generate_selector(object);
  }

  void validate(const WriteContext& context, const json::Value& object, const json::Value* old,
                std::vector<Cause>& causes) const override {
    if (context.subresource == "status") return;
    const auto& spec = at(object, "spec");
    const Path path("spec");
    validate_job_spec(spec, path, causes);
    validate_workload_selector(spec, "job", causes);
    const auto name = text(at(object, "metadata"), "name");
    for (const auto& error : schema::label_value_errors(name)) {
      const Path metadata("metadata");
      schema::add_invalid(causes, metadata.child("name"), json::Value(name), error);
    }
    if (old) check_job_changes(object, *old, causes);
  }
};

class CronJobHooks final : public KindHooks {
 public:
  void validate(const WriteContext& context, const json::Value& object, const json::Value* old,
                std::vector<Cause>& causes) const override {
    if (context.subresource == "status") return;
    const auto& spec = at(object, "spec");
    const Path path("spec");
    const auto name = text(at(object, "metadata"), "name");
    const Path metadata("metadata");
    if (!old && name.size() > kCronJobNameMax)
      schema::add_invalid(causes, metadata.child("name"), json::Value(name),
                          "must be no more than 52 characters");
    validate_cron_schedule(at(spec, "schedule"), path.child("schedule"), causes);
    check_time_zone(spec, path, causes);
    check_not_negative(
        causes, path, spec,
        {"startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"});
    const Path job = path.child("jobTemplate");
    const Path job_spec = job.child("spec");
    validate_job_spec(at(spec, {"jobTemplate", "spec"}), job_spec, causes);
    if (json::bool_at(spec, {"jobTemplate", "spec", "manualSelector"}))
      schema::add_unsupported(causes, job_spec.child("manualSelector"), json::Value(true),
                              {"nil", "false"});
  }

 private:
  static void check_time_zone(const json::Value& spec, const Path& path, Causes& causes) {
    const auto& zone = at(spec, "timeZone");
    if (!given(zone)) return;
    const Path at_zone = path.child("timeZone");
    if (is_empty(zone)) {
      schema::add_invalid(causes, at_zone, zone, "timeZone must be nil or non-empty string");
    } else if (zone == "Local" || zone == "local") {
      schema::add_invalid(
          causes, at_zone, zone,
          "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones");
    }
  }
};

}  // namespace

void validate_job_spec(const json::Value& spec, const Path& path, Causes& causes) {
  check_not_negative(causes, path, spec,
                     {"parallelism", "completions", "backoffLimit", "ttlSecondsAfterFinished",
                      "backoffLimitPerIndex", "maxFailedIndexes"});
  const auto& deadline = at(spec, "activeDeadlineSeconds");
  if (given(deadline)) check_not_negative(causes, path.child("activeDeadlineSeconds"), deadline);
  check_completion_mode(spec, path, causes);
  check_failure_policy(spec, path, causes);
  const Path at_template = path.child("template");
  validate_template(at(spec, "template"), at_template, causes);
  const auto& restart = at(spec, {"template", "spec", "restartPolicy"});
  const Path pod = at_template.child("spec");
  if (restart.is_string() && restart != "OnFailure" && restart != "Never")
    schema::add_unsupported(causes, pod.child("restartPolicy"), restart, {"OnFailure", "Never"});
}

void add_job_hooks(Hooks& hooks) {
  hooks.emplace("batch/jobs", std::make_unique<JobHooks>());
  hooks.emplace("batch/cronjobs", std::make_unique<CronJobHooks>());
}

}  // namespace kinglet::apiserver

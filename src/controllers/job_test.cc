#include "controllers/internal/job.h"

#include "controllers/internal/testing.h"

namespace kinglet::controllers {
namespace {

Ref<const Job> job(const std::string& spec, const std::string& status = "") {
  return made<Job>(fmt::format(
      "{{metadata: {{name: pi, namespace: default, uid: j, resourceVersion: '7'}}, spec: {{{}}}, status: {{startTime: "
      "'2023-11-14T22:13:20Z', uncountedTerminatedPods: {{}}, {}}}}}",
      spec, status));
}
struct P {
  const char *name, *phase;
  int index = -1;
  const char* more = "";  // of metadata
  const char* status = "";
};
Ref<const Pod> pod(const P& p) {
  const auto index = p.index < 0 ? std::string() : fmt::format("batch.kubernetes.io/job-completion-index: '{}'", p.index);
  return made<Pod>(fmt::format(
      "{{metadata: {{name: {0}, namespace: default, uid: {0}, finalizers: [batch.kubernetes.io/job-tracking], annotations: {{{1}}}, "
      "{2}}}, status: {{phase: {3}, {4}}}}}",
      p.name, index, p.more, p.phase, p.status));
}
std::vector<Ref<const Pod>> pods(std::initializer_list<P> list) {
  std::vector<Ref<const Pod>> out;
  for (const auto& p : list) out.push_back(pod(p));
  return out;
}
std::string names(const std::vector<Ref<const Pod>>& list) {
  std::string text;
  for (const auto& p : list) text += p->meta.name + " ";
  return text;
}
std::string indexes(const JobPlan& plan) {
  std::string text;
  for (const auto& p : plan.create) text += fmt::format("{} ", p.index);
  return text;
}
std::string reason(const JobPlan& plan, const char* type) {
  const auto* found = client::find_condition(plan.status.conditions, type);
  return found && found->status == "True" ? found->reason : "";
}
constexpr char kIndexedThree[] = "completions: 3, parallelism: 2, completionMode: Indexed";

TEST(PlanJob, runs_what_is_missing_and_no_more) {
  struct Case {
    const char *name, *spec;
    std::vector<Ref<const Pod>> pods;
    size_t create;
    const char *discard, *release;
  };
  const Case cases[] = {
      {"the first pods", "completions: 5, parallelism: 2", {}, 2, "", ""},
      {"not more than completions", "completions: 1, parallelism: 4", {}, 1, "", ""},
      {"one ended, one runs", "completions: 3, parallelism: 2", pods({{"a", "Succeeded"}, {"b", "Running"}}), 1, "", "a "},
      {"a work queue: nobody comes after the first success", "parallelism: 3", pods({{"a", "Succeeded"}, {"b", "Running"}}), 0, "", "a "},
      {"parallelism went down", "completions: 9, parallelism: 1", pods({{"a", "Running"}, {"b", "Pending"}}), 0, "b ", ""},
      {"suspended", "suspend: true, completions: 2", pods({{"a", "Running"}}), 0, "a ", ""},
      {"a deleted pod is replaced at once", "completions: 2, parallelism: 2",
       pods({{"a", "Running", -1, "deletionTimestamp: '2023-11-14T22:13:20Z'"}, {"b", "Running"}}), 0, "", "a "},
      {"or when it has ended", "completions: 2, parallelism: 2, podReplacementPolicy: Failed",
       pods({{"a", "Running", -1, "deletionTimestamp: '2023-11-14T22:13:20Z'"}, {"b", "Running"}}), 0, "", ""},
      {"parallelism 0 is a pause", "completions: 2, parallelism: 0", pods({{"a", "Running"}}), 0, "a ", ""},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const auto plan = plan_job(*job(c.spec), c.pods, {}, at(0));
    EXPECT_EQ(plan.create.size(), c.create);
    EXPECT_EQ(names(plan.discard), c.discard);
    EXPECT_EQ(names(plan.release), c.release);
    EXPECT_EQ(names(plan.end), "");
  }
}

TEST(PlanJob, counts_each_pod_once_through_the_three_steps) {
  const char* spec = "completions: 1, parallelism: 1";
  auto plan = plan_job(*job(spec), pods({{"a", "Succeeded"}}), {}, at(0));
  EXPECT_EQ(plan.status.succeeded, 0) << "first the uid is written down";
  EXPECT_TRUE(plan.status.uncounted_succeeded.contains("a"));
  EXPECT_EQ(reason(plan, "SuccessCriteriaMet"), "CompletionsReached");
  EXPECT_EQ(reason(plan, "Complete"), "") << "not before it is counted";

  const char* noted = "uncountedTerminatedPods: {succeeded: [a]}, conditions: [{type: SuccessCriteriaMet, status: 'True', reason: CompletionsReached}]";
  plan = plan_job(*job(spec, noted), pods({{"a", "Succeeded"}}), {}, at(0));
  EXPECT_EQ(plan.status.succeeded, 0) << "the finalizer is still there";
  EXPECT_EQ(names(plan.release), "a ");

  for (const auto& left : {pods({}), std::vector<Ref<const Pod>>{made<Pod>("{metadata: {name: a, uid: a}, status: {phase: Succeeded}}")}}) {
    plan = plan_job(*job(spec, noted), left, {}, at(0));
    EXPECT_EQ(plan.status.succeeded, 1);
    EXPECT_TRUE(plan.status.uncounted_succeeded.empty());
    EXPECT_EQ(reason(plan, "Complete"), "CompletionsReached");
    EXPECT_FALSE(plan.status.completed.empty());
    EXPECT_TRUE(plan.create.empty());
  }
}

TEST(PlanJob, indexes_succeed_once_each) {
  auto plan = plan_job(*job(kIndexedThree), {}, {}, at(0));
  EXPECT_EQ(indexes(plan), "0 1 ");
  plan = plan_job(*job(kIndexedThree), pods({{"a", "Succeeded", 0}, {"b", "Running", 1}, {"c", "Succeeded", 0}}), {}, at(0));
  EXPECT_EQ(plan.status.indexes.text(), "0");
  EXPECT_EQ(plan.status.succeeded, 1);
  EXPECT_EQ(indexes(plan), "2 ");
  EXPECT_EQ(names(plan.release), "a c ");
  plan = plan_job(*job(kIndexedThree), pods({{"a", "Running", 1}, {"b", "Pending", 1}, {"c", "Running", 7}}), {}, at(0));
  EXPECT_EQ(names(plan.discard), "c b ") << "the second of an index, and one out of range";
  EXPECT_EQ(indexes(plan), "0 ");
}

TEST(PlanJob, fails_for_the_reasons_that_upstream_names) {
  struct Case {
    const char *name, *spec, *status;
    std::vector<Ref<const Pod>> pods;
    const char *reason, *end;
  };
  const char* ended = "containerStatuses: [{name: c, state: {terminated: {exitCode: 42, finishedAt: '2023-11-14T22:13:20Z'}}}]";
  const Case cases[] = {
      {"within the limit", "backoffLimit: 1", "", pods({{"a", "Failed"}}), "", ""},
      {"beyond the limit", "backoffLimit: 1, parallelism: 2", "failed: 1", pods({{"a", "Failed"}, {"b", "Running"}}), "BackoffLimitExceeded", "b "},
      {"restarts of containers count too", "backoffLimit: 3, template: {spec: {restartPolicy: OnFailure}}", "",
       pods({{"a", "Running", -1, "", "containerStatuses: [{restartCount: 3}]"}}), "BackoffLimitExceeded", "a "},
      {"too slow", "activeDeadlineSeconds: 5", "", pods({{"a", "Running"}}), "DeadlineExceeded", "a "},
      {"a rule ends the job", "podFailurePolicy: {rules: [{action: FailJob, onExitCodes: {operator: In, values: [42]}}]}", "",
       pods({{"a", "Failed", -1, "", ended}}), "PodFailurePolicy", ""},
      {"a rule ignores the failure", "backoffLimit: 0, podFailurePolicy: {rules: [{action: Ignore, onPodConditions: [{type: DisruptionTarget}]}]}", "",
       pods({{"a", "Failed", -1, "", "conditions: [{type: DisruptionTarget, status: 'True'}]"}}), "", ""},
      {"too many lost indexes", "completions: 3, completionMode: Indexed, backoffLimitPerIndex: 0, maxFailedIndexes: 0", "",
       pods({{"a", "Failed", 1}}), "MaxFailedIndexesExceeded", ""},
      {"every index done, one lost", "completions: 2, completionMode: Indexed, backoffLimitPerIndex: 0", "completedIndexes: '0'",
       pods({{"a", "Failed", 1}}), "FailedIndexes", ""},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const auto plan = plan_job(*job(c.spec, c.status), c.pods, {}, at(10));
    EXPECT_EQ(reason(plan, "FailureTarget"), c.reason);
    EXPECT_EQ(names(plan.end), c.end);
    EXPECT_EQ(reason(plan, "Failed"), "") << "only when nothing runs any more";
  }
}

TEST(PlanJob, says_failed_when_the_last_pod_has_ended_and_is_counted) {
  const char* target = "failed: 2, conditions: [{type: FailureTarget, status: 'True', reason: BackoffLimitExceeded, message: m}]";
  auto plan = plan_job(*job("backoffLimit: 1", target), pods({{"a", "Running", -1, "deletionTimestamp: '2023-11-14T22:13:20Z'"}}), {}, at(0));
  EXPECT_EQ(reason(plan, "Failed"), "");
  EXPECT_EQ(plan.status.terminating, 1);
  plan = plan_job(*job("backoffLimit: 1", target), {}, {}, at(0));
  EXPECT_EQ(reason(plan, "Failed"), "BackoffLimitExceeded");
  EXPECT_TRUE(plan.create.empty());
  ASSERT_EQ(plan.events.size(), 1u);
  EXPECT_EQ(plan.events[0].reason, "BackoffLimitExceeded");
}

TEST(PlanJob, waits_longer_after_each_failure) {
  EXPECT_EQ(job_backoff(1), Duration(10s));
  EXPECT_EQ(job_backoff(3), Duration(40s));
  EXPECT_EQ(job_backoff(100), Duration(10min));
  const auto plan = plan_job(*job("completions: 1"), {}, {2, at(0)}, at(5));
  EXPECT_TRUE(plan.create.empty());
  ASSERT_TRUE(plan.again_after);
  EXPECT_EQ(*plan.again_after, Duration(15s));
  EXPECT_EQ(plan_job(*job("completions: 1"), {}, {2, at(0)}, at(20)).create.size(), 1u);
}

TEST(PlanJob, an_index_remembers_how_often_it_failed) {
  const char* spec = "completions: 2, parallelism: 2, completionMode: Indexed, backoffLimitPerIndex: 2";
  const char* once = "deletionGracePeriodSeconds: 0";
  const auto first = pods({{"a", "Failed", 0, once, "containerStatuses: [{name: c, state: {terminated: {exitCode: 1, finishedAt: '2023-11-14T22:13:20Z'}}}]"}, {"b", "Running", 1}});
  auto plan = plan_job(*job(spec), first, {}, at(1));
  EXPECT_EQ(names(plan.release), "") << "its successor has yet to take over the number";
  EXPECT_TRUE(plan.status.uncounted_failed.contains("a"));
  EXPECT_TRUE(plan.create.empty());
  EXPECT_EQ(*plan.again_after, Duration(9s));
  plan = plan_job(*job(spec, "uncountedTerminatedPods: {failed: [a]}"), first, {}, at(10));
  ASSERT_EQ(plan.create.size(), 1u);
  EXPECT_EQ(plan.create[0].index, 0);
  EXPECT_EQ(plan.create[0].failures, 1);
}

TEST(PlanJob, success_policy_ends_it_early) {
  const char* spec = "completions: 3, parallelism: 3, completionMode: Indexed, successPolicy: {rules: [{succeededIndexes: '0,2', succeededCount: 1}]}";
  const auto plan = plan_job(*job(spec), pods({{"a", "Succeeded", 2}, {"b", "Running", 0}}), {}, at(0));
  EXPECT_EQ(reason(plan, "SuccessCriteriaMet"), "SuccessPolicy");
  EXPECT_EQ(names(plan.discard), "b ");
}

TEST(PlanJob, suspension_stops_the_clock) {
  auto plan = plan_job(*job("suspend: true, activeDeadlineSeconds: 5"), {}, {}, at(100));
  EXPECT_EQ(reason(plan, "Suspended"), "JobSuspended");
  EXPECT_EQ(reason(plan, "FailureTarget"), "");
  EXPECT_TRUE(plan.status.started.empty());
  const auto resumed = made<Job>("{metadata: {name: pi, uid: j}, spec: {activeDeadlineSeconds: 5}, status: {conditions: [{type: Suspended, status: 'True'}]}}");
  plan = plan_job(*resumed, {}, {}, at(200));
  EXPECT_EQ(plan.status.started, rfc3339(at(200)));
  EXPECT_EQ(plan.create.size(), 1u);
  EXPECT_EQ(*plan.again_after, Duration(5s));
}

TEST(JobPod, carries_finalizer_and_index) {
  const auto object = job_pod(*job(kIndexedThree), json::parse_yaml("{metadata: {labels: {a: b}}, spec: {containers: [{name: c}]}}").value(), {2, 0});
  EXPECT_EQ(json::text_at(object, {"metadata", "generateName"}), "pi-2-");
  EXPECT_EQ(json::text_at(object, {"metadata", "annotations", kCompletionIndex}), "2");
  EXPECT_EQ(json::text_at(object, {"spec", "hostname"}), "pi-2");
  EXPECT_NE(json::print(object).find("JOB_COMPLETION_INDEX"), std::string::npos);
  EXPECT_NE(json::print(object).find(kJobTracking), std::string::npos);
}

TEST(IndexSet, reads_joins_and_writes_runs) {
  auto set = IndexSet::parse("1,3-5,9-", 100);
  EXPECT_EQ(set.text(), "1,3-5") << "what makes no sense is left out";
  set.add(2);
  EXPECT_EQ(set.text(), "1-5");
  set.add(7);
  set.add(0);
  EXPECT_EQ(set.text(), "0-5,7");
  EXPECT_EQ(set.total(), 7);
  EXPECT_TRUE(set.contains(4));
  EXPECT_FALSE(set.contains(6));
  EXPECT_EQ(IndexSet::parse("0-2000000000", 3).text(), "0-2") << "not beyond the completions";
  EXPECT_EQ(set.common(IndexSet::parse("4-8", 100)), 3);
}

}  // namespace
}  // namespace kinglet::controllers

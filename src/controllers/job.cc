// Job controller: runs pods until enough have succeeded, counts each exactly once, and removes old jobs.
#include "controllers/internal/job.h"

#include "base/task.h"
#include "client/write.h"
#include "controllers/internal/batch.h"
#include "controllers/internal/ownership.h"
#include "controllers/internal/parts.h"
#include "controllers/internal/pod_control.h"
#include "controllers/internal/pod_template.h"

namespace kinglet::controllers {
namespace {
using client::Api;
using client::Informer;
using client::Outcome;
const std::string kNobody;

class Jobs final : public client::Reconciler {
 public:
  Jobs(const Deps& deps, client::Runner& runner)
      : clock_(deps.clock),
        control_(deps.events, "job-controller"),
        jobs_(runner.reads(deps.informers.of<Job>())),
        pods_(runner.reads(deps.informers.of<Pod>())) {
    // By the owner's name and not its uid: pods whose job has gone must be found, too.
    pods_of_ = pods_.index("job", [](const Pod& pod, std::vector<std::string>& keys) {
      const auto* owner = pod.meta.controller();
      if (owner && owner->kind == "Job") keys.push_back(pod.meta.ns + "/" + owner->name);
    });
    orphans_ = pods_.index("orphans", [](const Pod& pod, std::vector<std::string>& keys) {
      if (!pod.meta.controller() && !pod.terminal()) keys.push_back(pod.meta.ns);
    });
    jobs_.on_change([this, &runner](const Job* before, const Job* after) {
      runner.add((after ? after : before)->meta.key());
      if (!after) failures_.erase(before->meta.uid);
    });
    pods_.on_change([this, &runner](const Pod* before, const Pod* after) {
      if (before) wake_owner(runner, *before);
      if (after) wake_owner(runner, *after);
    });
  }

  Task<Result<Outcome>> reconcile(Api& api, ObjectKey key) override {
    const auto job = jobs_.find(key);
    const auto named = pods_.indexed(pods_of_, key.text());
    const std::string uid = job ? job->meta.uid : "";
    std::vector<Ref<const Pod>> lost;  // tracked for a job that no longer counts them
    for (const auto& pod : named)
      if (is_tracked(*pod) && (pod->meta.controller()->uid != uid || job->meta.deleted || job->finished()))
        lost.push_back(pod);
    KL_CHECK(co_await release(api, lost, kNobody), "pods of {}", key.text());
    if (!job || job->meta.deleted || !job->managed) co_return Outcome::done();
    if (job->finished()) co_return co_await expire(api, job);
    KL_TRY(pods, co_await claimed(api, job));
    co_return co_await execute(api, job, pods);
  }

 private:
  void wake_owner(client::Runner& runner, const Pod& pod) {
    if (const auto* owner = pod.meta.controller()) {
      if (owner->kind == "Job") runner.add({pod.meta.ns, owner->name});
      return;
    }
    if (pod.terminal()) return;
    for (const auto& job : jobs_.list(pod.meta.ns))
      if (client::matches(job->selector, pod.meta.labels)) runner.add(job->meta.key());
  }

  Task<Result<std::vector<Ref<const Pod>>>> claimed(Api& api, Ref<const Job> job) {
    std::vector<Ref<const Object>> candidates;
    for (const auto& pod : pods_.core().indexed(pods_of_, job->meta.key().text())) candidates.push_back(pod);
    for (const auto& pod : pods_.core().indexed(orphans_, job->meta.ns)) candidates.push_back(pod);
    auto claims = plan_claims(job->meta, job->selector, candidates);
    std::vector<Ref<const Pod>> pods, released;
    for (const auto& pod : claims.release) released.push_back(std::static_pointer_cast<const Pod>(pod));
    claims.release.clear();
    if (!claims.adopt.empty()) {
      KL_CHECK(co_await execute_claims(api, Job::resource(), job->meta, Pod::resource(), claims));
    }
    KL_CHECK(co_await release(api, released, job->meta.uid));
    for (const auto& pod : claims.owned) pods.push_back(std::static_pointer_cast<const Pod>(pod));
    // An adopted pod is tracked from now on; it counts when the cache shows it so.
    for (const auto& pod : claims.adopt) KL_CHECK(co_await track(api, pod));
    co_return pods;
  }

  static Task<Result<void>> track(Api& api, Ref<const Object> pod) {
    const auto key = pod->meta.key();
    KL_TRY(bytes, co_await client::get(api, Pod::resource(), key));
    KL_TRY(object, json::parse(bytes.view()));
    const auto meta = client::decode_meta(object);
    if (meta.uid != pod->meta.uid || meta.has_finalizer(kJobTracking)) co_return Result<void>();
    json::Array finalizers;
    for (const auto& name : meta.finalizers) finalizers.push_back(json::Value(name));
    finalizers.push_back(json::Value(kJobTracking));
    const json::Value patch = json::Object{
        {"metadata", json::Object{{"resourceVersion", std::to_string(meta.revision)}, {"finalizers", std::move(finalizers)}}}};
    const auto written = co_await client::merge(api, Pod::resource(), key, patch);
    co_return client::unless(Code::not_found, written);
  }

  Task<Result<Outcome>> execute(Api& api, Ref<const Job> job, const std::vector<Ref<const Pod>>& pods) {
    auto plan = plan_job(*job, pods, failures_[job->meta.uid], clock_.wall());
    const auto about = client::reference_to(Job::resource(), job->meta);
    KL_CHECK(co_await release(api, plan.discard, kNobody));
    MakeTask discard = [&](int i) { return control_.remove(api, about, plan.discard[static_cast<size_t>(i)]); };
    KL_CHECK(co_await all(static_cast<int>(plan.discard.size()), std::move(discard)));
    MakeTask end = [&](int i) { return control_.remove(api, about, plan.end[static_cast<size_t>(i)]); };
    KL_CHECK(co_await all(static_cast<int>(plan.end.size()), std::move(end)));
    auto created = co_await create(api, job, plan.create);
    if (!created && namespace_is_going(created.error())) created = Result<void>();
    if (created) plan.status.active += static_cast<int>(plan.create.size());

    if (plan.status != job->status || !job->written) {
      const auto patch = job_status_patch(*job, plan.status);
      const auto key = job->meta.key();
      const auto written = co_await client::merge_status(api, Job::resource(), key, patch);
      if (written.is(Code::not_found)) co_return Outcome::done();
      if (!written) co_return written.error();
    }
    failures_[job->meta.uid] = plan.failures;
    for (const auto& told : plan.events) control_.event(about, told.type, told.reason, told.message);
    KL_CHECK(co_await release(api, plan.release, kNobody));
    if (!created) co_return created.error();
    auto outcome = Outcome::done();
    outcome.or_again(plan.again_after);
    co_return outcome;
  }

  Task<Result<void>> create(Api& api, Ref<const Job> job, const std::vector<JobPlan::NewPod>& wanted) {
    if (wanted.empty()) co_return Result<void>();
    const auto about = client::reference_to(Job::resource(), job->meta);
    const auto pod_template = spec_template(*job);
    std::vector<json::Value> pods;
    for (const auto& one : wanted) pods.push_back(job_pod(*job, pod_template, one));
    MakeTask make = [&](int i) { return control_.create(api, about, pods[static_cast<size_t>(i)]); };
    co_return co_await slow_start(static_cast<int>(pods.size()), std::move(make));
  }

  // Takes the finalizer off, and the owner when one is given.
  Task<Result<void>> release(Api& api, const std::vector<Ref<const Pod>>& pods, const std::string& owner_uid) {
    MakeTask make = [&](int i) { return release_one(api, pods[static_cast<size_t>(i)], owner_uid); };
    co_return co_await all(static_cast<int>(pods.size()), std::move(make));
  }

  static Task<Result<void>> release_one(Api& api, Ref<const Pod> pod, std::string owner_uid) {
    if (!is_tracked(*pod) && owner_uid.empty()) co_return Result<void>();
    const auto patch = finalizer_patch(pod->meta, kJobTracking, owner_uid);
    const auto key = pod->meta.key();
    const auto written = co_await client::merge(api, Pod::resource(), key, patch);
    co_return client::unless(Code::not_found, written);
  }

  // ttlSecondsAfterFinished.
  Task<Result<Outcome>> expire(Api& api, Ref<const Job> job) {
    failures_.erase(job->meta.uid);
    if (!job->ttl_seconds) co_return Outcome::done();
    const Duration left =
        job->finished_at()->since_epoch + std::chrono::seconds(*job->ttl_seconds) - clock_.wall().since_epoch;
    if (left > Duration::zero()) co_return Outcome::again(left);
    const auto key = job->meta.key();
    const auto removed =
        co_await client::remove(api, Job::resource(), key, job->meta.uid, client::Propagation::foreground);
    KL_CHECK(client::unless(Code::not_found, removed), "expired job {}", key.text());
    co_return Outcome::done();
  }

  Clock& clock_;
  PodControl control_;
  Informer<Job> jobs_;
  Informer<Pod> pods_;
  size_t pods_of_ = 0, orphans_ = 0;
  std::map<std::string, JobFailures> failures_;  // by the job's uid; gone with it
};
}  // namespace

RunnerPtr make_job(const Deps& deps) {
  auto runner = deps.runner("job");
  runner->use(std::make_unique<Jobs>(deps, *runner));
  return runner;
}

}  // namespace kinglet::controllers

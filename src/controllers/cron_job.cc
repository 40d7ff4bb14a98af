// CronJob controller: makes a Job when its time has come.
#include "controllers/internal/cron_job.h"

#include "base/task.h"
#include "client/write.h"
#include "controllers/internal/parts.h"
#include "controllers/internal/pod_control.h"

namespace kinglet::controllers {
namespace {
using client::Api;
using client::EventType;
using client::Informer;
using client::Outcome;
constexpr char kComponent[] = "cronjob-controller";

class CronJobs final : public client::Reconciler {
 public:
  CronJobs(const Deps& deps, client::Runner& runner)
      : clock_(deps.clock),
        events_(deps.events),
        read_zone_(deps.options.read_time_zone),
        crons_(runner.reads(deps.informers.of<CronJob>())),
        jobs_(runner.reads(deps.informers.of<Job>())) {
    jobs_by_owner_ = jobs_.index_by_controller();
    crons_.on_change([&runner](const CronJob*, const CronJob* after) {
      if (after) runner.add(after->meta.key());
    });
    jobs_.on_change([&runner](const Job* before, const Job* after) {
      for (const auto* job : {before, after}) {
        const auto* owner = job ? job->meta.controller() : nullptr;
        if (owner && owner->kind == "CronJob") runner.add({job->meta.ns, owner->name});
      }
    });
  }

  Task<Result<Outcome>> reconcile(Api& api, ObjectKey key) override {
    const auto cron = crons_.find(key);
    if (!cron) co_return Outcome::done();
    const auto zone = zone_of(*cron);
    auto plan = plan_cron_job(*cron, jobs_.indexed(jobs_by_owner_, cron->meta.uid), zone, clock_.wall());
    const auto about = client::reference_to(CronJob::resource(), cron->meta);
    for (const auto& told : plan.events) events_.event(about, told.type, told.reason, told.message, kComponent);
    for (const auto* list : {&plan.forget, &plan.replace})
      for (const auto& job : *list) KL_CHECK(co_await remove(api, about, job));
    if (plan.run) KL_CHECK(co_await start(api, cron, plan, *zone));
    if (plan.status != cron->status) {
      const auto patch = cron_status_patch(*cron, plan.status);
      const auto written = co_await client::merge_status(api, CronJob::resource(), key, patch);
      KL_CHECK(client::unless(Code::not_found, written), "status of {}", key.text());
    }
    auto outcome = Outcome::done();
    outcome.or_again(plan.again_after);
    co_return outcome;
  }

 private:
  Result<TimeZone> zone_of(const CronJob& cron) const {
    if (cron.zone.empty() || cron.zone == "UTC" || cron.zone == "Etc/UTC") return TimeZone();
    if (!is_zone_name(cron.zone) || !read_zone_) return Error(Code::not_found, "unknown time zone {}", cron.zone);
    const auto file = read_zone_(cron.zone);
    if (!file) return Error(Code::not_found, "unknown time zone {}", cron.zone);
    return TimeZone::parse(*file);
  }

  Task<Result<void>> remove(Api& api, const client::ObjectReference& about, Ref<const Job> job) {
    const auto key = job->meta.key();
    const auto removed = co_await client::remove(api, Job::resource(), key, job->meta.uid, client::Propagation::background);
    if (removed)
      events_.event(about, EventType::normal, "SuccessfulDelete", "Deleted job " + key.name, kComponent);
    co_return client::unless(Code::not_found, removed);
  }

  Task<Result<void>> start(Api& api, Ref<const CronJob> cron, CronPlan& plan, const TimeZone& zone) {
    const auto about = client::reference_to(CronJob::resource(), cron->meta);
    const auto object = cron_run(*cron, *plan.run, zone);
    const ObjectKey key{cron->meta.ns, cron_run_name(*cron, *plan.run)};
    auto made = co_await client::create(api, Job::resource(), key.ns, object);
    // The name holds the time: one that is there is this run, made before we could write that down.
    if (made.is(Code::already_exists)) made = co_await client::get(api, Job::resource(), key);
    if (!made) {
      if (namespace_is_going(made.error())) co_return Result<void>();
      events_.event(about, EventType::warning, "FailedCreate", "Error creating job: " + made.error().message(), kComponent);
      co_return made.error();
    }
    KL_TRY(job, json::parse(made->view()));
    const auto meta = client::decode_meta(job);
    const auto* owner = meta.controller();
    if (!owner || owner->uid != cron->meta.uid) co_return Result<void>();  // somebody else's; this run is left out
    events_.event(about, EventType::normal, "SuccessfulCreate", "Created job " + key.name, kComponent);
    plan.status.active.push_back(key);
    plan.status.uids[key.name] = meta.uid;
    co_return Result<void>();
  }

  Clock& clock_;
  client::EventRecorder& events_;
  std::function<Result<std::string>(const std::string&)> read_zone_;
  Informer<CronJob> crons_;
  Informer<Job> jobs_;
  size_t jobs_by_owner_ = 0;
};
}  // namespace

RunnerPtr make_cron_job(const Deps& deps) {
  auto runner = deps.runner("cronjob");
  runner->use(std::make_unique<CronJobs>(deps, *runner));
  return runner;
}

}  // namespace kinglet::controllers

#include "controllers/internal/cron_job.h"
#include "controllers/internal/status_json.h"

namespace kinglet::controllers {
namespace {
using client::EventType;
using client::string_at;
// So that the clock has surely passed the time when we look again.
constexpr Duration kAfterwards = std::chrono::milliseconds(100);

int64_t seconds(WallTime time) { return std::chrono::duration_cast<std::chrono::seconds>(time.since_epoch).count(); }
WallTime wall(int64_t seconds) { return {std::chrono::seconds(seconds)}; }

const Condition* end_of(const Job& job) {
  for (const auto& condition : job.status.conditions)
    if (condition.status == "True" && (condition.type == "Complete" || condition.type == "Failed")) return &condition;
  return nullptr;
}

class CronRound {
 public:
  CronRound(const CronJob& cron, const std::vector<Ref<const Job>>& jobs, WallTime now)
      : cron_(cron), jobs_(jobs), now_(now), status_(plan_.status) {
    status_ = cron.status;
  }

  CronPlan run(const Result<TimeZone>& zone) {
    follow_jobs();
    trim(true, cron_.kept_successes);
    trim(false, cron_.kept_failures);
    if (cron_.meta.deleted || cron_.suspend) return std::move(plan_);
    if (!zone) {
      tell(EventType::warning, "UnknownTimeZone",
           fmt::format("invalid timeZone: \"{}\": {}", cron_.zone, zone.error().message()));
      return std::move(plan_);
    }
    const auto schedule = CronSchedule::parse(cron_.schedule);
    if (!schedule) {
      tell(EventType::warning, "UnparseableSchedule",
           fmt::format("unparseable schedule: \"{}\" : {}", cron_.schedule, schedule.error().message()));
      return std::move(plan_);
    }
    decide(*schedule, *zone);
    if (const auto next = schedule->next(seconds(now_), *zone))
      plan_.again_after = Duration(wall(*next).since_epoch - now_.since_epoch) + kAfterwards;
    return std::move(plan_);
  }

 private:
  // The list of running jobs, from what is there.
  void follow_jobs() {
    std::map<std::string, Ref<const Job>> there;
    for (const auto& job : jobs_) there[job->meta.name] = job;
    std::erase_if(status_.active, [&](const ObjectKey& key) {
      const auto found = there.find(key.name);
      if (found == there.end()) {
        tell(EventType::normal, "MissingJob", fmt::format("Active job went missing: {}", key.name));
        status_.uids.erase(key.name);
        return true;
      }
      const auto* end = end_of(*found->second);
      if (!end) return false;
      tell(EventType::normal, "SawCompletedJob", fmt::format("Saw completed job: {}, condition: {}", key.name, end->type));
      status_.uids.erase(key.name);
      return true;
    });
    for (const auto& job : jobs_) {
      const auto* end = end_of(*job);
      if (end && end->type == "Complete") status_.last_success = std::max(status_.last_success, job->status.completed);
      const bool listed = std::find(status_.active.begin(), status_.active.end(), job->meta.key()) != status_.active.end();
      if (end || listed || job->meta.deleted) continue;
      // Ours all the same: a run that was made before its entry could be written.
      status_.active.push_back(job->meta.key());
      status_.uids[job->meta.name] = job->meta.uid;
    }
  }

  void trim(bool successes, int keep) {
    std::vector<Ref<const Job>> ended;
    for (const auto& job : jobs_) {
      const auto* end = end_of(*job);
      if (end && !job->meta.deleted && (end->type == "Complete") == successes) ended.push_back(job);
    }
    std::sort(ended.begin(), ended.end(), [](const auto& a, const auto& b) {
      return std::tie(a->meta.created, a->meta.name) < std::tie(b->meta.created, b->meta.name);
    });
    const size_t surplus = ended.size() - std::min(ended.size(), static_cast<size_t>(std::max(0, keep)));
    plan_.forget.insert(plan_.forget.end(), ended.begin(), ended.begin() + static_cast<ptrdiff_t>(surplus));
  }

  void decide(const CronSchedule& schedule, const TimeZone& zone) {
    int64_t since = seconds(cron_.meta.created);
    if (const auto last = parse_rfc3339(status_.last_scheduled)) since = seconds(*last);
    if (cron_.deadline_seconds) since = std::max(since, seconds(now_) - *cron_.deadline_seconds);
    const auto missed = schedule.last_between(since, seconds(now_), zone);
    if (!missed) return;
    if (missed->many)
      tell(EventType::warning, "TooManyMissedTimes",
           "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew");
    if (cron_.deadline_seconds && wall(missed->last + *cron_.deadline_seconds) < now_) {
      tell(EventType::warning, "MissSchedule",
           fmt::format("Missed scheduled time to start a job: {}", rfc3339(wall(missed->last))));
      return;
    }
    const auto name = cron_run_name(cron_, missed->last);
    const auto same = [&](const ObjectKey& key) { return key.name == name; };
    if (std::any_of(status_.active.begin(), status_.active.end(), same)) {
      status_.last_scheduled = rfc3339(wall(missed->last));
      return;
    }
    if (cron_.concurrency == CronJob::Concurrency::forbid && !status_.active.empty()) {
      tell(EventType::normal, "JobAlreadyActive",
           "Not starting job because prior execution is running and concurrency policy is Forbid");
      return;
    }
    if (cron_.concurrency == CronJob::Concurrency::replace) {
      for (const auto& job : jobs_)
        if (!end_of(*job) && !job->meta.deleted) plan_.replace.push_back(job);
      status_.active.clear();
      status_.uids.clear();
    }
    plan_.run = missed->last;
    status_.last_scheduled = rfc3339(wall(missed->last));
  }

  void tell(EventType type, std::string reason, std::string message) {
    plan_.events.push_back({type, std::move(reason), std::move(message)});
  }

  const CronJob& cron_;
  const std::vector<Ref<const Job>>& jobs_;
  WallTime now_;
  CronPlan plan_;
  CronJob::Status& status_;
};

// RFC 3339 with the zone's offset.
std::string local_time(int64_t utc, const TimeZone& zone) {
  const int64_t offset = zone.offset_at(utc);
  if (offset == 0) return rfc3339(wall(utc));
  auto text = rfc3339(wall(utc + offset));
  text.pop_back();  // "Z"
  const int64_t minutes = (offset < 0 ? -offset : offset) / 60;
  return fmt::format("{}{}{:02}:{:02}", text, offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
}
}  // namespace

const schema::Resource& CronJob::resource() {
  static const auto& found = client::resource("batch", "v1", "cronjobs");
  return found;
}

std::shared_ptr<CronJob> CronJob::decode(const json::Value& object) {
  auto cron = std::make_shared<CronJob>();
  const auto policy = json::text_at(object, {"spec", "concurrencyPolicy"});
  cron->concurrency = policy == "Forbid"    ? Concurrency::forbid
                      : policy == "Replace" ? Concurrency::replace
                                            : Concurrency::allow;
  cron->schedule = string_at(object, {"spec", "schedule"});
  cron->zone = string_at(object, {"spec", "timeZone"});
  cron->suspend = json::bool_at(object, {"spec", "suspend"});
  if (json::find(object, {"spec", "startingDeadlineSeconds"}))
    cron->deadline_seconds = json::int_at(object, {"spec", "startingDeadlineSeconds"});
  cron->kept_successes = static_cast<int>(json::int_at(object, {"spec", "successfulJobsHistoryLimit"}, 3));
  cron->kept_failures = static_cast<int>(json::int_at(object, {"spec", "failedJobsHistoryLimit"}, 1));
  for (const auto& ref : client::array_at(object, {"status", "active"})) {
    const auto name = string_at(ref, {"name"});
    cron->status.active.push_back({string_at(ref, {"namespace"}), name});
    cron->status.uids[name] = string_at(ref, {"uid"});
  }
  cron->status.last_scheduled = string_at(object, {"status", "lastScheduleTime"});
  cron->status.last_success = string_at(object, {"status", "lastSuccessfulTime"});
  return cron;
}

CronPlan plan_cron_job(const CronJob& cron, const std::vector<Ref<const Job>>& jobs, const Result<TimeZone>& zone, WallTime now) {
  return CronRound(cron, jobs, now).run(zone);
}

std::string cron_run_name(const CronJob& cron, int64_t scheduled) {
  return fmt::format("{}-{}", cron.meta.name, scheduled / 60);
}

json::Value cron_run(const CronJob& cron, int64_t scheduled, const TimeZone& zone) {
  const auto object = whole(cron);
  json::Object meta = {{"name", cron_run_name(cron, scheduled)}, {"namespace", cron.meta.ns}};
  for (const char* part : {"labels", "annotations"})
    if (const auto* value = json::find(object, {"spec", "jobTemplate", "metadata", part})) meta[part] = *value;
  json::child(meta, "annotations")[kScheduledTimestamp] = local_time(scheduled, zone);
  meta["ownerReferences"] = json::Array{client::to_json(client::controller_ref(CronJob::resource(), cron.meta))};
  json::Object job = {{"apiVersion", "batch/v1"}, {"kind", "Job"}, {"metadata", std::move(meta)}};
  if (const auto* spec = json::find(object, {"spec", "jobTemplate", "spec"})) job["spec"] = *spec;
  return job;
}

json::Value cron_status_patch(const CronJob& cron, const CronJob::Status& status) {
  json::Array active;
  for (const auto& key : status.active) {
    const auto uid = status.uids.find(key.name);
    active.push_back(json::Object{{"apiVersion", "batch/v1"},
                                  {"kind", "Job"},
                                  {"name", key.name},
                                  {"namespace", key.ns},
                                  {"uid", uid == status.uids.end() ? std::string() : uid->second}});
  }
  return json::Object{{"metadata", json::Object{{"uid", cron.meta.uid}}},
                      {"status", json::Object{{"active", list_or_null(std::move(active))},
                                              {"lastScheduleTime", text_or_null(status.last_scheduled)},
                                              {"lastSuccessfulTime", text_or_null(status.last_success)}}}};
}

}  // namespace kinglet::controllers

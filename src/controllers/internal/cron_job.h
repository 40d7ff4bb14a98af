// The cron job's decision: which run is due, which jobs to replace or forget. Pure.
// Source: upstream's cronjob controller v2, whose reasons and messages stay.
#pragma once
#include "controllers/internal/cron_schedule.h"
#include "controllers/internal/job.h"

namespace kinglet::controllers {

inline constexpr char kScheduledTimestamp[] = "batch.kubernetes.io/cronjob-scheduled-timestamp";

struct CronJob : Object {
  static const schema::Resource& resource();
  static std::shared_ptr<CronJob> decode(const json::Value& object);

  enum class Concurrency : uint8_t { allow, forbid, replace } concurrency = Concurrency::allow;
  std::string schedule, zone;  // zone empty: UTC
  bool suspend = false;
  std::optional<int64_t> deadline_seconds;
  int kept_successes = 3, kept_failures = 1;
  struct Status {
    std::vector<ObjectKey> active;  // names; the uids are in `uids`
    std::map<std::string, std::string> uids;
    std::string last_scheduled, last_success;  // RFC 3339
    bool operator==(const Status&) const = default;
  } status;
};

struct CronPlan {
  struct Told {
    client::EventType type;
    std::string reason, message;
  };
  CronJob::Status status;
  std::vector<Ref<const Job>> forget;   // beyond the history limits
  std::vector<Ref<const Job>> replace;  // running, to go before the new run
  std::optional<int64_t> run;           // the time that is due, seconds since 1970
  std::vector<Told> events;
  std::optional<Duration> again_after;
};
// `jobs`: those it owns. `zone`: as `cron.zone` names it, or why it is not known.
CronPlan plan_cron_job(const CronJob& cron, const std::vector<Ref<const Job>>& jobs, const Result<TimeZone>& zone, WallTime now);

// "<cron job>-<minutes since 1970>".
std::string cron_run_name(const CronJob& cron, int64_t scheduled);
json::Value cron_run(const CronJob& cron, int64_t scheduled, const TimeZone& zone);
json::Value cron_status_patch(const CronJob& cron, const CronJob::Status& status);

}  // namespace kinglet::controllers

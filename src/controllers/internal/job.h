// The job's decisions: which pods to start and end, what has been counted, whether it is finished. Pure.
//
// A pod carries a finalizer until it is counted: first its uid is written into the status (uncounted), then the
// finalizer goes, then the uid becomes a number. So no crash in between counts a pod twice or not at all.
// Source: upstream's job controller (v1.34), whose reasons, messages and annotations stay.
#pragma once
#include <set>

#include "client/event_recorder.h"
#include "controllers/internal/index_set.h"
#include "controllers/internal/kinds.h"

namespace kinglet::controllers {

inline constexpr char kJobTracking[] = "batch.kubernetes.io/job-tracking";
inline constexpr char kCompletionIndex[] = "batch.kubernetes.io/job-completion-index";
inline constexpr char kIndexFailures[] = "batch.kubernetes.io/job-index-failure-count";

struct Job : Object {
  static const schema::Resource& resource();
  static std::shared_ptr<Job> decode(const json::Value& object);

  struct FailureRule {
    enum class Action : uint8_t { ignore, count, fail_job, fail_index } action = Action::count;
    bool by_codes = false, codes_in = false;
    std::string container;  // empty: any
    std::vector<int> codes;
    std::vector<std::pair<std::string, std::string>> conditions;  // type, status
  };
  struct SuccessRule {
    std::optional<IndexSet> indexes;  // none: all
    std::optional<int> count;         // none: all of `indexes`
  };
  struct Status {
    int active = 0, ready = 0, terminating = 0, succeeded = 0, failed = 0;
    std::string started, completed;  // RFC 3339; empty: not yet
    IndexSet indexes;
    std::optional<IndexSet> failed_indexes;
    std::set<std::string> uncounted_succeeded, uncounted_failed;  // uids
    Conditions conditions;
    bool operator==(const Status&) const = default;
  };

  int parallelism = 1, backoff_limit = 6;
  std::optional<int> completions, backoff_limit_per_index, max_failed_indexes, ttl_seconds;
  std::optional<int64_t> deadline_seconds;
  bool indexed = false, suspend = false, restarts_containers = false;
  bool replace_failed_only = false;  // podReplacementPolicy Failed: a terminating pod still counts as running
  bool managed = true;               // by this controller
  std::vector<FailureRule> failure_rules;
  std::vector<SuccessRule> success_rules;
  schema::Selector selector = schema::Selector::nothing();
  bool written = false;  // the status was written before
  Status status;

  bool finished() const;
  // When it finished; nullopt: it has not.
  std::optional<WallTime> finished_at() const;
};
json::Value job_status_patch(const Job& job, const Job::Status& status);

// Failures since the last success: new pods wait 10 s, 20 s, ... Kept in memory, as upstream does.
struct JobFailures {
  int count = 0;
  WallTime last{};
};
constexpr Duration kJobBackoffFirst = std::chrono::seconds(10);
constexpr Duration kJobBackoffMax = std::chrono::minutes(10);
Duration job_backoff(int failures);

struct JobPlan {
  struct NewPod {
    int index = -1;  // -1: the job is not indexed
    int failures = 0;
  };
  struct Told {
    client::EventType type;
    std::string reason, message;
  };
  std::vector<NewPod> create;
  std::vector<Ref<const Pod>> end;      // delete; they count once they have ended
  std::vector<Ref<const Pod>> discard;  // delete without counting them: finalizer first
  std::vector<Ref<const Pod>> release;  // after `status` is written: take the finalizer off
  Job::Status status;
  JobFailures failures;
  std::vector<Told> events;
  std::optional<Duration> again_after;
};
// `pods`: all of the job's. Not for a finished job or one that is being deleted.
JobPlan plan_job(const Job& job, const std::vector<Ref<const Pod>>& pods, JobFailures failures, WallTime now);

// -1: none or no number.
int completion_index(const Pod& pod);
inline bool is_tracked(const Pod& pod) { return pod.meta.has_finalizer(kJobTracking); }
// The pod's metadata with one finalizer less (and, when `owner_uid` is given, without that owner), as a merge patch.
json::Value finalizer_patch(const Meta& object, std::string_view finalizer, const std::string& owner_uid = {});
// What the pod of a job looks like, beyond its template.
json::Value job_pod(const Job& job, const json::Value& template_json, const JobPlan::NewPod& wanted);

// The first rule that the failed pod matches, or null; `why` then says it for people.
const Job::FailureRule* match_failure(const Job& job, const Pod& pod, std::string& why);
// The index of the success rule that is met; nullopt: none.
std::optional<size_t> met_success_rule(const Job& job, const IndexSet& succeeded);

}  // namespace kinglet::controllers

#include <charconv>
#include <map>

#include "controllers/internal/job.h"
#include "controllers/internal/pod_template.h"
#include "controllers/internal/replica_plan.h"
#include "controllers/internal/status_json.h"

namespace kinglet::controllers {
namespace {
using client::EventType;

// The status stays small: more are counted in the next run.
constexpr size_t kUncountedMax = 500;

int failures_of(const Pod& pod) {
  const auto* text = pod.meta.annotation(kIndexFailures);
  int count = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), count);
  return std::max(0, count);
}

// When its last container ended, or it was given up.
WallTime ended_at(const Pod& pod, WallTime now) {
  std::optional<WallTime> last;
  const auto object = whole(pod);
  for (const auto& status : client::array_at(object, {"status", "containerStatuses"}))
    if (const auto time = parse_rfc3339(client::string_at(status, {"state", "terminated", "finishedAt"})))
      last = last ? std::max(*last, *time) : *time;
  if (!last) last = pod.meta.deleted;
  return last ? std::min(*last, now) : now;
}

int restarts_of(const Pod& pod) {
  int64_t sum = 0;
  const auto object = whole(pod);
  for (const char* list : {"initContainerStatuses", "containerStatuses"})
    for (const auto& status : client::array_at(object, {"status", list})) sum += json::int_at(status, {"restartCount"});
  return static_cast<int>(std::min<int64_t>(sum, INT32_MAX));
}

class JobRound {
 public:
  JobRound(const Job& job, const std::vector<Ref<const Pod>>& pods, JobFailures failures, WallTime now)
      : job_(job), pods_(pods), now_(now), status_(plan_.status) {
    status_ = job.status;
    plan_.failures = failures;
  }

  JobPlan run() {
    sort_pods();
    settle_uncounted();
    note_suspension();
    count_ended();
    auto target = find_target();
    if (target)
      finish(*target);
    else
      manage();
    status_.active = static_cast<int>(active_.size());
    status_.ready = static_cast<int>(std::count_if(active_.begin(), active_.end(), [](const auto& p) { return p->ready; }));
    status_.terminating = terminating_;
    return std::move(plan_);
  }

 private:
  void sort_pods() {
    for (const auto& pod : pods_) {
      if (pod->terminal()) continue;
      if (pod->meta.deleted)
        ++terminating_;
      else
        active_.push_back(pod);
    }
  }

  // A uid whose pod has lost the finalizer becomes a number.
  void settle_uncounted() {
    std::set<std::string> tracked;
    for (const auto& pod : pods_)
      if (is_tracked(*pod)) tracked.insert(pod->meta.uid);
    const auto settle = [&](std::set<std::string>& uids, int& counter) {
      std::erase_if(uids, [&](const std::string& uid) {
        if (tracked.contains(uid)) return false;
        ++counter;
        return true;
      });
    };
    settle(status_.uncounted_succeeded, status_.succeeded);
    settle(status_.uncounted_failed, status_.failed);
  }

  void note_suspension() {
    const bool was = condition_true(status_.conditions, "Suspended");
    if (job_.suspend && !was) {
      say("Suspended", "True", "JobSuspended", "Job suspended");
      tell(EventType::normal, "Suspended", "Job suspended");
    } else if (!job_.suspend && was) {
      say("Suspended", "False", "JobResumed", "Job resumed");
      tell(EventType::normal, "Resumed", "Job resumed");
    }
    if (job_.suspend)
      status_.started.clear();
    else if (status_.started.empty())
      status_.started = rfc3339(now_);
  }

  bool failed(const Pod& pod) const {
    if (pod.phase == Pod::Phase::failed) return true;
    return pod.meta.deleted && !pod.terminal() && !job_.replace_failed_only;
  }

  void count_ended() {
    for (const auto& pod : pods_) {
      if (status_.uncounted_succeeded.size() + status_.uncounted_failed.size() >= kUncountedMax) break;
      if (!is_tracked(*pod)) continue;
      if (pod->phase == Pod::Phase::succeeded)
        count_success(pod);
      else if (failed(*pod))
        count_failure(pod);
    }
    if (job_.indexed) status_.succeeded = status_.indexes.total();
    if (job_.backoff_limit_per_index && !status_.failed_indexes) status_.failed_indexes.emplace();
  }

  void count_success(const Ref<const Pod>& pod) {
    plan_.release.push_back(pod);
    if (job_.indexed) {
      const int index = completion_index(*pod);
      if (!in_range(index) || status_.indexes.contains(index)) return;
      status_.indexes.add(index);
    } else if (!status_.uncounted_succeeded.insert(pod->meta.uid).second) {
      return;
    }
    plan_.failures = {};
  }

  void count_failure(const Ref<const Pod>& pod) {
    note_failure(pod);
    (holds_its_index(*pod) ? held_ : plan_.release).push_back(pod);
  }

  void note_failure(const Ref<const Pod>& pod) {
    if (status_.uncounted_failed.contains(pod->meta.uid)) return;
    const int index = completion_index(*pod);
    if (job_.indexed && !in_range(index)) return;
    std::string why;
    const auto* rule = match_failure(job_, *pod, why);
    using Action = Job::FailureRule::Action;
    if (rule && rule->action == Action::ignore) return;
    if (rule && rule->action == Action::fail_job && fail_job_.empty()) fail_job_ = why;
    if (job_.backoff_limit_per_index &&
        ((rule && rule->action == Action::fail_index) || failures_of(*pod) >= *job_.backoff_limit_per_index))
      fail_index(index);
    status_.uncounted_failed.insert(pod->meta.uid);
    plan_.failures = {plan_.failures.count + 1, std::max(plan_.failures.last, ended_at(*pod, now_))};
  }

  void fail_index(int index) {
    if (!status_.failed_indexes) status_.failed_indexes.emplace();
    if (!status_.indexes.contains(index)) status_.failed_indexes->add(index);
  }

  // With a back-off limit per index, an index's last failed pod stays until its successor has taken over the number of
  // failures: it is the only place where that number stands.
  bool holds_its_index(const Pod& pod) const {
    if (!job_.backoff_limit_per_index) return false;
    const int index = completion_index(pod);
    if (!in_range(index) || status_.indexes.contains(index)) return false;
    if (status_.failed_indexes && status_.failed_indexes->contains(index)) return false;
    return std::none_of(pods_.begin(), pods_.end(), [&](const auto& other) {
      return completion_index(*other) == index && failures_of(*other) > failures_of(pod);
    });
  }

  bool in_range(int index) const { return index >= 0 && index < job_.completions.value_or(0); }
  int failures_total() const { return status_.failed + static_cast<int>(status_.uncounted_failed.size()); }
  int successes_total() const {
    return job_.indexed ? status_.indexes.total()
                        : status_.succeeded + static_cast<int>(status_.uncounted_succeeded.size());
  }

  // --- the end --------------------------------------------------------------------------------------------------
  std::optional<Condition> find_target() {
    for (const char* type : {"FailureTarget", "SuccessCriteriaMet"})
      if (condition_true(status_.conditions, type)) return *client::find_condition(status_.conditions, type);
    if (!fail_job_.empty()) return Condition{"FailureTarget", "True", "PodFailurePolicy", fail_job_, {}, {}};
    const auto fails = [](const char* reason, const char* message) {
      return Condition{"FailureTarget", "True", reason, message, {}, {}};
    };
    if (const auto left = time_left(); left && *left <= Duration::zero())
      return fails("DeadlineExceeded", "Job was active longer than specified deadline");
    if (failures_total() > job_.backoff_limit || restarted_too_often())
      return fails("BackoffLimitExceeded", "Job has reached the specified backoff limit");
    if (const auto& lost = status_.failed_indexes) {
      if (job_.max_failed_indexes && lost->total() > *job_.max_failed_indexes)
        return fails("MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes");
      if (!lost->empty() && lost->total() + status_.indexes.total() >= job_.completions.value_or(0))
        return fails("FailedIndexes", "Job has failed indexes");
    }
    if (const auto rule = met_success_rule(job_, status_.indexes))
      return Condition{"SuccessCriteriaMet", "True", "SuccessPolicy", fmt::format("Matched rules at index {}", *rule), {}, {}};
    const bool enough = job_.completions ? successes_total() >= *job_.completions : successes_total() > 0;
    if (enough && active_.empty() && !(job_.suspend && !job_.completions))
      return Condition{"SuccessCriteriaMet", "True", "CompletionsReached", "Reached expected number of succeeded pods", {}, {}};
    return std::nullopt;
  }

  std::optional<Duration> time_left() const {
    if (!job_.deadline_seconds || job_.suspend) return std::nullopt;
    const auto started = parse_rfc3339(status_.started);
    if (!started) return std::nullopt;
    return Duration(started->since_epoch + std::chrono::seconds(*job_.deadline_seconds) - now_.since_epoch);
  }

  // With restartPolicy OnFailure a pod fails inside: its restarts count.
  bool restarted_too_often() const {
    if (!job_.restarts_containers || job_.backoff_limit == INT32_MAX) return false;
    int64_t restarts = 0;
    for (const auto& pod : active_) restarts += restarts_of(*pod);
    return job_.backoff_limit == 0 ? restarts > 0 : restarts >= job_.backoff_limit;
  }

  void finish(const Condition& target) {
    const bool success = target.type == "SuccessCriteriaMet";
    if (!condition_true(status_.conditions, target.type)) say(target.type.c_str(), "True", target.reason, target.message);
    auto& leaving = success ? plan_.discard : plan_.end;
    for (const auto& pod : active_) leaving.push_back(pod);
    plan_.release.insert(plan_.release.end(), held_.begin(), held_.end());
    // The last words come when nothing runs any more and everything is counted.
    const bool counted = status_.uncounted_succeeded.empty() && status_.uncounted_failed.empty() && plan_.release.empty();
    if (!active_.empty() || terminating_ > 0 || !counted) return;
    if (success) {
      say("Complete", "True", target.reason, target.message);
      status_.completed = rfc3339(now_);
      tell(EventType::normal, "Completed", "Job completed");
    } else {
      say("Failed", "True", target.reason, target.message);
      tell(EventType::warning, target.reason, target.message);
    }
  }

  // --- while it runs --------------------------------------------------------------------------------------------
  void manage() {
    if (job_.suspend) {
      plan_.discard = std::exchange(active_, {});
      terminating_ += static_cast<int>(plan_.discard.size());
      return;
    }
    if (const auto left = time_left()) again(*left);
    int wanted = job_.parallelism;
    if (!job_.completions)
      wanted = successes_total() > 0 ? std::min(wanted, static_cast<int>(active_.size())) : wanted;
    else
      wanted = std::min(wanted, std::max(0, *job_.completions - successes_total()));
    give_up(wanted);
    const int held = job_.replace_failed_only ? terminating_ : 0;
    const int missing = std::min(wanted - static_cast<int>(active_.size()) - held, kBurstMax);
    if (missing > 0) start(missing);
  }

  void discard(const Ref<const Pod>& pod) {
    plan_.discard.push_back(pod);
    ++terminating_;
  }

  // Pods beyond `wanted`, and second pods of an index.
  void give_up(int wanted) {
    sort_cheapest_first(active_, {}, now_);
    if (job_.indexed) {
      std::set<int> seen;
      std::vector<Ref<const Pod>> kept;
      for (auto at = active_.rbegin(); at != active_.rend(); ++at) {
        const int index = completion_index(**at);
        if (in_range(index) && seen.insert(index).second)
          kept.insert(kept.begin(), *at);
        else
          discard(*at);
      }
      active_ = std::move(kept);
    }
    const int surplus = std::min(static_cast<int>(active_.size()) - wanted, kBurstMax);
    for (int i = 0; i < surplus; ++i) discard(active_[static_cast<size_t>(i)]);
    if (surplus > 0) active_.erase(active_.begin(), active_.begin() + surplus);
  }

  void start(int missing) {
    if (job_.backoff_limit_per_index) {
      start_indexes(missing);
      return;
    }
    if (plan_.failures.count > 0) {
      const Duration left = plan_.failures.last.since_epoch + job_backoff(plan_.failures.count) - now_.since_epoch;
      if (left > Duration::zero()) {
        again(left);
        return;
      }
    }
    if (job_.indexed) {
      start_indexes(missing);
      return;
    }
    for (int i = 0; i < missing; ++i) plan_.create.push_back({});
  }

  void start_indexes(int missing) {
    std::set<int> taken;
    for (const auto& pod : pods_)
      if (pod->active() || (job_.replace_failed_only && !pod->terminal())) taken.insert(completion_index(*pod));
    for (const auto& pod : plan_.discard) taken.erase(completion_index(*pod));
    for (const auto& pod : active_) taken.insert(completion_index(*pod));
    for (int index = 0; index < job_.completions.value_or(0) && missing > 0; ++index) {
      if (taken.contains(index) || status_.indexes.contains(index)) continue;
      if (status_.failed_indexes && status_.failed_indexes->contains(index)) continue;
      JobPlan::NewPod wanted{index, 0};
      if (job_.backoff_limit_per_index && !ready_again(index, wanted.failures)) continue;
      plan_.create.push_back(wanted);
      --missing;
    }
  }

  // How often the index has failed, from its last pod; whether its pause is over.
  bool ready_again(int index, int& failures) {
    std::optional<Ref<const Pod>> last;
    for (const auto& pod : pods_)
      if (completion_index(*pod) == index && failed(*pod) && (!last || failures_of(*pod) >= failures_of(**last))) last = pod;
    if (!last) return true;
    std::string why;
    const auto* rule = match_failure(job_, **last, why);
    const bool ignored = rule && rule->action == Job::FailureRule::Action::ignore;
    failures = failures_of(**last) + (ignored ? 0 : 1);
    const Duration left = ended_at(**last, now_).since_epoch + job_backoff(std::max(1, failures)) - now_.since_epoch;
    if (left <= Duration::zero()) return true;
    again(left);
    return false;
  }

  void say(const char* type, const char* value, std::string reason, std::string message) {
    put_condition(status_.conditions, {type, value, std::move(reason), std::move(message), {}, {}}, now_);
  }
  void tell(EventType type, std::string reason, std::string message) {
    plan_.events.push_back({type, std::move(reason), std::move(message)});
  }
  // Times in a status have whole seconds.
  void again(Duration after) {
    after = std::max<Duration>(after, std::chrono::milliseconds(100));
    if (!plan_.again_after || after < *plan_.again_after) plan_.again_after = after;
  }

  const Job& job_;
  const std::vector<Ref<const Pod>>& pods_;
  WallTime now_;
  JobPlan plan_;
  Job::Status& status_;
  std::vector<Ref<const Pod>> active_;
  std::vector<Ref<const Pod>> held_;  // counted, but still needed for what stands in them
  int terminating_ = 0;
  std::string fail_job_;
};
}  // namespace

Duration job_backoff(int failures) {
  if (failures <= 0) return Duration::zero();
  if (failures > 7) return kJobBackoffMax;
  return std::min<Duration>(kJobBackoffFirst * (1 << (failures - 1)), kJobBackoffMax);
}

JobPlan plan_job(const Job& job, const std::vector<Ref<const Pod>>& pods, JobFailures failures, WallTime now) {
  return JobRound(job, pods, failures, now).run();
}

}  // namespace kinglet::controllers

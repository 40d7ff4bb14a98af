// What a deployment's status says: counts and conditions.
#include "controllers/internal/deployment.h"

namespace kinglet::controllers {
namespace {
// Replaces the condition of that type. One that says the same keeps its times, or watchers would never rest.
void set_condition(Conditions& conditions, Condition condition, WallTime now) {
  condition.transition = condition.updated = rfc3339(now);
  for (auto& before : conditions) {
    if (before.type != condition.type) continue;
    if (before.status == condition.status && before.reason == condition.reason) return;
    if (before.status == condition.status) condition.transition = before.transition;
    before = std::move(condition);
    return;
  }
  conditions.push_back(std::move(condition));
}

bool complete(const Deployment& d, const Deployment::Status& s) {
  return s.updated == d.replicas && s.replicas == d.replicas && s.available == d.replicas &&
         s.observed_generation >= d.meta.generation;
}

bool progressing(const Deployment::Status& before, const Deployment::Status& now) {
  return now.updated > before.updated || now.replicas - now.updated < before.replicas - before.updated ||
         now.ready > before.ready || now.available > before.available;
}

std::optional<Duration> left_to_deadline(const Deployment& d, const Condition& progress, WallTime now) {
  const auto updated = parse_rfc3339(progress.updated);
  if (!updated || !d.progress_deadline_seconds) return std::nullopt;
  return Duration(updated->since_epoch + std::chrono::seconds(*d.progress_deadline_seconds) - now.since_epoch);
}

void note_pause(const Deployment& d, Conditions& conditions, WallTime now) {
  const auto* progress = client::find_condition(conditions, "Progressing");
  if (!d.progress_deadline_seconds || (progress && progress->reason == "ProgressDeadlineExceeded")) return;
  const bool noted = progress && progress->reason == "DeploymentPaused";
  if (d.paused && !noted)
    set_condition(conditions, {"Progressing", "Unknown", "DeploymentPaused", "Deployment is paused", {}, {}}, now);
  if (!d.paused && noted)
    set_condition(conditions, {"Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed", {}, {}}, now);
}

void note_progress(const Deployment& d, const ReplicaSet* newest, const DeploymentPlan& plan,
                   Deployment::Status& status, WallTime now) {
  auto& conditions = status.conditions;
  const std::string subject = newest ? fmt::format("ReplicaSet \"{}\"", newest->meta.name)
                                     : fmt::format("Deployment \"{}\"", d.meta.name);
  const auto* before = client::find_condition(conditions, "Progressing");
  const auto say = [&](const char* value, const char* reason, std::string message) {
    set_condition(conditions, {"Progressing", value, reason, std::move(message), {}, {}}, now);
  };
  if (plan.create) {
    say("True", "NewReplicaSetCreated", fmt::format("Created new replica set \"{}-{}\"", d.meta.name, plan.create->hash));
    return;
  }
  if (newest && !before)
    say("True", "FoundNewReplicaSet", fmt::format("Found new replica set \"{}\"", newest->meta.name));
  before = client::find_condition(conditions, "Progressing");
  if (before && before->reason == "NewReplicaSetAvailable" && status.replicas == status.updated) return;
  if (complete(d, status)) {
    say("True", "NewReplicaSetAvailable", subject + " has successfully progressed.");
  } else if (progressing(d.status, status)) {
    // Progress moves the deadline even when the words stay the same.
    const auto transition = before && before->status == "True" ? before->transition : std::string();
    std::erase_if(conditions, [](const Condition& c) { return c.type == "Progressing"; });
    say("True", "ReplicaSetUpdated", subject + " is progressing.");
    if (!transition.empty()) conditions.back().transition = transition;
  } else if (before && before->reason != "NewReplicaSetAvailable") {
    const auto left = left_to_deadline(d, *before, now);
    if (left && *left <= Duration::zero())
      say("False", "ProgressDeadlineExceeded", subject + " has timed out progressing.");
  }
}

void note_failure(const Sets& sets, Conditions& conditions, WallTime now) {
  for (const auto& set : sets)
    if (const auto* failure = client::find_condition(set->status.conditions, "ReplicaFailure")) {
      set_condition(conditions, *failure, now);
      return;
    }
  std::erase_if(conditions, [](const Condition& c) { return c.type == "ReplicaFailure"; });
}
}  // namespace

Deployment::Status deployment_status(const Deployment& d, const Sets& sets, const ReplicaSet* newest,
                                     const DeploymentPlan& plan, WallTime now) {
  Deployment::Status status;
  status.observed_generation = d.meta.generation;
  status.collisions = d.status.collisions;
  status.conditions = d.status.conditions;
  int wanted = 0;
  for (const auto& set : sets) {
    wanted += set->replicas;
    status.replicas += set->status.replicas;
    status.ready += set->status.ready;
    status.available += set->status.available;
  }
  status.unavailable = std::max(0, wanted - status.available);
  if (newest) status.updated = newest->status.replicas;
  if (status.available >= d.replicas - d.unavailable_pods())
    set_condition(status.conditions, {"Available", "True", "MinimumReplicasAvailable",
                                      "Deployment has minimum availability.", {}, {}}, now);
  else
    set_condition(status.conditions, {"Available", "False", "MinimumReplicasUnavailable",
                                      "Deployment does not have minimum availability.", {}, {}}, now);
  note_pause(d, status.conditions, now);
  if (!d.progress_deadline_seconds)
    std::erase_if(status.conditions, [](const Condition& c) { return c.type == "Progressing"; });
  else if (!d.paused)
    note_progress(d, newest, plan, status, now);
  note_failure(sets, status.conditions, now);
  return status;
}

std::optional<Duration> next_progress_check(const Deployment& d, const Deployment::Status& status, WallTime now) {
  const auto* progress = client::find_condition(status.conditions, "Progressing");
  if (!progress || d.paused || progress->reason == "NewReplicaSetAvailable" ||
      progress->reason == "ProgressDeadlineExceeded")
    return std::nullopt;
  const auto left = left_to_deadline(d, *progress, now);
  if (!left) return std::nullopt;
  // Times in conditions have whole seconds: one more is late enough.
  return std::max(*left, Duration::zero()) + std::chrono::seconds(1);
}

}  // namespace kinglet::controllers

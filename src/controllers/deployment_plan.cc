// Puts the deployment's decisions together.
#include "controllers/internal/deployment.h"

namespace kinglet::controllers {
namespace {
bool older(const Ref<const ReplicaSet>& a, const Ref<const ReplicaSet>& b) {
  return std::tie(a->meta.created, a->meta.name) < std::tie(b->meta.created, b->meta.name);
}

// Annotations of the deployment that are about itself and not about its pods.
bool stays_on_deployment(const std::string& name) {
  return name == kRevision || name == kRevisionHistory || name == kDesiredReplicas || name == kMaxReplicas ||
         name == "deprecated.deployment.rollback.to";
}

client::StringPairs inherited_annotations(const Deployment& d) {
  client::StringPairs out;
  for (const auto& pair : d.meta.annotations)
    if (!stays_on_deployment(pair.first)) out.push_back(pair);
  return out;
}

void add_size_annotations(const Deployment& d, client::StringPairs& out) {
  out.emplace_back(kDesiredReplicas, std::to_string(d.replicas));
  out.emplace_back(kMaxReplicas, std::to_string(d.replicas + d.surge_pods()));
}

// What `set` lacks of `wanted`.
client::StringPairs missing_in(const Meta& set, const client::StringPairs& wanted) {
  client::StringPairs out;
  for (const auto& [key, value] : wanted)
    if (const auto* has = set.annotation(key); !has || *has != value) out.emplace_back(key, value);
  std::sort(out.begin(), out.end());
  return out;
}

// A set that becomes the newest again (a rollback) gets a new number and remembers the old one.
void raise_revision(const ReplicaSet& set, int64_t revision, client::StringPairs& out) {
  const auto current = revision_number(set.meta);
  if (current >= revision) return;
  out.emplace_back(kRevision, std::to_string(revision));
  if (current == 0) return;
  const auto* history = set.meta.annotation(kRevisionHistory);
  out.emplace_back(kRevisionHistory,
                   history && !history->empty() ? *history + "," + std::to_string(current) : std::to_string(current));
}

Sets beyond_history(const Deployment& d, const Sets& old) {
  Sets dead;
  for (const auto& set : old)
    if (set->replicas == 0 && set->status.replicas == 0 && !set->meta.deleted &&
        set->meta.generation <= set->status.observed_generation)
      dead.push_back(set);
  std::stable_sort(dead.begin(), dead.end(), [](const auto& a, const auto& b) {
    return revision_number(a->meta) < revision_number(b->meta);
  });
  const int excess = static_cast<int>(dead.size()) - d.history_limit;
  dead.resize(static_cast<size_t>(std::max(0, excess)));
  return dead;
}

bool is_scaling(const Deployment& d, const Sets& sets) {
  for (const auto& set : sets)
    if (set->replicas > 0)
      if (const auto* desired = set->meta.annotation(kDesiredReplicas))
        if (*desired != std::to_string(d.replicas)) return true;
  return false;
}

bool rolled_out(const Deployment& d, const Deployment::Status& s) {
  return s.updated == d.replicas && s.replicas == d.replicas && s.available == d.replicas;
}

class Planner {
 public:
  Planner(const Deployment& d, const Sets& sets, bool old_pods_run, WallTime now)
      : d_(d), sets_(sets), old_pods_run_(old_pods_run), now_(now) {
    sizes_.newest = find_new_set(d, sets);
    for (const auto& set : sets) {
      sizes_.replicas[set->meta.name] = set->replicas;
      if (set != sizes_.newest) sizes_.old.push_back(set);
    }
    std::sort(sizes_.old.begin(), sizes_.old.end(), older);
    for (const auto& set : sizes_.old) revision_ = std::max(revision_, revision_number(set->meta));
    ++revision_;
  }

  DeploymentPlan plan() {
    if (!d_.meta.deleted) decide_sizes();
    collect_writes();
    plan_.status = deployment_status(d_, sets_, sizes_.newest.get(), plan_, now_);
    plan_.again_after = next_progress_check(d_, plan_.status, now_);
    if (!d_.meta.deleted && (d_.paused || rolled_out(d_, plan_.status))) plan_.remove = beyond_history(d_, sizes_.old);
    return std::move(plan_);
  }

 private:
  void decide_sizes() {
    if (d_.paused || is_scaling(d_, sets_))
      scale_proportionally(d_, sizes_);
    else if (d_.recreate)
      recreate();
    else if (sizes_.newest)
      roll(d_, sizes_);
    else
      create(std::clamp(d_.replicas + d_.surge_pods() - sizes_.total(), 0, d_.replicas));
  }

  void recreate() {
    bool old_wanted = false;
    for (const auto& set : sizes_.old) {
      old_wanted = old_wanted || sizes_.of(*set) > 0;
      sizes_.replicas[set->meta.name] = 0;
    }
    if (old_wanted || old_pods_run_) return;
    if (sizes_.newest)
      sizes_.replicas[sizes_.newest->meta.name] = d_.replicas;
    else
      create(d_.replicas);
  }

  void create(int replicas) {
    auto annotations = inherited_annotations(d_);
    annotations.emplace_back(kRevision, std::to_string(revision_));
    add_size_annotations(d_, annotations);
    std::sort(annotations.begin(), annotations.end());
    plan_.create = {template_hash(template_of(d_), d_.status.collisions), replicas, std::move(annotations)};
    plan_.revision = std::to_string(revision_);
  }

  void collect_writes() {
    for (const auto& set : sets_) {
      client::StringPairs wanted;
      std::optional<int> min_ready;
      if (set == sizes_.newest && !d_.meta.deleted) {
        wanted = inherited_annotations(d_);
        raise_revision(*set, revision_, wanted);
        plan_.revision = std::to_string(std::max(revision_, revision_number(set->meta)));
        if (set->min_ready_seconds != d_.min_ready_seconds) min_ready = d_.min_ready_seconds;
      }
      const int to = sizes_.of(*set);
      if (to != set->replicas) plan_.scale.push_back({set, to});
      if (!d_.meta.deleted && (to > 0 || set->replicas > 0)) add_size_annotations(d_, wanted);
      auto missing = missing_in(set->meta, wanted);
      if (!missing.empty() || min_ready) plan_.annotate.push_back({set, std::move(missing), min_ready});
    }
  }

  const Deployment& d_;
  const Sets& sets_;
  bool old_pods_run_;
  WallTime now_;
  Sizes sizes_;
  int64_t revision_ = 0;
  DeploymentPlan plan_;
};
}  // namespace

Ref<const ReplicaSet> find_new_set(const Deployment& deployment, const Sets& sets) {
  if (sets.empty()) return nullptr;
  const auto wanted = template_of(deployment);
  Ref<const ReplicaSet> found;
  for (const auto& set : sets)
    if ((!found || older(set, found)) && template_of(*set) == wanted) found = set;
  return found;
}

DeploymentPlan plan_deployment(const Deployment& deployment, const Sets& sets, bool old_pods_run, WallTime now) {
  return Planner(deployment, sets, old_pods_run, now).plan();
}

}  // namespace kinglet::controllers

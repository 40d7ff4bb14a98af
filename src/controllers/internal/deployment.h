// The deployment's decisions: which replica set is the new one, how far each may be scaled now, what the status says.
// All pure. Source: upstream's deployment controller and its deploymentutil, whose annotation and reason names stay.
#pragma once
#include "controllers/internal/kinds.h"

namespace kinglet::controllers {

inline constexpr char kRevision[] = "deployment.kubernetes.io/revision";
inline constexpr char kRevisionHistory[] = "deployment.kubernetes.io/revision-history";
inline constexpr char kDesiredReplicas[] = "deployment.kubernetes.io/desired-replicas";
inline constexpr char kMaxReplicas[] = "deployment.kubernetes.io/max-replicas";
inline constexpr char kTemplateHash[] = "pod-template-hash";

struct Deployment : Object {
  static const schema::Resource& resource();
  static std::shared_ptr<Deployment> decode(const json::Value& object);

  int replicas = 1;
  int min_ready_seconds = 0;
  int history_limit = 10;
  std::optional<int> progress_deadline_seconds;  // none: progress is not watched
  bool paused = false, recreate = false;
  schema::IntOrString max_surge, max_unavailable;
  schema::Selector selector = schema::Selector::nothing();
  struct Status {
    int64_t observed_generation = 0;
    int replicas = 0, updated = 0, ready = 0, available = 0, unavailable = 0;
    std::optional<int> collisions;
    Conditions conditions;
    bool operator==(const Status&) const = default;
  } status;

  // In pods; both 0 would never move, so unavailable is at least 1 then. Recreate: 0.
  int surge_pods() const;
  int unavailable_pods() const;
};

using Sets = std::vector<Ref<const ReplicaSet>>;

// The template of an object without what tells replica sets of one deployment apart.
json::Value template_of(const Object& object);
// The name suffix and label value of a template.
std::string template_hash(const json::Value& template_json, std::optional<int> collisions);
int64_t revision_number(const Meta& set);

struct SetScale {
  Ref<const ReplicaSet> set;
  int to;
};
struct SetAnnotate {
  Ref<const ReplicaSet> set;
  client::StringPairs annotations;  // to add or change
  std::optional<int> min_ready_seconds;
};
struct DeploymentPlan {
  struct NewSet {
    std::string hash;  // its name is <deployment>-<hash>
    int replicas;
    client::StringPairs annotations;
  };
  std::optional<NewSet> create;
  std::vector<SetScale> scale;
  std::vector<SetAnnotate> annotate;
  Sets remove;               // beyond the history limit
  std::string revision;      // the deployment's annotation should be this; empty: leave it
  Deployment::Status status;
  std::optional<Duration> again_after;
};

// Which of `sets` has the deployment's template (the oldest, when several have), or null.
Ref<const ReplicaSet> find_new_set(const Deployment& deployment, const Sets& sets);
// `sets`: those it owns. `old_pods_run`: pods of a set that is not the new one still run (asked by Recreate only).
DeploymentPlan plan_deployment(const Deployment& deployment, const Sets& sets, bool old_pods_run, WallTime now);

// The parts, for tests and the plan.
struct Sizes {
  Ref<const ReplicaSet> newest;                // may be null
  Sets old;                                    // oldest first
  std::map<std::string, int> replicas;         // by set name: what it has, then what it shall have
  int of(const ReplicaSet& set) const { return replicas.at(set.meta.name); }
  int total() const;
};
void scale_proportionally(const Deployment& deployment, Sizes& sizes);
void roll(const Deployment& deployment, Sizes& sizes);
Deployment::Status deployment_status(const Deployment& deployment, const Sets& sets, const ReplicaSet* newest,
                                     const DeploymentPlan& plan, WallTime now);
std::optional<Duration> next_progress_check(const Deployment& deployment, const Deployment::Status& status, WallTime now);

}  // namespace kinglet::controllers

// The stateful set's decisions: which ordinal to start, end or renew next, what the status says, whose the claims are.
// Pure. Source: upstream's stateful set controller (v1.34), whose labels and messages stay.
#pragma once
#include "client/event_recorder.h"
#include "client/volumes.h"
#include "controllers/internal/history.h"

namespace kinglet::controllers {

using client::Claim;

struct StatefulSet : Object {
  static const schema::Resource& resource();
  static std::shared_ptr<StatefulSet> decode(const json::Value& object);

  int replicas = 1, start = 0, partition = 0, min_ready_seconds = 0, history_limit = 10;
  bool parallel = false, on_delete = false;
  bool delete_claims_with_set = false, delete_claims_when_scaled = false;
  std::string service_name;
  std::vector<std::string> claim_templates;  // names
  schema::Selector selector = schema::Selector::nothing();
  struct Status {
    int replicas = 0, ready = 0, available = 0, current = 0, updated = 0;
    std::string current_revision, update_revision;  // names of ControllerRevisions
    int64_t observed_generation = 0;
    std::optional<int> collisions;
    bool operator==(const Status&) const = default;
  } status;

  bool wanted(int ordinal) const { return ordinal >= start && ordinal < start + replicas; }
};

// -1: not a name of this set's pods.
int ordinal_of(const StatefulSet& set, const std::string& pod_name);
std::string claim_name(const std::string& claim_template, const StatefulSet& set, int ordinal);

struct StatefulPlan {
  struct NewPod {
    int ordinal;
    bool updated;  // of the update revision, else of the current one
  };
  struct Told {
    client::EventType type;
    std::string reason, message;
  };
  std::vector<NewPod> create;
  std::vector<Ref<const Pod>> remove;
  std::vector<Ref<const Pod>> scaled_away;  // of `remove`: their claims may go with them
  std::vector<Told> events;
  StatefulSet::Status status;
  std::optional<Duration> again_after;
};
// `current`, `update`: names of the revisions.
StatefulPlan plan_stateful_set(const StatefulSet& set, const std::vector<Ref<const Pod>>& pods, const std::string& current,
                               const std::string& update, WallTime now);

json::Value stateful_pod(const StatefulSet& set, const json::Value& template_json, int ordinal, const std::string& revision);
// The claims of an ordinal, as they are created.
std::vector<json::Value> claims_for(const StatefulSet& set, int ordinal);
// The owners that the retention policy gives a claim; `leaving`: the pod that is scaled away, or null.
std::vector<client::OwnerRef> claim_owners(const StatefulSet& set, const Claim& claim, const Pod* leaving);
json::Value stateful_status_patch(const StatefulSet& set, const StatefulSet::Status& status);

}  // namespace kinglet::controllers

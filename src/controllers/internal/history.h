// The templates that a DaemonSet or StatefulSet has had, as ControllerRevisions: what kubectl rollout history and undo
// read. Decisions are pure; one coroutine writes.
// Source: upstream's pkg/controller/history and the daemon set controller's own copy of it.
#pragma once
#include "client/api.h"
#include "controllers/internal/kinds.h"

namespace kinglet::controllers {

inline constexpr char kRevisionHash[] = "controller-revision-hash";

struct Revision : Object {
  static const schema::Resource& resource();
  static std::shared_ptr<Revision> decode(const json::Value& object);
  int64_t number = 0;
  const std::string& hash() const;  // the label; empty: none
};
using Revisions = std::vector<Ref<const Revision>>;

// What the revision keeps: a strategic merge patch that brings the template back.
json::Value revision_data(const json::Value& template_json);
// The template in it.
json::Value template_in(const Revision& revision);
// By number, the oldest first.
void sort_revisions(Revisions& revisions);

struct RevisionPlan {
  Ref<const Revision> same;  // has the template already; null: `create`
  bool renumber = false;     // an older template is wanted again: it becomes the newest
  int64_t number = 1;
  std::string hash;          // of the one to create
};
RevisionPlan plan_revision(const Revisions& revisions, const json::Value& template_json, std::optional<int> collisions);
// Those beyond `limit` that nothing uses, oldest first. `live`: hashes or names in use.
Revisions surplus_revisions(Revisions revisions, const std::vector<std::string>& live, int limit);

struct CurrentRevision {
  Ref<const Revision> revision;        // null: the name is taken by another template;
  std::optional<int> collisions;       // then: what the status should count
};
// Executes the plan for `owner`. The references outlive the task. Errors: the API's.
Task<Result<CurrentRevision>> ensure_revision(client::Api& api, const schema::Resource& owner_resource, const Object& owner,
                                              const Revisions& revisions, const json::Value& template_json,
                                              std::optional<int> collisions);
Task<Result<void>> remove_revisions(client::Api& api, const Revisions& revisions);

}  // namespace kinglet::controllers

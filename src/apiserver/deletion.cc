#include "apiserver/internal/deletion.h"

#include "apiserver/errors.h"
#include "apiserver/internal/metadata.h"

namespace kinglet::apiserver {
namespace {

constexpr std::string_view kOrphan = "orphan";
constexpr std::string_view kForeground = "foregroundDeletion";

bool is(const schema::Resource& resource, std::string_view group, std::string_view plural) {
  return resource.group == group && resource.plural == plural;
}

bool empty_list(const json::Value* list) {
  return !list || !list->is_array() || list->get_array().empty();
}

void drop(json::Array& list, std::string_view item) {
  for (auto it = list.begin(); it != list.end();)
    it = (it->is_string() && it->get_string() == item) ? list.erase(it) : it + 1;
}

// Orphan and foreground are finalizers that the garbage collector takes off.
void apply_propagation(json::Value& object, client::Propagation propagation) {
  if (propagation == client::Propagation::unset) return;
  auto& metadata = metadata_of(object);
  json::Array list;
  if (auto* old = metadata.if_contains("finalizers"); old && old->is_array())
    list = old->get_array();
  drop(list, kOrphan);
  drop(list, kForeground);
  if (propagation == client::Propagation::orphan) list.emplace_back(kOrphan);
  if (propagation == client::Propagation::foreground) list.emplace_back(kForeground);
  if (list.empty()) {
    metadata.erase("finalizers");
  } else {
    metadata["finalizers"] = std::move(list);
  }
}

int64_t pod_grace(const json::Value& pod, const DeleteOptions& options) {
  int64_t grace = options.grace_seconds
                      ? *options.grace_seconds
                      : json::int_at(pod, {"spec", "terminationGracePeriodSeconds"}, 0);
  const auto phase = json::text_at(pod, {"status", "phase"});
  if (json::text_at(pod, {"spec", "nodeName"}).empty() || phase == "Succeeded" || phase == "Failed")
    grace = 0;
  return grace < 0 ? 1 : grace;
}

void bump_generation(json::Value& object) {
  const int64_t generation = json::int_at(object, {"metadata", "generation"});
  if (generation > 0) metadata_of(object)["generation"] = generation + 1;
}

void mark(json::Value& object, WallTime when, int64_t grace) {
  auto& metadata = metadata_of(object);
  metadata["deletionTimestamp"] = rfc3339(when);
  metadata["deletionGracePeriodSeconds"] = grace;
}

WallTime after(WallTime now, int64_t seconds) {
  return {now.since_epoch + std::chrono::seconds(seconds)};
}

// A namespace's content is emptied by its controller first.
Deletion plan_namespace(json::Value& object, WallTime now) {
  const bool kept = !empty_list(json::find(object, {"spec", "finalizers"})) ||
                    !empty_list(json::find(object, {"metadata", "finalizers"}));
  if (!kept) return Deletion::remove;
  if (json::find(object, {"metadata", "deletionTimestamp"})) return Deletion::pending;
  mark(object, now, 0);
  metadata_of(object).erase("deletionGracePeriodSeconds");
  json::child(object.get_object(), "status")["phase"] = "Terminating";
  return Deletion::mark;
}

// A delete of what is being deleted can only shorten the grace.
std::optional<Deletion> replan(json::Value& object, const DeleteOptions& options) {
  const auto* grace = json::find(object, {"metadata", "deletionGracePeriodSeconds"});
  if (!grace || !grace->is_int64()) return std::nullopt;
  const int64_t old = grace->get_int64();
  if (!options.grace_seconds || *options.grace_seconds >= old) return Deletion::pending;
  const auto started =
      parse_rfc3339(std::string(json::text_at(object, {"metadata", "deletionTimestamp"})));
  const int64_t next = std::max<int64_t>(*options.grace_seconds, 0);
  if (started) mark(object, after(*started, next - old), next);
  if (next > 0) return Deletion::mark;
  return empty_list(json::find(object, {"metadata", "finalizers"})) ? Deletion::remove
                                                                    : Deletion::mark;
}

}  // namespace

Deletion plan_deletion(const schema::Resource& resource, json::Value& object,
                       const DeleteOptions& options, WallTime now) {
  if (is(resource, "", "namespaces")) return plan_namespace(object, now);
  const bool deleting = json::find(object, {"metadata", "deletionTimestamp"}) != nullptr;
  if (deleting) {
    if (const auto decided = replan(object, options)) return *decided;
  }
  apply_propagation(object, options.propagation);
  const bool finalizers = !empty_list(json::find(object, {"metadata", "finalizers"}));
  const int64_t grace = is(resource, "", "pods") && !deleting ? pod_grace(object, options) : 0;
  if (!finalizers && grace == 0) return Deletion::remove;
  if (!deleting) bump_generation(object);
  mark(object, after(now, grace), grace);
  return Deletion::mark;
}

bool deletion_complete(const schema::Resource& resource, const json::Value& object) {
  if (!json::find(object, {"metadata", "deletionTimestamp"})) return false;
  if (!empty_list(json::find(object, {"metadata", "finalizers"}))) return false;
  if (is(resource, "", "namespaces")) return empty_list(json::find(object, {"spec", "finalizers"}));
  return json::int_at(object, {"metadata", "deletionGracePeriodSeconds"}) == 0;
}

Result<void> check_preconditions(const schema::Resource& resource, const json::Value& object,
                                 store::Revision revision, const DeleteOptions& options) {
  const auto name = json::text_at(object, {"metadata", "name"});
  const auto uid = json::text_at(object, {"metadata", "uid"});
  if (!options.uid.empty() && options.uid != uid) {
    return conflict_error(
        resource, name,
        fmt::format("the UID in the precondition ({}) does not match the UID in record ({}). The "
                    "object might have been deleted and then recreated",
                    options.uid, uid));
  }
  if (options.revision != 0 && options.revision != revision) {
    return conflict_error(
        resource, name,
        fmt::format("the ResourceVersion in the precondition ({}) does not match the "
                    "ResourceVersion in record ({}). The object might have been modified",
                    options.revision, revision));
  }
  return {};
}

}  // namespace kinglet::apiserver

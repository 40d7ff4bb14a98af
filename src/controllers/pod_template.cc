#include "controllers/internal/pod_template.h"

#include <bit>
#include <charconv>

namespace kinglet::controllers {

json::Value spec_template(const Object& workload) {
  const auto object = whole(workload);
  const auto* found = json::find(object, {"spec", "template"});
  return found && found->is_object() ? *found : json::Value(json::Object{});
}

json::Value pod_from(const json::Value& template_json, const client::OwnerRef& owner, const std::string& name) {
  json::Object meta;
  for (const char* part : {"labels", "annotations", "finalizers"})
    if (const auto* value = json::find(template_json, {"metadata", part})) meta[part] = *value;
  if (name.empty())
    meta["generateName"] = owner.name + "-";
  else
    meta["name"] = name;
  meta["ownerReferences"] = json::Array{client::to_json(owner)};
  json::Object pod = {{"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", std::move(meta)}};
  if (const auto* spec = json::find(template_json, {"spec"})) pod["spec"] = *spec;
  return pod;
}

namespace {
int phase_rank(const Pod& pod) {
  switch (pod.phase) {
    case Pod::Phase::pending: return 0;
    case Pod::Phase::unknown: return 1;
    default: return 2;
  }
}

int64_t deletion_cost(const Pod& pod) {
  const auto* text = pod.meta.annotation("controller.kubernetes.io/pod-deletion-cost");
  int32_t cost = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), cost);
  return cost;
}

// Ages count in powers of two, so that among pods of about the same age chance (the uid) decides and scaling down does
// not always hit the newest zone first.
int age_bucket(WallTime since, WallTime now) {
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(now.since_epoch - since.since_epoch).count();
  return age <= 0 ? -1 : std::bit_width(static_cast<uint64_t>(age));
}
}  // namespace

void sort_cheapest_first(std::vector<Ref<const Pod>>& pods, const NodeCounts& siblings_on, WallTime now) {
  const auto crowd = [&](const Pod& pod) {
    const auto at = siblings_on.find(pod.node_name);
    return at == siblings_on.end() ? 0 : at->second;
  };
  std::sort(pods.begin(), pods.end(), [&](const Ref<const Pod>& a, const Ref<const Pod>& b) {
    if (a->node_name.empty() != b->node_name.empty()) return a->node_name.empty();
    if (phase_rank(*a) != phase_rank(*b)) return phase_rank(*a) < phase_rank(*b);
    if (a->ready != b->ready) return !a->ready;
    if (deletion_cost(*a) != deletion_cost(*b)) return deletion_cost(*a) < deletion_cost(*b);
    if (crowd(*a) != crowd(*b)) return crowd(*a) > crowd(*b);
    if (a->ready && b->ready) {
      const int ready_a = age_bucket(a->ready_since.value_or(WallTime{}), now);
      const int ready_b = age_bucket(b->ready_since.value_or(WallTime{}), now);
      if (ready_a != ready_b) return ready_a < ready_b;
    }
    if (a->restarts != b->restarts) return a->restarts > b->restarts;
    const int age_a = age_bucket(a->meta.created, now), age_b = age_bucket(b->meta.created, now);
    if (age_a != age_b) return age_a < age_b;
    return a->meta.uid < b->meta.uid;
  });
}

std::optional<Duration> next_available(const std::vector<Ref<const Pod>>& pods, Duration min_ready,
                                       WallTime now) {
  std::optional<Duration> next;
  for (const auto& pod : pods) {
    if (!pod->ready || !pod->ready_since || pod->available(min_ready, now)) continue;
    const Duration left = min_ready - (now.since_epoch - pod->ready_since->since_epoch);
    next = next ? std::min(*next, left) : left;
  }
  return next;
}

}  // namespace kinglet::controllers

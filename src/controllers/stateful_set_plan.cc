#include <charconv>
#include <map>

#include "controllers/internal/pod_template.h"
#include "controllers/internal/stateful_set.h"
#include "controllers/internal/status_json.h"

namespace kinglet::controllers {
namespace {
using client::EventType;

class StatefulRound {
 public:
  StatefulRound(const StatefulSet& set, const std::string& current, const std::string& update, WallTime now)
      : set_(set), current_(current), update_(update), now_(now), min_ready_(std::chrono::seconds(set.min_ready_seconds)) {}

  StatefulPlan run(const std::vector<Ref<const Pod>>& pods) {
    for (const auto& pod : pods)
      if (const int ordinal = ordinal_of(set_, pod->meta.name); ordinal >= 0) pods_[ordinal] = pod;
    count(pods);
    if (!set_.meta.deleted && fill() && shrink()) renew();
    return std::move(plan_);
  }

 private:
  static bool running_and_ready(const Pod& pod) { return pod.phase == Pod::Phase::running && pod.ready; }
  bool healthy(const Pod& pod) const { return running_and_ready(pod) && !pod.meta.deleted; }
  bool available(const Pod& pod) const { return running_and_ready(pod) && pod.available(min_ready_, now_); }

  static const std::string& revision_of(const Pod& pod) {
    static const std::string kNone;
    const auto* label = pod.meta.label(kRevisionHash);
    return label ? *label : kNone;
  }

  void count(const std::vector<Ref<const Pod>>& pods) {
    auto& status = plan_.status;
    status.current_revision = current_;
    status.update_revision = update_;
    status.observed_generation = set_.meta.generation;
    status.collisions = set_.status.collisions;
    for (const auto& [ordinal, pod] : pods_) {
      ++status.replicas;
      if (running_and_ready(*pod)) {
        ++status.ready;
        if (available(*pod)) ++status.available;
      }
      if (pod->meta.deleted) continue;
      if (revision_of(*pod) == current_) ++status.current;
      if (revision_of(*pod) == update_) ++status.updated;
    }
    if (const auto next = next_available(pods, min_ready_, now_)) plan_.again_after = next;
    const bool all = status.updated == set_.replicas && status.ready == set_.replicas && status.replicas == set_.replicas;
    if (!set_.on_delete && all) {
      status.current = status.updated;
      status.current_revision = update_;
    }
  }

  // Ordinals that are missing, in order. False: something must happen first.
  bool fill() {
    for (int ordinal = set_.start; ordinal < set_.start + set_.replicas; ++ordinal) {
      const auto found = pods_.find(ordinal);
      if (found == pods_.end()) {
        const bool updated = current_ == update_ || set_.on_delete || ordinal >= set_.start + set_.partition;
        plan_.create.push_back({ordinal, updated});
        if (!set_.parallel) return false;
        continue;
      }
      const auto& pod = found->second;
      if (pod->terminal() && !pod->meta.deleted) {
        const bool failed = pod->phase == Pod::Phase::failed;
        tell(EventType::warning, failed ? "RecreatingFailedPod" : "RecreatingTerminatedPod",
             fmt::format("StatefulSet {} is recreating {} Pod {}", set_.meta.key().text(), failed ? "failed" : "terminated",
                         pod->meta.name));
        plan_.remove.push_back(pod);
        if (!set_.parallel) return false;
        continue;
      }
      if (!set_.parallel && (!healthy(*pod) || !available(*pod))) return false;
    }
    return plan_.create.empty() && plan_.remove.empty();
  }

  // Ordinals that are too many, the highest first. One that is not well goes first; the others wait for it.
  bool shrink() {
    std::vector<Ref<const Pod>> condemned;
    for (auto at = pods_.rbegin(); at != pods_.rend(); ++at)
      if (!set_.wanted(at->first)) condemned.push_back(at->second);
    if (condemned.empty()) return true;
    Ref<const Pod> first_unhealthy;
    for (const auto& pod : condemned)
      if (!healthy(*pod) && (!first_unhealthy || ordinal_of(set_, pod->meta.name) < ordinal_of(set_, first_unhealthy->meta.name)))
        first_unhealthy = pod;
    for (const auto& pod : condemned) {
      if (pod->meta.deleted) {
        if (!set_.parallel) return false;
        continue;
      }
      const bool waits = !healthy(*pod) || !available(*pod);
      if (!set_.parallel && waits && pod != first_unhealthy) return false;
      plan_.remove.push_back(pod);
      plan_.scaled_away.push_back(pod);
      if (!set_.parallel) return false;
    }
    return false;
  }

  // Pods of an older revision, the highest ordinal first, one at a time.
  void renew() {
    if (set_.on_delete) return;
    for (int ordinal = set_.start + set_.replicas - 1; ordinal >= set_.start + set_.partition; --ordinal) {
      const auto found = pods_.find(ordinal);
      if (found == pods_.end()) return;
      const auto& pod = found->second;
      if (revision_of(*pod) != update_ && !pod->meta.deleted) {
        plan_.remove.push_back(pod);
        if (revision_of(*pod) == current_) plan_.status.current = std::max(0, plan_.status.current - 1);
        return;
      }
      if (!healthy(*pod) || !available(*pod)) return;
    }
  }

  void tell(EventType type, std::string reason, std::string message) {
    plan_.events.push_back({type, std::move(reason), std::move(message)});
  }

  const StatefulSet& set_;
  const std::string& current_;
  const std::string& update_;
  WallTime now_;
  Duration min_ready_;
  std::map<int, Ref<const Pod>> pods_;  // by ordinal
  StatefulPlan plan_;
};
}  // namespace

const schema::Resource& StatefulSet::resource() {
  static const auto& found = client::resource("apps", "v1", "statefulsets");
  return found;
}

std::shared_ptr<StatefulSet> StatefulSet::decode(const json::Value& object) {
  auto set = std::make_shared<StatefulSet>();
  const auto number = [&](std::string_view name, int otherwise) {
    return static_cast<int>(json::int_at(object, {"spec", name}, otherwise));
  };
  set->replicas = number("replicas", 1);
  set->min_ready_seconds = number("minReadySeconds", 0);
  set->history_limit = number("revisionHistoryLimit", 10);
  set->start = static_cast<int>(json::int_at(object, {"spec", "ordinals", "start"}));
  set->partition = static_cast<int>(json::int_at(object, {"spec", "updateStrategy", "rollingUpdate", "partition"}));
  set->on_delete = json::text_at(object, {"spec", "updateStrategy", "type"}) == "OnDelete";
  set->parallel = json::text_at(object, {"spec", "podManagementPolicy"}) == "Parallel";
  const auto deletes = [&](std::string_view when) {
    return json::text_at(object, {"spec", "persistentVolumeClaimRetentionPolicy", when}) == "Delete";
  };
  set->delete_claims_with_set = deletes("whenDeleted");
  set->delete_claims_when_scaled = deletes("whenScaled");
  set->service_name = client::string_at(object, {"spec", "serviceName"});
  for (const auto& claim : client::array_at(object, {"spec", "volumeClaimTemplates"}))
    set->claim_templates.push_back(client::string_at(claim, {"metadata", "name"}));
  if (const auto* selector = json::find(object, {"spec", "selector"}))
    if (auto parsed = schema::Selector::from_object(*selector)) set->selector = std::move(*parsed);
  auto& status = set->status;
  status.replicas = status_number(object, "replicas");
  status.ready = status_number(object, "readyReplicas");
  status.available = status_number(object, "availableReplicas");
  status.current = status_number(object, "currentReplicas");
  status.updated = status_number(object, "updatedReplicas");
  status.current_revision = client::string_at(object, {"status", "currentRevision"});
  status.update_revision = client::string_at(object, {"status", "updateRevision"});
  status.observed_generation = json::int_at(object, {"status", "observedGeneration"});
  if (json::find(object, {"status", "collisionCount"})) status.collisions = status_number(object, "collisionCount");
  return set;
}

int ordinal_of(const StatefulSet& set, const std::string& pod_name) {
  const auto& prefix = set.meta.name;
  if (pod_name.size() < prefix.size() + 2 || !pod_name.starts_with(prefix) || pod_name[prefix.size()] != '-') return -1;
  const char* begin = pod_name.data() + prefix.size() + 1;
  const char* end = pod_name.data() + pod_name.size();
  int ordinal = -1;
  const auto read = std::from_chars(begin, end, ordinal);
  return read.ec == std::errc() && read.ptr == end && ordinal >= 0 ? ordinal : -1;
}

std::string claim_name(const std::string& claim_template, const StatefulSet& set, int ordinal) {
  return fmt::format("{}-{}-{}", claim_template, set.meta.name, ordinal);
}

StatefulPlan plan_stateful_set(const StatefulSet& set, const std::vector<Ref<const Pod>>& pods, const std::string& current,
                               const std::string& update, WallTime now) {
  return StatefulRound(set, current, update, now).run(pods);
}

json::Value stateful_pod(const StatefulSet& set, const json::Value& template_json, int ordinal, const std::string& revision) {
  const auto name = fmt::format("{}-{}", set.meta.name, ordinal);
  auto pod = pod_from(template_json, client::controller_ref(StatefulSet::resource(), set.meta), name);
  auto& labels = json::child(json::child(pod.as_object(), "metadata"), "labels");
  labels["statefulset.kubernetes.io/pod-name"] = name;
  labels["apps.kubernetes.io/pod-index"] = std::to_string(ordinal);
  labels[kRevisionHash] = revision;
  auto& spec = json::child(pod.as_object(), "spec");
  spec["hostname"] = name;
  if (!set.service_name.empty()) spec["subdomain"] = set.service_name;
  if (set.claim_templates.empty()) return pod;
  json::Array volumes;
  for (const auto& claim : set.claim_templates)
    volumes.push_back(json::Object{
        {"name", claim}, {"persistentVolumeClaim", json::Object{{"claimName", claim_name(claim, set, ordinal)}}}});
  if (const auto* own = spec.if_contains("volumes"); own && own->is_array())
    for (const auto& volume : own->get_array())
      if (std::find(set.claim_templates.begin(), set.claim_templates.end(), json::text_at(volume, {"name"})) ==
          set.claim_templates.end())
        volumes.push_back(volume);
  spec["volumes"] = std::move(volumes);
  return pod;
}

std::vector<json::Value> claims_for(const StatefulSet& set, int ordinal) {
  std::vector<json::Value> claims;
  if (set.claim_templates.empty()) return claims;
  const auto object = whole(set);
  const auto* match = json::find(object, {"spec", "selector", "matchLabels"});
  for (const auto& claim_template : client::array_at(object, {"spec", "volumeClaimTemplates"})) {
    json::Object meta = {{"name", claim_name(client::string_at(claim_template, {"metadata", "name"}), set, ordinal)},
                         {"namespace", set.meta.ns}};
    for (const char* part : {"labels", "annotations"})
      if (const auto* value = json::find(claim_template, {"metadata", part})) meta[part] = *value;
    if (match && match->is_object())
      for (const auto& [key, value] : match->get_object()) json::child(meta, "labels")[key] = value;
    if (set.delete_claims_with_set)
      meta["ownerReferences"] = json::Array{client::to_json(client::controller_ref(StatefulSet::resource(), set.meta))};
    json::Object claim = {{"apiVersion", "v1"}, {"kind", "PersistentVolumeClaim"}, {"metadata", std::move(meta)}};
    if (const auto* spec = json::find(claim_template, {"spec"})) claim["spec"] = *spec;
    claims.push_back(std::move(claim));
  }
  return claims;
}

std::vector<client::OwnerRef> claim_owners(const StatefulSet& set, const Claim& claim, const Pod* leaving) {
  std::vector<client::OwnerRef> owners;
  // Ours and our pods' are decided here; anybody else's stay.
  for (const auto& owner : claim.meta.owners)
    if (owner.uid != set.meta.uid && !(owner.kind == "Pod" && ordinal_of(set, owner.name) >= 0)) owners.push_back(owner);
  if (set.delete_claims_with_set) owners.push_back(client::controller_ref(StatefulSet::resource(), set.meta));
  if (leaving && set.delete_claims_when_scaled)
    owners.push_back({"v1", "Pod", leaving->meta.name, leaving->meta.uid, !set.delete_claims_with_set, false});
  return owners;
}

json::Value stateful_status_patch(const StatefulSet& set, const StatefulSet::Status& s) {
  json::Object status = {{"replicas", s.replicas},
                         {"readyReplicas", number_or_null(s.ready)},
                         {"availableReplicas", s.available},
                         {"currentReplicas", number_or_null(s.current)},
                         {"updatedReplicas", number_or_null(s.updated)},
                         {"currentRevision", text_or_null(s.current_revision)},
                         {"updateRevision", text_or_null(s.update_revision)},
                         {"observedGeneration", number_or_null(s.observed_generation)}};
  status["collisionCount"] = s.collisions.value_or(0);
  return json::Object{{"metadata", json::Object{{"uid", set.meta.uid}}}, {"status", std::move(status)}};
}

}  // namespace kinglet::controllers

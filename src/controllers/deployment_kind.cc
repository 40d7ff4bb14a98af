#include "controllers/internal/deployment.h"

#include <charconv>

namespace kinglet::controllers {
namespace {
schema::IntOrString int_or_string(const json::Value& object, std::initializer_list<std::string_view> path,
                                  const char* otherwise) {
  const auto* value = json::find(object, path);
  if (value && value->is_string()) return {0, std::string(value->get_string())};
  if (value) return {static_cast<int32_t>(json::int_at(object, path)), std::nullopt};
  return {0, otherwise};
}
}  // namespace

const schema::Resource& Deployment::resource() {
  static const auto& found = client::resource("apps", "v1", "deployments");
  return found;
}

std::shared_ptr<Deployment> Deployment::decode(const json::Value& object) {
  auto d = std::make_shared<Deployment>();
  const auto number = [&](std::string_view part, std::string_view name, int otherwise = 0) {
    return static_cast<int>(json::int_at(object, {part, name}, otherwise));
  };
  d->replicas = number("spec", "replicas", 1);
  d->min_ready_seconds = number("spec", "minReadySeconds");
  d->history_limit = number("spec", "revisionHistoryLimit", 10);
  if (const int deadline = number("spec", "progressDeadlineSeconds", 600); deadline != INT32_MAX)
    d->progress_deadline_seconds = deadline;
  d->paused = json::bool_at(object, {"spec", "paused"});
  d->recreate = json::text_at(object, {"spec", "strategy", "type"}) == "Recreate";
  d->max_surge = int_or_string(object, {"spec", "strategy", "rollingUpdate", "maxSurge"}, "25%");
  d->max_unavailable = int_or_string(object, {"spec", "strategy", "rollingUpdate", "maxUnavailable"}, "25%");
  if (const auto* selector = json::find(object, {"spec", "selector"}))
    if (auto parsed = schema::Selector::from_object(*selector)) d->selector = std::move(*parsed);
  auto& status = d->status;
  status.observed_generation = json::int_at(object, {"status", "observedGeneration"});
  status.replicas = number("status", "replicas");
  status.updated = number("status", "updatedReplicas");
  status.ready = number("status", "readyReplicas");
  status.available = number("status", "availableReplicas");
  status.unavailable = number("status", "unavailableReplicas");
  if (json::find(object, {"status", "collisionCount"})) status.collisions = number("status", "collisionCount");
  status.conditions = client::conditions_at(object, {"status", "conditions"});
  return d;
}

int Deployment::surge_pods() const {
  if (recreate) return 0;
  const auto scaled = max_surge.scaled(replicas, true);
  return scaled ? std::max(0, *scaled) : 0;
}

int Deployment::unavailable_pods() const {
  if (recreate || replicas == 0) return 0;
  const auto scaled = max_unavailable.scaled(replicas, false);
  int pods = scaled ? std::max(0, *scaled) : 0;
  if (pods == 0 && surge_pods() == 0) pods = 1;
  return std::min(pods, replicas);
}

json::Value template_of(const Object& object) {
  const auto value = whole(object);
  const auto* found = json::find(value, {"spec", "template"});
  json::Value out = found ? *found : json::Value(json::Object{});
  if (!out.is_object()) return json::Object{};
  auto& meta = json::child(out.as_object(), "metadata");
  if (auto* labels = meta.if_contains("labels"); labels && labels->is_object()) {
    labels->get_object().erase(kTemplateHash);
    if (labels->get_object().empty()) meta.erase("labels");
  }
  if (const auto* created = meta.if_contains("creationTimestamp"); created && created->is_null())
    meta.erase("creationTimestamp");
  return out;
}

std::string template_hash(const json::Value& template_json, std::optional<int> collisions) {
  uint32_t hash = 2166136261u;  // FNV-1a
  const auto mix = [&](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 16777619u;
  };
  mix(json::print(template_json));
  if (collisions) mix(fmt::format("/{}", *collisions));
  // The digits in an alphabet without vowels, so that no name reads as a word.
  constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";
  std::string text = std::to_string(hash);
  for (char& c : text) c = kAlphabet[static_cast<size_t>(c) % kAlphabet.size()];
  return text;
}

int64_t revision_number(const Meta& set) {
  const auto* text = set.annotation(kRevision);
  int64_t number = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), number);
  return number;
}

}  // namespace kinglet::controllers

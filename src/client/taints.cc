#include "client/taints.h"

#include "client/conditions.h"

namespace kinglet::client {

bool Toleration::tolerates(const Taint& taint) const {
  if (!effect.empty() && effect != taint.effect) return false;
  if (!key.empty() && key != taint.key) return false;
  return exists || (!key.empty() && value == taint.value);
}

std::vector<Taint> taints_of(const json::Value& node) {
  std::vector<Taint> taints;
  for (const auto& item : array_at(node, {"spec", "taints"})) {
    Taint taint{string_at(item, {"key"}), string_at(item, {"value"}), string_at(item, {"effect"}), {}};
    if (const auto added = parse_rfc3339(string_at(item, {"timeAdded"}))) taint.added = *added;
    taints.push_back(std::move(taint));
  }
  return taints;
}

json::Array to_json(const std::vector<Taint>& taints) {
  json::Array list;
  for (const auto& taint : taints) {
    json::Object item = {{"key", taint.key}, {"effect", taint.effect}};
    if (!taint.value.empty()) item["value"] = taint.value;
    if (taint.added) item["timeAdded"] = rfc3339(*taint.added);
    list.push_back(std::move(item));
  }
  return list;
}

std::vector<Toleration> tolerations_of(const json::Value& spec) {
  std::vector<Toleration> tolerations;
  for (const auto& item : array_at(spec, {"tolerations"})) {
    Toleration t{string_at(item, {"key"}), string_at(item, {"value"}), string_at(item, {"effect"}),
                 json::text_at(item, {"operator"}) == "Exists", {}};
    if (json::find(item, {"tolerationSeconds"})) t.seconds = json::int_at(item, {"tolerationSeconds"});
    tolerations.push_back(std::move(t));
  }
  return tolerations;
}

bool tolerated(const std::vector<Toleration>& tolerations, const Taint& taint) {
  return std::any_of(tolerations.begin(), tolerations.end(),
                     [&](const Toleration& t) { return t.tolerates(taint); });
}

}  // namespace kinglet::client

// Taints repel pods from nodes, tolerations let them stay. Source: core/v1 Taint and Toleration.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "json/json.h"

namespace kinglet::client {

struct Taint {
  std::string key, value, effect;
  std::optional<WallTime> added;
  bool same_as(const Taint& other) const { return key == other.key && effect == other.effect; }
};
struct Toleration {
  std::string key, value, effect;  // empty: any (key: only with exists)
  bool exists = false;             // operator Exists: any value
  std::optional<int64_t> seconds;
  bool tolerates(const Taint& taint) const;
};

std::vector<Taint> taints_of(const json::Value& node);
json::Array to_json(const std::vector<Taint>& taints);
std::vector<Toleration> tolerations_of(const json::Value& pod_spec);
bool tolerated(const std::vector<Toleration>& tolerations, const Taint& taint);

}  // namespace kinglet::client

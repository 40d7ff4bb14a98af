// PodDisruptionBudget's status: how many pods may be evicted now. Pure.
// Source: upstream's disruption controller (v1.34).
#pragma once
#include "controllers/internal/kinds.h"

namespace kinglet::controllers {

struct Budget : Object {
  static const schema::Resource& resource();
  static std::shared_ptr<Budget> decode(const json::Value& object);

  std::optional<schema::IntOrString> min_available, max_unavailable;
  schema::Selector selector = schema::Selector::nothing();
  struct Status {
    int healthy = 0, desired = 0, expected = 0, allowed = 0;
    int64_t observed_generation = 0;
    std::map<std::string, std::string> disrupted;  // pods that were evicted and still stand: name to time
    Conditions conditions;
    bool operator==(const Status&) const = default;
  } status;
};

// An evicted pod is expected to be gone by then; afterwards it counts as healthy again.
constexpr Duration kDisruptionMax = std::chrono::minutes(2);

struct BudgetPlan {
  Budget::Status status;
  std::optional<Duration> again_after;
};
// `pods`: those that the selector matches. `expected`: how many there should be (their controllers' scale);
// an error when that cannot be told.
BudgetPlan plan_budget(const Budget& budget, const std::vector<Ref<const Pod>>& pods, const Result<int>& expected, WallTime now);
json::Value budget_status_patch(const Budget& budget, const Budget::Status& status);

}  // namespace kinglet::controllers

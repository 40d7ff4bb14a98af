#include "controllers/internal/disruption.h"
#include "controllers/internal/status_json.h"

namespace kinglet::controllers {
namespace {
constexpr char kAllowed[] = "DisruptionAllowed";

std::optional<schema::IntOrString> amount_at(const json::Value& object, std::string_view name) {
  if (!json::find(object, {"spec", name})) return std::nullopt;
  return int_or_string_at(object, {"spec", name}, "0");
}

// How many must be healthy, of how many.
Result<void> count_desired(const Budget& budget, const Result<int>& expected, int pods, Budget::Status& status) {
  if (budget.max_unavailable) {
    if (!expected) return expected.error();
    status.expected = *expected;
    KL_TRY_FN(unavailable, budget.max_unavailable->scaled(*expected, true));
    status.desired = std::max(0, *expected - unavailable);
  } else if (budget.min_available && !budget.min_available->text) {
    status.expected = pods;
    status.desired = budget.min_available->number;
  } else if (budget.min_available) {
    if (!expected) return expected.error();
    status.expected = *expected;
    KL_TRY_FN(least, budget.min_available->scaled(*expected, true));
    status.desired = least;
  }
  return {};
}
}  // namespace

const schema::Resource& Budget::resource() {
  static const auto& found = client::resource("policy", "v1", "poddisruptionbudgets");
  return found;
}

std::shared_ptr<Budget> Budget::decode(const json::Value& object) {
  auto budget = std::make_shared<Budget>();
  budget->min_available = amount_at(object, "minAvailable");
  budget->max_unavailable = amount_at(object, "maxUnavailable");
  if (const auto* selector = json::find(object, {"spec", "selector"}))
    if (auto parsed = schema::Selector::from_object(*selector)) budget->selector = std::move(*parsed);
  auto& status = budget->status;
  status.healthy = status_number(object, "currentHealthy");
  status.desired = status_number(object, "desiredHealthy");
  status.expected = status_number(object, "expectedPods");
  status.allowed = status_number(object, "disruptionsAllowed");
  status.observed_generation = json::int_at(object, {"status", "observedGeneration"});
  for (const auto& [name, time] : client::pairs_of(json::find(object, {"status", "disruptedPods"}))) status.disrupted[name] = time;
  status.conditions = client::conditions_at(object, {"status", "conditions"});
  return budget;
}

BudgetPlan plan_budget(const Budget& budget, const std::vector<Ref<const Pod>>& pods, const Result<int>& expected, WallTime now) {
  BudgetPlan plan;
  auto& status = plan.status;
  status.conditions = budget.status.conditions;
  status.observed_generation = budget.meta.generation;
  std::vector<Ref<const Pod>> alive;
  for (const auto& pod : pods)
    if (!pod->terminal()) alive.push_back(pod);
  // Evictions that have not shown yet.
  for (const auto& pod : alive) {
    const auto evicted = budget.status.disrupted.find(pod->meta.name);
    if (evicted == budget.status.disrupted.end() || pod->meta.deleted) continue;
    const auto when = parse_rfc3339(evicted->second);
    const Duration left = when ? Duration(when->since_epoch + kDisruptionMax - now.since_epoch) : Duration::zero();
    if (left <= Duration::zero()) continue;
    status.disrupted.insert(*evicted);
    plan.again_after = plan.again_after ? std::min(*plan.again_after, left) : left;
  }
  for (const auto& pod : alive)
    status.healthy += pod->ready && !pod->meta.deleted && !status.disrupted.contains(pod->meta.name);
  const auto counted = count_desired(budget, expected, static_cast<int>(alive.size()), status);
  if (counted && status.expected > 0) status.allowed = std::max(0, status.healthy - status.desired);
  const bool may = status.allowed > 0;
  put_condition(status.conditions,
                {kAllowed, may ? "True" : "False", !counted ? "SyncFailed" : may ? "SufficientPods" : "InsufficientPods",
                 counted ? "" : counted.error().message(), {}, {}}, now);
  return plan;
}

json::Value budget_status_patch(const Budget& budget, const Budget::Status& s) {
  json::Array conditions;
  for (const auto& c : s.conditions)
    conditions.push_back(json::Object{{"type", c.type},
                                      {"status", c.status},
                                      {"observedGeneration", budget.meta.generation},
                                      {"lastTransitionTime", c.transition},
                                      {"reason", c.reason},
                                      {"message", c.message}});
  json::Object disrupted;
  for (const auto& [name, time] : s.disrupted) disrupted[name] = time;
  for (const auto& [name, time] : budget.status.disrupted)
    if (!s.disrupted.contains(name)) disrupted[name] = nullptr;
  // An eviction may have been granted meanwhile: then this count is too old.
  return json::Object{
      {"metadata", json::Object{{"uid", budget.meta.uid}, {"resourceVersion", std::to_string(budget.meta.revision)}}},
      {"status", json::Object{{"currentHealthy", s.healthy},
                              {"desiredHealthy", s.desired},
                              {"expectedPods", s.expected},
                              {"disruptionsAllowed", s.allowed},
                              {"observedGeneration", number_or_null(s.observed_generation)},
                              {"disruptedPods", disrupted.empty() ? json::Value() : json::Value(std::move(disrupted))},
                              {"conditions", std::move(conditions)}}}};
}

}  // namespace kinglet::controllers

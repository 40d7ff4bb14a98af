// podFailurePolicy and successPolicy.
#include "controllers/internal/job.h"

namespace kinglet::controllers {
namespace {
const char* name_of(Job::FailureRule::Action action) {
  using Action = Job::FailureRule::Action;
  switch (action) {
    case Action::ignore: return "Ignore";
    case Action::fail_job: return "FailJob";
    case Action::fail_index: return "FailIndex";
    default: return "Count";
  }
}

struct Ended {
  std::string container;
  int code;
};
std::vector<Ended> failed_containers(const json::Value& pod) {
  std::vector<Ended> out;
  for (const char* list : {"initContainerStatuses", "containerStatuses"})
    for (const auto& status : client::array_at(pod, {"status", list}))
      if (const auto code = json::int_at(status, {"state", "terminated", "exitCode"}); code != 0)
        out.push_back({client::string_at(status, {"name"}), static_cast<int>(code)});
  return out;
}
}  // namespace

const Job::FailureRule* match_failure(const Job& job, const Pod& pod, std::string& why) {
  if (job.failure_rules.empty()) return nullptr;
  const auto object = whole(pod);
  const auto ended = failed_containers(object);
  const auto conditions = client::conditions_at(object, {"status", "conditions"});
  for (size_t i = 0; i < job.failure_rules.size(); ++i) {
    const auto& rule = job.failure_rules[i];
    for (const auto& [container, code] : ended) {
      if (!rule.by_codes || (!rule.container.empty() && rule.container != container)) continue;
      const bool among = std::find(rule.codes.begin(), rule.codes.end(), code) != rule.codes.end();
      if (among != rule.codes_in) continue;
      why = fmt::format("Container {} for pod {} failed with exit code {} matching {} rule at index {}", container,
                        pod.meta.key().text(), code, name_of(rule.action), i);
      return &rule;
    }
    for (const auto& [type, status] : rule.conditions) {
      const auto* condition = client::find_condition(conditions, type);
      if (!condition || condition->status != status) continue;
      why = fmt::format("Pod {} has condition {} matching {} rule at index {}", pod.meta.key().text(), type,
                        name_of(rule.action), i);
      return &rule;
    }
  }
  return nullptr;
}

std::optional<size_t> met_success_rule(const Job& job, const IndexSet& succeeded) {
  for (size_t i = 0; i < job.success_rules.size(); ++i) {
    const auto& rule = job.success_rules[i];
    const int have = rule.indexes ? succeeded.common(*rule.indexes) : succeeded.total();
    if (rule.count ? have >= *rule.count : rule.indexes && have >= rule.indexes->total()) return i;
  }
  return std::nullopt;
}

}  // namespace kinglet::controllers

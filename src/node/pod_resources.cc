#include "node/pod_resources.h"

namespace kinglet::node {
namespace {

constexpr int64_t kSharesPerCpu = 1024, kSharesMin = 2, kSharesMax = 262144;
constexpr int64_t kQuotaPeriodUs = 100000, kQuotaMinUs = 1000;
constexpr int kGuaranteedScore = -997, kBestEffortScore = 1000;
// Above what the system itself has, below what is worth nothing: see oom_score_adj_of.
constexpr int kBurstableMin = 3, kBurstableMax = 999;

using Amounts = std::map<std::string, schema::Quantity>;

const schema::Quantity* amount(const Amounts& amounts, const char* name) {
  const auto found = amounts.find(name);
  return found == amounts.end() || found->second.is_zero() ? nullptr : &found->second;
}

uint64_t shares_of(int64_t milli) {
  return static_cast<uint64_t>(std::clamp(milli * kSharesPerCpu / 1000, kSharesMin, kSharesMax));
}

int64_t quota_of(int64_t milli) { return std::max(milli * kQuotaPeriodUs / 1000, kQuotaMinUs); }

// A request that is not set counts as its limit (the API server defaults it so; static pods may not have been there).
int64_t request_milli(const api::Container& container) {
  if (const auto* set = amount(container.resources.requests, "cpu")) return set->milli_value();
  if (const auto* set = amount(container.resources.limits, "cpu")) return set->milli_value();
  return 0;
}

template <class F>
void for_all(const api::Pod& pod, F&& f) {
  for (const auto& container : pod.spec.containers) f(container);
  for (const auto& container : pod.spec.initContainers) f(container);
}

}  // namespace

Qos qos_of(const api::Pod& pod) {
  bool any = false, guaranteed = true;
  for_all(pod, [&](const api::Container& container) {
    for (const char* name : {"cpu", "memory"}) {
      const auto* request = amount(container.resources.requests, name);
      const auto* limit = amount(container.resources.limits, name);
      any = any || request != nullptr || limit != nullptr;
      if (limit == nullptr || (request != nullptr && request->compare(*limit) != 0)) guaranteed = false;
    }
  });
  if (!any) return Qos::best_effort;
  return guaranteed ? Qos::guaranteed : Qos::burstable;
}

const char* text_of(Qos qos) {
  return qos == Qos::guaranteed ? "Guaranteed" : qos == Qos::burstable ? "Burstable" : "BestEffort";
}

std::string cgroup_parent_of(const api::Pod& pod, const std::string& root) {
  const Qos qos = qos_of(pod);
  const char* middle = qos == Qos::guaranteed ? "" : qos == Qos::burstable ? "/burstable" : "/besteffort";
  return root + middle + "/pod" + pod.metadata.uid;
}

runtime::Resources container_resources(const api::Container& container) {
  runtime::Resources out;
  out.cpu_shares = shares_of(request_milli(container));
  if (const auto* limit = amount(container.resources.limits, "cpu")) {
    out.cpu_quota_us = quota_of(limit->milli_value());
    out.cpu_period_us = kQuotaPeriodUs;
  }
  if (const auto* limit = amount(container.resources.limits, "memory")) out.memory_limit_bytes = limit->value();
  return out;
}

runtime::Resources pod_resources(const api::Pod& pod) {
  runtime::Resources out;
  int64_t request = 0, cpu_limit = 0, memory_limit = 0, init_cpu = 0, init_memory = 0;
  bool all_cpu = true, all_memory = true;
  for (const auto& container : pod.spec.containers) {
    request += request_milli(container);
    const auto* cpu = amount(container.resources.limits, "cpu");
    const auto* memory = amount(container.resources.limits, "memory");
    all_cpu = all_cpu && cpu != nullptr;
    all_memory = all_memory && memory != nullptr;
    if (cpu != nullptr) cpu_limit += cpu->milli_value();
    if (memory != nullptr) memory_limit += memory->value();
  }
  for (const auto& container : pod.spec.initContainers) {
    const auto* cpu = amount(container.resources.limits, "cpu");
    const auto* memory = amount(container.resources.limits, "memory");
    all_cpu = all_cpu && cpu != nullptr;
    all_memory = all_memory && memory != nullptr;
    const bool beside = container.restartPolicy.value_or("") == "Always";
    if (cpu != nullptr) (beside ? cpu_limit : init_cpu) = beside ? cpu_limit + cpu->milli_value() : std::max(init_cpu, cpu->milli_value());
    if (memory != nullptr) (beside ? memory_limit : init_memory) = beside ? memory_limit + memory->value() : std::max(init_memory, memory->value());
    if (beside) request += request_milli(container);
  }
  out.cpu_shares = shares_of(request);
  // A pod is limited as a whole only when each of its containers is.
  if (all_cpu) out.cpu_quota_us = quota_of(std::max(cpu_limit, init_cpu));
  if (all_memory) out.memory_limit_bytes = std::max(memory_limit, init_memory);
  return out;
}

int oom_score_adj_of(const api::Pod& pod, const api::Container& container, int64_t node_memory_bytes) {
  const Qos qos = qos_of(pod);
  if (pod.spec.priorityClassName == "system-node-critical" || qos == Qos::guaranteed) return kGuaranteedScore;
  if (qos == Qos::best_effort || node_memory_bytes <= 0) return kBestEffortScore;
  const auto* request = amount(container.resources.requests, "memory");
  // The more of the node a container has asked for, the less likely it dies for using it.
  const int64_t asked = request == nullptr ? 0 : request->value();
  const auto score = static_cast<int>(1000 - static_cast<double>(asked) * 1000 / static_cast<double>(node_memory_bytes));
  return std::clamp(score, kBurstableMin, kBurstableMax);
}

}  // namespace kinglet::node

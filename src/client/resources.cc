#include "client/resources.h"

#include "client/conditions.h"
#include "schema/values.h"

namespace kinglet::client {

int64_t Resources::extended_amount(std::string_view name) const {
  for (const auto& [key, amount] : extended)
    if (key == name) return amount;
  return 0;
}

namespace {
template <class Combine>
void combine(Resources& into, const Resources& other, Combine f) {
  into.milli_cpu = f(into.milli_cpu, other.milli_cpu);
  into.memory_bytes = f(into.memory_bytes, other.memory_bytes);
  into.ephemeral_bytes = f(into.ephemeral_bytes, other.ephemeral_bytes);
  for (const auto& [name, amount] : other.extended) {
    const auto at = std::lower_bound(into.extended.begin(), into.extended.end(), name,
                                     [](const auto& pair, const std::string& n) { return pair.first < n; });
    if (at != into.extended.end() && at->first == name)
      at->second = f(at->second, amount);
    else
      into.extended.insert(at, {name, f(0, amount)});
  }
}
}  // namespace

void Resources::add(const Resources& other) {
  combine(*this, other, [](int64_t a, int64_t b) { return a + b; });
}
void Resources::subtract(const Resources& other) {
  combine(*this, other, [](int64_t a, int64_t b) { return a - b; });
  std::erase_if(extended, [](const auto& pair) { return pair.second == 0; });
}
void Resources::at_least(const Resources& other) {
  combine(*this, other, [](int64_t a, int64_t b) { return std::max(a, b); });
}

Resources resources_of(const json::Value* list) {
  Resources out;
  if (!list || !list->is_object()) return out;
  for (const auto& [name, value] : list->get_object()) {
    if (!value.is_string()) continue;
    const auto amount = schema::Quantity::parse(value.get_string());
    if (!amount) continue;
    if (name == "cpu")
      out.milli_cpu = amount->milli_value();
    else if (name == "memory")
      out.memory_bytes = amount->value();
    else if (name == "ephemeral-storage")
      out.ephemeral_bytes = amount->value();
    else if (name != "pods")
      out.extended.emplace_back(std::string(name), amount->value());
  }
  std::sort(out.extended.begin(), out.extended.end());
  return out;
}

Resources pod_requests(const json::Value& spec) {
  Resources running;  // containers and the sidecars started so far
  Resources most;     // of any step of the initialisation
  for (const auto& container : array_at(spec, {"initContainers"})) {
    const auto wants = resources_of(json::find(container, {"resources", "requests"}));
    if (json::text_at(container, {"restartPolicy"}) == "Always") {
      running.add(wants);
      most.at_least(running);
    } else {
      auto step = wants;
      step.add(running);  // sidecars started before it keep running
      most.at_least(step);
    }
  }
  for (const auto& container : array_at(spec, {"containers"}))
    running.add(resources_of(json::find(container, {"resources", "requests"})));
  running.at_least(most);
  if (const auto* pod_level = json::find(spec, {"resources", "requests"})) {
    const auto wants = resources_of(pod_level);
    if (json::find(*pod_level, {"cpu"})) running.milli_cpu = wants.milli_cpu;
    if (json::find(*pod_level, {"memory"})) running.memory_bytes = wants.memory_bytes;
  }
  running.add(resources_of(json::find(spec, {"overhead"})));
  return running;
}

}  // namespace kinglet::client

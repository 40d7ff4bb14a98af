// Turns a pod's priority class into its number, and keeps the global default to one class.
#include "apiserver/admission/plugins.h"
#include "apiserver/errors.h"
#include "apiserver/hooks/rules.h"
#include "base/task.h"

namespace kinglet::apiserver {
namespace {

constexpr std::string_view kPreempt = "PreemptLowerPriority";

struct Priority {
  std::string class_name;
  int64_t value = 0;
  std::string preemption{kPreempt};
};

// The two that every cluster has, whether or not their objects have been made yet.
std::optional<Priority> system_priority(std::string_view name) {
  if (name == "system-cluster-critical") return Priority{std::string(name), 2'000'000'000};
  if (name == "system-node-critical") return Priority{std::string(name), 2'000'001'000};
  return std::nullopt;
}

Priority priority_of(const json::Value& priority_class) {
  const auto preemption = text(priority_class, "preemptionPolicy");
  return {std::string(text(at(priority_class, "metadata"), "name")),
          number(priority_class, "value"), std::string(preemption.empty() ? kPreempt : preemption)};
}

const schema::Resource* classes() {
  return schema::find_resource("scheduling.k8s.io", "v1", "priorityclasses");
}

// Of several defaults the lowest counts, as upstream: it disturbs least.
Priority default_priority(const Reader& reader) {
  std::optional<Priority> out;
  for (const auto& candidate : reader.list(*classes(), "")) {
    if (!json::bool_at(candidate, {"globalDefault"})) continue;
    auto priority = priority_of(candidate);
    if (!out || priority.value < out->value) out = std::move(priority);
  }
  return out ? *out : Priority{};
}

class PriorityAdmission final : public AdmissionPlugin {
 public:
  const char* name() const override { return "Priority"; }

  Task<Result<void>> mutate(const WriteContext& context, json::Value* object,
                            const json::Value* old) override {
    if (!classes() || !object || !is_kind(context, "", "pods")) co_return Result<void>();
    auto& spec = json::child(object->get_object(), "spec");
    if (old) {
      for (const std::string_view member : {"priority", "preemptionPolicy"})
        if (!spec.contains(member) && given(at(*old, {"spec", member})))
          spec[member] = at(*old, {"spec", member});
      co_return Result<void>();
    }
    co_return resolve(context, spec);
  }

  Task<Result<void>> validate(const WriteContext& context, const json::Value* object,
                              const json::Value*) override {
    if (!object || !is_kind(context, "scheduling.k8s.io", "priorityclasses"))
      co_return Result<void>();
    if (!json::bool_at(*object, {"globalDefault"})) co_return Result<void>();
    for (const auto& other : context.reader.list(context.resource, "")) {
      const auto name = text(at(other, "metadata"), "name");
      if (name != context.name && json::bool_at(other, {"globalDefault"}))
        co_return forbidden_error(
            context.resource, context.name,
            fmt::format("PriorityClass {} is already marked as default. Only one default can exist",
                        name));
    }
    co_return Result<void>();
  }

 private:
  static Result<void> resolve(const WriteContext& context, json::Object& spec) {
    const json::Value before(spec);
    const auto refuse = [&](std::string_view why) {
      return forbidden_error(context.resource, context.name, why);
    };
    const auto class_name = text(before, "priorityClassName");
    Priority priority;
    if (class_name.empty()) {
      priority = default_priority(context.reader);
      if (!priority.class_name.empty()) spec["priorityClassName"] = priority.class_name;
    } else if (const auto system = system_priority(class_name)) {
      priority = *system;
    } else {
      const auto found = context.reader.get(*classes(), "", class_name);
      if (!found) return refuse(fmt::format("no PriorityClass with name {} was found", class_name));
      priority = priority_of(*found);
    }
    const auto& given_value = at(before, "priority");
    if (given_value.is_int64() && given_value.get_int64() != priority.value)
      return refuse(fmt::format(
          "the integer value of priority ({}) must not be provided in pod spec; priority admission "
          "controller computed {} from the given PriorityClass name",
          given_value.get_int64(), priority.value));
    const auto preemption = text(before, "preemptionPolicy");
    if (!preemption.empty() && preemption != priority.preemption)
      return refuse(fmt::format(
          "the string value of PreemptionPolicy ({}) must not be provided in pod spec; priority "
          "admission controller computed {} from the given PriorityClass name",
          preemption, priority.preemption));
    spec["priority"] = priority.value;
    spec["preemptionPolicy"] = priority.preemption;
    return {};
  }
};

}  // namespace

std::unique_ptr<AdmissionPlugin> make_priority_admission() {
  return std::make_unique<PriorityAdmission>();
}

}  // namespace kinglet::apiserver

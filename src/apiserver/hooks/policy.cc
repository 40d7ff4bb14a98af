// PodDisruptionBudget, HorizontalPodAutoscaler (stored as v2), ResourceQuota, LimitRange.
#include <set>

#include "apiserver/hooks/kinds.h"
#include "apiserver/hooks/rules.h"
#include "schema/names.h"
#include "schema/values.h"

namespace kinglet::apiserver {
namespace {

class BudgetHooks final : public KindHooks {
 public:
  void validate(const WriteContext& context, const json::Value& object, const json::Value*,
                std::vector<Cause>& causes) const override {
    if (context.subresource == "status") return;
    const auto& spec = at(object, "spec");
    const Path path("spec");
    if (given(at(spec, "minAvailable")) && given(at(spec, "maxUnavailable")))
      schema::add_invalid(causes, path, spec, "minAvailable and maxUnavailable cannot be both set");
    for (const std::string_view member : {"minAvailable", "maxUnavailable"}) {
      check_number_or_percent(causes, path.child(member), at(spec, member));
      if (is_percent_over_100(at(spec, member)))
        schema::add_invalid(causes, path.child(member), at(spec, member),
                            "must not be greater than 100%");
    }
    check_selector(causes, path.child("selector"), at(spec, "selector"));
  }
};

// --- HorizontalPodAutoscaler ---------------------------------------------------------------------

std::string_view source_member(std::string_view type) {
  if (type == "Resource") return "resource";
  if (type == "ContainerResource") return "containerResource";
  if (type == "Pods") return "pods";
  if (type == "Object") return "object";
  if (type == "External") return "external";
  return {};
}

bool positive(const json::Value& quantity) {
  const auto parsed =
      quantity.is_string() ? schema::Quantity::parse(quantity.get_string()) : schema::Quantity();
  return parsed && parsed->compare(schema::Quantity()) > 0;
}

void check_target(const json::Value& target, const Path& path, Causes& causes) {
  check_one_of(causes, path.child("type"), at(target, "type"),
               {"AverageValue", "Utilization", "Value"});
  for (const std::string_view member : {"value", "averageValue"})
    if (given(at(target, member)) && !positive(at(target, member)))
      schema::add_invalid(causes, path.child(member), at(target, member), "must be positive");
  const auto& percent = at(target, "averageUtilization");
  if (percent.is_int64() && percent.get_int64() < 1)
    schema::add_invalid(causes, path.child("averageUtilization"), percent,
                        "must be greater than 0");
}

void check_metric(const json::Value& metric, const Path& path, Causes& causes) {
  const auto type = text(metric, "type");
  const auto wanted = source_member(type);
  if (wanted.empty())
    return check_one_of(causes, path.child("type"), at(metric, "type"),
                        {"ContainerResource", "External", "Object", "Pods", "Resource"});
  for (const std::string_view member :
       {"resource", "containerResource", "pods", "object", "external"})
    if (member != wanted && given(at(metric, member)))
      schema::add_forbidden(causes, path.child(member),
                            "must populate the given metric source only");
  const auto& source = at(metric, wanted);
  const Path at_source = path.child(wanted);
  if (!given(source))
    return schema::add_required(causes, at_source,
                                "must populate information for the given metric source");
  check_target(at(source, "target"), at_source.child("target"), causes);
}

constexpr int64_t kPolicyPeriodMax = 1800, kWindowSecondsMax = 3600;

void check_scaling(const json::Value& rules, const Path& path, Causes& causes) {
  if (!given(rules)) return;
  const auto& window = at(rules, "stabilizationWindowSeconds");
  check_not_negative(causes, path.child("stabilizationWindowSeconds"), window);
  if (window.is_int64() && window.get_int64() > kWindowSecondsMax)
    schema::add_invalid(causes, path.child("stabilizationWindowSeconds"), window,
                        fmt::format("must be less than or equal to {}", kWindowSecondsMax));
  if (const auto& select = at(rules, "selectPolicy"); given(select))
    check_one_of(causes, path.child("selectPolicy"), select, {"Disabled", "Max", "Min"});
  const auto& policies = items(rules, "policies");
  const Path list = path.child("policies");
  if (policies.empty()) schema::add_required(causes, list, "must specify at least one Policy");
  for (size_t i = 0; i < policies.size(); ++i) {
    const Path item = list.index(i);
    check_one_of(causes, item.child("type"), at(policies[i], "type"), {"Percent", "Pods"});
    for (const std::string_view member : {"value", "periodSeconds"})
      if (number(policies[i], member) <= 0)
        schema::add_invalid(causes, item.child(member), json::Value(number(policies[i], member)),
                            "must be greater than zero");
    if (number(policies[i], "periodSeconds") > kPolicyPeriodMax)
      schema::add_invalid(causes, item.child("periodSeconds"), at(policies[i], "periodSeconds"),
                          fmt::format("must be less than or equal to {}", kPolicyPeriodMax));
  }
}

class AutoscalerHooks final : public KindHooks {
 public:
  void validate(const WriteContext& context, const json::Value& object, const json::Value*,
                std::vector<Cause>& causes) const override {
    if (context.subresource == "status") return;
    const auto& spec = at(object, "spec");
    const Path path("spec");
    const auto& least = at(spec, "minReplicas");
    if (least.is_int64() && least.get_int64() < 1)
      schema::add_invalid(causes, path.child("minReplicas"), least,
                          "must be greater than or equal to 1");
    const auto most = number(spec, "maxReplicas");
    if (most < 1)
      schema::add_invalid(causes, path.child("maxReplicas"), json::Value(most),
                          "must be greater than 0");
    if (least.is_int64() && most < least.get_int64())
      schema::add_invalid(causes, path.child("maxReplicas"), json::Value(most),
                          "must be greater than or equal to `minReplicas`");
    const auto& target = at(spec, "scaleTargetRef");
    const Path at_target = path.child("scaleTargetRef");
    for (const std::string_view member : {"kind", "name"})
      check_name(causes, at_target.child(member), at(target, member), schema::path_segment_errors);
    const auto& metrics = items(spec, "metrics");
    const Path list = path.child("metrics");
    for (size_t i = 0; i < metrics.size(); ++i) check_metric(metrics[i], list.index(i), causes);
    const Path behavior = path.child("behavior");
    for (const std::string_view member : {"scaleUp", "scaleDown"})
      check_scaling(at(spec, {"behavior", member}), behavior.child(member), causes);
  }
};

// --- quotas and ranges ---------------------------------------------------------------------------

class QuotaHooks final : public KindHooks {
 public:
  void validate(const WriteContext& context, const json::Value& object, const json::Value* old,
                std::vector<Cause>& causes) const override {
    if (context.subresource == "status") return;
    const auto& hard = at(object, {"spec", "hard"});
    const Path path("spec");
    const Path at_hard = path.child("hard");
    if (hard.is_object()) {
      for (const auto& [name, quantity] : hard.get_object()) {
        const Path item = at_hard.key(name);
        schema::add_invalid_each(causes, item, json::Value(name), schema::label_key_errors(name));
        check_quantity(causes, item, quantity);
      }
    }
    if (old)
      check_immutable(causes, path.child("scopes"), at(object, {"spec", "scopes"}),
                      at(*old, {"spec", "scopes"}));
  }
};

class LimitRangeHooks final : public KindHooks {
 public:
  void validate(const WriteContext&, const json::Value& object, const json::Value*,
                std::vector<Cause>& causes) const override {
    const auto& limits = items(at(object, "spec"), "limits");
    const Path path("spec");
    const Path list = path.child("limits");
    std::set<std::string> types;
    for (size_t i = 0; i < limits.size(); ++i) {
      const Path item = list.index(i);
      const std::string type(text(limits[i], "type"));
      if (!types.insert(type).second)
        schema::add_duplicate(causes, item.child("type"), json::Value(type));
      check_item(limits[i], type, item, causes);
    }
  }

 private:
  static void check_item(const json::Value& item, std::string_view type, const Path& path,
                         Causes& causes) {
    for (const std::string_view member :
         {"min", "max", "default", "defaultRequest", "maxLimitRequestRatio"}) {
      const auto& list = at(item, member);
      if (!list.is_object()) continue;
      const Path at_list = path.child(member);
      if (type == "Pod" && (member == "default" || member == "defaultRequest"))
        schema::add_forbidden(causes, at_list, "may not be specified when `type` is 'Pod'");
      for (const auto& [name, quantity] : list.get_object())
        check_quantity(causes, at_list.key(name), quantity);
    }
    if (type == "PersistentVolumeClaim" && !given(at(item, {"min", "storage"})) &&
        !given(at(item, {"max", "storage"})))
      schema::add_required(
          causes, path.child("limits"),
          "either minimum or maximum storage value is required, but neither was provided");
    for (const auto& [low, high] :
         {std::pair("min", "max"), std::pair("min", "default"), std::pair("default", "max"),
          std::pair("defaultRequest", "default"), std::pair("defaultRequest", "max")})
      check_order(item, low, high, path, causes);
  }

  static void check_order(const json::Value& item, std::string_view low, std::string_view high,
                          const Path& path, Causes& causes) {
    const auto& lows = at(item, low);
    if (!lows.is_object()) return;
    const Path at_low = path.child(low);
    for (const auto& [name, value] : lows.get_object()) {
      const auto& other = at(item, {high, name});
      if (!value.is_string() || !other.is_string()) continue;
      const auto a = schema::Quantity::parse(value.get_string());
      const auto b = schema::Quantity::parse(other.get_string());
      if (a && b && a->compare(*b) > 0)
        schema::add_invalid(causes, at_low.key(name), value,
                            fmt::format("{} value {} is greater than {} value {}", low, a->text(),
                                        high, b->text()));
    }
  }
};

}  // namespace

void add_policy_hooks(Hooks& hooks) {
  hooks.emplace("policy/poddisruptionbudgets", std::make_unique<BudgetHooks>());
  hooks.emplace("autoscaling/horizontalpodautoscalers", std::make_unique<AutoscalerHooks>());
  hooks.emplace("/resourcequotas", std::make_unique<QuotaHooks>());
  hooks.emplace("/limitranges", std::make_unique<LimitRangeHooks>());
}

}  // namespace kinglet::apiserver

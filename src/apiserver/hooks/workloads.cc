// Deployment, ReplicaSet, StatefulSet, DaemonSet, ReplicationController, ControllerRevision.
#include "apiserver/hooks/kinds.h"
#include "apiserver/hooks/pod_rules.h"
#include "apiserver/hooks/workload_rules.h"
#include "schema/names.h"
#include "schema/values.h"

namespace kinglet::apiserver {
namespace {

bool is_zero(const json::Value& value) { return value == 0 || value == "0%"; }

void check_rolling(const json::Value& rolling, const Path& path, Causes& causes) {
  const auto& unavailable = at(rolling, "maxUnavailable");
  const auto& surge = at(rolling, "maxSurge");
  check_number_or_percent(causes, path.child("maxUnavailable"), unavailable);
  check_number_or_percent(causes, path.child("maxSurge"), surge);
  if (is_zero(unavailable) && is_zero(surge))
    schema::add_invalid(causes, path.child("maxUnavailable"), unavailable,
                        "may not be 0 when `maxSurge` is 0");
  if (is_percent_over_100(unavailable))
    schema::add_invalid(causes, path.child("maxUnavailable"), unavailable,
                        "must not be greater than 100%");
}

class DeploymentHooks final : public KindHooks {
 public:
  void validate(const WriteContext& context, const json::Value& object, const json::Value* old,
                std::vector<Cause>& causes) const override {
    if (context.subresource == "status") return;
    const auto& spec = at(object, "spec");
    const Path path("spec");
    check_not_negative(
        causes, path, spec,
        {"replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"});
    validate_workload_selector(spec, "deployment", causes);
    validate_always_template(spec, causes);
    check_strategy(spec, path, causes);
    const auto& deadline = at(spec, "progressDeadlineSeconds");
    if (deadline.is_int64() && deadline.get_int64() <= number(spec, "minReadySeconds"))
      schema::add_invalid(causes, path.child("progressDeadlineSeconds"), deadline,
                          "must be greater than minReadySeconds");
    if (old)
      check_immutable(causes, path.child("selector"), at(spec, "selector"),
                      at(*old, {"spec", "selector"}));
  }

 private:
  static void check_strategy(const json::Value& spec, const Path& path, Causes& causes) {
    const auto& strategy = at(spec, "strategy");
    const Path at_strategy = path.child("strategy");
    const auto& rolling = at(strategy, "rollingUpdate");
    if (text(strategy, "type") == "Recreate") {
      if (given(rolling))
        schema::add_forbidden(causes, at_strategy.child("rollingUpdate"),
                              "may not be specified when strategy `type` is 'Recreate'");
    } else if (text(strategy, "type") == "RollingUpdate") {
      if (given(rolling)) {
        check_rolling(rolling, at_strategy.child("rollingUpdate"), causes);
      } else {
        schema::add_required(causes, at_strategy.child("rollingUpdate"),
                             "this should be defaulted and never be nil");
      }
    }
  }
};

class ReplicaSetHooks final : public KindHooks {
 public:
  void validate(const WriteContext& context, const json::Value& object, const json::Value* old,
                std::vector<Cause>& causes) const override {
    if (context.subresource == "status") {
      const Path status("status");
      check_not_negative(
          causes, status, at(object, "status"),
          {"replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"});
      return;
    }
    const auto& spec = at(object, "spec");
    const Path path("spec");
    check_not_negative(causes, path, spec, {"replicas", "minReadySeconds"});
    validate_workload_selector(spec, "replicaset", causes);
    validate_always_template(spec, causes);
    if (old)
      check_immutable(causes, path.child("selector"), at(spec, "selector"),
                      at(*old, {"spec", "selector"}));
  }
};

class DaemonSetHooks final : public KindHooks {
 public:
  void validate(const WriteContext& context, const json::Value& object, const json::Value* old,
                std::vector<Cause>& causes) const override {
    if (context.subresource == "status") return;
    const auto& spec = at(object, "spec");
    const Path path("spec");
    check_not_negative(causes, path, spec, {"minReadySeconds", "revisionHistoryLimit"});
    validate_workload_selector(spec, "daemonset", causes);
    validate_always_template(spec, causes);
    check_strategy(at(spec, "updateStrategy"), path, causes);
    if (old)
      check_immutable(causes, path.child("selector"), at(spec, "selector"),
                      at(*old, {"spec", "selector"}));
  }

 private:
  static void check_strategy(const json::Value& strategy, const Path& path, Causes& causes) {
    if (text(strategy, "type") != "RollingUpdate") return;
    const Path at_strategy = path.child("updateStrategy");
    const Path rolling = at_strategy.child("rollingUpdate");
    const auto& value = at(strategy, "rollingUpdate");
    if (!given(value)) return schema::add_required(causes, rolling);
    const auto& unavailable = at(value, "maxUnavailable");
    const auto& surge = at(value, "maxSurge");
    check_number_or_percent(causes, rolling.child("maxUnavailable"), unavailable);
    check_number_or_percent(causes, rolling.child("maxSurge"), surge);
    const bool no_surge = !given(surge) || is_zero(surge);
    const bool no_loss = !given(unavailable) || is_zero(unavailable);
    if (no_surge && no_loss)
      schema::add_required(causes, rolling.child("maxUnavailable"),
                           "cannot be 0 when maxSurge is 0");
    if (!no_surge && !no_loss)
      schema::add_invalid(causes, rolling.child("maxSurge"), surge,
                          "may not be set when maxUnavailable is non-zero");
    if (is_percent_over_100(unavailable))
      schema::add_invalid(causes, rolling.child("maxUnavailable"), unavailable,
                          "must not be greater than 100%");
  }
};

class StatefulSetHooks final : public KindHooks {
 public:
  void validate(const WriteContext& context, const json::Value& object, const json::Value* old,
                std::vector<Cause>& causes) const override {
    if (context.subresource == "status") return;
    const auto& spec = at(object, "spec");
    const Path path("spec");
    check_not_negative(causes, path, spec, {"replicas", "minReadySeconds", "revisionHistoryLimit"});
    const Path ordinals = path.child("ordinals");
    check_not_negative(causes, ordinals.child("start"), at(spec, {"ordinals", "start"}));
    validate_workload_selector(spec, "statefulset", causes);
    validate_always_template(spec, causes);
    check_one_of(causes, path.child("podManagementPolicy"), at(spec, "podManagementPolicy"),
                 {"OrderedReady", "Parallel"});
    check_strategy(spec, path, causes);
    if (const auto& name = at(spec, "serviceName"); !is_empty(name))
      check_name(causes, path.child("serviceName"), name, schema::dns1123_subdomain_errors);
    if (old) check_changes(spec, at(*old, "spec"), path, causes);
  }

 private:
  static void check_strategy(const json::Value& spec, const Path& path, Causes& causes) {
    const auto& strategy = at(spec, "updateStrategy");
    const Path at_strategy = path.child("updateStrategy");
    const auto& rolling = at(strategy, "rollingUpdate");
    if (text(strategy, "type") == "OnDelete" && given(rolling))
      schema::add_invalid(causes, at_strategy.child("rollingUpdate"), rolling,
                          "only allowed for updateStrategy 'RollingUpdate'");
    const Path at_rolling = at_strategy.child("rollingUpdate");
    check_not_negative(causes, at_rolling.child("partition"), at(rolling, "partition"));
    check_number_or_percent(causes, at_rolling.child("maxUnavailable"),
                            at(rolling, "maxUnavailable"));
  }

  static void check_changes(const json::Value& spec, const json::Value& old, const Path& path,
                            Causes& causes) {
    json::Object masked = spec.is_object() ? spec.get_object() : json::Object();
    for (const std::string_view member :
         {"replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
          "persistentVolumeClaimRetentionPolicy", "minReadySeconds"}) {
      if (given(at(old, member))) {
        masked[member] = at(old, member);
      } else {
        masked.erase(member);
      }
    }
    if (!equal(json::Value(masked), old))
      schema::add_forbidden(
          causes, path,
          "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
          "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
          "'minReadySeconds' are forbidden");
  }
};

class ReplicationControllerHooks final : public KindHooks {
 public:
  void validate(const WriteContext& context, const json::Value& object, const json::Value*,
                std::vector<Cause>& causes) const override {
    if (context.subresource == "status") return;
    const auto& spec = at(object, "spec");
    const Path path("spec");
    check_not_negative(causes, path, spec, {"replicas", "minReadySeconds"});
    const auto& selector = at(spec, "selector");
    if (is_empty(selector)) {
      schema::add_required(causes, path.child("selector"));
    } else if (selector.is_object()) {
      const auto& labels = at(spec, {"template", "metadata", "labels"});
      const auto& wanted = selector.get_object();
      const bool matches = std::all_of(wanted.begin(), wanted.end(), [&](const auto& pair) {
        return at(labels, std::string_view(pair.key())) == pair.value();
      });
      const Path at_template = path.child("template");
      const Path metadata = at_template.child("metadata");
      if (!matches)
        schema::add_invalid(causes, metadata.child("labels"), labels,
                            "`selector` does not match template `labels`");
    }
    validate_always_template(spec, causes);
  }
};

class ControllerRevisionHooks final : public KindHooks {
 public:
  void validate(const WriteContext&, const json::Value& object, const json::Value* old,
                std::vector<Cause>& causes) const override {
    if (!given(at(object, "data"))) schema::add_required(causes, Path("data"), "data is mandatory");
    check_not_negative(causes, Path("revision"), at(object, "revision"));
    if (old) check_immutable(causes, Path("data"), at(object, "data"), at(*old, "data"));
  }
};

}  // namespace

void add_workload_hooks(Hooks& hooks) {
  hooks.emplace("apps/deployments", std::make_unique<DeploymentHooks>());
  hooks.emplace("apps/replicasets", std::make_unique<ReplicaSetHooks>());
  hooks.emplace("apps/daemonsets", std::make_unique<DaemonSetHooks>());
  hooks.emplace("apps/statefulsets", std::make_unique<StatefulSetHooks>());
  hooks.emplace("apps/controllerrevisions", std::make_unique<ControllerRevisionHooks>());
  hooks.emplace("/replicationcontrollers", std::make_unique<ReplicationControllerHooks>());
}

}  // namespace kinglet::apiserver

// What every pod and node gets: tolerations for a node that is lost, the taint of a node that is
// not ready yet.
#include "apiserver/admission/plugins.h"
#include "apiserver/hooks/rules.h"
#include "base/task.h"

namespace kinglet::apiserver {
namespace {

constexpr std::string_view kNotReady = "node.kubernetes.io/not-ready";
constexpr std::string_view kUnreachable = "node.kubernetes.io/unreachable";
constexpr int64_t kTolerationSeconds = 300;

json::Array& list_of(json::Object& object, std::string_view name) {
  auto& value = object[name];
  if (!value.is_array()) value = json::Array();
  return value.get_array();
}

bool tolerates(const json::Value& spec, std::string_view taint) {
  for (const auto& toleration : items(spec, "tolerations")) {
    const auto key = text(toleration, "key");
    const auto effect = text(toleration, "effect");
    if ((key.empty() || key == taint) && (effect.empty() || effect == "NoExecute")) return true;
  }
  return false;
}

class DefaultTolerations final : public AdmissionPlugin {
 public:
  const char* name() const override { return "DefaultTolerationSeconds"; }

  Task<Result<void>> mutate(const WriteContext& context, json::Value* object,
                            const json::Value*) override {
    if (!object || !is_kind(context, "", "pods")) co_return Result<void>();
    auto& spec = json::child(object->get_object(), "spec");
    for (const auto taint : {kNotReady, kUnreachable}) {
      if (tolerates(at(*object, "spec"), taint)) continue;
      list_of(spec, "tolerations")
          .push_back(json::Object{{"key", taint},
                                  {"operator", "Exists"},
                                  {"effect", "NoExecute"},
                                  {"tolerationSeconds", kTolerationSeconds}});
    }
    co_return Result<void>();
  }
};

// The node's controller takes the taint off once the node says that it is ready.
class TaintNodes final : public AdmissionPlugin {
 public:
  const char* name() const override { return "TaintNodesByCondition"; }

  Task<Result<void>> mutate(const WriteContext& context, json::Value* object,
                            const json::Value*) override {
    if (context.operation != Operation::create || !is_kind(context, "", "nodes"))
      co_return Result<void>();
    auto& taints = list_of(json::child(object->get_object(), "spec"), "taints");
    for (const auto& taint : taints)
      if (text(taint, "key") == kNotReady && text(taint, "effect") == "NoSchedule")
        co_return Result<void>();
    taints.push_back(json::Object{{"key", kNotReady}, {"effect", "NoSchedule"}});
    co_return Result<void>();
  }
};

}  // namespace

std::unique_ptr<AdmissionPlugin> make_default_tolerations() {
  return std::make_unique<DefaultTolerations>();
}
std::unique_ptr<AdmissionPlugin> make_taint_nodes() { return std::make_unique<TaintNodes>(); }

}  // namespace kinglet::apiserver

// A claim without a storage class, and an ingress without an ingress class, get the newest one
// marked as default.
#include "apiserver/admission/plugins.h"
#include "apiserver/hooks/rules.h"
#include "base/task.h"

namespace kinglet::apiserver {
namespace {

// The name of the newest class with the annotation; empty: none.
std::string default_class(const Reader& reader, const schema::Resource* resource,
                          std::initializer_list<std::string_view> annotations) {
  std::string best, best_time;
  if (!resource) return best;
  for (const auto& candidate : reader.list(*resource, "")) {
    const auto& marks = at(candidate, {"metadata", "annotations"});
    const bool marked = std::any_of(annotations.begin(), annotations.end(),
                                    [&](std::string_view a) { return text(marks, a) == "true"; });
    if (!marked) continue;
    const std::string name(text(at(candidate, "metadata"), "name"));
    const std::string time(text(at(candidate, "metadata"), "creationTimestamp"));
    if (best.empty() || time > best_time || (time == best_time && name < best)) {
      best = name;
      best_time = time;
    }
  }
  return best;
}

class DefaultStorageClass final : public AdmissionPlugin {
 public:
  const char* name() const override { return "DefaultStorageClass"; }

  Task<Result<void>> mutate(const WriteContext& context, json::Value* object,
                            const json::Value*) override {
    if (context.operation != Operation::create || !is_kind(context, "", "persistentvolumeclaims"))
      co_return Result<void>();
    // "" asks for no class; only what is not said is filled in.
    constexpr std::string_view kOld = "volume.beta.kubernetes.io/storage-class";
    const bool said = given(at(*object, {"spec", "storageClassName"})) ||
                      given(at(*object, {"metadata", "annotations", kOld}));
    if (said) co_return Result<void>();
    const auto found = default_class(
        context.reader, schema::find_resource("storage.k8s.io", "v1", "storageclasses"),
        {"storageclass.kubernetes.io/is-default-class",
         "storageclass.beta.kubernetes.io/is-default-class"});
    if (!found.empty()) json::child(object->get_object(), "spec")["storageClassName"] = found;
    co_return Result<void>();
  }
};

class DefaultIngressClass final : public AdmissionPlugin {
 public:
  const char* name() const override { return "DefaultIngressClass"; }

  Task<Result<void>> mutate(const WriteContext& context, json::Value* object,
                            const json::Value*) override {
    if (context.operation != Operation::create ||
        !is_kind(context, "networking.k8s.io", "ingresses"))
      co_return Result<void>();
    const bool said =
        given(at(*object, {"spec", "ingressClassName"})) ||
        given(at(*object, {"metadata", "annotations", "kubernetes.io/ingress.class"}));
    if (said) co_return Result<void>();
    const auto found = default_class(
        context.reader, schema::find_resource("networking.k8s.io", "v1", "ingressclasses"),
        {"ingressclass.kubernetes.io/is-default-class"});
    if (!found.empty()) json::child(object->get_object(), "spec")["ingressClassName"] = found;
    co_return Result<void>();
  }
};

}  // namespace

std::unique_ptr<AdmissionPlugin> make_default_storage_class() {
  return std::make_unique<DefaultStorageClass>();
}
std::unique_ptr<AdmissionPlugin> make_default_ingress_class() {
  return std::make_unique<DefaultIngressClass>();
}

}  // namespace kinglet::apiserver

// Nothing is created in a namespace that is missing or going, and three namespaces never go.
#include "apiserver/admission/plugins.h"
#include "apiserver/errors.h"
#include "apiserver/hooks/rules.h"
#include "base/task.h"

namespace kinglet::apiserver {
namespace {

bool is_immortal(std::string_view name) {
  return name == "default" || name == "kube-system" || name == "kube-public";
}

Error terminating(const WriteContext& context) {
  auto error = forbidden_error(
      context.resource, context.name,
      fmt::format("unable to create new content in namespace {} because it is being terminated",
                  context.ns));
  error.mutable_details().causes.push_back(
      {"NamespaceTerminating", fmt::format("namespace {} is being terminated", context.ns),
       "metadata.namespace"});
  return error;
}

// Reviews are questions, not content.
bool is_review(const WriteContext& context) {
  return context.resource.group == "authorization.k8s.io";
}

class NamespaceLifecycle final : public AdmissionPlugin {
 public:
  const char* name() const override { return "NamespaceLifecycle"; }

  Task<Result<void>> mutate(const WriteContext& context, json::Value*,
                            const json::Value*) override {
    co_return decide(context);
  }

 private:
  static Result<void> decide(const WriteContext& context) {
    if (context.operation == Operation::remove) {
      if (is_kind(context, "", "namespaces") && is_immortal(context.name))
        return forbidden_error(context.resource, context.name, "this namespace may not be deleted");
      return {};
    }
    if (context.operation != Operation::create || !context.resource.namespaced ||
        is_review(context))
      return {};
    const auto* namespaces = schema::find_resource("", "v1", "namespaces");
    if (!namespaces) return {};
    auto found = context.reader.get(*namespaces, "", context.ns);
    if (!found) return std::move(found.error());
    const bool going = text(at(*found, "status"), "phase") == "Terminating" ||
                       given(at(*found, {"metadata", "deletionTimestamp"}));
    if (going) return terminating(context);
    return {};
  }
};

}  // namespace

std::unique_ptr<AdmissionPlugin> make_namespace_lifecycle() {
  return std::make_unique<NamespaceLifecycle>();
}

}  // namespace kinglet::apiserver

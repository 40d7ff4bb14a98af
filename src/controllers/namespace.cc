// Namespace controller: empties a namespace that is being deleted, then lets it go.
#include "base/task.h"
#include "client/write.h"
#include "controllers/internal/batch.h"
#include "controllers/internal/parts.h"
#include "controllers/internal/namespace_content.h"

namespace kinglet::controllers {
namespace {
using client::Api;
using client::Informer;
using client::Outcome;

// Finalizers of others are not something we can be woken by for every kind.
constexpr Duration kLookAgain = 2s;
// Pods wake us when they go; this is for the case that somebody else's watch was lost.
constexpr Duration kLookAgainForPods = 15s;

class Namespaces final : public client::Reconciler {
 public:
  Namespaces(const Deps& deps, client::Runner& runner)
      : clock_(deps.clock),
        namespaces_(runner.reads(deps.informers.of<Namespace>())),
        pods_(runner.reads(deps.informers.of<Pod>())) {
    namespaces_.on_change([&runner](const Namespace*, const Namespace* after) {
      if (after && after->meta.deleted) runner.add(after->meta.key());
    });
    pods_.on_change([this, &runner](const Pod* before, const Pod* after) {
      if (after) return;
      const auto space = namespaces_.find({"", before->meta.ns});
      if (space && space->meta.deleted) runner.add(space->meta.key());
    });
  }

  Task<Result<Outcome>> reconcile(Api& api, ObjectKey key) override {
    const auto space = namespaces_.find(key);
    if (!space || !space->meta.deleted || !space->kept_by_us) co_return Outcome::done();
    // Pods first: what they use (configuration, volumes, accounts) must outlive them.
    Remaining left;
    KL_CHECK(co_await clear(api, key.name, Pod::resource(), left));
    const bool pods_left = left.total() > 0;
    if (!pods_left)
      for (const auto* resource : namespaced_content())
        if (resource != &Pod::resource()) KL_CHECK(co_await clear(api, key.name, *resource, left));
    if (left.total() == 0) co_return co_await finalize(api, space);
    KL_CHECK(co_await tell(api, space, left));
    co_return Outcome::again(pods_left ? kLookAgainForPods : kLookAgain);
  }

 private:
  // Removes all objects of a resource; counts those that stay (finalizers, graceful termination).
  static Task<Result<void>> clear(Api& api, std::string ns, const schema::Resource& resource, Remaining& left) {
    KL_TRY(before, co_await client::list(api, resource, ns), "list {}", resource.plural);
    if (before.items.empty()) co_return Result<void>();
    const auto names = names_to_remove(before.items);
    MakeTask make = [&](int i) { return remove_one(api, resource, {ns, names[static_cast<size_t>(i)]}); };
    KL_CHECK(co_await all(static_cast<int>(names.size()), std::move(make)), "delete {}", resource.plural);
    KL_TRY(after, co_await client::list(api, resource, ns), "list {}", resource.plural);
    left.count(resource, after.items);
    co_return Result<void>();
  }

  static Task<Result<void>> remove_one(Api& api, const schema::Resource& resource, ObjectKey key) {
    const auto removed = co_await client::remove(api, resource, key, "", client::Propagation::background);
    co_return client::unless(Code::not_found, removed);
  }

  Task<Result<void>> tell(Api& api, Ref<const Namespace> space, const Remaining& left) {
    const auto conditions = left.conditions(space->conditions, clock_.wall());
    if (conditions == space->conditions) co_return Result<void>();
    const auto patch = conditions_patch(conditions);
    const auto key = space->meta.key();
    const auto written = co_await client::merge_status(api, Namespace::resource(), key, patch);
    co_return client::unless(Code::not_found, written);
  }

  static Task<Result<Outcome>> finalize(Api& api, Ref<const Namespace> space) {
    auto object = whole(*space);
    auto& finalizers = json::child(object.as_object(), "spec")["finalizers"];
    json::Array kept;
    if (finalizers.is_array())
      for (const auto& finalizer : finalizers.get_array())
        if (finalizer != "kubernetes") kept.push_back(finalizer);
    finalizers = std::move(kept);
    const auto key = space->meta.key();
    const auto written = co_await client::update(api, Namespace::resource(), key, object, "finalize");
    KL_CHECK(client::unless(Code::not_found, written), "finalize {}", key.name);
    co_return Outcome::done();
  }

  Clock& clock_;
  Informer<Namespace> namespaces_;
  Informer<Pod> pods_;
};
}  // namespace

RunnerPtr make_namespace(const Deps& deps) {
  auto runner = deps.runner("namespace");
  runner->use(std::make_unique<Namespaces>(deps, *runner));
  return runner;
}

}  // namespace kinglet::controllers

// Pod garbage collector: pods whose node no longer exists, and ended pods beyond a threshold.
#include "base/task.h"
#include "client/write.h"
#include "controllers/internal/batch.h"
#include "controllers/internal/node_health.h"
#include "controllers/internal/parts.h"

namespace kinglet::controllers {
namespace {
using client::Api;
using client::Informer;
using client::Outcome;

// A node may be registered again under its name (a reinstallation): its pods are not given up at once.
constexpr Duration kQuarantine = 40s;
const ObjectKey kTerminated{"terminated", ""};

class PodGc final : public client::Reconciler {
 public:
  PodGc(const Deps& deps, client::Runner& runner)
      : clock_(deps.clock),
        terminated_max_(deps.options.terminated_pods_max),
        nodes_(runner.reads(deps.informers.of<Node>())),
        pods_(runner.reads(deps.informers.of<Pod>())) {
    pods_by_node_ = pods_.index("node", [](const Pod& pod, std::vector<std::string>& keys) {
      if (!pod.node_name.empty()) keys.push_back(pod.node_name);
    });
    terminated_ = pods_.index("terminated", [](const Pod& pod, std::vector<std::string>& keys) {
      if (pod.terminal()) keys.emplace_back();
    });
    nodes_.on_change([&runner](const Node* before, const Node* after) {
      if (before && !after) runner.queue().add_after(before->meta.key(), kQuarantine);
    });
    pods_.on_change([this, &runner](const Pod* before, const Pod* after) {
      if (!after) return;
      if (!after->node_name.empty() && (!before || before->node_name.empty()) && !nodes_.find({"", after->node_name}))
        runner.queue().add_after({"", after->node_name}, kQuarantine);
      if (after->terminal() && pods_.core().indexed(terminated_, "").size() > terminated_max_) runner.add(kTerminated);
    });
  }

  Task<Result<Outcome>> reconcile(Api& api, ObjectKey key) override {
    if (key == kTerminated) co_return co_await trim(api);
    if (nodes_.find(key)) co_return Outcome::done();
    const auto orphans = pods_.indexed(pods_by_node_, key.name);
    if (orphans.empty()) co_return Outcome::done();
    const auto node = co_await client::get(api, Node::resource(), key);  // the cache may be behind
    if (node) co_return Outcome::again(kQuarantine);
    if (!node.is(Code::not_found)) co_return node.error();
    MakeTask make = [&](int i) { return drop(api, orphans[static_cast<size_t>(i)]); };
    KL_CHECK(co_await all(static_cast<int>(orphans.size()), std::move(make)), "pods of {}", key.name);
    co_return Outcome::done();
  }

 private:
  Task<Result<void>> drop(Api& api, Ref<const Pod> pod) {
    const auto key = pod->meta.key();
    if (!pod->terminal()) {
      const Condition condition{"DisruptionTarget", "True", "DeletionByPodGC", "PodGC: node no longer exists",
                                rfc3339(clock_.wall()), {}};
      const auto patch = pod_condition_patch(*pod, condition, "Failed");
      const auto written = co_await client::merge_status(api, Pod::resource(), key, patch);
      KL_CHECK(client::unless(Code::not_found, written));
    }
    co_return co_await force_remove(api, pod);
  }

  static Task<Result<void>> force_remove(Api& api, Ref<const Pod> pod) {
    client::DeleteOptions options;
    options.grace_seconds = 0;
    options.uid = pod->meta.uid;
    const auto key = pod->meta.key();
    const auto removed = co_await client::remove_with(api, Pod::resource(), key, options);
    co_return client::unless(Code::not_found, removed);
  }

  Task<Result<Outcome>> trim(Api& api) {
    auto ended = pods_.indexed(terminated_, "");
    if (ended.size() <= terminated_max_) co_return Outcome::done();
    std::stable_sort(ended.begin(), ended.end(),
                     [](const auto& a, const auto& b) { return a->meta.created < b->meta.created; });
    ended.resize(ended.size() - terminated_max_);
    MakeTask make = [&](int i) { return force_remove(api, ended[static_cast<size_t>(i)]); };
    KL_CHECK(co_await all(static_cast<int>(ended.size()), std::move(make)), "trim ended pods");
    co_return Outcome::done();
  }

  Clock& clock_;
  size_t terminated_max_;
  Informer<Node> nodes_;
  Informer<Pod> pods_;
  size_t pods_by_node_ = 0, terminated_ = 0;
};
}  // namespace

RunnerPtr make_pod_gc(const Deps& deps) {
  auto runner = deps.runner("pod_gc", 1);
  runner->use(std::make_unique<PodGc>(deps, *runner));
  return runner;
}

}  // namespace kinglet::controllers

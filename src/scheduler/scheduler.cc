#include "scheduler/scheduler.h"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/deadline.h"
#include "base/log.h"
#include "base/signal.h"
#include "base/task.h"
#include "base/task_group.h"
#include "client/alarm.h"
#include "client/conditions.h"
#include "client/event_recorder.h"
#include "client/informer.h"
#include "client/write.h"
#include "scheduler/internal/decide.h"
#include "scheduler/internal/queue.h"

namespace kinglet::scheduler {
namespace {
using client::EventType;
using client::Informer;

// Bindings under way at once: enough to fill the store's group commits, few enough to bound memory.
constexpr size_t kBindingsMax = 256;
// For the volumes of a pod to be bound or made. Source: upstream's bindTimeoutSeconds.
constexpr Duration kVolumesMax = 10min;
// Decisions in a row before the loop may serve others.
constexpr int kDecisionsInARow = 8;
const std::vector<double> kSeconds = {1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1};

bool waits_for_us(const Pod& pod, const std::string& name) {
  return pod.node_name.empty() && !pod.meta.deleted && !pod.terminal() && !pod.gated &&
         (pod.scheduler_name.empty() || pod.scheduler_name == name);
}

// Whether a change of a waiting pod could change where it fits; its status does not.
bool worth_another_try(const Pod& before, const Pod& after) {
  return before.meta.generation != after.meta.generation || before.meta.labels != after.meta.labels ||
         before.gated != after.gated || !(before.requests == after.requests);
}

uint32_t node_event(const Node* before, const Node& after) {
  if (!before) return kNodeAdded;
  const bool changed = before->unschedulable != after.unschedulable || before->meta.labels != after.meta.labels ||
                       !(before->allocatable == after.allocatable) || before->pods_max != after.pods_max ||
                       !std::equal(before->taints.begin(), before->taints.end(), after.taints.begin(), after.taints.end(),
                                   [](const auto& a, const auto& b) { return a.same_as(b) && a.value == b.value; });
  return changed ? static_cast<uint32_t>(kNodeChanged) : 0;
}

std::vector<std::unique_ptr<Plugin>> plugins_with(const VolumeView& view) {
  auto plugins = default_plugins();
  plugins.push_back(make_volume_binding(view));
  return plugins;
}

class SchedulerLoop final : public Scheduler, private VolumeView {
 public:
  SchedulerLoop(client::Api& api, Clock& clock, Random& random, Metrics& metrics, client::Informers& informers,
                Options options)
      : api_(api),
        clock_(clock),
        options_(std::move(options)),
        events_(api, clock, random, metrics, options_.name),
        pods_(informers.of<Pod>()),
        nodes_(informers.of<Node>()),
        claims_(informers.of<client::Claim>()),
        volumes_(informers.of<client::Volume>()),
        classes_(informers.of<client::StorageClass>()),
        decider_(plugins_with(*this), random),
        alarm_(clock),
        decided_(metrics.histogram("scheduler_scheduling_algorithm_duration_seconds", "Scheduling algorithm latency in seconds",
                                   kSeconds)),
        scheduled_(attempts(metrics, "scheduled")),
        unschedulable_(attempts(metrics, "unschedulable")),
        failed_(attempts(metrics, "error")),
        active_(pending(metrics, "active")),
        backing_off_(pending(metrics, "backoff")),
        parked_(pending(metrics, "unschedulable")) {
    nodes_.on_change([this](const Node* before, const Node* after) { node_changed(before, after); });
    pods_.on_change([this](const Pod* before, const Pod* after) { pod_changed(before, after); });
    claims_.on_change([this](const client::Claim*, const client::Claim*) {
      claims_changed_.notify_all();
      wake(kVolumeChanged);
    });
    volumes_.on_change([this](const client::Volume*, const client::Volume*) { wake(kVolumeChanged); });
    classes_.on_change([this](const client::StorageClass*, const client::StorageClass*) { wake(kVolumeChanged); });
  }

  bool idle() const override { return queue_.active() == 0 && binding_ == 0; }

  Task<Result<void>> run() override {
    co_await nodes_.core().wait_synced();
    co_await pods_.core().wait_synced();
    co_await claims_.core().wait_synced();
    co_await volumes_.core().wait_synced();
    co_await classes_.core().wait_synced();
    std::function<void()> on_alarm = [this] {
      queue_.advance(clock_.now());
      work_.notify_all();
      arm();
    };
    TaskGroup group;
    group.add("scheduler events", events_.run());
    group.add("scheduler timer", alarm_.run(std::move(on_alarm)));
    group.add("scheduler", schedule(group));
    co_return co_await group.run();
  }

 private:
  // --- VolumeView ---------------------------------------------------------------------------------------------
  Ref<const client::Claim> claim(const ObjectKey& key) const override { return claims_.find(key); }
  Ref<const client::Volume> volume(const std::string& name) const override { return volumes_.find({"", name}); }
  Ref<const client::StorageClass> storage_class(const std::string& name) const override { return classes_.find({"", name}); }
  std::vector<Ref<const client::Volume>> volumes() const override { return volumes_.list(); }

  Counter& attempts(Metrics& metrics, const char* result) {
    return metrics.counter("scheduler_schedule_attempts_total", "Number of attempts to schedule pods, by the result",
                           {{"profile", options_.name}, {"result", result}});
  }

  static Gauge& pending(Metrics& metrics, const char* queue) {
    return metrics.gauge("scheduler_pending_pods", "Number of pending pods, by the queue type", {{"queue", queue}});
  }

  // --- what the caches tell -----------------------------------------------------------------------------------
  void node_changed(const Node* before, const Node* after) {
    if (!after) {
      cluster_.remove_node(before->meta.name);
      return;
    }
    cluster_.set_node(nodes_.find(after->meta.key()));
    if (const auto bits = node_event(before, *after)) wake(bits);
  }

  void pod_changed(const Pod* before, const Pod* after) {
    const auto key = (after ? after : before)->meta.key();
    if (after && !after->node_name.empty() && !after->terminal()) {
      queue_.remove(key);
      cluster_.set_pod(pods_.find(key));
      if (!before || before->node_name.empty()) wake(kPodPlaced);
      return;
    }
    const bool was_placed = before && !before->node_name.empty() && !before->terminal();
    if (!after || after->terminal() || was_placed) {
      cluster_.remove_pod(key);
      queue_.remove(key);
      if (was_placed) wake(kPodRemoved);
      return;
    }
    if (!waits_for_us(*after, options_.name)) {
      queue_.remove(key);
      return;
    }
    if (before && waits_for_us(*before, options_.name) && !worth_another_try(*before, *after)) return;
    if (cluster_.assumed(key)) return;  // its binding is under way
    queue_.add(key, after->priority, clock_.now());
    work_.notify_all();
    arm();
  }

  void wake(uint32_t bits) {
    queue_.event(bits, clock_.now());
    work_.notify_all();
    arm();
  }
  void arm() {
    active_.set(static_cast<double>(queue_.active()));
    backing_off_.set(static_cast<double>(queue_.backing_off()));
    parked_.set(static_cast<double>(queue_.parked()));
    if (const auto next = queue_.next()) alarm_.set(*next);
  }

  // --- the loop -----------------------------------------------------------------------------------------------
  Task<void> schedule(TaskGroup& group) {
    for (int in_a_row = 0;;) {
      while (queue_.active() == 0 || binding_ >= kBindingsMax) co_await work_.wait();
      const auto key = queue_.pop();
      const auto pod = pods_.find(*key);
      if (!pod || !waits_for_us(*pod, options_.name) || cluster_.assumed(*key)) continue;
      const auto start = clock_.now();
      const auto decision = decider_.decide(cluster_, wants_of(pod));
      decided_.observe(std::chrono::duration<double>(clock_.now() - start).count());
      if (!decision.node.empty()) {
        cluster_.assume(pod, decision.node);
        ++binding_;
        group.add("bind", bind(pod, decision.node));
      } else {
        unschedulable_.add();
        queue_.park(*key, pod->priority, decision.wakes_on, start);
        arm();
        group.add("tell unschedulable", tell_unschedulable(pod, decision.message));
      }
      if (++in_a_row % kDecisionsInARow == 0) co_await boost::asio::post(boost::asio::use_awaitable);
    }
  }

  Task<void> bind(Ref<const Pod> pod, std::string node) {
    const auto key = pod->meta.key();
    // The binding may be cancelled with us: the count must go down all the same.
    struct Leave {
      SchedulerLoop& self;
      ~Leave() {
        --self.binding_;
        self.work_.notify_all();
      }
    } leave{*this};
    const auto ready = co_await bind_claims(pod, node);
    if (!ready) {
      failed_.add();
      cluster_.forget(key);
      wake(kPodRemoved);
      const auto waiting = pods_.find(key);
      if (!waiting || !waits_for_us(*waiting, options_.name)) co_return;
      events_.event(client::reference_to(Pod::resource(), pod->meta), EventType::warning, "FailedScheduling",
                    ready.error().message());
      queue_.retry(key, waiting->priority, clock_.now());
      arm();
      co_return;
    }
    const json::Value binding = json::Object{
        {"apiVersion", "v1"},
        {"kind", "Binding"},
        {"metadata", json::Object{{"name", key.name}, {"namespace", key.ns}, {"uid", pod->meta.uid}}},
        {"target", json::Object{{"kind", "Node"}, {"name", node}}}};
    const auto bound = co_await client::create_subresource(api_, Pod::resource(), key, "binding", binding);
    if (bound) {
      scheduled_.add();
      queue_.scheduled(key);
      events_.event(client::reference_to(Pod::resource(), pod->meta), EventType::normal, "Scheduled",
                    fmt::format("Successfully assigned {} to {}", key.text(), node));
      co_return;
    }
    failed_.add();
    cluster_.forget(key);
    wake(kPodRemoved);  // what was assumed of it is free again
    const auto now = pods_.find(key);
    if (bound.is(Code::not_found) || !now || !waits_for_us(*now, options_.name)) co_return;
    log_.debug("binding failed", kv("pod", key.text()), kv("node", node), kv("error", bound.error()));
    queue_.retry(key, now->priority, clock_.now());
    arm();
  }

  // Tells the pod's waiting claims the node and waits until they are bound to volumes that it reaches.
  Task<Result<void>> bind_claims(Ref<const Pod> pod, std::string node) {
    auto claims = claims_of(*pod, *this);
    if (claims.unbound.empty()) co_return Result<void>();
    for (const auto& [claim, storage] : claims.unbound) {
      if (claim->selected_node() == node) continue;
      const json::Value patch = json::Object{
          {"metadata", json::Object{{"uid", claim->meta.uid}, {"annotations", json::Object{{client::kSelectedNode, node}}}}}};
      const auto claim_key = claim->meta.key();
      const auto written = co_await client::merge(api_, client::Claim::resource(), claim_key, patch);
      if (!written) co_return written.error();
    }
    auto waiting = claims_bound(pod);
    auto limited = with_deadline<bool>(clock_, kVolumesMax, std::move(waiting));
    const auto bound = co_await std::move(limited);
    if (!bound && bound.is(Code::timeout)) co_return Error(Code::timeout, "binding volumes: context deadline exceeded");
    if (!bound) co_return bound.error();
    const auto found = nodes_.find({"", node});
    claims = claims_of(*pod, *this);
    for (const auto& volume : claims.bound)
      if (!found || !volume->nodes.match(*found)) co_return Error(Code::conflict, "a volume was bound that node {} does not reach", node);
    co_return Result<void>();
  }

  Task<Result<bool>> claims_bound(Ref<const Pod> pod) {
    for (;;) {
      const auto claims = claims_of(*pod, *this);
      if (claims.refused.empty() && claims.unbound.empty()) co_return true;
      const auto now = pods_.find(pod->meta.key());
      if (!now || now->meta.uid != pod->meta.uid || now->meta.deleted) co_return Error(Code::not_found, "the pod has gone");
      co_await claims_changed_.wait();
    }
  }

  Task<void> tell_unschedulable(Ref<const Pod> pod, std::string message) {
    events_.event(client::reference_to(Pod::resource(), pod->meta), EventType::warning, "FailedScheduling", message);
    const auto key = pod->meta.key();
    const auto object = json::parse(pod->raw.view());
    if (!object) co_return;
    json::Array conditions;
    auto transition = rfc3339(clock_.wall());
    for (const auto& condition : client::array_at(*object, {"status", "conditions"})) {
      if (json::text_at(condition, {"type"}) != "PodScheduled") {
        conditions.push_back(condition);
        continue;
      }
      if (json::text_at(condition, {"status"}) != "False") continue;
      if (json::text_at(condition, {"message"}) == message) co_return;  // it says so already
      transition = client::string_at(condition, {"lastTransitionTime"});
    }
    conditions.push_back(json::Object{{"type", "PodScheduled"},
                                      {"status", "False"},
                                      {"lastTransitionTime", transition},
                                      {"reason", "Unschedulable"},
                                      {"message", message}});
    const json::Value patch = json::Object{{"metadata", json::Object{{"uid", pod->meta.uid}}},
                                           {"status", json::Object{{"conditions", std::move(conditions)}}}};
    const auto written = co_await client::merge_status(api_, Pod::resource(), key, patch);
    if (!written) log_.debug("condition not written", kv("pod", key.text()), kv("error", written.error()));
  }

  client::Api& api_;
  Clock& clock_;
  Options options_;
  Log log_{"scheduler"};
  client::EventRecorder events_;
  Informer<Pod> pods_;
  Informer<Node> nodes_;
  Informer<client::Claim> claims_;
  Informer<client::Volume> volumes_;
  Informer<client::StorageClass> classes_;
  Signal claims_changed_;
  Cluster cluster_;
  PodQueue queue_;
  Decider decider_;
  client::Alarm alarm_;
  Signal work_;
  size_t binding_ = 0;
  Histogram& decided_;
  Counter& scheduled_;
  Counter& unschedulable_;
  Counter& failed_;
  Gauge& active_;
  Gauge& backing_off_;
  Gauge& parked_;
};
}  // namespace

std::unique_ptr<Scheduler> make_scheduler(client::Api& api, Clock& clock, Random& random, Metrics& metrics,
                                          client::Informers& informers, Options options) {
  return std::make_unique<SchedulerLoop>(api, clock, random, metrics, informers, std::move(options));
}

}  // namespace kinglet::scheduler

#include "controllers/internal/garbage_collector.h"

#include "base/signal.h"
#include "base/task.h"
#include "base/task_group.h"
#include "client/reflector.h"
#include "client/work_queue.h"
#include "client/write.h"
#include "controllers/internal/kinds.h"

namespace kinglet::controllers {
namespace {
using client::Propagation;
using Presence = OwnerGraph::Presence;
constexpr int kWorkers = 8;

// Everything that can be owned and deleted. Events own nothing and pass in great numbers.
std::vector<const schema::Resource*> collected_resources() {
  std::vector<const schema::Resource*> found;
  for (const auto* resource : schema::resources())
    if (resource->storage && resource->has_verb("list") && resource->has_verb("watch") && resource->has_verb("delete") &&
        resource->plural != "events")
      found.push_back(resource);
  return found;
}

// The queue's keys are texts.
ObjectKey key_of(const Uid& uid) { return {"", fmt::format("{:016x}{:016x}", uid.high, uid.low)}; }
Uid uid_of(const ObjectKey& key) {
  return {std::stoull(key.name.substr(0, 16), nullptr, 16), std::stoull(key.name.substr(16), nullptr, 16)};
}

class Collector final : public GarbageCollector {
 public:
  explicit Collector(const Deps& deps)
      : api_(deps.api),
        clock_(deps.clock),
        random_(deps.random),
        queue_(deps.clock, deps.random, deps.metrics, {.name = "garbage_collector_attempt_to_delete"}) {}

  bool idle() const override { return queue_.idle(); }

  Task<Result<void>> run() override {
    TaskGroup group;
    for (const auto* resource : collected_resources())
      feeds_.push_back(std::make_unique<Feed>(*this, *resource));
    for (auto& feed : feeds_) group.add("gc watch", feed->reflector.run());
    group.add("gc timer", queue_.run());
    for (int i = 0; i < kWorkers; ++i) group.add("gc", work());
    co_return co_await group.run();
  }

 private:
  // One resource's stream into the graph.
  struct Feed final : client::ReflectorSink {
    Feed(Collector& c, const schema::Resource& r)
        : collector(c), resource(r), reflector(c.api_, c.clock_, c.random_, *this, {&r, {}, {}, {}}) {}
    void list_begin() override { collector.graph_.begin_list(resource); }
    void list_item(const Bytes& object) override { collector.wake(collector.graph_.update(resource, object)); }
    void list_end(uint64_t) override {
      collector.wake(collector.graph_.end_list(resource));
      if (!std::exchange(listed, true)) collector.feed_listed();
    }
    void event(const client::WatchEvent& event) override {
      if (event.type == client::WatchEvent::Type::deleted)
        collector.wake(collector.graph_.erase(resource, event.object));
      else if (event.type != client::WatchEvent::Type::bookmark)
        collector.wake(collector.graph_.update(resource, event.object));
    }
    Collector& collector;
    const schema::Resource& resource;
    client::Reflector reflector;
    bool listed = false;
  };

  void wake(const OwnerGraph::Wake& uids) {
    for (const auto& uid : uids) queue_.add(key_of(uid));
  }
  void feed_listed() {
    for (const auto& feed : feeds_)
      if (!feed->listed) return;
    complete_ = true;
    completed_.notify_all();
  }

  Task<void> work() {
    // Orphaning and "no dependents left" are only true of a complete graph.
    while (!complete_) co_await completed_.wait();
    for (;;) {
      const auto key = co_await queue_.get();
      const auto result = co_await look_at(uid_of(key));
      if (result) {
        queue_.forget_failures(key);
      } else {
        log_.debug("garbage collection failed", kv("error", result.error()));
        queue_.add_rate_limited(key);
      }
      queue_.done(key);
    }
  }

  Task<Result<void>> look_at(Uid uid) {
    const auto* found = graph_.find(uid);
    if (!found) co_return Result<void>();
    const auto node = *found;
    if (node.deleting && !node.waits_for_dependents && !node.orphans_dependents) co_return Result<void>();
    const ObjectKey key{node.ns, node.name};
    const auto live = co_await client::get(api_, *node.resource, key);
    if (live.is(Code::not_found)) co_return Result<void>();  // the watch will tell
    if (!live) co_return live.error();
    KL_TRY(value, json::parse(live->view()));
    const auto meta = client::decode_meta(value);
    if (meta.uid != node.uid) co_return Result<void>();
    if (meta.deleted && meta.has_finalizer(kOrphan)) co_return co_await orphan_dependents(node, meta);
    if (meta.deleted && meta.has_finalizer(kForeground)) co_return co_await finish_foreground(node, meta);
    if (meta.deleted) co_return Result<void>();
    co_return co_await check_owners(node, meta);
  }

  // --- an object that wants to go after its dependents ------------------------------------------------------
  Task<Result<void>> finish_foreground(const OwnerGraph::Node& node, const Meta& meta) {
    const auto uid = Uid::of(node.uid);
    bool blocked = false;
    for (const auto* dependent : graph_.dependents(uid)) {
      if (!dependent->deleting) queue_.add(key_of(Uid::of(dependent->uid)));
      for (const auto& edge : dependent->owners) blocked = blocked || (edge.owner == uid && edge.blocks);
    }
    if (blocked) co_return Result<void>();  // each of them wakes us when it goes
    co_return co_await drop_finalizer(node, meta, kForeground);
  }

  Task<Result<void>> orphan_dependents(const OwnerGraph::Node& node, const Meta& meta) {
    std::vector<OwnerGraph::Node> dependents;
    for (const auto* dependent : graph_.dependents(Uid::of(node.uid))) dependents.push_back(*dependent);
    for (const auto& dependent : dependents) {
      const ObjectKey key{dependent.ns, dependent.name};
      const auto live = co_await client::get(api_, *dependent.resource, key);
      if (live.is(Code::not_found)) continue;
      if (!live) co_return live.error();
      KL_TRY(value, json::parse(live->view()));
      const auto dependent_meta = client::decode_meta(value);
      if (dependent_meta.uid != dependent.uid) continue;
      auto owners = dependent_meta.owners;
      std::erase_if(owners, [&](const auto& owner) { return owner.uid == node.uid; });
      KL_CHECK(co_await write_owners(dependent, dependent_meta, owners), "orphan {}", key.text());
    }
    co_return co_await drop_finalizer(node, meta, kOrphan);
  }

  Task<Result<void>> drop_finalizer(const OwnerGraph::Node& node, const Meta& meta, std::string_view finalizer) {
    json::Array kept;
    for (const auto& other : meta.finalizers)
      if (other != finalizer) kept.push_back(json::Value(other));
    const json::Value patch = json::Object{
        {"metadata", json::Object{{"resourceVersion", std::to_string(meta.revision)}, {"finalizers", std::move(kept)}}}};
    const ObjectKey key{node.ns, node.name};
    const auto written = co_await client::merge(api_, *node.resource, key, patch);
    co_return client::unless(Code::not_found, written);
  }

  // --- an object whose owners may be gone -------------------------------------------------------------------
  enum class State : uint8_t { solid, gone, waiting };

  Task<Result<State>> state_of(const client::OwnerRef& owner, const std::string& dependent_ns) {
    const auto uid = Uid::of(owner.uid);
    const auto* known = graph_.find(uid);
    const bool may_wait = known && known->waits_for_dependents;
    if (graph_.presence(uid) == Presence::absent) co_return State::gone;
    if (graph_.presence(uid) == Presence::present && !may_wait) co_return State::solid;
    const auto slash = owner.api_version.find('/');
    const auto group = slash == std::string::npos ? std::string() : owner.api_version.substr(0, slash);
    const auto version = slash == std::string::npos ? owner.api_version : owner.api_version.substr(slash + 1);
    const auto* resource = schema::find_kind(group, version, owner.kind);
    // A kind that we cannot look up is never taken for gone; nor is an owner that this object cannot have.
    if (!resource || (resource->namespaced && dependent_ns.empty())) co_return State::solid;
    const ObjectKey key{resource->namespaced ? dependent_ns : "", owner.name};
    const auto live = co_await client::get(api_, *resource, key);
    if (!live && !live.is(Code::not_found)) co_return live.error();
    if (live) {
      KL_TRY(value, json::parse(live->view()));
      const auto meta = client::decode_meta(value);
      if (meta.uid == owner.uid) {
        graph_.set_presence(uid, Presence::present);
        co_return meta.deleted && meta.has_finalizer(kForeground) ? State::waiting : State::solid;
      }
    }
    graph_.set_presence(uid, Presence::absent);
    co_return State::gone;
  }

  Task<Result<void>> check_owners(const OwnerGraph::Node& node, const Meta& meta) {
    OwnerStates states;
    std::vector<client::OwnerRef> solid;
    for (const auto& owner : meta.owners) {
      KL_TRY(state, co_await state_of(owner, meta.ns), "owner {} of {}", owner.name, node.name);
      if (state == State::solid) solid.push_back(owner);
      states.solid += state == State::solid;
      states.gone += state == State::gone;
      states.waiting += state == State::waiting;
    }
    switch (judge(states, graph_.has_dependents(Uid::of(node.uid)))) {
      case Verdict::keep:
        co_return Result<void>();
      case Verdict::drop_owners:
        co_return co_await write_owners(node, meta, solid);
      case Verdict::remove_foreground:
        co_return co_await remove(node, meta, Propagation::foreground);
      case Verdict::remove:
        // Finalizers set by a user before say how the object's own dependents shall fare.
        co_return co_await remove(node, meta,
                                  meta.has_finalizer(kOrphan)       ? Propagation::orphan
                                  : meta.has_finalizer(kForeground) ? Propagation::foreground
                                                                    : Propagation::background);
    }
    co_return Result<void>();
  }

  Task<Result<void>> write_owners(const OwnerGraph::Node& node, const Meta& meta, const std::vector<client::OwnerRef>& owners) {
    json::Array list;
    for (const auto& owner : owners) list.push_back(client::to_json(owner));
    const json::Value patch = json::Object{
        {"metadata", json::Object{{"resourceVersion", std::to_string(meta.revision)},
                                  {"ownerReferences", list.empty() ? json::Value() : json::Value(std::move(list))}}}};
    const ObjectKey key{node.ns, node.name};
    const auto written = co_await client::merge(api_, *node.resource, key, patch);
    co_return client::unless(Code::not_found, written);
  }

  Task<Result<void>> remove(const OwnerGraph::Node& node, const Meta& meta, Propagation propagation) {
    client::DeleteOptions options;
    options.propagation = propagation;
    options.uid = meta.uid;
    options.revision = meta.revision;  // somebody may be adopting it this very moment
    const ObjectKey key{node.ns, node.name};
    const auto removed = co_await client::remove_with(api_, *node.resource, key, options);
    co_return client::unless(Code::not_found, removed);
  }

  client::Api& api_;
  Clock& clock_;
  Random& random_;
  Log log_{"garbagecollector"};
  client::WorkQueue queue_;
  OwnerGraph graph_;
  std::vector<std::unique_ptr<Feed>> feeds_;
  bool complete_ = false;
  Signal completed_;
};
}  // namespace

std::unique_ptr<GarbageCollector> make_garbage_collector(const Deps& deps) {
  return std::make_unique<Collector>(deps);
}

}  // namespace kinglet::controllers

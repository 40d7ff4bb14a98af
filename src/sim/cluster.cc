#include "sim/cluster.h"

#include <boost/asio/co_spawn.hpp>
#include <cstdlib>

#include "apiserver/auth/bootstrap.h"
#include "apiserver/hooks.h"
#include "base/task.h"
#include "client/conditions.h"
#include "client/write.h"

namespace kinglet::sim {
namespace {
constexpr int64_t kStartOfTime = 1'700'000'000;
constexpr size_t kViolationsMax = 20;  // more of them tell nothing new

apiserver::User user(std::string name) {
  apiserver::User user;
  user.name = std::move(name);
  user.groups = {"system:masters", "system:authenticated"};
  return user;
}

struct Target {
  const schema::Resource* resource;
  std::string name;
};
const schema::Resource& by_plural(std::string_view plural) {
  for (const auto* resource : schema::resources())
    if (resource->plural == plural && resource->storage) return *resource;
  KL_ASSERT(false, "no resource {}", plural);
  std::abort();
}
Target target(const std::string& kind_name) {
  const auto slash = kind_name.find('/');
  KL_ASSERT(slash != std::string::npos, "'{}' is not kind/name", kind_name);
  return {&by_plural(std::string_view(kind_name).substr(0, slash)), kind_name.substr(slash + 1)};
}
}  // namespace

std::vector<uint64_t> seeds(int count) {
  if (const char* one = std::getenv("KINGLET_SIM_SEED"); one && *one) return {std::strtoull(one, nullptr, 10)};
  std::vector<uint64_t> list;
  for (int i = 1; i <= count; ++i) list.push_back(static_cast<uint64_t>(i));
  return list;
}

Cluster::Cluster(ClusterOptions options)
    : options_(std::move(options)),
      random_(make_seeded_random(options_.seed)),
      clock_(make_sim_clock(WallTime{std::chrono::seconds(kStartOfTime)})),
      metrics_(make_metrics()),
      store_(store::make_memory_store(*clock_, apiserver::index_tags)) {
  apiserver::RegistryOptions registry;
  registry.hooks = apiserver::make_hooks({});
  registry.admission = apiserver::make_admission(*clock_);
  registry_ = apiserver::make_registry(*store_, *clock_, *random_, std::move(registry));
  admin_ = apiserver::make_local_api(*registry_, nullptr, user("admin"));
  api_ = apiserver::make_local_api(*registry_, nullptr, user("system:sim"));
  informers_ = std::make_unique<client::Informers>(*api_, *clock_, *random_);
  controllers_ = controllers::make_controllers(*api_, *clock_, *random_, *metrics_, *informers_, options_.controllers);
  scheduler_ = scheduler::make_scheduler(*api_, *clock_, *random_, *metrics_, *informers_);
  nodes_ = std::make_unique<HollowNodes>(*api_, *clock_, *random_, options_.nodes);
  parts_.add("trace", follow());
  const auto ready = wait(apiserver::bootstrap_cluster(*registry_, {}));
  KL_ASSERT(ready, "bootstrap: {}", ready ? "" : ready.error().message());
  parts_.add("informers", informers_->run());
  parts_.add("controllers", controllers_->run());
  parts_.add("scheduler", scheduler_->run());
  parts_.add("nodes", nodes_->run());
}

Cluster::~Cluster() {
  if (!running_) return;
  parts_.cancel();
  for (int i = 0; running_ && i < 1000; ++i) clock_->run_until(loop_, clock_->now());
  KL_ASSERT(!running_, "the simulated parts do not unwind");
}

void Cluster::run_for(Duration time) {
  if (!running_) {
    running_ = true;
    boost::asio::co_spawn(loop_, parts_.run(), [this](std::exception_ptr thrown, Result<void> result) {
      running_ = false;
      if (thrown) failed_ = "an exception";
      if (!result) failed_ = result.error().message();
    });
  }
  clock_->run_until(loop_, clock_->now() + time);
  KL_ASSERT(!failed_, "a simulated part failed: {}; {}", *failed_, replay());
}

bool Cluster::run_until(const std::function<bool()>& done, Duration limit) {
  constexpr Duration kStep = 100ms;
  size_t seen = events_ + 1;
  for (Duration spent{}; spent < limit; spent += kStep) {
    // What is asked about is in the store: while nothing is written there the answer stays the same.
    if (std::exchange(seen, events_) != events_ && done()) return true;
    run_for(kStep);
  }
  return done();
}

namespace {
template <class T>
Task<void> keep(Task<Result<T>> task, std::optional<Result<T>>& out) {
  out.emplace(co_await std::move(task));
}
}  // namespace

template <class T>
Result<T> Cluster::wait(Task<Result<T>> task) {
  std::optional<Result<T>> out;
  parts_.add("wait", keep(std::move(task), out));
  for (int i = 0; !out && i < 100'000; ++i) run_for(1ms);
  KL_ASSERT(out, "a request does not end; {}", replay());
  return std::move(*out);
}

void Cluster::apply(const std::string& yaml) {
  const auto documents = json::parse_yaml_stream(yaml);
  KL_ASSERT(documents, "{}", documents ? "" : documents.error().message());
  for (auto object : *documents) {
    const auto api_version = client::string_at(object, {"apiVersion"}), kind = client::string_at(object, {"kind"});
    const auto slash = api_version.find('/');
    const auto* resource = slash == std::string::npos
                               ? schema::find_kind("", api_version, kind)
                               : schema::find_kind(api_version.substr(0, slash), api_version.substr(slash + 1), kind);
    KL_ASSERT(resource, "no kind {} {}", api_version, kind);
    client::ObjectKey key{client::string_at(object, {"metadata", "namespace"}), client::string_at(object, {"metadata", "name"})};
    if (resource->namespaced && key.ns.empty()) key.ns = "default";
    auto written = wait(client::create(*admin_, *resource, key.ns, object));
    if (written.is(Code::already_exists)) {
      const json::Value change = json::Object{{"spec", *json::find(object, {"spec"})}};
      written = wait(client::merge(*admin_, *resource, key, change));
    }
    KL_ASSERT(written, "apply {}: {}", key.text(), written ? "" : written.error().message());
  }
}

void Cluster::patch(const std::string& kind_name, const std::string& ns, const std::string& yaml) {
  const auto [resource, name] = target(kind_name);
  const auto change = json::parse_yaml(yaml);
  KL_ASSERT(change, "bad patch");
  const auto written = wait(client::merge(*admin_, *resource, {resource->namespaced ? ns : "", name}, *change));
  KL_ASSERT(written, "patch {}: {}", kind_name, written ? "" : written.error().message());
}

void Cluster::remove(const std::string& kind_name, const std::string& ns, client::Propagation propagation) {
  const auto [resource, name] = target(kind_name);
  const auto removed = wait(client::remove(*admin_, *resource, {resource->namespaced ? ns : "", name}, "", propagation));
  KL_ASSERT(removed, "remove {}: {}", kind_name, removed ? "" : removed.error().message());
}

json::Value Cluster::get(const std::string& kind_name, const std::string& ns) {
  const auto [resource, name] = target(kind_name);
  const auto entry = store_->find(apiserver::store_key(*resource, resource->namespaced ? ns : "", name));
  return entry ? json::parse(entry->value.view()).value() : json::Value();
}

std::vector<json::Value> Cluster::list(const std::string& plural, const std::string& ns) {
  const auto& resource = by_plural(plural);
  std::vector<json::Value> found;
  for (const auto& entry : store_->list(apiserver::store_prefix(resource, resource.namespaced ? ns : ""), {}).entries)
    found.push_back(json::parse(entry->value.view()).value());
  return found;
}

namespace {
bool is_ready(const json::Value& pod) {
  for (const auto& condition : client::array_at(pod, {"status", "conditions"}))
    if (json::text_at(condition, {"type"}) == "Ready")
      return json::text_at(condition, {"status"}) == "True" &&
             json::text_at(pod, {"metadata", "deletionTimestamp"}).empty();
  return false;
}
}  // namespace

int Cluster::ready_pods(const std::string& ns, const std::string& node) {
  int count = 0;
  for (const auto& pod : list("pods", ns))
    count += is_ready(pod) && (node.empty() || json::text_at(pod, {"spec", "nodeName"}) == node);
  return count;
}

int Cluster::endpoints(const std::string& service, const std::string& node, const std::string& ns) {
  int count = 0;
  for (const auto& slice : list("endpointslices", ns)) {
    const auto labels = client::pairs_of(json::find(slice, {"metadata", "labels"}));
    const auto* name = client::find_pair(labels, "kubernetes.io/service-name");
    if (!name || *name != service) continue;
    for (const auto& endpoint : client::array_at(slice, {"endpoints"}))
      count += json::bool_at(endpoint, {"conditions", "ready"}) &&
               (node.empty() || json::text_at(endpoint, {"nodeName"}) == node);
  }
  return count;
}

std::string Cluster::pick_node() {
  std::vector<std::string> on;
  for (const auto& name : nodes_->names())
    if (nodes_->is_on(name)) on.push_back(name);
  KL_ASSERT(!on.empty(), "no node is on");
  return on[random_->below(on.size())];
}

Task<Result<void>> Cluster::follow() {
  KL_TRY(watch, store_->watch("", store_->current()));
  for (;;) {
    KL_TRY(event, co_await watch->next());
    if (event.type != store::Event::Type::progress) note(event);
  }
}

void Cluster::note(const store::Event& event) {
  ++events_;
  const auto mix = [&](std::string_view text) {
    for (const char c : text) hash_ = (hash_ ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  };
  mix(fmt::format("{}{}{}{}", event.revision, event.type == store::Event::Type::put ? '+' : '-', event.entry->key,
                  clock_->now().since_start.count()));
  mix(event.entry->value.view());
  if (event.revision <= last_) violation(fmt::format("revision {} after {}", event.revision, last_));
  last_ = event.revision;
  if (event.entry->key.starts_with("core/pods/")) check_pod(event);
  for (const auto& checker : checkers_) checker(event);
}

// A pod is bound once, never runs on two nodes, and does not come back from an end.
void Cluster::check_pod(const store::Event& event) {
  if (event.type != store::Event::Type::put || !event.previous) return;
  const auto before = json::parse(event.previous->value.view()).value();
  const auto after = json::parse(event.entry->value.view()).value();
  if (json::text_at(before, {"metadata", "uid"}) != json::text_at(after, {"metadata", "uid"})) return;
  const auto was = json::text_at(before, {"spec", "nodeName"}), is = json::text_at(after, {"spec", "nodeName"});
  if (!was.empty() && was != is) violation(fmt::format("{} moved from {} to {}", event.entry->key, was, is));
  const auto phase = json::text_at(before, {"status", "phase"});
  if ((phase == "Succeeded" || phase == "Failed") && phase != json::text_at(after, {"status", "phase"}))
    violation(fmt::format("{} came back from {}", event.entry->key, phase));
}

void Cluster::violation(std::string text) {
  if (violations_.size() < kViolationsMax)
    violations_.push_back(fmt::format("at {:.3f} s: {}", std::chrono::duration<double>(now()).count(), text));
}

std::string Cluster::replay() const {
  std::string text = fmt::format("repeat with: ./dev sim {}", options_.seed);
  for (const auto& violation : violations_) text += "\n  " + violation;
  return text;
}

}  // namespace kinglet::sim

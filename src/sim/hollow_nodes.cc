#include "sim/hollow_nodes.h"

#include "base/task.h"
#include "client/node.h"
#include "client/write.h"

namespace kinglet::sim {
namespace {
using client::Node;
using client::ObjectKey;
using client::Pod;
using client::Ref;
constexpr Duration kRenewEvery = 10s;
constexpr Duration kRetry = 1s;
constexpr char kLeaseNamespace[] = "kube-node-lease";

const schema::Resource& leases() { return client::resource("coordination.k8s.io", "v1", "leases"); }

Duration between(Random& random, Duration low, Duration high) {
  return low + Duration(static_cast<int64_t>(static_cast<double>((high - low).count()) * random.unit()));
}
}  // namespace

HollowNodes::HollowNodes(client::Api& api, Clock& clock, Random& random, HollowOptions options)
    : api_(api),
      clock_(clock),
      random_(random),
      options_(options),
      informers_(api, clock, random),
      pods_(informers_.of<Pod>()) {
  for (int i = 1; i <= options_.nodes; ++i) names_.push_back(fmt::format("node-{:04}", i));
  pods_by_node_ = pods_.index("node", [](const Pod& pod, std::vector<std::string>& keys) {
    if (!pod.node_name.empty()) keys.push_back(pod.node_name);
  });
  pods_.on_change([this](const Pod*, const Pod* after) {
    if (after) look_at(*after);
  });
}

Task<Result<void>> HollowNodes::run() {
  group_.add("hollow informers", informers_.run());
  for (const auto& name : names_) group_.add(name, live(name));
  co_return co_await group_.run();
}

void HollowNodes::add_node(const std::string& name) {
  names_.push_back(name);
  group_.add(name, live(name));
}

void HollowNodes::power_off(const std::string& node) { off_.insert(node); }

void HollowNodes::power_on(const std::string& node) {
  off_.erase(node);
  power_.notify_all();
  for (const auto& pod : pods_.indexed(pods_by_node_, node)) look_at(*pod);
}

Task<void> HollowNodes::live(std::string node) {
  for (;;) {
    auto registered = co_await register_node(node);
    while (registered && is_on(node)) {
      const auto renewed = co_await renew_lease(node);
      const auto pause = renewed ? between(random_, kRenewEvery * 9 / 10, kRenewEvery) : kRetry;
      co_await clock_.sleep(pause);
    }
    while (!is_on(node)) co_await power_.wait();
    if (!registered) co_await clock_.sleep(kRetry);
  }
}

Task<Result<void>> HollowNodes::register_node(std::string node) {
  const ObjectKey key{"", node};
  const auto zone = fmt::format("zone-{}", std::hash<std::string>{}(node) % static_cast<size_t>(options_.zones));
  const json::Value object = json::Object{
      {"apiVersion", "v1"},
      {"kind", "Node"},
      {"metadata", json::Object{{"name", node},
                                {"labels", json::Object{{"kubernetes.io/hostname", node}, {"topology.kubernetes.io/zone", zone}}}}}};
  const auto made = co_await client::create(api_, Node::resource(), "", object);
  if (!made && !made.is(Code::already_exists)) co_return made.error();
  const auto now = rfc3339(clock_.wall());
  const json::Object amounts = {{"cpu", std::to_string(options_.cpus)},
                                {"memory", fmt::format("{}Gi", options_.memory_gib)},
                                {"pods", std::to_string(options_.pods_max)}};
  const json::Value status = json::Object{
      {"status", json::Object{{"capacity", amounts},
                              {"allocatable", amounts},
                              {"conditions", json::Array{json::Object{{"type", "Ready"},
                                                                      {"status", "True"},
                                                                      {"reason", "KubeletReady"},
                                                                      {"message", "hollow"},
                                                                      {"lastHeartbeatTime", now},
                                                                      {"lastTransitionTime", now}}}}}}};
  const auto written = co_await client::merge_status(api_, Node::resource(), key, status);
  if (!written) co_return written.error();
  co_return Result<void>();
}

Task<Result<void>> HollowNodes::renew_lease(std::string node) {
  const ObjectKey key{kLeaseNamespace, node};
  const json::Object spec = {{"holderIdentity", node}, {"leaseDurationSeconds", 40}, {"renewTime", rfc3339_micro(clock_.wall())}};
  const json::Value patch = json::Object{{"spec", spec}};
  const auto renewed = co_await client::merge(api_, leases(), key, patch);
  if (renewed) co_return Result<void>();
  if (!renewed.is(Code::not_found)) co_return renewed.error();
  const json::Value lease = json::Object{{"apiVersion", "coordination.k8s.io/v1"},
                                         {"kind", "Lease"},
                                         {"metadata", json::Object{{"name", node}, {"namespace", kLeaseNamespace}}},
                                         {"spec", spec}};
  const auto made = co_await client::create(api_, leases(), kLeaseNamespace, lease);
  if (!made) co_return made.error();
  co_return Result<void>();
}

void HollowNodes::look_at(const Pod& pod) {
  if (pod.node_name.empty() || !is_on(pod.node_name) || busy_.contains(pod.meta.uid)) return;
  const auto shared = pods_.find(pod.meta.key());
  if (!shared) return;
  if (pod.meta.deleted) {
    busy_.insert(pod.meta.uid);
    group_.add("stop pod", stop_pod(shared));
  } else if (!pod.terminal() && !(pod.phase == Pod::Phase::running && pod.ready)) {
    busy_.insert(pod.meta.uid);
    group_.add("start pod", start_pod(shared));
  }
}

json::Value HollowNodes::running_status(const Pod& pod, bool ready) {
  std::string ip;
  if (!pod.ips.empty()) {
    ip = pod.ips.front();
  } else {
    ++next_address_;
    ip = fmt::format("10.{}.{}.{}", 42 + next_address_ / 65536 % 200, next_address_ / 256 % 256, next_address_ % 256);
  }
  const auto now = rfc3339(clock_.wall());
  json::Array conditions;
  for (const char* type : {"PodScheduled", "Initialized", "ContainersReady", "Ready"})
    conditions.push_back(json::Object{{"type", type},
                                      {"status", ready || type[0] == 'P' || type[0] == 'I' ? "True" : "False"},
                                      {"lastTransitionTime", now}});
  return json::Object{{"metadata", json::Object{{"uid", pod.meta.uid}}},
                      {"status", json::Object{{"phase", "Running"},
                                              {"podIP", ip},
                                              {"podIPs", json::Array{json::Object{{"ip", ip}}}},
                                              {"startTime", now},
                                              {"conditions", std::move(conditions)}}}};
}

Task<void> HollowNodes::start_pod(Ref<const Pod> pod) {
  const bool broken = pod->raw.view().find("\"image\":\"broken\"") != std::string_view::npos ||
                      (options_.never_ready_share > 0 && random_.unit() < options_.never_ready_share);
  const auto pause = between(random_, options_.start_min, options_.start_max);
  co_await clock_.sleep(pause);
  const auto key = pod->meta.key();
  auto now = pods_.find(key);
  if (is_on(pod->node_name) && now && now->meta.uid == pod->meta.uid && !now->meta.deleted &&
      !(broken && now->phase == Pod::Phase::running)) {
    const auto status = running_status(*now, !broken);
    const auto written = co_await client::merge_status(api_, Pod::resource(), key, status);
    (void)written;  // gone, or changed: the watch tells, and we look again
  }
  if (broken) co_await clock_.sleep(5min);
  const char* end = pod->raw.view().find("\"image\":\"completes\"") != std::string_view::npos ? "Succeeded"
                    : pod->raw.view().find("\"image\":\"fails\"") != std::string_view::npos   ? "Failed"
                                                                                              : nullptr;
  if (end) co_await end_pod(pod, end);
  busy_.erase(pod->meta.uid);
  now = pods_.find(key);
  if (now && now->meta.deleted) look_at(*now);
}

// A pod that ends by itself, unless it was told to go before.
Task<void> HollowNodes::end_pod(Ref<const Pod> pod, const char* phase) {
  const auto pause = between(random_, options_.start_min, options_.start_max);
  co_await clock_.sleep(pause);
  const auto key = pod->meta.key();
  const auto now = pods_.find(key);
  if (!is_on(pod->node_name) || !now || now->meta.uid != pod->meta.uid || now->meta.deleted || now->terminal()) co_return;
  const json::Value status = json::Object{{"metadata", json::Object{{"uid", pod->meta.uid}}},
                                          {"status", json::Object{{"phase", phase}, {"conditions", nullptr}}}};
  const auto written = co_await client::merge_status(api_, Pod::resource(), key, status);
  (void)written;  // gone: nobody asks any more
}

Task<void> HollowNodes::stop_pod(Ref<const Pod> pod) {
  const auto grace = std::chrono::seconds(pod->meta.deletion_grace_seconds.value_or(0));
  const auto pause = between(random_, Duration::zero(), std::min<Duration>(grace, options_.stop_max));
  co_await clock_.sleep(pause);
  const auto key = pod->meta.key();
  if (is_on(pod->node_name)) {
    client::DeleteOptions options;
    options.grace_seconds = 0;
    options.uid = pod->meta.uid;
    const auto removed = co_await client::remove_with(api_, Pod::resource(), key, options);
    (void)removed;
  }
  busy_.erase(pod->meta.uid);
}

}  // namespace kinglet::sim

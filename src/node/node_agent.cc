#include "node/node_agent.h"

#include <set>

#include "api/coordination.h"
#include "base/deadline.h"
#include "base/task.h"
#include "node/image_keeper.h"
#include "node/static_pods.h"
#include "schema/structs.h"

namespace kinglet::node {
namespace {

// Source: kubelet's defaults (http.md section 12): lease 40 s renewed every 10 s; status on change, else every 5 min.
constexpr int kLeaseSeconds = 40;
constexpr Duration kLeaseRenew = 10s, kLeaseRetry = 1s;
constexpr Duration kStatusCheck = 10s, kStatusHeartbeat = 5min;
constexpr Duration kReadyWaitMax = 3s;  // with the first status, for a node that would be Ready at once
constexpr Duration kRegisterRetryFirst = 100ms, kRegisterRetryMax = 7s;
constexpr Duration kLogRotation = 30s;
constexpr size_t kImagesMax = 50;  // in the Node's status, as upstream
constexpr const char* kLeaseNamespace = "kube-node-lease";

}  // namespace

const schema::Resource& LocalPod::resource() { return schema::resource_of<api::Pod>(); }

NodeAgent::NodeAgent(const PodParts& parts, client::Informer<LocalPod> pods, NodeIdentity identity, HostFacts facts)
    : parts_(parts),
      pods_(pods),
      identity_(std::move(identity)),
      facts_(std::move(facts)),
      tasks_(TaskGroup::WhenEmpty::keep_open) {
  pods_.on_change([this](const LocalPod* before, const LocalPod* after) { pod_changed(before, after); });
}

NodeAgent::~NodeAgent() = default;

Task<Result<void>> NodeAgent::run() {
  tasks_.add("runtime", start_runtime());
  tasks_.add("registration", keep_registered());
  co_return co_await tasks_.run();
}

Task<Result<void>> NodeAgent::start_runtime() {
  KL_CHECK(co_await parts_.runtime.recover(), "adopt running containers");
  // Before any pod asks for them: a pod that found its image missing would go to a registry that is perhaps not there.
  auto importing = import_archives(parts_.runtime.images(), parts_.images_dir);
  co_await std::move(importing);
  runtime_ready_ = true;
  tasks_.add("container ends", follow_containers());
  tasks_.add("log rotation", rotate_logs());
  sync_static_pods();  // or what runs of them would be taken for orphans
  tasks_.add("node pressure", watch_pressure());
  tasks_.add("static pods", follow_static_pods());
  tasks_.add("orphans", remove_orphans());
  tasks_.add("image collection", keep_disk_free(parts_.runtime.images(), parts_.clock, parts_.images_dir));
  // Pods that the watch brought before the runtime was ready.
  for (const auto& pod : pods_.list()) pod_changed(nullptr, pod.get());
  ready_.notify_all();
  co_return co_await parts_.runtime.run();
}

Task<void> NodeAgent::follow_containers() {
  for (;;) {
    const auto event = co_await parts_.runtime.next_event();
    for (auto& [uid, worker] : workers_)
      if (worker->sandbox_id() == event.sandbox_id) worker->container_ended();
  }
}

Task<void> NodeAgent::rotate_logs() {
  for (;;) {
    co_await parts_.clock.sleep(kLogRotation);
    if (workers_.empty()) continue;
    const auto rotated = co_await parts_.runtime.rotate_logs();
    if (!rotated) log_.warn("logs not rotated", kv("error", rotated.error()));
  }
}

void NodeAgent::pod_changed(const LocalPod* before, const LocalPod* after) {
  if (!runtime_ready_) return;
  if (after == nullptr) {
    const auto mirror = mirrors_.find({before->meta.ns, before->meta.name});
    if (mirror != mirrors_.end() && mirror->second.uid == before->meta.uid) mirrors_.erase(mirror);
    const auto found = workers_.find(before->meta.uid);
    if (found != workers_.end()) found->second->removed();
    return;
  }
  if (before != nullptr && before->meta.uid != after->meta.uid) {
    const auto old = workers_.find(before->meta.uid);
    if (old != workers_.end()) old->second->removed();
  }
  auto pod = schema::parse<api::Pod>(after->raw);
  if (!pod) {
    log_.error("pod not understood", kv("pod", after->meta.key().text()), kv("error", pod.error()));
    return;
  }
  if (is_mirror(*pod)) {
    mirrors_[{pod->metadata.namespace_, pod->metadata.name}] = {
        pod->metadata.uid, pod->metadata.annotations[kConfigMirror], pod->metadata.deletionTimestamp.has_value()};
    return;
  }
  const auto found = workers_.find(after->meta.uid);
  if (found != workers_.end())
    found->second->update(*std::move(pod));
  else
    start_worker(*std::move(pod));
}

void NodeAgent::start_worker(api::Pod pod) {
  const std::string uid = pod.metadata.uid;
  by_name_[{pod.metadata.namespace_, pod.metadata.name}] = uid;
  workers_[uid] = std::make_unique<PodWorker>(parts_, std::move(pod));
  tasks_.add("pod " + uid, run_worker(uid));
}

Task<void> NodeAgent::run_worker(std::string uid) {
  PodWorker& worker = *workers_.at(uid);
  const auto ended = co_await worker.run();
  if (!ended) log_.error("pod worker ended", kv("pod", uid), kv("error", ended.error()));
  const std::pair key(worker.pod().metadata.namespace_, worker.pod().metadata.name);
  if (const auto found = by_name_.find(key); found != by_name_.end() && found->second == uid) by_name_.erase(found);
  workers_.erase(uid);
}

// What was left of pods that went while nobody was here to see it.
Task<void> NodeAgent::remove_orphans() {
  co_await pods_.core().wait_synced();
  std::set<std::string> known;
  for (const auto& pod : pods_.list()) known.insert(pod->meta.uid);
  for (const auto& [uid, worker] : workers_) known.insert(uid);
  for (const auto& sandbox : parts_.runtime.sandboxes()) {
    const std::string uid = sandbox.config.pod_uid;
    if (known.count(uid)) continue;
    log_.info("removing what is left of a pod that is gone", kv("pod", sandbox.config.pod_name));
    const auto removed = co_await parts_.runtime.remove_sandbox(sandbox.id);
    const auto detached = co_await parts_.network.detach(uid);
    const auto emptied = co_await parts_.volumes.remove(uid);
    for (const auto* result : {&removed, &detached, &emptied})
      if (!*result) log_.warn("leftover not removed", kv("pod", uid), kv("error", result->error()));
  }
}

Task<void> NodeAgent::keep_registered() {
  Duration pause = kRegisterRetryFirst;
  for (;;) {
    const auto registered = co_await register_node();
    if (registered) break;
    log_.warn("not registered yet", kv("error", registered.error()));
    co_await parts_.clock.sleep(pause);
    pause = std::min(pause * 2, kRegisterRetryMax);
  }
  tasks_.add("lease", keep_lease());
  while (!runtime_ready_) co_await ready_.wait();
  auto ready = both_ready();
  auto waiting = with_deadline(parts_.clock, kReadyWaitMax, std::move(ready));
  (void)co_await std::move(waiting);  // if not: the status says what is missing
  for (;;) {
    const bool heartbeat = !written_ || parts_.clock.now() - written_at_ >= kStatusHeartbeat;
    const auto written = co_await write_status(heartbeat);
    if (!written) log_.warn("node status not written", kv("error", written.error()));
    // A node that was deleted under us registers again: that is how an operator asks for it.
    if (written.is(Code::not_found)) {
      const auto again = co_await register_node();
      if (again) continue;
    }
    auto next = announced();
    auto pausing = with_deadline(parts_.clock, kStatusCheck, std::move(next));
    (void)co_await std::move(pausing);
  }
}

Task<Result<void>> NodeAgent::announced() {
  while (!announce_due_) co_await announce_.wait();
  announce_due_ = false;
  written_.reset();
  co_return Result<void>();
}

void NodeAgent::announce(const std::string& address) {
  if (!address.empty()) identity_.ip = address;
  announce_due_ = true;
  announce_.notify_all();
}

Task<Result<void>> NodeAgent::both_ready() {
  while (!runtime_ready_ || !network_ready_) co_await ready_.wait();
  co_return Result<void>();
}

void NodeAgent::network_ready() {
  network_ready_ = true;
  ready_.notify_all();
}

Task<Result<void>> NodeAgent::register_node() {
  api::Node node = make_node(identity_, facts_);
  const auto& nodes = schema::resource_of<api::Node>();
  written_.reset();
  std::string text = schema::to_text(node);
  const client::WriteOptions plain;
  auto created_task = parts_.api.create(nodes, "", std::move(text), plain, "", "");
  const auto created = co_await std::move(created_task);
  if (created) {
    KL_TRY(stored, schema::parse<api::Node>(*created));
    node_uid_ = stored.metadata.uid;
    co_return Result<void>();
  }
  if (!created.is(Code::already_exists)) co_return created.error();
  const auto existing = co_await parts_.api.get(nodes, "", identity_.name);
  if (!existing) co_return existing.error();
  KL_TRY(stored, schema::parse<api::Node>(*existing));
  node_uid_ = stored.metadata.uid;
  if (!reconcile_labels(stored, identity_, facts_)) co_return Result<void>();
  json::Object labels;
  for (const auto& [key, value] : stored.metadata.labels) labels[key] = value;
  json::Object metadata, patch;
  metadata["labels"] = std::move(labels);
  patch["metadata"] = std::move(metadata);
  std::string change = json::print(json::Value(std::move(patch)));
  auto patched_task = parts_.api.patch(nodes, "", identity_.name, client::PatchType::merge, std::move(change), plain, "");
  const auto patched = co_await std::move(patched_task);
  if (!patched) co_return patched.error();
  co_return Result<void>();
}

Task<Result<void>> NodeAgent::write_status(bool heartbeat) {
  const auto& nodes = schema::resource_of<api::Node>();
  api::Node node;
  if (written_) {
    node = *written_;
  } else {
    const auto stored = co_await parts_.api.get(nodes, "", identity_.name);
    if (!stored) co_return stored.error();
    KL_TRY(parsed, schema::parse<api::Node>(*stored));
    node = std::move(parsed);
  }
  NodeHealth health;
  health.runtime_ready = runtime_ready_;
  health.network_ready = network_ready_;
  health.memory_pressure = short_since(memory_short_at_);
  health.disk_pressure = short_since(disk_short_at_);
  if (!runtime_ready_)
    health.message = "container runtime is starting";
  else if (!network_ready_)
    health.message = "the node has no pod network yet: spec.podCIDR is not set";
  update_node_status(node, identity_, facts_, health, images(), parts_.clock.wall(), heartbeat);
  if (written_ && node.status == written_->status) co_return Result<void>();
  json::Object patch;
  patch["status"] = schema::to_json(node.status);
  // Conditions of others (pressure set by hand, cloud controllers) stay: ours are merged in by type.
  std::string text = json::print(json::Value(std::move(patch)));
  const client::WriteOptions plain;
  auto patched_task = parts_.api.patch(nodes, "", identity_.name, client::PatchType::strategic,
                                                 std::move(text), plain, "status");
  const auto patched = co_await std::move(patched_task);
  if (!patched) {
    written_.reset();
    co_return patched.error();
  }
  written_ = std::move(node);
  written_at_ = parts_.clock.now();
  co_return Result<void>();
}

std::vector<api::ContainerImage> NodeAgent::images() const {
  std::vector<api::ContainerImage> out;
  for (const auto& image : parts_.runtime.images().list()) {
    if (out.size() == kImagesMax) break;
    api::ContainerImage item;
    item.names = image.digests;
    item.names.insert(item.names.end(), image.tags.begin(), image.tags.end());
    item.sizeBytes = static_cast<int64_t>(image.size_bytes);
    out.push_back(std::move(item));
  }
  return out;
}

Task<void> NodeAgent::keep_lease() {
  for (;;) {
    const auto renewed = co_await renew_lease();
    if (!renewed) log_.warn("lease not renewed", kv("error", renewed.error()));
    co_await parts_.clock.sleep(renewed ? kLeaseRenew : kLeaseRetry);
  }
}

Task<Result<void>> NodeAgent::renew_lease() {
  const auto& leases = schema::resource_of<api::Lease>();
  const client::WriteOptions plain;
  if (lease_made_) {
    std::string patch =
        fmt::format(R"({{"spec":{{"renewTime":"{}"}}}})", rfc3339_micro(parts_.clock.wall()));
    auto patched_task = parts_.api.patch(leases, kLeaseNamespace, identity_.name,
                                                   client::PatchType::merge, std::move(patch), plain, "");
    const auto patched = co_await std::move(patched_task);
    if (patched) co_return Result<void>();
    if (!patched.is(Code::not_found)) co_return patched.error();
  }
  api::Lease lease;
  lease.metadata.name = identity_.name;
  lease.metadata.namespace_ = kLeaseNamespace;
  lease.spec.holderIdentity = identity_.name;
  lease.spec.leaseDurationSeconds = kLeaseSeconds;
  lease.spec.renewTime = parts_.clock.wall();
  api::OwnerReference owner;
  owner.apiVersion = "v1";
  owner.kind = "Node";
  owner.name = identity_.name;
  owner.uid = node_uid_;
  lease.metadata.ownerReferences.push_back(owner);
  std::string text = schema::to_text(lease);
  auto created_task = parts_.api.create(leases, kLeaseNamespace, std::move(text), plain, "", "");
  const auto created = co_await std::move(created_task);
  if (!created && !created.is(Code::already_exists)) co_return created.error();
  lease_made_ = true;
  co_return Result<void>();
}

const PodWorker* NodeAgent::find(const std::string& ns, const std::string& name) const {
  const auto found = by_name_.find({ns, name});
  if (found == by_name_.end()) return nullptr;
  const auto worker = workers_.find(found->second);
  return worker == workers_.end() ? nullptr : worker->second.get();
}

std::vector<const PodWorker*> NodeAgent::workers() const {
  std::vector<const PodWorker*> out;
  for (const auto& [uid, worker] : workers_) out.push_back(worker.get());
  return out;
}

void NodeAgent::refresh_volumes(const std::string& ns) {
  for (const auto& [uid, worker] : workers_)
    if (worker->pod().metadata.namespace_ == ns) worker->refresh_volumes();
}

}  // namespace kinglet::node

// The agent's half of static pods: workers for manifests, mirrors in the API for workers.
#include "base/task.h"
#include "node/node_agent.h"
#include "node/static_pods.h"
#include "schema/structs.h"

namespace kinglet::node {
namespace {
// Source: kubelet's fileCheckFrequency. While something is still to be done, sooner.
constexpr Duration kManifestsEvery = 20s, kManifestsSoon = 1s;
}  // namespace

Task<void> NodeAgent::follow_static_pods() {
  for (;;) {
    const bool pods_pending = sync_static_pods();
    const bool mirrors_pending = co_await sync_mirrors();
    co_await parts_.clock.sleep(pods_pending || mirrors_pending ? kManifestsSoon : kManifestsEvery);
  }
}

bool NodeAgent::sync_static_pods() {
  const auto files = make_system_files();
  std::map<std::string, std::string> complaints;
  auto wanted = read_static_pods(
      *files, parts_.manifests_dir, identity_.name,
      [&](const std::string& file, const Error& error) { complaints[file] = error.message(); });
  for (const auto& [file, text] : complaints)
    if (complaints_[file] != text)
      log_.warn("static pod not understood", kv("file", file), kv("error", text));
  complaints_ = std::move(complaints);
  std::map<std::string, api::Pod> by_uid;
  for (auto& [file, pod] : wanted) by_uid.emplace(pod.metadata.uid, std::move(pod));
  bool pending = false;
  for (const auto& [uid, worker] : workers_) {
    if (!is_static(worker->pod()) || by_uid.count(uid) || worker->pod().metadata.deletionTimestamp)
      continue;
    api::Pod gone = worker->pod();
    const auto grace = std::chrono::seconds(gone.spec.terminationGracePeriodSeconds.value_or(30));
    gone.metadata.deletionTimestamp = WallTime{parts_.clock.wall().since_epoch + grace};
    worker->update(std::move(gone));
    pending = true;
  }
  for (auto& [uid, pod] : by_uid) {
    if (workers_.count(uid)) continue;
    // A new version waits until the old one has gone: the two would want the same ports and files.
    pending = pending || by_name_.count({pod.metadata.namespace_, pod.metadata.name}) > 0;
    if (!by_name_.count({pod.metadata.namespace_, pod.metadata.name})) {
      start_worker(std::move(pod));
      pending = true;  // its mirror is to be made
    }
  }
  return pending;
}

Task<bool> NodeAgent::sync_mirrors() {
  bool any = !mirrors_.empty();
  for (const auto& [uid, worker] : workers_) any = any || is_static(worker->pod());
  if (!any || node_uid_.empty()) co_return any;
  bool pending = false;
  // Mirrors of nothing, of an older version, or that somebody deleted: the last go so that new ones
  // can come.
  const auto mirrors = mirrors_;
  for (const auto& [key, mirror] : mirrors) {
    const auto worker = workers_.find(mirror.hash);
    const bool right =
        worker != workers_.end() && is_static(worker->second->pod()) && !mirror.deleting;
    if (right) {
      worker->second->set_mirror(mirror.uid);
      continue;
    }
    auto removing = remove_mirror(key.first, key.second, mirror.uid);
    const auto removed = co_await std::move(removing);
    if (!removed)
      log_.warn("mirror pod not removed", kv("pod", key.second), kv("error", removed.error()));
    pending = true;
  }
  std::vector<api::Pod> missing;
  for (const auto& [uid, worker] : workers_) {
    const auto& pod = worker->pod();
    if (!is_static(pod) || pod.metadata.deletionTimestamp) continue;
    if (!mirrors_.count({pod.metadata.namespace_, pod.metadata.name}))
      missing.push_back(mirror_of(pod, node_uid_));
  }
  for (const auto& pod : missing) {
    std::string text = schema::to_text(pod);
    const client::WriteOptions plain;
    auto creating = parts_.api.create(schema::resource_of<api::Pod>(), pod.metadata.namespace_,
                                      std::move(text), plain, "", "");
    const auto created = co_await std::move(creating);
    pending = true;
    if (!created && !created.is(Code::already_exists) && !created.is(Code::unavailable))
      log_.warn("mirror pod not created", kv("pod", pod.metadata.name),
                kv("error", created.error()));
  }
  co_return pending;
}

Task<Result<void>> NodeAgent::remove_mirror(std::string ns, std::string name, std::string uid) {
  client::DeleteOptions options;
  options.grace_seconds = 0;
  options.uid = uid;
  auto removing = parts_.api.remove(schema::resource_of<api::Pod>(), ns, name, options);
  const auto removed = co_await std::move(removing);
  if (!removed && !removed.is(Code::not_found) && !removed.is(Code::conflict))
    co_return removed.error();
  co_return Result<void>();
}

}  // namespace kinglet::node

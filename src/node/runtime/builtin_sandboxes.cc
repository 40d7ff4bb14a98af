#include <unistd.h>

#include <filesystem>

#include "node/runtime/builtin_runtime.h"
#include "node/runtime/container_prepare.h"

namespace kinglet::runtime {
namespace {
// A killed process leaves its cgroup a moment after its parent has heard of its end.
constexpr int kCgroupTries = 50;
constexpr Duration kCgroupPause = std::chrono::milliseconds(10);

Result<void> check(const SandboxConfig& config) {
  if (!config.host_network && config.netns_path.empty())
    return Error(Code::invalid, "the sandbox has no network namespace");
  if (config.hostname.size() > 64) return Error(Code::invalid, "host name \"{}\" is longer than 64", config.hostname);
  if (config.share_processes && !config.host_pid)
    return Error(Code::invalid, "shareProcessNamespace is not built yet in this version");
  if (!config.cgroup_parent.starts_with('/') || config.cgroup_parent.find("..") != std::string::npos)
    return Error(Code::invalid, "cgroup \"{}\" is not an absolute path", config.cgroup_parent);
  return {};
}
}  // namespace

Result<void> BuiltinRuntime::save(const SandboxRecord& record) const {
  return write_record(paths_.sandbox_record(record.id), print_record(record));
}

Task<Result<std::string>> BuiltinRuntime::create_sandbox(SandboxConfig config) {
  auto making = make_sandbox(std::move(config));
  co_return co_await to_the_end<std::string>(std::move(making));
}

Task<Result<std::string>> BuiltinRuntime::make_sandbox(SandboxConfig config) {
  if (config.cgroup_parent.empty()) config.cgroup_parent = options_.cgroup_root + "/pod" + config.pod_uid;
  KL_CHECK(check(config));
  SandboxRecord record;
  record.id = random_.hex(32);
  record.epoch = epoch_;
  record.created = clock_.wall();
  record.config = config;
  KL_CHECK(save(record), "sandbox");
  const std::string id = record.id;
  sandboxes_[id].record = record;
  auto made = cgroups_->make(config.cgroup_parent, config.resources);
  if (made) {
    std::function<Result<void>()> job = [input = SandboxFiles{paths_, id, config}] { return prepare_sandbox(input); };
    made = co_await on_worker(std::move(job));
  }
  if (made) {
    record.phase = SandboxRecord::Phase::ready;
    made = save(record);
  }
  if (!made) {
    const auto removed = co_await take_sandbox_down(id);
    if (!removed) log_.warn("half-made sandbox not removed", kv("sandbox", id), kv("error", removed.error()));
    co_return std::move(made.error()).with_context("create sandbox");
  }
  sandboxes_[id].record = std::move(record);
  co_return id;
}

Task<Result<void>> BuiltinRuntime::remove_sandbox(std::string id) {
  co_return co_await to_the_end<void>(take_sandbox_down(std::move(id)));
}

Task<Result<void>> BuiltinRuntime::take_sandbox_down(std::string id) {
  auto found = sandboxes_.find(id);
  if (found == sandboxes_.end()) co_return Result<void>();
  found->second.record.phase = SandboxRecord::Phase::removing;
  const SandboxRecord record = found->second.record;
  KL_CHECK(save(record));
  std::vector<std::string> inside;
  for (const auto& [container_id, container] : containers_)
    if (container->record.sandbox_id == id) inside.push_back(container_id);
  for (const auto& container_id : inside) KL_CHECK(co_await take_container_down(container_id), "remove sandbox");
  std::function<Result<void>()> job = [paths = paths_, id] { return discard_sandbox(paths, id); };
  KL_CHECK(co_await on_worker(std::move(job)), "remove sandbox");
  // Another sandbox of the same pod may live there already: a pod whose sandbox was lost gets a new one.
  const bool shared = std::any_of(sandboxes_.begin(), sandboxes_.end(), [&](const auto& other) {
    return other.first != id && other.second.record.config.cgroup_parent == record.config.cgroup_parent;
  });
  if (!shared) {
    const auto removed = co_await remove_cgroup(record.config.cgroup_parent);
    if (!removed) log_.warn("cgroup not removed", kv("sandbox", id), kv("error", removed.error()));
  }
  ::unlink(paths_.sandbox_record(id).c_str());
  sandboxes_.erase(id);
  co_return Result<void>();
}

Task<Result<void>> BuiltinRuntime::remove_cgroup(std::string path) {
  for (int i = 0;; ++i) {
    auto removed = cgroups_->remove(path);
    if (removed || i >= kCgroupTries) co_return removed;
    co_await clock_.sleep(kCgroupPause);
  }
}

std::vector<SandboxStatus> BuiltinRuntime::sandboxes() const {
  std::vector<SandboxStatus> out;
  for (const auto& [id, sandbox] : sandboxes_)
    out.push_back({id, sandbox.record.phase == SandboxRecord::Phase::ready && sandbox.record.epoch == epoch_,
                   sandbox.record.created, sandbox.record.config});
  return out;
}

}  // namespace kinglet::runtime

#include "node/internal/container_start.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "base/task.h"
#include "node/container_build.h"
#include "node/container_env.h"

namespace kinglet::node {
namespace {

constexpr size_t kTerminationBytesMax = 4096;  // kubelet's limit
constexpr size_t kFallbackLogBytesMax = 2048;

// Every object that the environment refers to, fetched before anything is decided.
class Fetched final : public ConfigSource {
 public:
  const api::ConfigMap* config_map(const std::string& name) const override { return find(maps_, name); }
  const api::Secret* secret(const std::string& name) const override { return find(secrets_, name); }

  Task<Result<void>> fetch(const PodParts& parts, std::string ns, api::Container container) {
    std::vector<std::string> maps, secrets;
    for (const auto& from : container.envFrom) {
      if (from.configMapRef) maps.push_back(from.configMapRef->name);
      if (from.secretRef) secrets.push_back(from.secretRef->name);
    }
    for (const auto& variable : container.env) {
      if (!variable.valueFrom) continue;
      if (variable.valueFrom->configMapKeyRef) maps.push_back(variable.valueFrom->configMapKeyRef->name);
      if (variable.valueFrom->secretKeyRef) secrets.push_back(variable.valueFrom->secretKeyRef->name);
    }
    for (const auto& name : maps) {
      auto got = co_await parts.config.config_map(ns, name);
      if (!got && !got.is(Code::not_found)) co_return std::move(got.error());
      if (got) maps_.emplace(name, *std::move(got));
    }
    for (const auto& name : secrets) {
      auto got = co_await parts.config.secret(ns, name);
      if (!got && !got.is(Code::not_found)) co_return std::move(got.error());
      if (got) secrets_.emplace(name, *std::move(got));
    }
    co_return Result<void>();
  }

 private:
  template <class T>
  static const T* find(const std::map<std::string, T>& map, const std::string& name) {
    const auto found = map.find(name);
    return found == map.end() ? nullptr : &found->second;
  }
  std::map<std::string, api::ConfigMap> maps_;
  std::map<std::string, api::Secret> secrets_;
};

// subPathExpr with the container's environment becomes subPath.
Result<void> expand_sub_paths(api::Container& container, const std::vector<std::string>& env) {
  std::map<std::string, std::string> values;
  for (const auto& line : env) values[line.substr(0, line.find('='))] = line.substr(line.find('=') + 1);
  for (auto& mount : container.volumeMounts) {
    if (mount.subPathExpr.empty()) continue;
    mount.subPath = expand(std::exchange(mount.subPathExpr, ""), values);
    if (mount.subPath.empty() || mount.subPath.find("$(") != std::string::npos)
      return Error(Code::invalid, "failed to expand subPath for volumeMount \"{}\"", mount.name);
    if (mount.subPath[0] == '/' || ("/" + mount.subPath + "/").find("/../") != std::string::npos)
      return Error(Code::invalid, "invalid subPath of volumeMount \"{}\": it leads out of the volume", mount.name);
  }
  return {};
}

// So that whoever looks it up in the pod finds this form of it; a debugging container is not among the main ones.
void put_container(api::Pod& pod, const api::Container& container) {
  for (auto* list : {&pod.spec.containers, &pod.spec.initContainers})
    for (auto& have : *list)
      if (have.name == container.name) {
        have = container;
        return;
      }
  pod.spec.containers.push_back(container);
}

// The container whose processes a debugging container wants to see.
std::string target_of(const PodParts& parts, const api::Pod& pod, const std::string& name, const std::string& sandbox_id) {
  std::string target;
  for (const auto& ephemeral : pod.spec.ephemeralContainers)
    if (ephemeral.name == name) target = ephemeral.targetContainerName;
  if (target.empty()) return "";
  for (const auto& container : parts.runtime.containers())
    if (container.sandbox_id == sandbox_id && container.name == target &&
        container.state == runtime::ContainerState::running)
      return container.id;
  return "";
}

Started failed(std::string reason, std::string message) {
  Started out;
  out.events.push_back({client::EventType::warning, "Failed", "Error: " + message});
  out.reason = std::move(reason);
  out.message = std::move(message);
  return out;
}

std::string termination_path(const PodParts& parts, const std::string& uid, const std::string& container,
                             int attempt) {
  return fmt::format("{}/{}/{}-{}", parts.state_dir, uid, container, attempt);
}

// An empty file that the container may write its last words to.
Result<std::string> make_termination_file(const PodParts& parts, const std::string& uid,
                                          const std::string& container, int attempt) {
  const std::string path = termination_path(parts, uid, container, attempt);
  std::error_code bad;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), bad);
  FILE* file = std::fopen(path.c_str(), "we");
  if (file == nullptr) return errno_error(errno, path);
  std::fclose(file);
  ::chmod(path.c_str(), 0666);  // any user of the container may write it
  return path;
}

// The last bytes of a file.
std::string tail_of(const std::string& path, size_t bytes_max) {
  FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return "";
  std::fseek(file, 0, SEEK_END);
  const long size = std::ftell(file);
  std::fseek(file, std::max(0L, size - static_cast<long>(bytes_max)), SEEK_SET);
  std::string text(bytes_max, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  return text;
}

// CRI log lines without their time, stream and tag.
std::string plain_log(const std::string& cri) {
  std::string out;
  size_t at = 0;
  while (at < cri.size()) {
    const size_t end = std::min(cri.find('\n', at), cri.size());
    size_t text = at;
    for (int field = 0; field < 3 && text != std::string::npos; ++field) {
      text = cri.find(' ', text);
      if (text != std::string::npos) ++text;
    }
    if (text != std::string::npos && text <= end) out += cri.substr(text, end - text) + "\n";
    at = end + 1;
  }
  return out;
}

}  // namespace

Task<Started> start_container(const PodParts& parts, api::Pod pod, api::Container container, std::string sandbox_id,
                              int attempt) {
  Fetched config;
  auto fetched_task = config.fetch(parts, pod.metadata.namespace_, container);
  const auto fetched = co_await std::move(fetched_task);
  if (!fetched) co_return failed("CreateContainerConfigError", fetched.error().message());
  const std::vector<api::Service> services = parts.config.services(pod.metadata.namespace_);
  std::vector<const api::Service*> visible;
  for (const auto& service : services) visible.push_back(&service);
  std::string pod_ip;
  for (const auto& sandbox : parts.runtime.sandboxes())
    if (sandbox.id == sandbox_id && sandbox.config.labels.count("ip")) pod_ip = sandbox.config.labels.at("ip");
  if (pod.spec.hostNetwork) pod_ip = parts.node_ip;
  auto env = container_env({pod, container, config, visible, pod_ip, parts.node_ip, parts.node_cpu_milli,
                            parts.node_memory_bytes});
  if (!env) co_return failed("CreateContainerConfigError", env.error().message());
  const auto expanded = expand_sub_paths(container, *env);
  if (!expanded) co_return failed("CreateContainerConfigError", expanded.error().message());
  put_container(pod, container);
  auto mounts_task = parts.volumes.mounts(pod, container.name);
  auto mounts = co_await std::move(mounts_task);
  if (!mounts) co_return failed("CreateContainerConfigError", mounts.error().message());
  const auto last_words = make_termination_file(parts, pod.metadata.uid, container.name, attempt);
  if (!last_words) co_return failed("CreateContainerConfigError", last_words.error().message());

  ContainerInput input{pod, container, attempt, *std::move(env), *std::move(mounts),
                       container_log_path(parts.log_root, pod, container.name, attempt), *last_words,
                       parts.node_memory_bytes, target_of(parts, pod, container.name, sandbox_id)};
  runtime::ContainerConfig wanted = build_container(input);
  auto id_task = parts.runtime.create_container(sandbox_id, std::move(wanted));
  auto id = co_await std::move(id_task);
  if (!id) {
    const bool config_error = id.is(Code::invalid);
    co_return failed(config_error ? "CreateContainerConfigError" : "CreateContainerError", id.error().message());
  }
  Started out;
  out.events.push_back({client::EventType::normal, "Created", "Created container: " + container.name});
  const auto started = co_await parts.runtime.start_container(*id);
  if (!started) {
    Started error = failed("RunContainerError", started.error().message());
    const auto removed = co_await parts.runtime.remove_container(*id);
    if (!removed) error.message += " (" + removed.error().message() + ")";
    co_return error;
  }
  out.events.push_back({client::EventType::normal, "Started", "Started container " + container.name});
  out.id = *std::move(id);
  co_return out;
}

std::string termination_message(const PodParts& parts, const api::Pod& pod, const api::Container& container,
                                const ContainerState& state) {
  std::string text =
      tail_of(termination_path(parts, pod.metadata.uid, container.name, state.restart_count), kTerminationBytesMax);
  if (text.empty() && container.terminationMessagePolicy == "FallbackToLogsOnError" && state.attempt.exit_code != 0)
    text = plain_log(tail_of(container_log_path(parts.log_root, pod, container.name, state.restart_count),
                             kFallbackLogBytesMax));
  return text.empty() ? state.attempt.message : text;
}

void remove_pod_files(const PodParts& parts, const api::Pod& pod) {
  std::error_code ignored;  // what cannot be removed now is found again when the node starts
  std::filesystem::remove_all(
      pod_log_dir(parts.log_root, pod.metadata.namespace_, pod.metadata.name, pod.metadata.uid), ignored);
  std::filesystem::remove_all(parts.state_dir + "/" + pod.metadata.uid, ignored);
}

}  // namespace kinglet::node

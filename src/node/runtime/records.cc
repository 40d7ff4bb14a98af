#include "node/runtime/records.h"

#include "node/runtime/image_record.h"

namespace kinglet::runtime {
namespace {
using json::Object;
using json::Value;
constexpr int64_t kVersion = 1;
constexpr const char* kSandboxPhases[] = {"creating", "ready", "removing"};
constexpr const char* kContainerPhases[] = {"creating", "created", "running", "exited", "removing"};

Object map_to_json(const std::map<std::string, std::string>& map) {
  Object out;
  for (const auto& [key, text] : map) out[key] = text;
  return out;
}

std::map<std::string, std::string> map_of(const Value& root, std::string_view member) {
  std::map<std::string, std::string> out;
  const Value* found = json::find(root, {member});
  if (found == nullptr || !found->is_object()) return out;
  for (const auto& item : found->get_object())
    if (item.value().is_string()) out[item.key()] = std::string(item.value().get_string());
  return out;
}

int64_t micros(WallTime time) { return time.since_epoch.count(); }
WallTime wall_of(const Value& root, std::string_view member) {
  return WallTime{std::chrono::microseconds(json::int_at(root, {member}))};
}
std::string text_of(const Value& root, std::string_view member) {
  return std::string(json::text_at(root, {member}));
}

template <class T>
void put(Object& out, std::string_view name, const std::optional<T>& value) {
  if (value) out[name] = *value;
}

Object resources_to_json(const Resources& resources) {
  Object out;
  put(out, "cpuShares", resources.cpu_shares);
  put(out, "cpuQuotaMicros", resources.cpu_quota_us);
  out["cpuPeriodMicros"] = resources.cpu_period_us;
  put(out, "memoryLimitBytes", resources.memory_limit_bytes);
  put(out, "pidsLimit", resources.pids_limit);
  return out;
}

Resources resources_of(const Value& value) {
  Resources out;
  const auto has = [&](std::string_view name) { return json::find(value, {name}) != nullptr; };
  if (has("cpuShares")) out.cpu_shares = static_cast<uint64_t>(json::int_at(value, {"cpuShares"}));
  if (has("cpuQuotaMicros")) out.cpu_quota_us = json::int_at(value, {"cpuQuotaMicros"});
  out.cpu_period_us = static_cast<uint64_t>(json::int_at(value, {"cpuPeriodMicros"}, 100000));
  if (has("memoryLimitBytes")) out.memory_limit_bytes = json::int_at(value, {"memoryLimitBytes"});
  if (has("pidsLimit")) out.pids_limit = json::int_at(value, {"pidsLimit"});
  return out;
}

Object process_to_json(const ProcessId& process) {
  return {{"pid", process.pid}, {"startTicks", process.start_ticks}};
}
ProcessId process_of(const Value& root, std::string_view member) {
  return {static_cast<pid_t>(json::int_at(root, {member, "pid"})),
          static_cast<uint64_t>(json::int_at(root, {member, "startTicks"}))};
}

// An id becomes a path: only what we ourselves give out.
bool is_id(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

template <size_t N>
std::optional<size_t> index_of(const char* const (&names)[N], std::string_view text) {
  for (size_t i = 0; i < N; ++i)
    if (text == names[i]) return i;
  return std::nullopt;
}

Result<Value> parse_versioned(std::string_view text) {
  auto root = json::parse(text);
  if (!root) return Error(Code::invalid, "damaged: {}", root.error().message());
  const int64_t version = json::int_at(*root, {"version"});
  if (version > kVersion) return Error(Code::invalid, "written by a newer kinglet (version {})", version);
  if (version < 1 || !is_id(text_of(*root, "id"))) return Error(Code::invalid, "damaged: no version or id");
  return root;
}
}  // namespace

std::string print_record(const SandboxRecord& record) {
  const SandboxConfig& c = record.config;
  Object config;
  config["podUid"] = c.pod_uid;
  config["podNamespace"] = c.pod_namespace;
  config["podName"] = c.pod_name;
  config["attempt"] = c.attempt;
  config["hostname"] = c.hostname;
  config["hosts"] = c.hosts;
  config["resolvConf"] = c.resolv_conf;
  config["cgroupParent"] = c.cgroup_parent;
  config["resources"] = resources_to_json(c.resources);
  config["netnsPath"] = c.netns_path;
  config["hostNetwork"] = c.host_network;
  config["hostPid"] = c.host_pid;
  config["hostIpc"] = c.host_ipc;
  config["shareProcesses"] = c.share_processes;
  config["sysctls"] = map_to_json(c.sysctls);
  config["shmBytes"] = c.shm_bytes;
  config["labels"] = map_to_json(c.labels);
  return json::print(Object{{"version", kVersion},
                            {"id", record.id},
                            {"epoch", record.epoch},
                            {"phase", kSandboxPhases[static_cast<size_t>(record.phase)]},
                            {"created", micros(record.created)},
                            {"config", std::move(config)}});
}

Result<SandboxRecord> parse_sandbox_record(std::string_view text) {
  KL_TRY_FN(root, parse_versioned(text));
  SandboxRecord out;
  out.id = text_of(root, "id");
  out.epoch = text_of(root, "epoch");
  const auto phase = index_of(kSandboxPhases, text_of(root, "phase"));
  const Value* config = json::find(root, {"config"});
  if (!phase || config == nullptr) return Error(Code::invalid, "damaged: no phase or configuration");
  out.phase = static_cast<SandboxRecord::Phase>(*phase);
  out.created = wall_of(root, "created");
  SandboxConfig& c = out.config;
  c.pod_uid = text_of(*config, "podUid");
  c.pod_namespace = text_of(*config, "podNamespace");
  c.pod_name = text_of(*config, "podName");
  c.attempt = static_cast<int>(json::int_at(*config, {"attempt"}));
  c.hostname = text_of(*config, "hostname");
  c.hosts = text_of(*config, "hosts");
  c.resolv_conf = text_of(*config, "resolvConf");
  c.cgroup_parent = text_of(*config, "cgroupParent");
  if (const Value* resources = json::find(*config, {"resources"})) c.resources = resources_of(*resources);
  c.netns_path = text_of(*config, "netnsPath");
  c.host_network = json::bool_at(*config, {"hostNetwork"});
  c.host_pid = json::bool_at(*config, {"hostPid"});
  c.host_ipc = json::bool_at(*config, {"hostIpc"});
  c.share_processes = json::bool_at(*config, {"shareProcesses"});
  c.sysctls = map_of(*config, "sysctls");
  c.shm_bytes = static_cast<uint64_t>(json::int_at(*config, {"shmBytes"}));
  c.labels = map_of(*config, "labels");
  return out;
}

std::string print_record(const ContainerRecord& record) {
  Object out;
  out["version"] = kVersion;
  out["id"] = record.id;
  out["sandbox"] = record.sandbox_id;
  out["epoch"] = record.epoch;
  out["phase"] = kContainerPhases[static_cast<size_t>(record.phase)];
  out["name"] = record.name;
  out["attempt"] = record.attempt;
  out["image"] = record.image_reference;
  out["imageId"] = record.image_id;
  out["logPath"] = record.log_path;
  out["stopSignal"] = record.stop_signal;
  out["cgroup"] = record.cgroup_path;
  out["tty"] = record.tty;
  out["stdin"] = record.stdin_open;
  out["labels"] = map_to_json(record.labels);
  out["process"] = process_to_json(record.process);
  out["conmon"] = process_to_json(record.conmon);
  out["created"] = micros(record.created);
  out["started"] = micros(record.started);
  out["finished"] = micros(record.finished);
  out["exitCode"] = record.exit_code;
  out["oomKilled"] = record.oom_killed;
  out["cleaned"] = record.cleaned;
  out["message"] = record.message;
  return json::print(out);
}

Result<ContainerRecord> parse_container_record(std::string_view text) {
  KL_TRY_FN(root, parse_versioned(text));
  ContainerRecord out;
  out.id = text_of(root, "id");
  out.sandbox_id = text_of(root, "sandbox");
  const auto phase = index_of(kContainerPhases, text_of(root, "phase"));
  if (!phase || !is_id(out.sandbox_id)) return Error(Code::invalid, "damaged: no phase or sandbox");
  out.phase = static_cast<ContainerRecord::Phase>(*phase);
  out.epoch = text_of(root, "epoch");
  out.name = text_of(root, "name");
  out.attempt = static_cast<int>(json::int_at(root, {"attempt"}));
  out.image_reference = text_of(root, "image");
  out.image_id = text_of(root, "imageId");
  out.log_path = text_of(root, "logPath");
  out.stop_signal = text_of(root, "stopSignal");
  out.cgroup_path = text_of(root, "cgroup");
  out.tty = json::bool_at(root, {"tty"});
  out.stdin_open = json::bool_at(root, {"stdin"});
  out.labels = map_of(root, "labels");
  out.process = process_of(root, "process");
  out.conmon = process_of(root, "conmon");
  out.created = wall_of(root, "created");
  out.started = wall_of(root, "started");
  out.finished = wall_of(root, "finished");
  out.exit_code = static_cast<int>(json::int_at(root, {"exitCode"}));
  out.oom_killed = json::bool_at(root, {"oomKilled"});
  out.cleaned = json::bool_at(root, {"cleaned"});
  out.message = text_of(root, "message");
  return out;
}

}  // namespace kinglet::runtime

#include "node/node_stats.h"

#include "base/task.h"
#include "node/host_usage.h"
#include "node/internal/prometheus_text.h"
#include "schema/structs.h"

// Source: kubelet's stats/v1alpha1 Summary, and the metrics of its resource and cAdvisor endpoints.
namespace kinglet::node {
namespace {

using json::Object;

std::string time_of(std::chrono::microseconds since_epoch) { return rfc3339({since_epoch}); }

// One running container and what is known of it.
struct Running {
  const PodWorker* worker;
  std::string name;
  const ContainerState* state;
  runtime::ContainerStats stats;
};

std::vector<Running> running_containers(const NodeAgent& agent, const runtime::Runtime& runtime) {
  std::vector<Running> out;
  for (const auto* worker : agent.workers())
    for (const auto& [name, state] : worker->state().containers) {
      if (!state.running()) continue;
      const auto stats = runtime.stats(state.attempt.id);
      if (stats) out.push_back({worker, name, &state, *stats});
    }
  return out;
}

Object cpu_json(const std::string& now, uint64_t cpu_ns, std::optional<uint64_t> nano_cores) {
  Object out{{"time", now}};
  if (nano_cores) out["usageNanoCores"] = *nano_cores;
  out["usageCoreNanoSeconds"] = cpu_ns;
  return out;
}

Object memory_json(const std::string& now, const runtime::ContainerStats& stats) {
  Object out{{"time", now}};
  if (stats.memory_limit_bytes > 0)
    out["availableBytes"] =
        stats.memory_limit_bytes - std::min(stats.memory_limit_bytes, stats.working_set_bytes);
  out["usageBytes"] = stats.memory_bytes;
  out["workingSetBytes"] = stats.working_set_bytes;
  out["rssBytes"] = stats.rss_bytes;
  out["pageFaults"] = stats.page_faults;
  out["majorPageFaults"] = stats.major_page_faults;
  return out;
}

Object disk_json(const std::string& now, const DiskUsage& disk) {
  return Object{{"time", now},
                {"availableBytes", disk.available_bytes},
                {"capacityBytes", disk.capacity_bytes},
                {"usedBytes", disk.used_bytes},
                {"inodesFree", disk.inodes_free},
                {"inodes", disk.inodes},
                {"inodesUsed", disk.inodes - disk.inodes_free}};
}

Object link_json(const LinkUsage& link) {
  return Object{{"name", link.name},
                {"rxBytes", link.rx_bytes},
                {"rxErrors", link.rx_errors},
                {"txBytes", link.tx_bytes},
                {"txErrors", link.tx_errors}};
}

json::Value network_json(const std::string& now, const std::vector<LinkUsage>& links) {
  if (links.empty()) return nullptr;
  Object out = link_json(links.front());
  out["time"] = now;
  json::Array all;
  for (const auto& link : links) all.push_back(link_json(link));
  out["interfaces"] = std::move(all);
  return out;
}

std::string proc_of(const runtime::Runtime& runtime, const std::string& id) {
  const auto status = runtime.container(id);
  return status && status->pid > 0 ? fmt::format("/proc/{}", status->pid) : "";
}

double seconds_of(uint64_t ns) { return static_cast<double>(ns) / 1e9; }

double seconds_of(WallTime time) { return static_cast<double>(time.since_epoch.count()) / 1e6; }

PrometheusLabels labels_of(const Running& it, const runtime::Runtime& runtime, bool cadvisor) {
  const auto& meta = it.worker->pod().metadata;
  PrometheusLabels out{{"container", it.name}, {"namespace", meta.namespace_}, {"pod", meta.name}};
  if (!cadvisor) return out;
  const auto status = runtime.container(it.state->attempt.id);
  out.push_back({"id", "/kubepods/pod" + meta.uid + "/" + it.state->attempt.id});
  out.push_back({"image", status ? status->image_reference : ""});
  out.push_back({"name", it.state->attempt.id});
  return out;
}

}  // namespace

NodeStats::NodeStats(const PodParts& parts, const NodeAgent& agent, std::string data_dir)
    : parts_(parts), agent_(agent), data_dir_(std::move(data_dir)) {}

UsageSample NodeStats::look() const {
  UsageSample out;
  out.at = parts_.clock.now();
  out.cpu_ns[""] = read_host_usage().cpu_ns;
  for (const auto* worker : agent_.workers()) {
    const auto pod = parts_.runtime.sandbox_stats(worker->sandbox_id());
    if (pod) out.cpu_ns[worker->sandbox_id()] = pod->cpu_ns;
    for (const auto& [name, state] : worker->state().containers) {
      if (!state.running()) continue;
      const auto stats = parts_.runtime.stats(state.attempt.id);
      if (stats) out.cpu_ns[state.attempt.id] = stats->cpu_ns;
    }
  }
  return out;
}

Task<void> NodeStats::refresh_rates() {
  if (!rates_.can_rate(parts_.clock.now())) {
    rates_.add(look());
    co_await parts_.clock.sleep(kRateWindowMin);
  }
  rates_.add(look());
}

Task<json::Value> NodeStats::summary() {
  co_await refresh_rates();
  const std::string now = rfc3339(parts_.clock.wall());
  const HostUsage host = read_host_usage();
  const DiskUsage disk = read_disk_usage(data_dir_);
  Object node{{"nodeName", parts_.node_name}, {"systemContainers", json::Array()}};
  node["startTime"] = time_of(std::chrono::seconds(host.boot_seconds));
  node["cpu"] = cpu_json(now, host.cpu_ns, rates_.nano_cores(""));
  const uint64_t used =
      host.memory_total_bytes - std::min(host.memory_total_bytes, host.memory_available_bytes);
  node["memory"] = Object{{"time", now},
                          {"availableBytes", host.memory_available_bytes},
                          {"usageBytes", used},
                          {"workingSetBytes", used},
                          {"rssBytes", host.rss_bytes},
                          {"pageFaults", 0},
                          {"majorPageFaults", 0}};
  if (auto links = network_json(now, read_links("/proc/self")); !links.is_null())
    node["network"] = std::move(links);
  node["fs"] = disk_json(now, disk);
  node["runtime"] =
      Object{{"imageFs", disk_json(now, disk)}, {"containerFs", disk_json(now, disk)}};
  node["rlimit"] = Object{{"time", now}, {"maxpid", host.pid_max}, {"curproc", host.processes}};

  std::map<const PodWorker*, json::Array> containers;
  std::map<const PodWorker*, std::string> proc;
  for (const auto& it : running_containers(agent_, parts_.runtime)) {
    Object one{{"name", it.name}, {"startTime", time_of(it.state->attempt.started.since_epoch)}};
    one["cpu"] = cpu_json(now, it.stats.cpu_ns, rates_.nano_cores(it.state->attempt.id));
    one["memory"] = memory_json(now, it.stats);
    containers[it.worker].push_back(std::move(one));
    if (proc[it.worker].empty()) proc[it.worker] = proc_of(parts_.runtime, it.state->attempt.id);
  }
  json::Array pods;
  for (auto& [worker, list] : containers) {
    const auto& meta = worker->pod().metadata;
    Object pod{
        {"podRef", Object{{"name", meta.name}, {"namespace", meta.namespace_}, {"uid", meta.uid}}}};
    if (worker->state().start_time)
      pod["startTime"] = time_of(worker->state().start_time->since_epoch);
    pod["containers"] = std::move(list);
    if (const auto stats = parts_.runtime.sandbox_stats(worker->sandbox_id())) {
      pod["cpu"] = cpu_json(now, stats->cpu_ns, rates_.nano_cores(worker->sandbox_id()));
      pod["memory"] = memory_json(now, *stats);
    }
    if (!worker->pod().spec.hostNetwork)
      if (auto links = network_json(now, read_links(proc[worker])); !links.is_null())
        pod["network"] = std::move(links);
    pods.push_back(std::move(pod));
  }
  co_return Object{{"node", std::move(node)}, {"pods", std::move(pods)}};
}

namespace {

std::string resource_metrics(const PodParts& parts, const NodeAgent& agent) {
  PrometheusText out;
  const HostUsage host = read_host_usage();
  const auto containers = running_containers(agent, parts.runtime);
  out.family("container_cpu_usage_seconds_total", "counter",
             "Cumulative cpu time consumed by the container in core-seconds");
  for (const auto& it : containers)
    out.value(labels_of(it, parts.runtime, false), seconds_of(it.stats.cpu_ns));
  out.family("container_memory_working_set_bytes", "gauge",
             "Current working set of the container in bytes");
  for (const auto& it : containers)
    out.value(labels_of(it, parts.runtime, false), static_cast<double>(it.stats.working_set_bytes));
  out.family("container_start_time_seconds", "gauge",
             "Start time of the container since unix epoch in seconds");
  for (const auto& it : containers)
    out.value(labels_of(it, parts.runtime, false), seconds_of(it.state->attempt.started));
  out.family("node_cpu_usage_seconds_total", "counter",
             "Cumulative cpu time consumed by the node in core-seconds");
  out.value({}, seconds_of(host.cpu_ns));
  out.family("node_memory_working_set_bytes", "gauge", "Current working set of the node in bytes");
  out.value({},
            static_cast<double>(host.memory_total_bytes -
                                std::min(host.memory_total_bytes, host.memory_available_bytes)));
  const auto pods = agent.workers();
  const auto labels = [](const PodWorker* worker) {
    return PrometheusLabels{{"namespace", worker->pod().metadata.namespace_},
                            {"pod", worker->pod().metadata.name}};
  };
  out.family("pod_cpu_usage_seconds_total", "counter",
             "Cumulative cpu time consumed by the pod in core-seconds");
  for (const auto* pod : pods)
    if (const auto stats = parts.runtime.sandbox_stats(pod->sandbox_id()))
      out.value(labels(pod), seconds_of(stats->cpu_ns));
  out.family("pod_memory_working_set_bytes", "gauge", "Current working set of the pod in bytes");
  for (const auto* pod : pods)
    if (const auto stats = parts.runtime.sandbox_stats(pod->sandbox_id()))
      out.value(labels(pod), static_cast<double>(stats->working_set_bytes));
  out.family("resource_scrape_error", "gauge",
             "1 if there was an error while getting container metrics, 0 otherwise");
  out.value({}, 0);
  return std::move(out).text();
}

void pod_network(const PodParts& parts, const std::vector<Running>& containers,
                 PrometheusText& out) {
  struct Row {
    const char *name, *help;
    uint64_t LinkUsage::*field;
  };
  constexpr Row kRows[] = {
      {"container_network_receive_bytes_total", "Cumulative count of bytes received",
       &LinkUsage::rx_bytes},
      {"container_network_receive_errors_total", "Cumulative count of errors while receiving",
       &LinkUsage::rx_errors},
      {"container_network_transmit_bytes_total", "Cumulative count of bytes transmitted",
       &LinkUsage::tx_bytes},
      {"container_network_transmit_errors_total", "Cumulative count of errors while transmitting",
       &LinkUsage::tx_errors}};
  std::map<const PodWorker*, std::vector<LinkUsage>> links;
  for (const auto& it : containers)
    if (!it.worker->pod().spec.hostNetwork && !links.count(it.worker))
      links[it.worker] = read_links(proc_of(parts.runtime, it.state->attempt.id));
  for (const auto& row : kRows) {
    out.family(row.name, "counter", row.help);
    for (const auto& [worker, list] : links)
      for (const auto& link : list)
        out.value({{"interface", link.name},
                   {"namespace", worker->pod().metadata.namespace_},
                   {"pod", worker->pod().metadata.name}},
                  static_cast<double>(link.*row.field));
  }
}

std::string cadvisor_metrics(const PodParts& parts, const NodeAgent& agent) {
  PrometheusText out;
  const auto containers = running_containers(agent, parts.runtime);
  out.family("container_cpu_usage_seconds_total", "counter",
             "Cumulative cpu time consumed in seconds.");
  for (const auto& it : containers) {
    auto labels = labels_of(it, parts.runtime, true);
    labels.push_back({"cpu", "total"});
    out.value(labels, seconds_of(it.stats.cpu_ns));
  }
  struct Row {
    const char *name, *help;
    uint64_t runtime::ContainerStats::*field;
  };
  constexpr Row kRows[] = {
      {"container_memory_usage_bytes", "Current memory usage in bytes, including all memory.",
       &runtime::ContainerStats::memory_bytes},
      {"container_memory_working_set_bytes", "Current working set in bytes.",
       &runtime::ContainerStats::working_set_bytes},
      {"container_memory_rss", "Size of RSS in bytes.", &runtime::ContainerStats::rss_bytes},
      {"container_spec_memory_limit_bytes", "Memory limit for the container.",
       &runtime::ContainerStats::memory_limit_bytes},
      {"container_processes", "Number of processes running inside the container.",
       &runtime::ContainerStats::pids}};
  for (const auto& row : kRows) {
    out.family(row.name, "gauge", row.help);
    for (const auto& it : containers)
      out.value(labels_of(it, parts.runtime, true), static_cast<double>(it.stats.*row.field));
  }
  out.family("container_start_time_seconds", "gauge",
             "Start time of the container since unix epoch in seconds.");
  for (const auto& it : containers)
    out.value(labels_of(it, parts.runtime, true), seconds_of(it.state->attempt.started));
  pod_network(parts, containers, out);
  out.family("machine_cpu_cores", "gauge", "Number of logical CPU cores.");
  out.value({}, static_cast<double>(parts.node_cpu_milli) / 1000);
  out.family("machine_memory_bytes", "gauge", "Amount of memory installed on the machine.");
  out.value({}, static_cast<double>(parts.node_memory_bytes));
  return std::move(out).text();
}

Task<void> send(net::Exchange& exchange, std::string type, std::string text) {
  const auto sent = co_await net::respond_text(exchange, 200, std::move(text), std::move(type));
  (void)sent;  // the client has gone
}

constexpr const char* kPrometheus = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace

json::Value NodeStats::pod_list() const {
  json::Array items;
  for (const auto* worker : agent_.workers()) items.push_back(schema::to_json(worker->pod()));
  return Object{{"kind", "PodList"},
                {"apiVersion", "v1"},
                {"metadata", Object()},
                {"items", std::move(items)}};
}

bool NodeStats::serves(const net::Request& request) {
  for (const char* path :
       {"/stats/summary", "/metrics/resource", "/metrics/cadvisor", "/pods", "/healthz"})
    if (request.path == path || request.path == path + std::string("/"))
      return request.method == "GET";
  return false;
}

Task<void> NodeStats::serve(net::Exchange& exchange) {
  const std::string path = exchange.request().path;
  std::string type = "application/json", text;
  if (path.starts_with("/stats")) {
    const json::Value found = co_await summary();
    text = json::print(found) + "\n";
  } else if (path.starts_with("/pods")) {
    text = json::print(pod_list()) + "\n";
  } else if (path.starts_with("/healthz")) {
    type = "text/plain";
    text = "ok";
  } else {
    type = kPrometheus;
    text = path.starts_with("/metrics/resource") ? resource_metrics(parts_, agent_)
                                                 : cadvisor_metrics(parts_, agent_);
  }
  auto sending = send(exchange, std::move(type), std::move(text));
  co_await std::move(sending);
}

}  // namespace kinglet::node

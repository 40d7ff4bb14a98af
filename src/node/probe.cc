#include "node/probe.h"

#include "base/deadline.h"
#include "base/task.h"
#include "net/client.h"
#include "node/grpc_health.h"

namespace kinglet::node {
namespace {

constexpr Duration kFirstExtraPause = 50ms;
constexpr size_t kProbeBodyBytesMax = 10 << 10;

Duration seconds(int32_t value, int32_t otherwise) {
  return std::chrono::seconds(value > 0 ? value : otherwise);
}

std::string bracketed(const std::string& host) {
  return host.find(':') != std::string::npos ? "[" + host + "]" : host;
}

Task<ProbeAnswer> ask_http(Clock& clock, api::HTTPGetAction action, int port, std::string ip, Duration timeout) {
  net::ClientRequest request = http_get_request(action, port, ip);
  request.timeout = timeout;
  request.body_bytes_max = kProbeBodyBytesMax;
  auto response_task = net::fetch(clock, std::move(request));
  const auto response = co_await std::move(response_task);
  if (!response) {
    // A body beyond the limit is an answer all the same: it is the status that counts.
    if (response.is(Code::too_large)) co_return ProbeAnswer{true, ""};
    co_return ProbeAnswer{false, response.error().message()};
  }
  if (response->status >= 200 && response->status < 400) co_return ProbeAnswer{true, ""};
  co_return ProbeAnswer{false, fmt::format("HTTP probe failed with statuscode: {}", response->status)};
}

Task<ProbeAnswer> ask_grpc(Clock& clock, std::string ip, api::GRPCAction action, Duration timeout) {
  auto asking = ask_health(clock, std::move(ip), static_cast<uint16_t>(action.port), action.service.value_or(""), timeout);
  const auto status = co_await std::move(asking);
  if (!status) co_return ProbeAnswer{false, "error: " + status.error().message()};
  if (*status == ServingStatus::serving) co_return ProbeAnswer{true, ""};
  co_return ProbeAnswer{false, fmt::format("service unhealthy (responded with \"{}\")", text_of(*status))};
}
}  // namespace

net::ClientRequest http_get_request(const api::HTTPGetAction& action, int port, const std::string& pod_ip) {
  net::ClientRequest request;
  const bool tls = action.scheme == "HTTPS";
  const std::string path = action.path.empty() || action.path[0] != '/' ? "/" + action.path : action.path;
  const std::string host = bracketed(action.host.empty() ? pod_ip : action.host);
  request.url = fmt::format("{}://{}:{}{}", tls ? "https" : "http", host, port, path);
  request.tls.verify = false;  // the kubelet never verifies a container's certificate
  request.headers.set("User-Agent", "kube-probe/1.34");
  request.headers.set("Accept", "*/*");
  for (const auto& header : action.httpHeaders) request.headers.set(header.name, header.value);
  return request;
}

const char* text_of(ProbeKind kind) {
  return kind == ProbeKind::startup ? "Startup" : kind == ProbeKind::readiness ? "Readiness" : "Liveness";
}

std::optional<bool> ProbeTracker::record(bool success) {
  run_ = success == last_ ? run_ + 1 : 1;
  last_ = success;
  if (run_ < (success ? success_threshold_ : failure_threshold_)) return std::nullopt;
  return success;
}

int port_of(const schema::IntOrString& port, const api::Container& container) {
  if (!port.text) return port.number;
  for (const auto& candidate : container.ports)
    if (candidate.name == *port.text) return candidate.containerPort;
  return 0;
}

Task<ProbeAnswer> ask(Clock& clock, api::Probe probe, api::Container container, ProbeTarget& target) {
  const Duration timeout = seconds(probe.timeoutSeconds, 1);
  if (probe.exec) {
    std::vector<std::string> command = probe.exec->command;
    const auto answer = co_await target.exec(std::move(command), timeout);
    if (!answer) co_return ProbeAnswer{false, answer.error().message()};
    co_return *answer;
  }
  if (probe.httpGet) {
    const int port = port_of(probe.httpGet->port, container);
    if (port == 0) co_return ProbeAnswer{false, "the probe's port is not one of the container's"};
    std::string ip = target.pod_ip();
    api::HTTPGetAction action = *probe.httpGet;
    auto asking = ask_http(clock, std::move(action), port, std::move(ip), timeout);
    co_return co_await std::move(asking);
  }
  if (probe.tcpSocket) {
    const int port = port_of(probe.tcpSocket->port, container);
    if (port == 0) co_return ProbeAnswer{false, "the probe's port is not one of the container's"};
    std::string host = probe.tcpSocket->host.empty() ? target.pod_ip() : probe.tcpSocket->host;
    const auto connected =
        co_await net::probe_tcp(clock, std::move(host), static_cast<uint16_t>(port), timeout);
    if (!connected) co_return ProbeAnswer{false, connected.error().message()};
    co_return ProbeAnswer{true, ""};
  }
  if (probe.grpc) {
    auto asking = ask_grpc(clock, target.pod_ip(), *probe.grpc, timeout);
    co_return co_await std::move(asking);
  }
  co_return ProbeAnswer{false, "the probe asks nothing"};
}

Task<void> run_probe(Clock& clock, Random& random, api::Probe probe, api::Container container,
                     ProbeTarget& target, ProbeReport report) {
  const Duration period = seconds(probe.periodSeconds, 10);
  ProbeTracker tracker(std::max(probe.successThreshold, 1), std::max(probe.failureThreshold, 1));
  co_await clock.sleep(std::chrono::seconds(probe.initialDelaySeconds));
  // A container that is not up yet is asked again soon, so that a fast start is seen fast; failures of these extra
  // questions do not count towards the threshold, which stays a number of periods.
  Duration extra = probe.initialDelaySeconds == 0 ? kFirstExtraPause : period;
  for (;;) {
    auto answer_task = ask(clock, probe, container, target);
    const ProbeAnswer answer = co_await std::move(answer_task);
    const bool counts = answer.success || extra >= period || extra == kFirstExtraPause;
    const auto verdict = counts ? tracker.record(answer.success) : std::nullopt;
    if (!report(answer, verdict)) co_return;
    if (answer.success) extra = period;
    // Probes of one pod drift apart instead of firing together.
    const Duration pause = std::min(extra, period);
    if (extra < period) extra *= 2;
    co_await clock.sleep(pause + Duration(random.below(static_cast<uint64_t>(pause.count() / 20 + 1))));
  }
}

}  // namespace kinglet::node

#include "apiserver/discovery/health.h"

#include "base/log.h"
#include "base/task.h"

namespace kinglet::apiserver {
namespace {

constexpr const char* kPaths[] = {"/healthz", "/livez", "/readyz"};

// "/readyz" or "/readyz/<check>" -> "readyz" and the check; an empty name: none of ours.
std::pair<std::string, std::string> split(const std::string& path) {
  for (const std::string root : kPaths) {
    if (path == root || path == root + "/") return {root.substr(1), ""};
    if (path.starts_with(root + "/")) return {root.substr(1), path.substr(root.size() + 1)};
  }
  return {};
}

bool applies(const HealthChecks::Row& row, const std::string& name) {
  return name != "livez" || row.means == HealthChecks::Means::not_live;
}

bool passes(const HealthChecks::Row& row, const std::string& name) {
  const auto result = row.check();
  if (!result)
    Log("health").debug("check failed", kv("path", name), kv("check", row.name),
                        kv("error", result.error()));
  return result.has_value();
}

HealthAnswer single(const HealthChecks& checks, const std::string& name, const std::string& check) {
  for (const auto& row : checks.rows()) {
    if (row.name != check || !applies(row, name)) continue;
    if (passes(row, name)) return {200, "ok"};
    return {500, "internal server error: " + check + " failed: reason withheld\n"};
  }
  return {404, "404 page not found\n"};
}

class Health final : public Extension {
 public:
  explicit Health(const HealthChecks& checks) : checks_(checks) {}
  bool serves(const RequestInfo& info) const override {
    return !info.is_resource && !split(info.path).first.empty();
  }
  Task<void> serve(net::Exchange& exchange, const RequestInfo& info, const User&) override {
    const auto answer = health_answer(checks_, info.path, exchange.request());
    net::Headers headers;
    headers.add("Content-Type", "text/plain; charset=utf-8");
    headers.add("Cache-Control", "no-cache, private");
    headers.add("X-Content-Type-Options", "nosniff");
    std::vector<Bytes> body;
    body.emplace_back(answer.text);
    auto sent = co_await exchange.respond(answer.status, std::move(headers), std::move(body));
    (void)sent;  // a peer that has gone needs no answer
  }

 private:
  const HealthChecks& checks_;
};

class MetricsPage final : public Extension {
 public:
  explicit MetricsPage(Metrics& metrics) : metrics_(metrics) {}
  bool serves(const RequestInfo& info) const override { return info.path == "/metrics"; }
  Task<void> serve(net::Exchange& exchange, const RequestInfo&, const User&) override {
    std::string text = metrics_.text();
    std::string type = "text/plain; version=0.0.4; charset=utf-8";
    auto sent = co_await net::respond_text(exchange, 200, std::move(text), std::move(type));
    (void)sent;
  }

 private:
  Metrics& metrics_;
};

}  // namespace

HealthChecks::HealthChecks() {
  add("ping", Means::not_live, [] { return Result<void>(); });
}

void HealthChecks::add(std::string name, Means means, Check check) {
  rows_.push_back({std::move(name), means, std::move(check)});
}

HealthAnswer health_answer(const HealthChecks& checks, const std::string& path,
                           const net::Request& request) {
  const auto [name, check] = split(path);
  if (!check.empty()) return single(checks, name, check);
  auto excluded = request.query_values("exclude");
  std::string report;
  bool failed = false;
  for (const auto& row : checks.rows()) {
    if (!applies(row, name)) continue;
    const auto skip = std::find(excluded.begin(), excluded.end(), row.name);
    if (skip != excluded.end()) {
      excluded.erase(skip);
      report += fmt::format("[+]{} excluded: ok\n", row.name);
      continue;
    }
    const bool ok = passes(row, name);
    failed = failed || !ok;
    report += ok ? fmt::format("[+]{} ok\n", row.name)
                 : fmt::format("[-]{} failed: reason withheld\n", row.name);
  }
  // What the client wrote is not repeated: this page answers to everybody.
  if (!excluded.empty()) report += "warn: some health checks cannot be excluded: no matches\n";
  if (failed) return {500, report + fmt::format("{} check failed\n", name)};
  if (request.query_value("verbose")) return {200, report + fmt::format("{} check passed\n", name)};
  return {200, "ok"};
}

std::unique_ptr<Extension> make_health(const HealthChecks& checks) {
  return std::make_unique<Health>(checks);
}
std::unique_ptr<Extension> make_metrics_page(Metrics& metrics) {
  return std::make_unique<MetricsPage>(metrics);
}

}  // namespace kinglet::apiserver

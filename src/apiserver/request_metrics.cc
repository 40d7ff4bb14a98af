#include "apiserver/internal/request_metrics.h"

namespace kinglet::apiserver {
namespace {

// Upstream's bounds, thinned: each costs memory for every verb of every kind.
const std::vector<double>& bounds() {
  static const std::vector<double> all = {0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8,
                                          1,     2,     4,    8,   15,  30,  60};
  return all;
}

std::string metric_verb(const RequestInfo& info) {
  if (info.verb == "create") return "POST";
  if (info.verb == "update") return "PUT";
  std::string out = info.verb;
  for (auto& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return out;
}

bool known_verb(const std::string& verb) {
  for (const auto known : {"get", "list", "watch", "create", "update", "patch", "delete",
                           "deletecollection", "post", "put", "head", "options"})
    if (verb == known) return true;
  return false;
}

std::string scope_of(const RequestInfo& info) {
  if (!info.is_resource) return "";
  if (!info.name.empty() || info.verb == "create") return "resource";
  return info.ns.empty() ? "cluster" : "namespace";
}

bool long_running(const RequestInfo& info) {
  return info.verb == "watch" || info.subresource == "log" || info.subresource == "exec" ||
         info.subresource == "attach" || info.subresource == "portforward" ||
         info.subresource == "proxy";
}

}  // namespace

RequestMetrics::RequestMetrics(Metrics& metrics)
    : metrics_(metrics),
      reads_(metrics.gauge("apiserver_current_inflight_requests", "Requests being served now.",
                           {{"request_kind", "readOnly"}})),
      writes_(metrics.gauge("apiserver_current_inflight_requests", "Requests being served now.",
                            {{"request_kind", "mutating"}})),
      watches_(metrics.gauge("apiserver_longrunning_requests",
                             "Watches and streams being served now.")) {}

double& RequestMetrics::count(const RequestInfo& info) {
  if (long_running(info)) return watching_;
  return info.verb == "get" || info.verb == "list" ? reading_ : writing_;
}

Gauge& RequestMetrics::gauge(const RequestInfo& info) {
  if (long_running(info)) return watches_;
  return info.verb == "get" || info.verb == "list" ? reads_ : writes_;
}

void RequestMetrics::begin(const RequestInfo& info) { gauge(info).set(++count(info)); }

void RequestMetrics::end(const RequestInfo& info, int status, Duration took) {
  gauge(info).set(--count(info));
  Row& at = row(info, status);
  at.total->add();
  if (at.seconds) at.seconds->observe(std::chrono::duration<double>(took).count());
}

// Labels come from the catalogue and from known verbs, so that nobody can make series out of thin
// air.
RequestMetrics::Row& RequestMetrics::row(const RequestInfo& info, int status) {
  const bool known = info.resource != nullptr;
  const std::string sub =
      known && info.resource->subresource(info.subresource) ? info.subresource : "";
  const auto key =
      std::tuple(static_cast<const void*>(info.resource),
                 (known_verb(info.verb) ? info.verb : "other") + "/" + scope_of(info), sub, status);
  const auto found = rows_.find(key);
  if (found != rows_.end()) return found->second;
  Metrics::Labels labels = {{"verb", known_verb(info.verb) ? metric_verb(info) : "other"},
                            {"group", known ? info.group : ""},
                            {"version", known ? info.version : ""},
                            {"resource", known ? info.plural : ""},
                            {"subresource", sub},
                            {"scope", known ? scope_of(info) : ""},
                            {"component", "apiserver"}};
  Row made{nullptr, nullptr};
  if (!long_running(info)) {
    made.seconds = &metrics_.histogram(
        "apiserver_request_duration_seconds",
        "Response latency in seconds for each verb, group, version and resource.", bounds(),
        labels);
  }
  labels["code"] = std::to_string(status == 0 ? 499 : status);
  made.total = &metrics_.counter(
      "apiserver_request_total",
      "Requests by verb, group, version, resource and HTTP response code.", labels);
  return rows_.emplace(key, made).first->second;
}

}  // namespace kinglet::apiserver

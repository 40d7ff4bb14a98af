#include "apiserver/metrics_api.h"

#include "apiserver/auth/virtual_object.h"
#include "apiserver/errors.h"
#include "apiserver/internal/captured_exchange.h"
#include "base/deadline.h"
#include "base/task.h"
#include "base/task_group.h"
#include "schema/values.h"

namespace kinglet::apiserver {
namespace {

constexpr Duration kNodeTimeout = std::chrono::seconds(5);
constexpr size_t kSummaryBytesMax = 16 << 20;
constexpr const char* kMetricsGroup = "metrics.k8s.io";
constexpr const char* kMetricsGroupVersion = "metrics.k8s.io/v1beta1";
constexpr const char* kWindow = "10s";

const schema::Resource& core_kind(std::string_view plural) {
  const auto* found = schema::find_resource("", "v1", plural);
  KL_ASSERT(found != nullptr, "the catalogue lacks {}", plural);
  return *found;
}

json::Object usage_of(const json::Value& stats) {
  // As metrics-server prints them: nano cores and KiB.
  return {
      {"cpu",
       fmt::format("{}n", std::max<int64_t>(0, json::int_at(stats, {"cpu", "usageNanoCores"})))},
      {"memory", fmt::format("{}Ki", std::max<int64_t>(
                                         0, json::int_at(stats, {"memory", "workingSetBytes"})) /
                                         1024)}};
}

json::Object head_of(const char* kind, const json::Value& object, const std::string& now) {
  json::Object metadata{{"name", json::text_at(object, {"metadata", "name"})}};
  if (const auto ns = json::text_at(object, {"metadata", "namespace"}); !ns.empty())
    metadata["namespace"] = ns;
  metadata["creationTimestamp"] = now;
  if (const auto* labels = json::find(object, {"metadata", "labels"})) metadata["labels"] = *labels;
  return {{"kind", kind},
          {"apiVersion", kMetricsGroupVersion},
          {"metadata", std::move(metadata)},
          {"timestamp", now},
          {"window", kWindow}};
}

bool matches(const schema::Selector& selector, const json::Value& object) {
  std::map<std::string, std::string> labels;
  if (const auto* found = json::find(object, {"metadata", "labels"});
      found != nullptr && found->is_object())
    for (const auto& item : found->get_object())
      if (item.value().is_string())
        labels[std::string(item.key())] = std::string(item.value().get_string());
  return selector.matches_with([&](const std::string& key) -> const std::string* {
    const auto found = labels.find(key);
    return found == labels.end() ? nullptr : &found->second;
  });
}

class MetricsApi final : public Extension {
 public:
  MetricsApi(const Reader& reader, client::NodeEndpoints& nodes, Clock& clock)
      : reader_(reader), nodes_(nodes), clock_(clock) {}

  bool serves(const RequestInfo& info) const override {
    return info.is_resource && info.group == kMetricsGroup;
  }

  Task<void> serve(net::Exchange& exchange, const RequestInfo& info, const User&) override {
    auto answering = answer(info, exchange.request());
    auto object = co_await std::move(answering);
    if (!object) {
      co_await respond_error(exchange, object.error());
      co_return;
    }
    auto responding = respond_virtual(exchange, 200, std::move(*object));
    co_await std::move(responding);
  }

 private:
  using Summaries = std::map<std::string, json::Value>;  // by node

  Task<Result<json::Value>> answer(const RequestInfo& info, const net::Request& request) {
    const bool of_nodes = info.plural == "nodes", of_pods = info.plural == "pods";
    if ((!of_nodes && !of_pods) || info.version != "v1beta1" || !info.subresource.empty())
      co_return Error(Code::not_found, "the server could not find the requested resource");
    if (info.verb != "get" && info.verb != "list")
      co_return Error(Code::method_not_allowed,
                      "the server does not allow this method on the requested resource");
    const std::string* text = request.query_value("labelSelector");
    KL_TRY(selector, schema::Selector::parse(text == nullptr ? "" : *text));
    const std::string name = info.name, ns = info.ns;
    if (!name.empty()) {
      KL_TRY(object, reader_.get(core_kind(of_nodes ? "nodes" : "pods"), ns, name));
      const std::string node(of_nodes ? std::string_view(name)
                                      : json::text_at(object, {"spec", "nodeName"}));
      auto asking = ask_nodes({node});
      const Summaries summaries = co_await std::move(asking);
      auto found = of_nodes ? node_item(summaries, object) : pod_item(summaries, object);
      if (found.is_null())
        co_return Error(Code::not_found, "{}metrics for {} \"{}\" not available yet",
                        of_nodes ? "node" : "pod", of_nodes ? "node" : "pod", name);
      co_return std::move(found);
    }
    auto asking = ask_nodes(all_nodes());
    const Summaries summaries = co_await std::move(asking);
    json::Array items;
    for (const auto& object : reader_.list(core_kind(of_nodes ? "nodes" : "pods"), ns)) {
      if (!matches(selector, object)) continue;
      auto item = of_nodes ? node_item(summaries, object) : pod_item(summaries, object);
      if (!item.is_null()) items.push_back(std::move(item));
    }
    co_return json::Value(json::Object{{"kind", of_nodes ? "NodeMetricsList" : "PodMetricsList"},
                                       {"apiVersion", kMetricsGroupVersion},
                                       {"metadata", json::Object()},
                                       {"items", std::move(items)}});
  }

  std::vector<std::string> all_nodes() const {
    std::vector<std::string> out;
    for (const auto& node : reader_.list(core_kind("nodes"), ""))
      out.emplace_back(json::text_at(node, {"metadata", "name"}));
    return out;
  }

  // All at once; one that does not answer in time is left out.
  Task<Summaries> ask_nodes(std::vector<std::string> names) {
    Summaries out;
    TaskGroup group;
    int asked = 0;
    for (const auto& name : names)
      if (net::Handler* handler = nodes_.find(name)) {
        group.add("summary", ask_node(*handler, name, out));
        ++asked;
      }
    if (asked > 0) {
      const auto ended = co_await group.run();
      (void)ended;  // what is missing is missing
    }
    co_return out;
  }

  static Task<Result<void>> serve_captured(net::Handler& handler, net::Exchange& exchange) {
    co_await handler.serve(exchange);
    co_return Result<void>();
  }

  Task<void> ask_node(net::Handler& handler, std::string name, Summaries& out) {
    CapturedExchange exchange("/stats/summary", kSummaryBytesMax);
    auto serving = serve_captured(handler, exchange);
    const auto served = co_await with_deadline(clock_, kNodeTimeout, std::move(serving));
    if (!served || exchange.status() != 200) co_return;
    auto summary = json::parse(exchange.body());
    if (summary) out[name] = std::move(*summary);
  }

  json::Value node_item(const Summaries& summaries, const json::Value& node) const {
    const auto found = summaries.find(std::string(json::text_at(node, {"metadata", "name"})));
    if (found == summaries.end()) return nullptr;
    return node_metrics(found->second, node, rfc3339(clock_.wall()));
  }

  json::Value pod_item(const Summaries& summaries, const json::Value& pod) const {
    const auto found = summaries.find(std::string(json::text_at(pod, {"spec", "nodeName"})));
    const auto* pods = found == summaries.end() ? nullptr : json::find(found->second, {"pods"});
    if (pods == nullptr || !pods->is_array()) return nullptr;
    const auto uid = json::text_at(pod, {"metadata", "uid"});
    for (const auto& summary : pods->get_array())
      if (json::text_at(summary, {"podRef", "uid"}) == uid)
        return pod_metrics(summary, pod, rfc3339(clock_.wall()));
    return nullptr;
  }

  const Reader& reader_;
  client::NodeEndpoints& nodes_;
  Clock& clock_;
};

}  // namespace

json::Value node_metrics(const json::Value& summary, const json::Value& node,
                         const std::string& now) {
  const auto* stats = json::find(summary, {"node"});
  if (stats == nullptr || json::find(*stats, {"cpu", "usageNanoCores"}) == nullptr) return nullptr;
  json::Object out = head_of("NodeMetrics", node, now);
  out["usage"] = usage_of(*stats);
  return out;
}

json::Value pod_metrics(const json::Value& pod_summary, const json::Value& pod,
                        const std::string& now) {
  const auto* list = json::find(pod_summary, {"containers"});
  if (list == nullptr || !list->is_array()) return nullptr;
  json::Array containers;
  for (const auto& container : list->get_array()) {
    // Without two looks there is no rate, and half a sum would mislead an autoscaler.
    if (json::find(container, {"cpu", "usageNanoCores"}) == nullptr) return nullptr;
    containers.push_back(
        json::Object{{"name", json::text_at(container, {"name"})}, {"usage", usage_of(container)}});
  }
  json::Object out = head_of("PodMetrics", pod, now);
  out["containers"] = std::move(containers);
  return out;
}

std::unique_ptr<Extension> make_metrics_api(const Reader& reader, client::NodeEndpoints& nodes,
                                            Clock& clock) {
  return std::make_unique<MetricsApi>(reader, nodes, clock);
}

}  // namespace kinglet::apiserver

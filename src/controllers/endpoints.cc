// Endpoints controller: for clients that do not know slices.
#include "controllers/internal/endpoints.h"

#include "base/task.h"
#include "client/write.h"
#include "controllers/internal/parts.h"
#include "controllers/internal/service_pods.h"

namespace kinglet::controllers {

const schema::Resource& Endpoints::resource() {
  static const auto& found = client::resource("", "v1", "endpoints");
  return found;
}

std::shared_ptr<Endpoints> Endpoints::decode(const json::Value& object) {
  auto endpoints = std::make_shared<Endpoints>();
  for (const auto& item : client::array_at(object, {"subsets"})) {
    Subset subset;
    subset.ports = ports_of(item);
    for (const bool ready : {true, false})
      for (const auto& address : client::array_at(item, {ready ? "addresses" : "notReadyAddresses"})) {
        Endpoint e;
        e.ready = ready;
        e.address = client::string_at(address, {"ip"});
        e.hostname = client::string_at(address, {"hostname"});
        e.node_name = client::string_at(address, {"nodeName"});
        e.pod_ns = client::string_at(address, {"targetRef", "namespace"});
        e.pod_name = client::string_at(address, {"targetRef", "name"});
        e.pod_uid = client::string_at(address, {"targetRef", "uid"});
        subset.endpoints.push_back(std::move(e));
      }
    endpoints->subsets.push_back(std::move(subset));
  }
  return endpoints;
}

namespace {
// Ready ones first, then by address: the order in which an object lists them.
bool listed_before(const Endpoint& a, const Endpoint& b) {
  return std::tuple(!a.ready, a.address, a.pod_uid) < std::tuple(!b.ready, b.address, b.pod_uid);
}
}  // namespace

WantedEndpoints wanted_endpoints(const Service& service, const std::vector<Ref<const Pod>>& pods) {
  std::map<EndpointPorts, std::vector<Endpoint>> groups;
  WantedEndpoints wanted;
  size_t count = 0;
  for (const auto& pod : pods) {
    // This form cannot say "terminating": such a pod is simply not there.
    if (pod->meta.deleted && !service.publish_not_ready) continue;
    auto endpoint = endpoint_of(service, *pod, service.families.front(), "");
    if (!endpoint) continue;
    if (++count > kEndpointsAddressesMax) {
      wanted.over_capacity = true;
      break;
    }
    endpoint->serving = endpoint->terminating = false;
    groups[ports_at(service, *pod)].push_back(std::move(*endpoint));
  }
  for (auto& [ports, endpoints] : groups) {
    if (ports.empty() && !service.ports.empty()) continue;  // no port of the service is open there
    std::sort(endpoints.begin(), endpoints.end(), listed_before);
    wanted.subsets.push_back({ports, std::move(endpoints)});
  }
  return wanted;
}

client::StringPairs endpoints_labels(const Service& service) {
  client::StringPairs labels;
  for (const auto& pair : service.meta.labels)
    if (pair.first != kHeadlessLabel && pair.first != kEndpointsManagedBy) labels.push_back(pair);
  labels.emplace_back(kEndpointsManagedBy, kEndpointsManager);
  if (service.headless) labels.emplace_back(kHeadlessLabel, "");
  std::sort(labels.begin(), labels.end());
  return labels;
}

bool up_to_date(const Service& service, const WantedEndpoints& wanted, const Endpoints& existing) {
  auto has = existing.subsets;
  for (auto& subset : has) std::sort(subset.endpoints.begin(), subset.endpoints.end(), listed_before);
  std::sort(has.begin(), has.end(), [](const auto& a, const auto& b) { return a.ports < b.ports; });
  return has == wanted.subsets && existing.meta.labels == endpoints_labels(service) &&
         (existing.meta.annotation(kOverCapacity) != nullptr) == wanted.over_capacity;
}

json::Value endpoints_object(const Service& service, const WantedEndpoints& wanted, const Endpoints* existing) {
  json::Object meta = {{"name", service.meta.name},
                       {"namespace", service.meta.ns},
                       {"labels", client::object_of(endpoints_labels(service))}};
  json::Object annotations;
  if (existing) {
    meta["resourceVersion"] = std::to_string(existing->meta.revision);
    annotations = client::object_of(existing->meta.annotations);
    annotations.erase(kOverCapacity);
  }
  if (wanted.over_capacity) annotations[kOverCapacity] = "truncated";
  if (!annotations.empty()) meta["annotations"] = std::move(annotations);
  json::Array subsets;
  for (const auto& subset : wanted.subsets) {
    json::Array ready, not_ready, ports;
    for (const auto& e : subset.endpoints) {
      json::Object address = {{"ip", e.address}, {"targetRef", target_of(e)}};
      if (!e.hostname.empty()) address["hostname"] = e.hostname;
      if (!e.node_name.empty()) address["nodeName"] = e.node_name;
      (e.ready ? ready : not_ready).push_back(std::move(address));
    }
    for (const auto& port : subset.ports) {
      auto item = to_json(port);
      if (port.name.empty()) item.as_object().erase("name");
      ports.push_back(std::move(item));
    }
    json::Object out;
    if (!ready.empty()) out["addresses"] = std::move(ready);
    if (!not_ready.empty()) out["notReadyAddresses"] = std::move(not_ready);
    if (!ports.empty()) out["ports"] = std::move(ports);
    subsets.push_back(std::move(out));
  }
  json::Object object = {{"apiVersion", "v1"}, {"kind", "Endpoints"}, {"metadata", std::move(meta)}};
  if (!subsets.empty()) object["subsets"] = std::move(subsets);
  return object;
}

namespace {
using client::Api;
using client::Informer;
using client::Outcome;

class EndpointsController final : public client::Reconciler {
 public:
  EndpointsController(const Deps& deps, client::Runner& runner)
      : services_(runner.reads(deps.informers.of<Service>())),
        pods_(runner.reads(deps.informers.of<Pod>())),
        endpoints_(runner.reads(deps.informers.of<Endpoints>())) {
    wake_services_of_pods(runner, services_, pods_);
    endpoints_.on_change([&runner](const Endpoints* before, const Endpoints* after) {
      runner.add((after ? after : before)->meta.key());
    });
  }

  Task<Result<Outcome>> reconcile(Api& api, ObjectKey key) override {
    const auto service = services_.find(key);
    const auto existing = endpoints_.find(key);
    if (!service) {
      const auto* by = existing ? existing->meta.label(kEndpointsManagedBy) : nullptr;
      if (!by || *by != kEndpointsManager) co_return Outcome::done();  // not of our making
      const auto removed = co_await client::remove(api, Endpoints::resource(), key, existing->meta.uid);
      KL_CHECK(client::unless(Code::not_found, removed));
      co_return Outcome::done();
    }
    if (!service->managed() || service->meta.deleted) co_return Outcome::done();
    const auto wanted = wanted_endpoints(*service, pods_.select(key.ns, service->selector));
    if (existing && up_to_date(*service, wanted, *existing)) co_return Outcome::done();
    const auto object = endpoints_object(*service, wanted, existing.get());
    if (existing) {
      KL_TRY(written, co_await client::update(api, Endpoints::resource(), key, object));
      (void)written;
    } else {
      KL_TRY(written, co_await client::create(api, Endpoints::resource(), key.ns, object));
      (void)written;
    }
    co_return Outcome::done();
  }

 private:
  Informer<Service> services_;
  Informer<Pod> pods_;
  Informer<Endpoints> endpoints_;
};
}  // namespace

RunnerPtr make_endpoints(const Deps& deps) {
  auto runner = deps.runner("endpoint");
  runner->use(std::make_unique<EndpointsController>(deps, *runner));
  return runner;
}

}  // namespace kinglet::controllers

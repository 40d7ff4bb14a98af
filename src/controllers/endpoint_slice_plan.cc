#include "controllers/internal/endpoint_slice.h"

namespace kinglet::controllers {

const schema::Resource& EndpointSlice::resource() {
  static const auto& found = client::resource("discovery.k8s.io", "v1", "endpointslices");
  return found;
}

std::shared_ptr<EndpointSlice> EndpointSlice::decode(const json::Value& object) {
  auto slice = std::make_shared<EndpointSlice>();
  slice->address_type = client::string_at(object, {"addressType"});
  slice->ports = ports_of(object);
  for (const auto& item : client::array_at(object, {"endpoints"})) {
    Endpoint e;
    if (const auto& addresses = client::array_at(item, {"addresses"}); !addresses.empty() && addresses[0].is_string())
      e.address = addresses[0].get_string();
    e.hostname = client::string_at(item, {"hostname"});
    e.node_name = client::string_at(item, {"nodeName"});
    e.zone = client::string_at(item, {"zone"});
    e.pod_ns = client::string_at(item, {"targetRef", "namespace"});
    e.pod_name = client::string_at(item, {"targetRef", "name"});
    e.pod_uid = client::string_at(item, {"targetRef", "uid"});
    e.ready = json::bool_at(item, {"conditions", "ready"});
    e.serving = json::bool_at(item, {"conditions", "serving"});
    e.terminating = json::bool_at(item, {"conditions", "terminating"});
    slice->endpoints.push_back(std::move(e));
  }
  return slice;
}

SliceGroups group_endpoints(const Service& service, const std::vector<Ref<const Pod>>& pods,
                            const std::function<std::string(const std::string&)>& zone_of) {
  SliceGroups groups;
  for (const auto& family : service.families) {
    bool any = false;
    for (const auto& pod : pods)
      if (auto endpoint = endpoint_of(service, *pod, family, zone_of(pod->node_name))) {
        groups[{family, ports_at(service, *pod)}].push_back(std::move(*endpoint));
        any = true;
      }
    // A service without endpoints keeps one empty slice: "none" and "not looked at yet" differ.
    if (!any) groups[{family, {}}] = {};
  }
  return groups;
}

client::StringPairs slice_labels(const Service& service) {
  client::StringPairs labels;
  for (const auto& pair : service.meta.labels)
    if (pair.first != kServiceNameLabel && pair.first != kManagedByLabel && pair.first != kHeadlessLabel)
      labels.push_back(pair);
  labels.emplace_back(kServiceNameLabel, service.meta.name);
  labels.emplace_back(kManagedByLabel, kManagedByUs);
  if (service.headless) labels.emplace_back(kHeadlessLabel, "");
  std::sort(labels.begin(), labels.end());
  return labels;
}

namespace {
struct Draft {
  WantedSlice slice;
  bool changed = false;
};

// Endpoints stay in the slice that has them; what is gone leaves; what is new is returned.
std::vector<Endpoint> keep_in_place(std::vector<Draft>& drafts, const std::vector<Endpoint>& wanted) {
  std::map<std::string, const Endpoint*> open;
  for (const auto& endpoint : wanted) open[endpoint.pod_uid] = &endpoint;
  for (auto& draft : drafts) {
    for (const auto& before : draft.slice.existing->endpoints) {
      const auto at = open.find(before.pod_uid);
      if (at == open.end()) {
        draft.changed = true;
        continue;
      }
      draft.changed = draft.changed || !(before == *at->second);
      draft.slice.endpoints.push_back(*at->second);
      open.erase(at);
    }
  }
  std::vector<Endpoint> fresh;
  for (const auto& endpoint : wanted)
    if (open.contains(endpoint.pod_uid)) fresh.push_back(endpoint);
  return fresh;
}

// New endpoints go first where a write is due anyway, then into the fullest slice that takes all the rest, then into
// new slices.
void place(std::vector<Draft>& drafts, std::vector<Endpoint> fresh, const WantedSlice& blank) {
  const auto pour = [&](Draft& draft) {
    while (!fresh.empty() && draft.slice.endpoints.size() < kEndpointsPerSliceMax) {
      draft.slice.endpoints.push_back(std::move(fresh.back()));
      fresh.pop_back();
      draft.changed = true;
    }
  };
  std::reverse(fresh.begin(), fresh.end());
  for (auto& draft : drafts)
    if (draft.changed) pour(draft);
  if (fresh.empty()) return;
  Draft* best = nullptr;
  for (auto& draft : drafts)
    if (!draft.changed && draft.slice.endpoints.size() + fresh.size() <= kEndpointsPerSliceMax &&
        (!best || draft.slice.endpoints.size() > best->slice.endpoints.size()))
      best = &draft;
  if (best) pour(*best);
  while (!fresh.empty()) {
    drafts.push_back({blank, true});
    pour(drafts.back());
  }
}
}  // namespace

SlicePlan plan_slices(const Service& service, const SliceGroups& wanted,
                      const std::vector<Ref<const EndpointSlice>>& existing) {
  SlicePlan plan;
  const auto labels = slice_labels(service);
  std::map<std::pair<std::string, EndpointPorts>, std::vector<Draft>> drafts;
  for (const auto& slice : existing) {
    const std::pair key{slice->address_type, slice->ports};
    if (!wanted.contains(key)) {
      plan.remove.push_back(slice);
      continue;
    }
    drafts[key].push_back({{slice, slice->address_type, slice->ports, {}}, slice->meta.labels != labels});
  }
  for (const auto& [key, endpoints] : wanted) {
    auto& group = drafts[key];
    const WantedSlice blank{nullptr, key.first, key.second, {}};
    place(group, keep_in_place(group, endpoints), blank);
    if (endpoints.empty() && group.empty()) group.push_back({blank, true});
    bool kept_empty = !endpoints.empty();
    for (auto& draft : group) {
      if (draft.slice.endpoints.empty() && draft.slice.existing && std::exchange(kept_empty, true))
        plan.remove.push_back(draft.slice.existing);
      else if (draft.changed)
        plan.write.push_back(std::move(draft.slice));
    }
  }
  return plan;
}

json::Value slice_object(const Service& service, const WantedSlice& slice) {
  json::Array endpoints, ports;
  for (const auto& e : slice.endpoints) {
    json::Object item = {{"addresses", json::Array{json::Value(e.address)}},
                         {"conditions", json::Object{{"ready", e.ready}, {"serving", e.serving}, {"terminating", e.terminating}}},
                         {"targetRef", target_of(e)}};
    if (!e.hostname.empty()) item["hostname"] = e.hostname;
    if (!e.node_name.empty()) item["nodeName"] = e.node_name;
    if (!e.zone.empty()) item["zone"] = e.zone;
    endpoints.push_back(std::move(item));
  }
  for (const auto& port : slice.ports) ports.push_back(to_json(port));
  json::Object meta = {{"namespace", service.meta.ns},
                       {"labels", client::object_of(slice_labels(service))},
                       {"ownerReferences", json::Array{client::to_json(client::controller_ref(Service::resource(), service.meta))}}};
  if (slice.existing) {
    meta["name"] = slice.existing->meta.name;
    meta["resourceVersion"] = std::to_string(slice.existing->meta.revision);
    meta["annotations"] = client::object_of(slice.existing->meta.annotations);
    meta["generateName"] = service.meta.name + "-";
  } else {
    meta["generateName"] = service.meta.name + "-";
  }
  return json::Object{{"apiVersion", "discovery.k8s.io/v1"},
                      {"kind", "EndpointSlice"},
                      {"metadata", std::move(meta)},
                      {"addressType", slice.address_type},
                      {"endpoints", std::move(endpoints)},
                      {"ports", std::move(ports)}};
}

}  // namespace kinglet::controllers

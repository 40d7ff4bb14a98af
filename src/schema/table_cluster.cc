// The cells of the cluster's own objects: nodes, namespaces, events, leases, configuration.
#include <algorithm>
#include <set>

#include "schema/internal/table_row.h"

namespace kinglet::schema {
namespace {

std::string node_status(const json::Value& node) {
  const auto* ready = find_condition(node, "Ready");
  std::string status = !ready                                        ? "Unknown"
                       : json::text_at(*ready, {"status"}) == "True" ? "Ready"
                                                                     : "NotReady";
  if (json::bool_at(node, {"spec", "unschedulable"})) status += ",SchedulingDisabled";
  return status;
}

std::string node_roles(const json::Value& node) {
  constexpr std::string_view kPrefix = "node-role.kubernetes.io/";
  std::set<std::string> roles;
  const auto* labels = json::find(node, {"metadata", "labels"});
  if (labels && labels->is_object()) {
    for (const auto& [key, value] : labels->get_object()) {
      const std::string_view name = key;
      if (name.starts_with(kPrefix) && name.size() > kPrefix.size())
        roles.emplace(name.substr(kPrefix.size()));
      if (name == "kubernetes.io/role" && !member_text(value).empty())
        roles.insert(member_text(value));
    }
  }
  return roles.empty() ? std::string(kNone) : join({roles.begin(), roles.end()}, ",");
}

std::string node_address(const json::Value& node, std::string_view type) {
  for (const auto& address : array_at(node, {"status", "addresses"}))
    if (json::text_at(address, {"type"}) == type)
      return std::string(json::text_at(address, {"address"}));
  return std::string(kNone);
}

void node_cells(TableRow& row) {
  row.add(json::Value(node_status(row.object())));
  row.add(json::Value(node_roles(row.object())));
  row.age();
  row.text({"status", "nodeInfo", "kubeletVersion"});
  row.add(json::Value(node_address(row.object(), "InternalIP")));
  row.add(json::Value(node_address(row.object(), "ExternalIP")));
  row.text({"status", "nodeInfo", "osImage"}, kUnknown);
  row.text({"status", "nodeInfo", "kernelVersion"}, kUnknown);
  row.text({"status", "nodeInfo", "containerRuntimeVersion"}, kUnknown);
}

std::string first_text(const json::Value& object, std::initializer_list<JsonPath> paths) {
  for (const auto path : paths)
    if (const auto text = json::text_at(object, path); !text.empty()) return std::string(text);
  return {};
}

std::string event_source(const json::Value& event) {
  // The two groups name the same fields differently.
  std::string source =
      first_text(event, {{"source", "component"}, {"deprecatedSource", "component"}});
  std::string host = first_text(event, {{"source", "host"}, {"deprecatedSource", "host"}});
  if (source.empty()) {
    source = first_text(event, {{"reportingComponent"}, {"reportingController"}});
    host = json::text_at(event, {"reportingInstance"});
  }
  return host.empty() ? source : fmt::format("{}, {}", source, host);
}

std::string event_count(const json::Value& event) {
  for (const JsonPath path :
       {JsonPath{"series", "count"}, JsonPath{"count"}, JsonPath{"deprecatedCount"}})
    if (const auto count = json::int_at(event, path); count > 0) return std::to_string(count);
  return "1";
}

std::string trim(std::string text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

void event_cells(TableRow& row) {
  const auto& event = row.object();
  const auto first =
      first_text(event, {{"firstTimestamp"}, {"deprecatedFirstTimestamp"}, {"eventTime"}});
  const auto last = first_text(event, {{"series", "lastObservedTime"},
                                       {"lastTimestamp"},
                                       {"deprecatedLastTimestamp"},
                                       {"eventTime"},
                                       {"firstTimestamp"},
                                       {"deprecatedFirstTimestamp"}});
  const std::string_view object =
      json::find(event, {"involvedObject"}) ? "involvedObject" : "regarding";
  row.add(json::Value(age_text(last, row.now())));
  row.text({"type"});
  row.text({"reason"});
  std::string kind(json::text_at(event, {object, "kind"}));
  std::transform(kind.begin(), kind.end(), kind.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  row.add(json::Value(fmt::format("{}/{}", kind, json::text_at(event, {object, "name"}))));
  row.text({object, "fieldPath"});
  row.add(json::Value(event_source(event)));
  row.add(json::Value(trim(first_text(event, {{"message"}, {"note"}}))));
  row.add(json::Value(age_text(first, row.now())));
  row.add(json::Value(event_count(event)));
  row.text({"metadata", "name"});
}

void component_status_cells(TableRow& row) {
  const json::Value* healthy = nullptr;
  for (const auto& condition : array_at(row.object(), {"conditions"}))
    if (json::text_at(condition, {"type"}) == "Healthy") healthy = &condition;
  const auto status = healthy ? json::text_at(*healthy, {"status"}) : std::string_view();
  row.add(json::Value(status == "True" ? "Healthy" : status == "False" ? "Unhealthy" : "Unknown"));
  for (const std::string_view field : {"message", "error"})
    row.add(json::Value(healthy ? json::text_at(*healthy, {field}) : std::string_view()));
}

void api_service_cells(TableRow& row) {
  const auto* service = json::find(row.object(), {"spec", "service"});
  row.add(service && service->is_object()
              ? json::Value(fmt::format("{}/{}", json::text_at(*service, {"namespace"}),
                                        json::text_at(*service, {"name"})))
              : json::Value("Local"));
  const auto* available = find_condition(row.object(), "Available");
  std::string text = "Unknown";
  if (available) {
    text = json::text_at(*available, {"status"});
    const auto reason = json::text_at(*available, {"reason"});
    if (text != "True" && !reason.empty()) text += fmt::format(" ({})", reason);
  }
  row.add(json::Value(text));
  row.age();
}

std::string claim_state(const json::Value& claim) {
  const bool deleted = !json::text_at(claim, {"metadata", "deletionTimestamp"}).empty();
  const auto* allocation = json::find(claim, {"status", "allocation"});
  const bool allocated = allocation && !allocation->is_null();
  std::vector<std::string> parts;
  if (deleted) parts.emplace_back("deleted");
  if (!allocated && !deleted) parts.emplace_back("pending");
  if (allocated) parts.emplace_back("allocated");
  if (allocated && !array_at(claim, {"status", "reservedFor"}).empty())
    parts.emplace_back("reserved");
  return join(parts, ",");
}

bool core_cells(std::string_view plural, TableRow& row) {
  if (plural == "nodes") {
    node_cells(row);
  } else if (plural == "namespaces") {
    row.text({"status", "phase"});
    row.age();
  } else if (plural == "secrets") {
    row.text({"type"});
    row.count_text({"data"});
    row.age();
  } else if (plural == "serviceaccounts") {
    row.count_text({"secrets"});
    row.age();
  } else if (plural == "configmaps") {
    const auto size = [&](std::string_view member) {
      const auto* map = json::find(row.object(), {member});
      return map && map->is_object() ? map->get_object().size() : 0;
    };
    row.add(json::Value(std::to_string(size("data") + size("binaryData"))));
    row.age();
  } else if (plural == "componentstatuses") {
    component_status_cells(row);
  } else {
    return false;
  }
  return true;
}

bool device_cells(std::string_view plural, TableRow& row) {
  if (plural == "resourceclaims") row.add(json::Value(claim_state(row.object())));
  if (plural == "resourceslices") {
    row.text({"spec", "nodeName"});
    row.text({"spec", "driver"});
    row.text({"spec", "pool", "name"});
  }
  row.age();
  return true;
}

}  // namespace

bool cluster_cells(std::string_view group, std::string_view plural, TableRow& row) {
  if (plural == "events") {
    event_cells(row);
    return true;
  }
  if (group.empty()) return core_cells(plural, row);
  if (group == "resource.k8s.io") return device_cells(plural, row);
  if (plural == "leases") {
    row.text({"spec", "holderIdentity"});
    row.age();
  } else if (plural == "runtimeclasses") {
    row.text({"handler"});
    row.age();
  } else if (plural == "apiservices") {
    api_service_cells(row);
  } else {
    return false;
  }
  return true;
}

}  // namespace kinglet::schema

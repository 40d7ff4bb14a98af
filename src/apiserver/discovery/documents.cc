#include "apiserver/discovery/documents.h"

#include <algorithm>
#include <map>
#include <vector>

#include "schema/types.h"

namespace kinglet::apiserver {
namespace {

using schema::Group;
using schema::Resource;
using schema::Subresource;

json::Array strings(std::span<const std::string_view> list) {
  json::Array out;
  for (const auto text : list) out.emplace_back(text);
  return out;
}

std::string group_version(std::string_view group, std::string_view version) {
  return group.empty() ? std::string(version) : fmt::format("{}/{}", group, version);
}

const Group* find_group(std::string_view name) {
  for (const auto& group : schema::groups())
    if (group.name == name) return &group;
  return nullptr;
}

std::vector<const Resource*> served(std::string_view group, std::string_view version) {
  std::vector<const Resource*> out;
  for (const auto* resource : schema::resources())
    if (resource->group == group && resource->version == version) out.push_back(resource);
  std::sort(out.begin(), out.end(),
            [](const auto* a, const auto* b) { return a->plural < b->plural; });
  return out;
}

std::vector<const Subresource*> sorted_subresources(const Resource& resource) {
  std::vector<const Subresource*> out;
  for (const auto& sub : resource.subresources) out.push_back(&sub);
  std::sort(out.begin(), out.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
  return out;
}

json::Object group_object(const Group& group) {
  json::Array versions;
  const auto entry = [&group](std::string_view version) {
    return json::Object{{"groupVersion", group_version(group.name, version)}, {"version", version}};
  };
  for (const auto version : group.versions) versions.emplace_back(entry(version));
  return {{"name", group.name},
          {"versions", std::move(versions)},
          {"preferredVersion", entry(group.versions.front())}};
}

json::Object resource_row(const Resource& resource) {
  json::Object out{{"name", resource.plural},
                   {"singularName", resource.singular},
                   {"namespaced", resource.namespaced},
                   {"kind", resource.kind},
                   {"verbs", strings(resource.verbs)}};
  if (!resource.short_names.empty()) out["shortNames"] = strings(resource.short_names);
  if (!resource.categories.empty()) out["categories"] = strings(resource.categories);
  if (!resource.storage_version_hash.empty())
    out["storageVersionHash"] = resource.storage_version_hash;
  return out;
}

// Group and version stand there only when they differ from the endpoint's (scale is of
// autoscaling).
json::Object subresource_row(const Resource& resource, const Subresource& sub) {
  json::Object out{{"name", fmt::format("{}/{}", resource.plural, sub.name)},
                   {"singularName", ""},
                   {"namespaced", resource.namespaced}};
  const bool differs =
      !sub.version.empty() && (sub.group != resource.group || sub.version != resource.version);
  if (differs) {
    out["group"] = sub.group;
    out["version"] = sub.version;
  }
  out["kind"] = sub.kind;
  out["verbs"] = strings(sub.verbs);
  return out;
}

json::Object kind_object(std::string_view group, std::string_view version, std::string_view kind) {
  return {{"group", group}, {"version", version}, {"kind", kind}};
}

json::Object aggregated_resource(const Resource& resource) {
  json::Object out{{"resource", resource.plural},
                   {"responseKind", kind_object(resource.group, resource.version, resource.kind)},
                   {"scope", resource.namespaced ? "Namespaced" : "Cluster"},
                   {"singularResource", resource.singular},
                   {"verbs", strings(resource.verbs)}};
  if (!resource.short_names.empty()) out["shortNames"] = strings(resource.short_names);
  if (!resource.categories.empty()) out["categories"] = strings(resource.categories);
  json::Array subresources;
  for (const auto* sub : sorted_subresources(resource)) {
    const bool own = sub->version.empty();
    subresources.emplace_back(json::Object{
        {"subresource", sub->name},
        {"responseKind", kind_object(own ? resource.group : sub->group,
                                     own ? resource.version : sub->version, sub->kind)},
        {"verbs", strings(sub->verbs)}});
  }
  if (!subresources.empty()) out["subresources"] = std::move(subresources);
  return out;
}

json::Object aggregated_group(const Group& group) {
  json::Array versions;
  for (const auto version : group.versions) {
    json::Array resources;
    for (const auto* resource : served(group.name, version))
      resources.emplace_back(aggregated_resource(*resource));
    if (resources.empty()) continue;
    versions.emplace_back(json::Object{
        {"version", version}, {"resources", std::move(resources)}, {"freshness", "Current"}});
  }
  json::Object metadata;
  if (!group.name.empty()) metadata["name"] = group.name;
  return {{"metadata", std::move(metadata)}, {"versions", std::move(versions)}};
}

// metrics.k8s.io, which is answered (metrics_api.h) and never stored, and so is not in the
// catalogue.
constexpr std::string_view kMetrics = "metrics.k8s.io", kMetricsVersion = "v1beta1";
struct MetricsKind {
  const char *plural, *kind;
  bool namespaced;
};
constexpr MetricsKind kMetricsKinds[] = {{"nodes", "NodeMetrics", false},
                                         {"pods", "PodMetrics", true}};

json::Object metrics_group() {
  const json::Object version{{"groupVersion", group_version(kMetrics, kMetricsVersion)},
                             {"version", kMetricsVersion}};
  return {{"name", kMetrics}, {"versions", json::Array{version}}, {"preferredVersion", version}};
}

json::Array metrics_resources() {
  json::Array out;
  for (const auto& [plural, kind, namespaced] : kMetricsKinds)
    out.emplace_back(json::Object{{"name", plural},
                                  {"singularName", ""},
                                  {"namespaced", namespaced},
                                  {"kind", kind},
                                  {"verbs", json::Array{"get", "list"}}});
  return out;
}

json::Object aggregated_metrics() {
  json::Array resources;
  for (const auto& [plural, kind, namespaced] : kMetricsKinds)
    resources.emplace_back(
        json::Object{{"resource", plural},
                     {"responseKind", kind_object(kMetrics, kMetricsVersion, kind)},
                     {"scope", namespaced ? "Namespaced" : "Cluster"},
                     {"singularResource", ""},
                     {"verbs", json::Array{"get", "list"}}});
  json::Object version{
      {"version", kMetricsVersion}, {"resources", std::move(resources)}, {"freshness", "Current"}};
  return {{"metadata", json::Object{{"name", kMetrics}}},
          {"versions", json::Array{json::Value(std::move(version))}}};
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// "application/json;g=x;v=y" -> its type and parameters.
std::pair<std::string_view, std::map<std::string_view, std::string_view>> parse_entry(
    std::string_view entry) {
  std::map<std::string_view, std::string_view> parameters;
  auto semicolon = entry.find(';');
  const auto type = trim(entry.substr(0, semicolon));
  while (semicolon != entry.npos) {
    entry.remove_prefix(semicolon + 1);
    semicolon = entry.find(';');
    const auto parameter = entry.substr(0, semicolon);
    const auto equals = parameter.find('=');
    if (equals != parameter.npos)
      parameters[trim(parameter.substr(0, equals))] = trim(parameter.substr(equals + 1));
  }
  return {type, std::move(parameters)};
}

}  // namespace

json::Value api_versions_document(std::string_view server_address) {
  json::Object address{{"clientCIDR", "0.0.0.0/0"}, {"serverAddress", server_address}};
  return json::Object{{"kind", "APIVersions"},
                      {"versions", json::Array{json::Value("v1")}},
                      {"serverAddressByClientCIDRs", json::Array{json::Value(std::move(address))}}};
}

json::Value api_groups_document() {
  json::Array groups;
  for (const auto& group : schema::groups())
    if (!group.name.empty()) groups.emplace_back(group_object(group));
  groups.emplace_back(metrics_group());
  return json::Object{
      {"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", std::move(groups)}};
}

std::optional<json::Value> api_group_document(std::string_view name) {
  const auto* group = find_group(name);
  if ((!group && name != kMetrics) || name.empty()) return std::nullopt;
  json::Object out{{"kind", "APIGroup"}, {"apiVersion", "v1"}};
  for (auto& item : group ? group_object(*group) : metrics_group()) out[item.key()] = item.value();
  return out;
}

std::optional<json::Value> api_resources_document(std::string_view group,
                                                  std::string_view version) {
  json::Array rows;
  for (const auto* resource : served(group, version)) {
    rows.emplace_back(resource_row(*resource));
    for (const auto* sub : sorted_subresources(*resource))
      rows.emplace_back(subresource_row(*resource, *sub));
  }
  if (group == kMetrics && version == kMetricsVersion) rows = metrics_resources();
  if (rows.empty()) return std::nullopt;
  json::Object out{{"kind", "APIResourceList"}};
  if (!group.empty()) out["apiVersion"] = "v1";
  out["groupVersion"] = group_version(group, version);
  out["resources"] = std::move(rows);
  return out;
}

json::Value aggregated_document(GroupSet set, std::string_view version) {
  json::Array items;
  for (const auto& group : schema::groups())
    if (group.name.empty() == (set == GroupSet::core)) items.emplace_back(aggregated_group(group));
  if (set == GroupSet::named) items.emplace_back(aggregated_metrics());
  return json::Object{{"kind", "APIGroupDiscoveryList"},
                      {"apiVersion", fmt::format("apidiscovery.k8s.io/{}", version)},
                      {"metadata", json::Object()},
                      {"items", std::move(items)}};
}

json::Value version_document(std::string_view version) {
  // "v1.34.1+kinglet1": major 1, minor 34.
  const auto first = version.find('.');
  const auto second = version.find('.', first + 1);
  const std::string major(version.substr(1, first - 1)),
      minor(version.substr(first + 1, second - first - 1));
#if defined(__aarch64__)
  constexpr const char* kPlatform = "linux/arm64";
#elif defined(__arm__)
  constexpr const char* kPlatform = "linux/arm";
#else
  constexpr const char* kPlatform = "linux/amd64";
#endif
  return json::Object{{"major", major},
                      {"minor", minor},
                      {"emulationMajor", major},
                      {"emulationMinor", minor},
                      {"minCompatibilityMajor", major},
                      {"minCompatibilityMinor", minor},
                      {"gitVersion", version},
                      {"gitCommit", ""},
                      {"gitTreeState", "clean"},
                      {"buildDate", "1970-01-01T00:00:00Z"},  // builds repeat themselves
                      {"goVersion", "none"},
                      {"compiler", "g++"},
                      {"platform", kPlatform}};
}

std::optional<std::string> wants_aggregated(std::string_view accept) {
  while (!accept.empty()) {
    const auto comma = accept.find(',');
    const auto [type, parameters] = parse_entry(accept.substr(0, comma));
    accept = comma == accept.npos ? std::string_view() : accept.substr(comma + 1);
    const auto value = [&parameters = parameters](std::string_view name) {
      const auto found = parameters.find(name);
      return found == parameters.end() ? std::string_view() : found->second;
    };
    const bool json = type == "application/json" || type == "application/*" || type == "*/*";
    if (value("as").empty()) {
      if (json) return std::nullopt;
      continue;
    }
    if (type != "application/json" || value("as") != "APIGroupDiscoveryList") continue;
    if (value("g") == "apidiscovery.k8s.io" && (value("v") == "v2" || value("v") == "v2beta1"))
      return std::string(value("v"));
  }
  return std::nullopt;
}

}  // namespace kinglet::apiserver

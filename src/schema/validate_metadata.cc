#include "schema/internal/validate_metadata.h"

#include <algorithm>

#include "schema/metadata_rules.h"
#include "schema/names.h"
#include "schema/values.h"

namespace kinglet::schema {
namespace {

using NameRule = std::vector<std::string> (*)(std::string_view);

NameRule name_rule(const Resource& resource) {
  if (resource.group == "rbac.authorization.k8s.io" || resource.group == "certificates.k8s.io")
    return path_segment_errors;
  if (resource.group.empty() && resource.plural == "namespaces") return dns1123_label_errors;
  if (resource.group.empty() && resource.plural == "services") return dns1035_label_errors;
  // An IPAddress is named by its address, which the kind's own rule reads.
  if (resource.plural == "ipaddresses") return path_segment_errors;
  return dns1123_subdomain_errors;
}

const json::Value* member(const json::Value& metadata, std::string_view name) {
  const auto* value = metadata.is_object() ? metadata.get_object().if_contains(name) : nullptr;
  return value && !value->is_null() ? value : nullptr;
}

void check_name(const Resource& resource, const json::Value& metadata, const Path& path,
                Causes& causes) {
  const auto rule = name_rule(resource);
  const auto prefix = json::text_at(metadata, {"generateName"});
  if (!prefix.empty()) {
    // A prefix may end in '-': what comes behind it ends the name.
    std::string whole(prefix);
    if (whole.size() > 1 && whole.back() == '-') whole = whole.substr(0, whole.size() - 2) + "a";
    add_invalid_each(causes, path.child("generateName"), json::Value(prefix), rule(whole));
  }
  const auto name = json::text_at(metadata, {"name"});
  if (name.empty()) {
    add_required(causes, path.child("name"), "name or generateName is required");
  } else {
    add_invalid_each(causes, path.child("name"), json::Value(name), rule(name));
  }
}

void check_namespace(const Resource& resource, const json::Value& metadata, const Path& path,
                     Causes& causes) {
  const auto ns = json::text_at(metadata, {"namespace"});
  const Path at = path.child("namespace");
  if (!resource.namespaced) {
    if (!ns.empty()) add_forbidden(causes, at, "not allowed on this type");
  } else if (ns.empty()) {
    add_required(causes, at);
  } else {
    add_invalid_each(causes, at, json::Value(ns), dns1123_label_errors(ns));
  }
}

void check_owners(const json::Array& owners, const Path& path, Causes& causes) {
  std::string controller;
  for (const auto& owner : owners) {
    const auto version = json::text_at(owner, {"apiVersion"});
    if (version.empty() || version.ends_with('/'))
      add_invalid(causes, path.child("apiVersion"), json::Value(version),
                  "version must not be empty");
    for (const std::string_view field : {"kind", "name", "uid"})
      if (json::text_at(owner, {field}).empty())
        add_invalid(causes, path.child(field), json::Value(""), "must not be empty");
    if (version == "v1" && json::text_at(owner, {"kind"}) == "Event")
      add_invalid(causes, path, owner, "/v1, Kind=Event is disallowed from being an owner");
    if (!json::bool_at(owner, {"controller"})) continue;
    const std::string name(json::text_at(owner, {"name"}));
    if (!controller.empty())
      add_invalid(causes, path, json::Value(owners),
                  fmt::format("Only one reference can have Controller set to true. Found \"true\" "
                              "in references for "
                              "{} and {}",
                              controller, name));
    controller = name;
  }
}

void check_finalizers(const json::Array& finalizers, const Path& path, Causes& causes) {
  bool orphan = false, foreground = false;
  for (const auto& finalizer : finalizers) {
    if (!finalizer.is_string()) continue;
    const std::string_view name = finalizer.get_string();
    orphan |= name == "orphan";
    foreground |= name == "foregroundDeletion";
    add_invalid_each(causes, path, finalizer, label_key_errors(name));
    const bool standard = name == "orphan" || name == "foregroundDeletion" || name == "kubernetes";
    if (!standard && name.find('/') == std::string_view::npos)
      add_invalid(causes, path, finalizer,
                  "name is neither a standard finalizer name nor is it fully qualified");
  }
  if (orphan && foreground)
    add_invalid(causes, path, json::Value(finalizers),
                "finalizer orphan and foregroundDeletion cannot be both set");
}

}  // namespace

void check_labels(const json::Value& labels, const Path& path, Causes& causes) {
  if (!labels.is_object()) return;
  for (const auto& [key, value] : labels.get_object()) {
    add_invalid_each(causes, path, json::Value(key), label_key_errors(key));
    if (value.is_string())
      add_invalid_each(causes, path, value, label_value_errors(value.get_string()));
  }
}

void check_annotations(const json::Value& annotations, const Path& path, Causes& causes) {
  if (!annotations.is_object()) return;
  size_t bytes = 0;
  for (const auto& [key, value] : annotations.get_object()) {
    bytes += key.size() + (value.is_string() ? value.get_string().size() : 0);
    std::string lower(key);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    add_invalid_each(causes, path, json::Value(key), label_key_errors(lower));
  }
  if (bytes > kAnnotationsBytesMax) add_too_long(causes, path, kAnnotationsBytesMax);
}

void validate_metadata(const Resource& resource, const json::Value& object, Causes& causes) {
  static const json::Value kEmpty = json::Object();
  const auto* found = json::find(object, {"metadata"});
  const json::Value& metadata = found ? *found : kEmpty;
  const Path path("metadata");
  check_name(resource, metadata, path, causes);
  check_namespace(resource, metadata, path, causes);
  if (const auto* labels = member(metadata, "labels"))
    check_labels(*labels, path.child("labels"), causes);
  if (const auto* annotations = member(metadata, "annotations"))
    check_annotations(*annotations, path.child("annotations"), causes);
  if (const auto* owners = member(metadata, "ownerReferences"); owners && owners->is_array())
    check_owners(owners->get_array(), path.child("ownerReferences"), causes);
  if (const auto* finalizers = member(metadata, "finalizers"); finalizers && finalizers->is_array())
    check_finalizers(finalizers->get_array(), path.child("finalizers"), causes);
}

}  // namespace kinglet::schema

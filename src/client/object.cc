#include "client/object.h"

#include <charconv>

namespace kinglet::client {

const char kLastAppliedAnnotation[] = "kubectl.kubernetes.io/last-applied-configuration";

const std::string* find_pair(const StringPairs& pairs, std::string_view key) {
  const auto at = std::lower_bound(pairs.begin(), pairs.end(), key,
                                   [](const auto& pair, std::string_view k) { return pair.first < k; });
  return at != pairs.end() && at->first == key ? &at->second : nullptr;
}

StringPairs pairs_of(const json::Value* object) {
  StringPairs pairs;
  if (!object || !object->is_object()) return pairs;
  for (const auto& [key, value] : object->get_object())
    if (value.is_string()) pairs.emplace_back(std::string(key), std::string(value.get_string()));
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

json::Object object_of(const StringPairs& pairs) {
  json::Object object;
  for (const auto& [key, value] : pairs) object[key] = value;
  return object;
}

json::Value to_json(const OwnerRef& owner) {
  json::Object out;
  out["apiVersion"] = owner.api_version;
  out["kind"] = owner.kind;
  out["name"] = owner.name;
  out["uid"] = owner.uid;
  if (owner.controller) out["controller"] = true;
  if (owner.block_owner_deletion) out["blockOwnerDeletion"] = true;
  return out;
}

const OwnerRef* Meta::controller() const {
  for (const auto& owner : owners)
    if (owner.controller) return &owner;
  return nullptr;
}

bool Meta::has_finalizer(std::string_view finalizer) const {
  return std::find(finalizers.begin(), finalizers.end(), finalizer) != finalizers.end();
}

namespace {
std::optional<WallTime> time_at(const json::Value& meta, std::string_view name) {
  const auto text = json::text_at(meta, {name});
  if (text.empty()) return std::nullopt;
  const auto time = parse_rfc3339(std::string(text));
  if (!time) return std::nullopt;
  return *time;
}

std::vector<OwnerRef> owners_of(const json::Value* list) {
  std::vector<OwnerRef> owners;
  if (!list || !list->is_array()) return owners;
  for (const auto& item : list->get_array())
    owners.push_back({std::string(json::text_at(item, {"apiVersion"})),
                      std::string(json::text_at(item, {"kind"})),
                      std::string(json::text_at(item, {"name"})),
                      std::string(json::text_at(item, {"uid"})),
                      json::bool_at(item, {"controller"}),
                      json::bool_at(item, {"blockOwnerDeletion"})});
  return owners;
}
}  // namespace

uint64_t revision_of(const json::Value& object) {
  const auto text = json::text_at(object, {"metadata", "resourceVersion"});
  uint64_t revision = 0;
  std::from_chars(text.data(), text.data() + text.size(), revision);
  return revision;
}

Meta decode_meta(const json::Value& object) {
  Meta meta;
  meta.revision = revision_of(object);
  const auto* m = json::find(object, {"metadata"});
  if (!m) return meta;
  meta.ns = json::text_at(*m, {"namespace"});
  meta.name = json::text_at(*m, {"name"});
  meta.uid = json::text_at(*m, {"uid"});
  meta.generation = json::int_at(*m, {"generation"});
  meta.created = time_at(*m, "creationTimestamp").value_or(WallTime{});
  meta.deleted = time_at(*m, "deletionTimestamp");
  if (json::find(*m, {"deletionGracePeriodSeconds"}))
    meta.deletion_grace_seconds = json::int_at(*m, {"deletionGracePeriodSeconds"});
  meta.labels = pairs_of(json::find(*m, {"labels"}));
  meta.annotations = pairs_of(json::find(*m, {"annotations"}));
  std::erase_if(meta.annotations, [](const auto& pair) { return pair.first == kLastAppliedAnnotation; });
  meta.owners = owners_of(json::find(*m, {"ownerReferences"}));
  if (const auto* list = json::find(*m, {"finalizers"}); list && list->is_array())
    for (const auto& item : list->get_array())
      if (item.is_string()) meta.finalizers.emplace_back(item.get_string());
  return meta;
}

bool matches(const schema::Selector& selector, const StringPairs& labels) {
  return selector.matches_with([&](const std::string& key) { return find_pair(labels, key); });
}

ObjectReference reference_to(const schema::Resource& resource, const Meta& meta) {
  return {.api_version = std::string(resource.group_version()),
          .kind = std::string(resource.kind),
          .ns = meta.ns,
          .name = meta.name,
          .uid = meta.uid,
          .field_path = {},
          .revision = meta.revision};
}

OwnerRef controller_ref(const schema::Resource& resource, const Meta& meta) {
  return {std::string(resource.group_version()), std::string(resource.kind), meta.name, meta.uid, true, true};
}

const schema::Resource& resource(std::string_view group, std::string_view version,
                                 std::string_view plural) {
  const auto* found = schema::find_resource(group, version, plural);
  KL_ASSERT(found, "the catalogue has no {}/{} {}", group, version, plural);
  return *found;
}

}  // namespace kinglet::client

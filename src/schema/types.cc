#include "schema/types.h"

#include <algorithm>

#include "schema_tables.h"

namespace kinglet::schema {

const Field* Type::field(std::string_view json_name) const {
  for (const Field& field : fields) {
    if (!field.is_inline) {
      if (field.name == json_name) return &field;
    } else if (const Field* inner = field.type->field(json_name)) {
      return inner;
    }
  }
  return nullptr;
}

bool Resource::has_verb(std::string_view verb) const {
  return std::find(verbs.begin(), verbs.end(), verb) != verbs.end();
}

const Subresource* Resource::subresource(std::string_view name) const {
  for (const Subresource& sub : subresources)
    if (sub.name == name) return &sub;
  return nullptr;
}

std::span<const Type* const> types() { return tables::kTypeList; }
std::span<const Resource* const> resources() { return tables::kResourceList; }
std::span<const Group> groups() { return tables::kGroupList; }

const Type* find_type(std::string_view name) {
  const auto all = types();
  const auto it = std::lower_bound(
      all.begin(), all.end(), name,
      [](const Type* type, std::string_view wanted) { return type->name < wanted; });
  return it != all.end() && (*it)->name == name ? *it : nullptr;
}

const Type* find_object_type(std::string_view api_version, std::string_view kind) {
  for (const Type* type : types())
    if (type->kind == kind && type->api_version == api_version) return type;
  // Every group knows the options of meta: policy/v1 DeleteOptions is the same as v1's.
  if (kind.ends_with("Options"))
    for (const Type* type : types())
      if (type->kind == kind && type->name.starts_with("meta.v1.")) return type;
  return nullptr;
}

const Resource* find_resource(std::string_view group, std::string_view version,
                              std::string_view plural) {
  for (const Resource* resource : resources())
    if (resource->plural == plural && resource->version == version && resource->group == group)
      return resource;
  return nullptr;
}

const Resource* find_kind(std::string_view group, std::string_view version, std::string_view kind) {
  for (const Resource* resource : resources())
    if (resource->kind == kind && resource->version == version && resource->group == group)
      return resource;
  return nullptr;
}

}  // namespace kinglet::schema

// What the tables alone know to be wrong: closed sets, required texts, and the metadata that all
// kinds share (validate_metadata.cc). Rules about one kind are the API server's hooks.
#include <algorithm>

#include "schema/causes.h"
#include "schema/codec.h"
#include "schema/internal/validate_metadata.h"

namespace kinglet::schema {
namespace {

// Required in the OpenAPI sense only: an empty text is a value.
constexpr std::string_view kMayBeEmpty[] = {
    "core.v1.HTTPHeader.value",
    "core.v1.Sysctl.value",
    "storage.v1.TokenRequest.audience",
    "rbac.v1.RoleRef.apiGroup",
    "meta.v1.Condition.message",
    "meta.v1.LabelSelectorRequirement.operator",
    "core.v1.ResourceClaim.request",
    "core.v1.Container.name",
    "core.v1.Volume.name",
};

bool may_be_empty(const Type& type, const Field& field) {
  for (const auto name : kMayBeEmpty)
    if (name.size() == type.name.size() + 1 + field.name.size() && name.starts_with(type.name) &&
        name.ends_with(field.name))
      return true;
  return false;
}

bool listed(const Field& field, std::string_view text) {
  return std::find(field.values.begin(), field.values.end(), text) != field.values.end();
}

void check_enum(const Field& field, const Path& path, const json::Value& value, Causes& causes) {
  if (!value.is_string() || value.get_string().empty() || listed(field, value.get_string())) return;
  add_unsupported(causes, path, value, field.values);
}

class Walk {
 public:
  explicit Walk(Causes& causes) : causes_(causes) {}

  // `path` is null at the root.
  void object(const Type& type, const json::Value& value, const Path* path, int depth) {
    if (!value.is_object() || type.form != JsonForm::object ||
        depth > static_cast<int>(json::kDepthMax))
      return;
    for (const auto& field : type.fields) {
      if (field.is_inline) {
        if (field.type) object(*field.type, value, path, depth + 1);
        continue;
      }
      if (!path && (field.name == "metadata" || field.name == "status")) continue;
      const Path at = path ? path->child(field.name) : Path(field.name);
      check_field(type, field, value.get_object().if_contains(field.name), at, depth);
    }
  }

 private:
  void check_field(const Type& type, const Field& field, const json::Value* value, const Path& path,
                   int depth) {
    if (field.required && field.kind == Kind::string && field.cardinality == Cardinality::one) {
      const bool empty = !value || !value->is_string() || value->get_string().empty();
      if (empty && !may_be_empty(type, field)) add_required(causes_, path);
    }
    if (!value || value->is_null()) return;
    if (!field.values.empty()) check_values(field, *value, path);
    if (field.kind == Kind::object && field.type) descend(field, *value, path, depth);
  }

  void check_values(const Field& field, const json::Value& value, const Path& path) {
    if (!value.is_array()) return check_enum(field, path, value, causes_);
    const auto& items = value.get_array();
    for (size_t i = 0; i < items.size(); ++i) check_enum(field, path.index(i), items[i], causes_);
  }

  void descend(const Field& field, const json::Value& value, const Path& path, int depth) {
    if (field.cardinality == Cardinality::one) return object(*field.type, value, &path, depth + 1);
    if (value.is_array()) {
      const auto& items = value.get_array();
      for (size_t i = 0; i < items.size(); ++i) {
        const Path at = path.index(i);
        object(*field.type, items[i], &at, depth + 1);
      }
    } else if (value.is_object()) {
      for (const auto& [key, member] : value.get_object()) {
        const Path at = path.key(key);
        object(*field.type, member, &at, depth + 1);
      }
    }
  }

  Causes& causes_;
};

}  // namespace

void validate_structure(const Resource& resource, const json::Value& object, Causes& causes) {
  validate_metadata(resource, object, causes);
  if (resource.type) Walk(causes).object(*resource.type, object, nullptr, 0);
}

}  // namespace kinglet::schema

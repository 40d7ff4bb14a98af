// A maximal object of any type: every field set, to a value that depends on its name and kind
// alone.
#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "json/json.h"
#include "schema/types.h"

namespace kinglet::schema::testing {

class Sampler {
 public:
  json::Value object(const Type& type) {
    json::Object out;
    stack_.push_back(&type);
    fields(type, type, out);
    stack_.pop_back();
    return out;
  }

 private:
  // Pod templates are in eight kinds: only the pod's own spec is sampled whole.
  static bool is_short(const Type& type, const Field& field, const Type& root) {
    return type.name == "core.v1.PodSpec" && root.name != "core.v1.Pod" &&
           field.name != "containers" && field.name != "restartPolicy";
  }

  void fields(const Type& outer, const Type& type, json::Object& out) {
    for (const Field& field : type.fields) {
      if (field.is_inline && field.number == 0) {
        if (stack_.size() > 1) continue;  // protobuf carries them for the outermost object only
        out["kind"] = outer.kind;
        out["apiVersion"] = outer.api_version;
      } else if (field.is_inline) {
        fields(outer, *field.type, out);
      } else if (!is_short(type, field, *stack_.front()) && !is_open(field.type)) {
        out[field.name] = member(field);
      }
    }
  }
  // Types that contain themselves end at the second level.
  bool is_open(const Type* type) const {
    if (type == nullptr) return false;
    if (type->form != JsonForm::object && type->fields.front().kind == Kind::object)
      type = type->fields.front().type;
    return std::find(stack_.begin(), stack_.end(), type) != stack_.end();
  }

  json::Value member(const Field& field) {
    if (field.cardinality == Cardinality::list) return json::Array{element(field)};
    if (field.cardinality == Cardinality::map) return json::Object{{"key", element(field)}};
    return element(field);
  }

  json::Value element(const Field& field) {
    const std::string name(field.name);
    const auto number = static_cast<int64_t>(field.name.size());
    switch (field.kind) {
      case Kind::string:
        if (!field.values.empty()) return json::Value(field.values.front());
        if (!field.known_values.empty()) return json::Value(field.known_values.front());
        return json::Value(name + "-value");
      case Kind::boolean:
        return true;
      case Kind::int32:
      case Kind::int64:
        return number;
      case Kind::float64:
        return static_cast<double>(number) + 0.5;
      case Kind::bytes:
        return json::Value("Ynl0ZXM=");
      case Kind::quantity:
        return json::Value("1500m");
      case Kind::int_or_string:
        return number % 2 == 0 ? json::Value(number) : json::Value("25%");
      case Kind::time:
        return json::Value("2024-01-02T03:04:05Z");
      case Kind::micro_time:
        return json::Value("2024-01-02T03:04:05.678900Z");
      case Kind::duration:
        return json::Value("1m30s");
      case Kind::raw:
      case Kind::any:
        return json::Object{{"raw", name}};
      case Kind::object:
        break;
    }
    if (field.type->form == JsonForm::object) return object(*field.type);
    return member(field.type->fields.front());
  }

  std::vector<const Type*> stack_;
};

inline json::Value sample(const Type& type) { return Sampler().object(type); }

}  // namespace kinglet::schema::testing

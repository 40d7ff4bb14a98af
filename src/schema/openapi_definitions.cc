// The definitions of types in OpenAPI documents.
#include "json/json.h"
#include "schema/internal/openapi_writer.h"

namespace kinglet::schema {
namespace {

constexpr std::string_view kMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.";
constexpr std::string_view kQuantity = "io.k8s.apimachinery.pkg.api.resource.Quantity";
constexpr std::string_view kIntOrString = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";
constexpr std::string_view kRaw = "io.k8s.apimachinery.pkg.runtime.RawExtension";

std::string quoted(std::string_view text) {
  std::string out;
  json::print_string(out, text);
  return out;
}

// Types that are one JSON scalar, under the names that other documents use.
struct Scalar {
  std::string_view name, v2, v3;
};
constexpr Scalar kScalars[] = {
    {kQuantity,
     R"("description":"A fixed-point number with a suffix such as m, k or Mi.","type":"string")",
     R"("description":"A fixed-point number with a suffix such as m, k or Mi.","oneOf":[{"type":"string"},{"type":"number"}])"},
    {kIntOrString,
     R"("description":"A number, or a text such as a percentage or a port's name.","type":"string","format":"int-or-string")",
     R"("description":"A number, or a text such as a percentage or a port's name.","oneOf":[{"type":"integer"},{"type":"string"}],"format":"int-or-string")"},
    {"io.k8s.apimachinery.pkg.apis.meta.v1.Time",
     R"("description":"A time as RFC 3339 text, whole seconds.","type":"string","format":"date-time")",
     R"("description":"A time as RFC 3339 text, whole seconds.","type":"string","format":"date-time")"},
    {"io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime",
     R"("description":"A time as RFC 3339 text with microseconds.","type":"string","format":"date-time")",
     R"("description":"A time as RFC 3339 text with microseconds.","type":"string","format":"date-time")"},
    {"io.k8s.apimachinery.pkg.apis.meta.v1.Duration",
     R"("description":"A length of time such as 1m30s.","type":"string")",
     R"("description":"A length of time such as 1m30s.","type":"string")"},
    {kRaw, R"("description":"Any object.","type":"object")",
     R"("description":"Any object.","type":"object")"},
};

std::string_view list_type_name(ListType type) {
  switch (type) {
    case ListType::set:
      return "set";
    case ListType::map:
      return "map";
    case ListType::atomic:
      return "atomic";
  }
  return "atomic";
}

std::string group_version_kind(const GroupVersionKind& kind) {
  return fmt::format(R"({{"group":{},"kind":{},"version":{}}})", quoted(kind.group),
                     quoted(kind.kind), quoted(kind.version));
}

std::string_view list_type_name(const Type& item) {
  return item.name.substr(0, item.name.rfind('.') + 1);
}

}  // namespace

std::string OpenApiWriter::reference(std::string_view openapi_name) const {
  return fmt::format(R"("$ref":"#/{}/{}")", v3() ? "components/schemas" : "definitions",
                     openapi_name);
}

void OpenApiWriter::want(const Type* type) {
  if (type && wanted_.insert(type->name).second) queue_.push_back(type);
}

// The schema of one value, without braces.
std::string OpenApiWriter::item_schema(const Field& field) {
  switch (field.kind) {
    case Kind::string:
      return R"("type":"string")";
    case Kind::boolean:
      return R"("type":"boolean")";
    case Kind::int32:
      return R"("type":"integer","format":"int32")";
    case Kind::int64:
      return R"("type":"integer","format":"int64")";
    case Kind::float64:
      return R"("type":"number","format":"double")";
    case Kind::bytes:
      return R"("type":"string","format":"byte")";
    case Kind::quantity:
      return reference(kQuantity);
    case Kind::int_or_string:
      return reference(kIntOrString);
    case Kind::time:
      return reference(std::string(kMeta) + "Time");
    case Kind::micro_time:
      return reference(std::string(kMeta) + "MicroTime");
    case Kind::duration:
      return reference(std::string(kMeta) + "Duration");
    case Kind::raw:
      return reference(kRaw);
    case Kind::any:
      return R"("x-kubernetes-preserve-unknown-fields":true)";
    case Kind::object:
      want(field.type);
      return field.type ? reference(field.type->openapi_name) : R"("type":"object")";
  }
  return {};
}

std::string OpenApiWriter::field_schema(const Field& field) {
  const std::string item = item_schema(field);
  if (field.cardinality == Cardinality::list)
    return fmt::format(R"("type":"array","items":{{{}}})", item);
  if (field.cardinality == Cardinality::map)
    return fmt::format(R"("type":"object","additionalProperties":{{{}}})", item);
  // In version 3 nothing may stand beside a reference.
  if (v3() && item.starts_with(R"("$ref")")) return fmt::format(R"("allOf":[{{{}}}])", item);
  return item;
}

void OpenApiWriter::property(const Field& field) {
  out_ += quoted(field.name);
  out_ += fmt::format(":{{\"description\":{},{}", quoted(field.doc), field_schema(field));
  if (!field.default_json.empty()) out_ += fmt::format(",\"default\":{}", field.default_json);
  if (!field.values.empty() && field.cardinality == Cardinality::one) {
    out_ += ",\"enum\":[";
    for (size_t i = 0; i < field.values.size(); ++i)
      out_ += (i ? "," : "") + quoted(field.values[i]);
    out_ += ']';
  }
  if (field.cardinality == Cardinality::list) {
    out_ += fmt::format(",\"x-kubernetes-list-type\":\"{}\"", list_type_name(field.list_type));
    if (!field.list_keys.empty()) {
      out_ += ",\"x-kubernetes-list-map-keys\":[";
      for (size_t i = 0; i < field.list_keys.size(); ++i)
        out_ += (i ? "," : "") + quoted(field.list_keys[i]);
      out_ += ']';
    }
  } else if (field.atomic) {
    out_ += ",\"x-kubernetes-map-type\":\"atomic\"";
  }
  std::string strategy;
  for (const auto& [set, name] :
       {std::pair(field.patch_merge, "merge"), std::pair(field.patch_replace, "replace"),
        std::pair(field.patch_retain_keys, "retainKeys")})
    if (set) strategy += (strategy.empty() ? "" : ",") + std::string(name);
  if (!strategy.empty()) out_ += fmt::format(",\"x-kubernetes-patch-strategy\":\"{}\"", strategy);
  if (!field.merge_key.empty())
    out_ += fmt::format(",\"x-kubernetes-patch-merge-key\":\"{}\"", field.merge_key);
  out_ += '}';
}

namespace {

// Depth first through embedded structs, as the fields appear in JSON.
void each_field(const Type& type, const std::function<void(const Field&)>& visit) {
  for (const auto& field : type.fields) {
    if (field.is_inline && field.type) {
      each_field(*field.type, visit);
    } else if (!field.is_inline) {
      visit(field);
    }
  }
}

}  // namespace

void OpenApiWriter::kinds_of(const Type& type) {
  std::vector<std::string> kinds;
  const auto add = [&](std::string_view group, std::string_view version, std::string_view kind) {
    auto text = group_version_kind({group, version, kind});
    if (std::find(kinds.begin(), kinds.end(), text) == kinds.end())
      kinds.push_back(std::move(text));
  };
  for (const auto* resource : resources()) {
    if (!resource->type) continue;
    if (resource->type == &type) add(resource->group, resource->version, resource->kind);
    const auto prefix = list_type_name(*resource->type);
    if (!resource->list_kind.empty() && type.name.starts_with(prefix) &&
        type.name.substr(prefix.size()) == resource->list_kind)
      add(resource->group, resource->version, resource->list_kind);
  }
  if (type.name == "meta.v1.DeleteOptions")
    for (const auto& group : groups())
      for (const auto version : group.versions) add(group.name, version, "DeleteOptions");
  if (kinds.empty() && !type.kind.empty()) {
    const size_t slash = type.api_version.find('/');
    const bool core = slash == std::string_view::npos;
    add(core ? std::string_view() : type.api_version.substr(0, slash),
        core ? type.api_version : type.api_version.substr(slash + 1), type.kind);
  }
  if (kinds.empty()) return;
  out_ += fmt::format(",\"x-kubernetes-group-version-kind\":[{}]", fmt::join(kinds, ","));
}

void OpenApiWriter::definition(const Type& type) {
  out_ += quoted(type.openapi_name);
  out_ += fmt::format(":{{\"description\":{}", quoted(type.doc));
  if (type.form != JsonForm::object) {
    out_ += type.form == JsonForm::strings ? R"(,"type":"array","items":{"type":"string"}})"
                                           : R"(,"x-kubernetes-preserve-unknown-fields":true})";
    return;
  }
  out_ += R"(,"type":"object")";
  std::vector<std::string> required;
  bool first = true;
  each_field(type, [&](const Field& field) {
    out_ += first ? ",\"properties\":{" : ",";
    first = false;
    property(field);
    if (field.required) required.push_back(quoted(field.name));
  });
  if (!first) out_ += '}';
  if (!required.empty()) out_ += fmt::format(",\"required\":[{}]", fmt::join(required, ","));
  if (type.atomic) out_ += ",\"x-kubernetes-map-type\":\"atomic\"";
  kinds_of(type);
  out_ += '}';
}

bool OpenApiWriter::next_definition(bool& first) {
  if (queue_.empty()) return false;
  const Type* type = queue_.back();
  queue_.pop_back();
  if (!first) out_ += ',';
  first = false;
  definition(*type);
  return true;
}

void OpenApiWriter::fixed_definitions(bool& first) {
  for (const auto& scalar : kScalars) {
    out_ +=
        fmt::format("{}\"{}\":{{{}}}", first ? "" : ",", scalar.name, v3() ? scalar.v3 : scalar.v2);
    first = false;
  }
  out_ += fmt::format(
      ",\"{}Patch\":{{\"description\":\"A patch, in the form that its media type "
      "says.\",\"type\":\"object\"}}",
      kMeta);
}

void OpenApiWriter::want_common() {
  for (const std::string_view name : {"meta.v1.DeleteOptions", "meta.v1.Status"})
    want(find_type(name));
}

void OpenApiWriter::definitions() {
  want_common();
  bool first = true;
  while (next_definition(first)) {
  }
  fixed_definitions(first);
}

}  // namespace kinglet::schema

// OpenAPI v2 and v3 documents from the tables. Printed straight into text: nothing of them stays in memory.
// Source: the extensions and parameters that kubectl and client generators read (x-kubernetes-*, fieldValidation).
#include <set>

#include "schema/codec.h"

namespace kinglet::schema {
namespace {

enum class Version : uint8_t { v2, v3 };

constexpr std::string_view kQuantity = "io.k8s.apimachinery.pkg.api.resource.Quantity";
constexpr std::string_view kIntOrString = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";

class Document {
 public:
  explicit Document(Version version) : version_(version) {}

  void add(const Resource& resource) { resources_.push_back(&resource); }

  std::string text() {
    out_ = version_ == Version::v3 ? R"({"openapi":"3.0.0",)" : R"({"swagger":"2.0",)";
    out_ += R"("info":{"title":"Kubernetes","version":"v1.34"},"paths":{)";
    first_ = true;
    for (const auto* resource : resources_) paths(*resource);
    out_ += version_ == Version::v3 ? R"(},"components":{"schemas":{)" : R"(},"definitions":{)";
    first_ = true;
    for (const auto* resource : resources_) {
      want(resource->type);
      want(list_type(*resource));
    }
    for (const char* name : {"meta.v1.DeleteOptions", "meta.v1.Status", "meta.v1.Patch"}) want(find_type(name));
    // Types that a printed one refers to are appended while we walk.
    for (size_t i = 0; i < wanted_.size(); ++i) definition(*wanted_[i]);
    special_types();
    out_ += version_ == Version::v3 ? "}}}" : "}}";
    return std::move(out_);
  }

 private:
  static const Type* list_type(const Resource& resource) {
    const std::string_view name = resource.type->name;
    const size_t dot = name.rfind('.');
    return find_type(std::string(name.substr(0, dot + 1)) + std::string(resource.list_kind));
  }

  void want(const Type* type) {
    if (type != nullptr && seen_.insert(type).second) wanted_.push_back(type);
  }

  void comma() {
    if (!first_) out_ += ',';
    first_ = false;
  }
  void key(std::string_view name) {
    comma();
    json::print_string(out_, name);
    out_ += ':';
  }
  std::string quoted(std::string_view text) const {
    std::string out;
    json::print_string(out, text);
    return out;
  }

  std::string reference(std::string_view openapi_name) const {
    return fmt::format(R"("$ref":"{}{}")", version_ == Version::v3 ? "#/components/schemas/" : "#/definitions/",
                       openapi_name);
  }

  // --- paths ---
  void paths(const Resource& resource) {
    const std::string base = resource.group.empty()
                                 ? fmt::format("/api/{}", resource.version)
                                 : fmt::format("/apis/{}/{}", resource.group, resource.version);
    const std::string scope = resource.namespaced ? "/namespaces/{namespace}" : "";
    const std::string collection = fmt::format("{}{}/{}", base, scope, resource.plural);
    path(resource, collection, {"list", "create", "deletecollection"}, resource.namespaced, false);
    if (resource.namespaced)
      path(resource, fmt::format("{}/{}", base, resource.plural), {"list"}, false, false);
    path(resource, collection + "/{name}", {"get", "update", "patch", "delete"}, resource.namespaced, true);
    for (const auto& sub : resource.subresources)
      if (sub.name == "status" || sub.name == "scale")
        path(resource, fmt::format("{}/{{name}}/{}", collection, sub.name), {"get", "update", "patch"},
             resource.namespaced, true, &sub);
  }

  void path(const Resource& resource, const std::string& name, std::initializer_list<std::string_view> verbs,
            bool namespaced, bool named, const Subresource* sub = nullptr) {
    std::string operations;
    for (const auto verb : verbs) {
      const bool served = sub != nullptr ? std::find(sub->verbs.begin(), sub->verbs.end(), verb) != sub->verbs.end()
                                         : resource.has_verb(verb);
      if (!served) continue;
      operations += (operations.empty() ? "" : ",") + operation(resource, verb, name, sub);
    }
    if (operations.empty()) return;
    key(name);
    out_ += "{" + operations + R"(,"parameters":[)";
    std::string parameters;
    if (named) parameters += parameter("name", "path", "string");
    if (namespaced) parameters += (parameters.empty() ? "" : ",") + parameter("namespace", "path", "string");
    parameters += (parameters.empty() ? "" : ",") + parameter("pretty", "query", "string");
    out_ += parameters + "]}";
  }

  std::string parameter(std::string_view name, std::string_view in, std::string_view type) const {
    const std::string required = in == "path" ? R"(,"required":true)" : "";
    const std::string schema = version_ == Version::v3 ? fmt::format(R"("schema":{{"type":"{}"}})", type)
                                                       : fmt::format(R"("type":"{}")", type);
    return fmt::format(R"({{"name":"{}","in":"{}"{},{}}})", name, in, required, schema);
  }

  std::string operation(const Resource& resource, std::string_view verb, const std::string& path,
                        const Subresource* sub) const {
    struct Row {
      std::string_view verb, method, action;
      std::initializer_list<std::string_view> query;
    };
    static const Row rows[] = {
        {"list", "get", "list",
         {"allowWatchBookmarks", "continue", "fieldSelector", "labelSelector", "limit", "resourceVersion",
          "resourceVersionMatch", "sendInitialEvents", "timeoutSeconds", "watch"}},
        {"get", "get", "get", {}},
        {"create", "post", "post", {"dryRun", "fieldManager", "fieldValidation"}},
        {"update", "put", "put", {"dryRun", "fieldManager", "fieldValidation"}},
        {"patch", "patch", "patch", {"dryRun", "fieldManager", "fieldValidation", "force"}},
        {"delete", "delete", "delete", {"dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy"}},
        {"deletecollection", "delete", "deletecollection",
         {"continue", "dryRun", "fieldSelector", "gracePeriodSeconds", "labelSelector", "limit", "propagationPolicy"}},
    };
    const Row* row = std::find_if(std::begin(rows), std::end(rows), [&](const Row& r) { return r.verb == verb; });
    std::string parameters;
    for (const auto name : row->query) {
      const bool number = name == "limit" || name == "timeoutSeconds" || name == "gracePeriodSeconds";
      const bool flag = name == "watch" || name == "allowWatchBookmarks" || name == "sendInitialEvents" ||
                        name == "force" || name == "orphanDependents";
      parameters += (parameters.empty() ? "" : ",") + parameter(name, "query", number ? "integer" : flag ? "boolean" : "string");
    }
    const auto group = sub != nullptr && !sub->kind.empty() ? sub->group : resource.group;
    const auto version = sub != nullptr && !sub->kind.empty() ? sub->version : resource.version;
    const auto kind = sub != nullptr && !sub->kind.empty() ? sub->kind : resource.kind;
    const Type* answer = verb == "list" ? list_type(resource) : resource.type;
    const std::string content =
        answer == nullptr ? ""
        : version_ == Version::v3
            ? fmt::format(R"(,"content":{{"application/json":{{"schema":{{{}}}}}}})", reference(answer->openapi_name))
            : fmt::format(R"(,"schema":{{{}}})", reference(answer->openapi_name));
    return fmt::format(
        R"("{}":{{"operationId":{},"parameters":[{}],"responses":{{"200":{{"description":"OK"{}}}}},)"
        R"("x-kubernetes-action":"{}","x-kubernetes-group-version-kind":{{"group":"{}","kind":"{}","version":"{}"}}}})",
        row->method, quoted(fmt::format("{} {}", verb, path)), parameters, content, row->action, group, kind, version);
  }

  // --- definitions ---
  void definition(const Type& type) {
    key(type.openapi_name);
    out_ += '{';
    if (!type.doc.empty()) out_ += fmt::format(R"("description":{},)", quoted(type.doc));
    out_ += R"("type":"object","properties":{)";
    std::string required;
    first_ = true;
    fields(type, required);
    first_ = false;
    out_ += '}';
    if (!required.empty()) out_ += fmt::format(R"(,"required":[{}])", required);
    if (type.atomic) out_ += R"(,"x-kubernetes-map-type":"atomic")";
    std::string kinds;
    for (const auto* resource : schema::resources()) {
      const bool list = list_type(*resource) == &type;
      if (resource->type != &type && !list) continue;
      kinds += fmt::format(R"({}{{"group":"{}","kind":"{}","version":"{}"}})", kinds.empty() ? "" : ",", resource->group,
                           list ? resource->list_kind : resource->kind, resource->version);
    }
    if (!kinds.empty()) out_ += fmt::format(R"(,"x-kubernetes-group-version-kind":[{}])", kinds);
    out_ += '}';
  }

  void fields(const Type& type, std::string& required) {
    for (const auto& field : type.fields) {
      if (field.is_inline) {
        if (field.type != nullptr) fields(*field.type, required);
        continue;
      }
      key(field.name);
      property(field);
      if (field.required) required += (required.empty() ? "" : ",") + quoted(field.name);
    }
  }

  void property(const Field& field) {
    out_ += '{';
    if (!field.doc.empty()) out_ += fmt::format(R"("description":{},)", quoted(field.doc));
    const bool one = field.cardinality == Cardinality::one;
    if (one) {
      out_ += value_schema(field, !field.doc.empty());
    } else if (field.cardinality == Cardinality::list) {
      out_ += fmt::format(R"("type":"array","items":{{{}}})", value_schema(field, false));
      const char* list = field.list_type == ListType::map   ? "map"
                         : field.list_type == ListType::set ? "set"
                                                            : "atomic";
      out_ += fmt::format(R"(,"x-kubernetes-list-type":"{}")", list);
      std::string keys;
      for (const auto name : field.list_keys) keys += (keys.empty() ? "" : ",") + quoted(name);
      if (!keys.empty()) out_ += fmt::format(R"(,"x-kubernetes-list-map-keys":[{}])", keys);
    } else {
      out_ += fmt::format(R"("type":"object","additionalProperties":{{{}}})", value_schema(field, false));
      if (field.atomic) out_ += R"(,"x-kubernetes-map-type":"atomic")";
    }
    if (one && !field.values.empty()) {
      std::string values;
      for (const auto value : field.values) values += (values.empty() ? "" : ",") + quoted(value);
      out_ += fmt::format(R"(,"enum":[{}])", values);
    }
    if (!field.merge_key.empty()) out_ += fmt::format(R"(,"x-kubernetes-patch-merge-key":"{}")", field.merge_key);
    if (field.patch_merge || field.patch_retain_keys)
      out_ += fmt::format(R"(,"x-kubernetes-patch-strategy":"{}{}{}")", field.patch_merge ? "merge" : "",
                          field.patch_merge && field.patch_retain_keys ? "," : "",
                          field.patch_retain_keys ? "retainKeys" : "");
    out_ += '}';
  }

  // Members of a schema object. v3 keeps a reference and a description apart by allOf.
  std::string value_schema(const Field& field, bool described) {
    switch (field.kind) {
      case Kind::string:
      case Kind::duration: return R"("type":"string")";
      case Kind::boolean: return R"("type":"boolean")";
      case Kind::int32: return R"("type":"integer","format":"int32")";
      case Kind::int64: return R"("type":"integer","format":"int64")";
      case Kind::float64: return R"("type":"number","format":"double")";
      case Kind::bytes: return R"("type":"string","format":"byte")";
      case Kind::time:
      case Kind::micro_time: return R"("type":"string","format":"date-time")";
      case Kind::raw: return R"("type":"object")";
      case Kind::any: return R"("x-kubernetes-preserve-unknown-fields":true)";
      case Kind::quantity: return referred(kQuantity, described);
      case Kind::int_or_string: return referred(kIntOrString, described);
      case Kind::object:
        want(field.type);
        return referred(field.type->openapi_name, described);
    }
    return "";
  }
  std::string referred(std::string_view name, bool described) const {
    return described && version_ == Version::v3 ? fmt::format(R"("allOf":[{{{}}}])", reference(name)) : reference(name);
  }

  void special_types() {
    const char* either = version_ == Version::v3 ? R"({"oneOf":[{"type":"string"},{"type":"number"}]})"
                                                 : R"({"type":"string"})";
    if (seen_.count(find_type("resource.Quantity")) == 0) {
      key(kQuantity);
      out_ += either;
    }
    if (seen_.count(find_type("intstr.IntOrString")) == 0) {
      key(kIntOrString);
      out_ += version_ == Version::v3 ? R"({"format":"int-or-string","oneOf":[{"type":"integer"},{"type":"string"}]})"
                                      : R"({"format":"int-or-string","type":"string"})";
    }
  }

  Version version_;
  std::string out_;
  bool first_ = true;
  std::vector<const Resource*> resources_;
  std::vector<const Type*> wanted_;
  std::set<const Type*> seen_;
};

}  // namespace

std::string openapi_v2() {
  Document document(Version::v2);
  for (const auto* resource : resources()) document.add(*resource);
  return document.text();
}

std::string openapi_v3(std::string_view group, std::string_view version) {
  Document document(Version::v3);
  for (const auto* resource : resources())
    if (resource->group == group && resource->version == version) document.add(*resource);
  return document.text();
}

}  // namespace kinglet::schema

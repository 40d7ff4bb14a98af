// The paths of OpenAPI documents: which operations a resource has, with the query parameters by
// which kubectl knows that the server validates fields and runs dry.
#include "json/json.h"
#include "schema/codec.h"
#include "schema/internal/openapi_writer.h"

namespace kinglet::schema {

struct OpenApiWriter::Operation {
  std::string_view method;  // "get"
  std::string_view action;  // x-kubernetes-action: "list"
  GroupVersionKind kind;
  const Type* body;    // null: none
  const Type* answer;  // null: a Status
  std::string id;
  std::string about;
  bool namespaced, named;
};

namespace {

constexpr std::string_view kPatchName = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";
constexpr std::string_view kStatusName = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";

struct Parameter {
  std::string_view name, type, about;
};
constexpr Parameter kWriteParameters[] = {
    {"dryRun", "string", "When present, nothing is stored. The only value is All."},
    {"fieldManager", "string", "Who makes this change; at most 128 printable characters."},
    {"fieldValidation", "string",
     "What happens to unknown and duplicate fields: Ignore drops them, Warn (the default) drops "
     "them and warns, Strict "
     "refuses the request."},
};
constexpr Parameter kForce{"force", "boolean",
                           "For apply patches: take over fields that others own."};
constexpr Parameter kDeleteParameters[] = {
    {"dryRun", "string", "When present, nothing is deleted. The only value is All."},
    {"gracePeriodSeconds", "integer", "How long the object may take to end; 0: at once."},
    {"propagationPolicy", "string",
     "What happens to dependents: Orphan, Background or Foreground."},
    {"orphanDependents", "boolean", "The old form of propagationPolicy."},
};
constexpr Parameter kListParameters[] = {
    {"allowWatchBookmarks", "boolean", "Whether a watch may send BOOKMARK events."},
    {"continue", "string", "The token of the page before."},
    {"fieldSelector", "string", "Restricts the objects by their fields."},
    {"labelSelector", "string", "Restricts the objects by their labels."},
    {"limit", "integer", "How many objects a page holds at most."},
    {"resourceVersion", "string", "Which state the list or watch begins with."},
    {"resourceVersionMatch", "string", "How resourceVersion is meant for a list."},
    {"sendInitialEvents", "boolean", "Whether a watch begins with what is there."},
    {"timeoutSeconds", "integer", "How long a list or watch may take."},
    {"watch", "boolean", "Watches for changes instead of listing."},
};

std::string capital(std::string_view text) {
  std::string out;
  bool up = true;
  for (const char c : text) {
    if (!std::isalnum(static_cast<unsigned char>(c))) {
      up = true;
      continue;
    }
    out += up ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    up = false;
  }
  return out;
}

const Type* list_type(const Resource& resource) {
  if (!resource.type || resource.list_kind.empty()) return nullptr;
  const auto package = resource.type->name.substr(0, resource.type->name.rfind('.') + 1);
  return find_type(std::string(package) + std::string(resource.list_kind));
}

const Type* subresource_type(const Resource& resource, const Subresource& sub) {
  if (const auto* known = find_kind(sub.group, sub.version, sub.kind)) return known->type;
  for (const auto* type : types())
    if (type->kind == sub.kind &&
        type->api_version == (sub.group.empty() ? std::string(sub.version)
                                                : fmt::format("{}/{}", sub.group, sub.version)))
      return type;
  return resource.type;
}

struct Verb {
  std::string_view verb, method, action;
};
constexpr Verb kCollectionVerbs[] = {{"list", "get", "list"},
                                     {"create", "post", "post"},
                                     {"deletecollection", "delete", "deletecollection"}};
constexpr Verb kItemVerbs[] = {{"get", "get", "get"},
                               {"update", "put", "put"},
                               {"patch", "patch", "patch"},
                               {"delete", "delete", "delete"},
                               {"create", "post", "post"}};

bool writes(std::string_view method) {
  return method == "post" || method == "put" || method == "patch";
}

std::string root_of(const Resource& resource) {
  return resource.group.empty() ? fmt::format("/api/{}", resource.version)
                                : fmt::format("/apis/{}/{}", resource.group, resource.version);
}

std::string parameter(const Parameter& p, std::string_view place, bool v3) {
  const bool required = place == "path";
  const std::string type = fmt::format("\"type\":\"{}\",\"uniqueItems\":true", p.type);
  std::string about;
  json::print_string(about, p.about);
  return fmt::format(R"({{"name":"{}","in":"{}","description":{}{},{}}})", p.name, place, about,
                     required ? ",\"required\":true" : "",
                     v3 ? fmt::format("\"schema\":{{{}}}", type) : type);
}

}  // namespace

void OpenApiWriter::operation(const Operation& op) {
  std::vector<std::string> parameters;
  const auto add = [&](std::span<const Parameter> list) {
    for (const auto& p : list) parameters.push_back(parameter(p, "query", v3()));
  };
  if (writes(op.method)) add(kWriteParameters);
  if (op.method == "patch") add({&kForce, 1});
  if (op.method == "delete") add(kDeleteParameters);
  if (op.action == "list" || op.action == "deletecollection") add(kListParameters);

  std::string body;
  if (op.method == "patch")
    body = reference(kPatchName);
  else if (op.body)
    body = reference(op.body->openapi_name);
  if (op.body) want(op.body);
  if (op.answer) want(op.answer);
  const std::string answer = reference(op.answer ? op.answer->openapi_name : kStatusName);
  if (!body.empty() && !v3())
    parameters.push_back(
        fmt::format(R"({{"name":"body","in":"body","required":{},"schema":{{{}}}}})",
                    op.method != "delete", body));

  std::string about;
  json::print_string(about, op.about);
  out_ += fmt::format(R"("{}":{{"description":{},"operationId":"{}","parameters":[{}])", op.method,
                      about, op.id, fmt::join(parameters, ","));
  const std::string_view media =
      op.method == "patch"
          ? std::string_view(
                R"(["application/json-patch+json","application/merge-patch+json",)"
                R"("application/strategic-merge-patch+json","application/apply-patch+yaml"])")
          : std::string_view(R"(["*/*"])");
  if (v3()) {
    if (!body.empty()) {
      const auto list = json::parse(media);
      std::vector<std::string> content;
      for (const auto& type : list->get_array())
        content.push_back(
            fmt::format(R"("{}":{{"schema":{{{}}}}})", std::string_view(type.get_string()), body));
      out_ += fmt::format(R"(,"requestBody":{{"content":{{{}}},"required":{}}})",
                          fmt::join(content, ","), op.method != "delete");
    }
    out_ += fmt::format(
        R"(,"responses":{{"200":{{"description":"OK","content":{{"application/json":{{"schema":{{{}}}}}}}}}}})",
        answer);
  } else {
    out_ += fmt::format(R"(,"consumes":{},"produces":["application/json","application/yaml",)"
                        R"("application/vnd.kubernetes.protobuf"],"schemes":["https"])"
                        R"(,"responses":{{"200":{{"description":"OK","schema":{{{}}}}}}})",
                        media, answer);
  }
  out_ += fmt::format(R"(,"x-kubernetes-action":"{}","x-kubernetes-group-version-kind":)"
                      R"({{"group":"{}","kind":"{}","version":"{}"}}}})",
                      op.action, op.kind.group, op.kind.kind, op.kind.version);
}

void OpenApiWriter::path(const std::string& url, const std::vector<Operation>& operations,
                         bool& first) {
  if (operations.empty()) return;
  if (!first) out_ += ',';
  first = false;
  out_ += fmt::format("\"{}\":{{", url);
  for (const auto& op : operations) {
    operation(op);
    out_ += ',';
  }
  std::vector<std::string> parameters;
  if (operations[0].named)
    parameters.push_back(parameter({"name", "string", "The object's name."}, "path", v3()));
  if (operations[0].namespaced)
    parameters.push_back(
        parameter({"namespace", "string", "The namespace of the objects."}, "path", v3()));
  out_ += fmt::format("\"parameters\":[{}]}}", fmt::join(parameters, ","));
}

void OpenApiWriter::paths_of(const Resource& resource, bool& first) {
  const GroupVersionKind kind{resource.group, resource.version, resource.kind};
  const Type* list = list_type(resource);
  const std::string group(
      resource.group.empty() ? "core" : resource.group.substr(0, resource.group.find('.')));
  const std::string middle = capital(group) + capital(resource.version) +
                             (resource.namespaced ? "Namespaced" : "") + std::string(resource.kind);
  const auto make = [&](const Verb& verb, GroupVersionKind of, const Type* body, const Type* answer,
                        std::string suffix, bool named) {
    return Operation{verb.method,
                     verb.action,
                     of,
                     body,
                     answer,
                     std::string(verb.verb) + middle + std::move(suffix),
                     fmt::format("{} {}", verb.verb, resource.kind),
                     resource.namespaced,
                     named};
  };
  const std::string root = root_of(resource);
  const std::string base = fmt::format(
      "{}{}/{}", root, resource.namespaced ? "/namespaces/{namespace}" : "", resource.plural);

  std::vector<Operation> collection, item;
  for (const auto& verb : kCollectionVerbs)
    if (resource.has_verb(verb.verb))
      collection.push_back(make(verb, kind, verb.method == "post" ? resource.type : nullptr,
                                verb.verb == "list"     ? list
                                : verb.method == "post" ? resource.type
                                                        : nullptr,
                                "", false));
  path(base, collection, first);
  if (resource.namespaced && resource.has_verb("list")) {
    auto all = make(kCollectionVerbs[0], kind, nullptr, list, "ForAllNamespaces", false);
    all.namespaced = false;
    path(fmt::format("{}/{}", root, resource.plural), {all}, first);
  }
  for (const auto& verb : kItemVerbs)
    if (verb.verb != "create" && resource.has_verb(verb.verb))
      item.push_back(make(verb, kind,
                          writes(verb.method)     ? resource.type
                          : verb.verb == "delete" ? find_type("meta.v1.DeleteOptions")
                                                  : nullptr,
                          verb.verb == "delete" ? nullptr : resource.type, "", true));
  path(base + "/{name}", item, first);
  for (const auto& sub : resource.subresources) {
    const Type* type = subresource_type(resource, sub);
    const GroupVersionKind of{sub.group, sub.version, sub.kind};
    std::vector<Operation> operations;
    for (const auto& verb : kItemVerbs) {
      if (std::find(sub.verbs.begin(), sub.verbs.end(), verb.verb) == sub.verbs.end()) continue;
      operations.push_back(
          make(verb, of, writes(verb.method) ? type : nullptr, type, capital(sub.name), true));
    }
    path(fmt::format("{}/{{name}}/{}", base, sub.name), operations, first);
  }
}

std::string openapi_v2() {
  OpenApiWriter writer(OpenApiVersion::v2);
  writer.text(R"({"swagger":"2.0","info":{"title":"Kubernetes","version":"v1.34.0"},"paths":{)");
  bool first = true;
  for (const auto* resource : resources()) writer.paths_of(*resource, first);
  writer.text(R"(},"definitions":{)");
  writer.definitions();
  writer.text("}}");
  return writer.take();
}

std::string openapi_v3(std::string_view group, std::string_view version) {
  OpenApiWriter writer(OpenApiVersion::v3);
  writer.text(R"({"openapi":"3.0.0","info":{"title":"Kubernetes","version":"v1.34.0"},"paths":{)");
  bool first = true;
  for (const auto* resource : resources())
    if (resource->group == group && resource->version == version) writer.paths_of(*resource, first);
  writer.text(R"(},"components":{"schemas":{)");
  writer.definitions();
  writer.text("}}}");
  return writer.take();
}

}  // namespace kinglet::schema

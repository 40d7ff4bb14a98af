#include "apiserver/request_info.h"

#include "apiserver/internal/selection.h"

namespace kinglet::apiserver {
namespace {

// Deeper paths exist only behind a proxy, where the rest is kept as text.
constexpr size_t kSegmentsMax = 64;

struct Path {
  std::vector<std::string_view> segments;
  std::string_view rest_from(size_t index, std::string_view whole) const {
    if (index >= segments.size()) return {};
    return whole.substr(static_cast<size_t>(segments[index].data() - whole.data()));
  }
};

Path split(std::string_view path) {
  Path out;
  size_t at = 0;
  while (at < path.size() && out.segments.size() < kSegmentsMax) {
    if (path[at] == '/') {
      ++at;
      continue;
    }
    size_t end = path.find('/', at);
    if (end == std::string_view::npos) end = path.size();
    out.segments.push_back(path.substr(at, end - at));
    at = end;
  }
  return out;
}

std::string verb_of(const std::string& method) {
  if (method == "GET" || method == "HEAD") return "get";
  if (method == "POST") return "create";
  if (method == "PUT") return "update";
  if (method == "PATCH") return "patch";
  if (method == "DELETE") return "delete";
  return {};
}

std::string lower(std::string text) {
  for (auto& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

bool wants_watch(const net::Request& request) {
  const auto* watch = request.query_value("watch");
  return watch != nullptr && *watch != "0" && *watch != "false";
}

// namespaces/<n>/<these> are subresources of the namespace, not resources in it.
bool namespace_subresource(std::string_view name) { return name == "status" || name == "finalize"; }

// Requests for one name by field selector are authorised as requests for that name.
void name_from_selector(const net::Request& request, RequestInfo& info) {
  const auto* text = request.query_value("fieldSelector");
  if (text == nullptr) return;
  const auto name = selected_name(*text);
  if (name) info.selected_name = *name;
}

// Everything after /api/v1 or /apis/<group>/<version>.
void read_resource(const net::Request& request, const Path& path, size_t at, RequestInfo& info) {
  const auto& parts = path.segments;
  info.is_resource = true;
  info.verb = verb_of(request.method);
  bool old_watch = false;
  if (parts[at] == "watch" && at + 1 < parts.size()) {
    old_watch = true;
    ++at;
  }
  if (parts[at] == "namespaces") {
    if (at + 1 < parts.size()) {
      info.ns = parts[at + 1];
      const bool inside = at + 2 < parts.size() && !namespace_subresource(parts[at + 2]);
      if (inside) at += 2;
    }
  }
  info.plural = parts[at];
  if (at + 1 < parts.size()) info.name = parts[at + 1];
  if (at + 2 < parts.size()) info.subresource = parts[at + 2];
  info.rest = path.rest_from(at + 3, info.path);
  if (info.name.empty() && info.verb == "get") info.verb = wants_watch(request) ? "watch" : "list";
  if (info.name.empty() && info.verb == "delete") info.verb = "deletecollection";
  if (old_watch) info.verb = "watch";
  if (info.name.empty() && info.verb != "create") name_from_selector(request, info);
  info.resource = schema::find_resource(info.group, info.version, info.plural);
}

}  // namespace

Attributes RequestInfo::attributes() const {
  Attributes out;
  out.verb = verb;
  out.group = group;
  out.version = version;
  out.resource = plural;
  out.subresource = subresource;
  out.ns = ns;
  out.name = name.empty() ? selected_name : name;
  out.path = path;
  out.is_resource = is_resource;
  return out;
}

RequestInfo request_info(const net::Request& request) {
  RequestInfo info;
  info.path = request.path;
  info.verb = lower(request.method);
  const Path path = split(info.path);
  const auto& parts = path.segments;
  if (parts.size() >= 3 && parts[0] == "api") {
    info.version = parts[1];
    read_resource(request, path, 2, info);
  } else if (parts.size() >= 4 && parts[0] == "apis") {
    info.group = parts[1];
    info.version = parts[2];
    read_resource(request, path, 3, info);
  }
  return info;
}

}  // namespace kinglet::apiserver

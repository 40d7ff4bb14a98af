#include "apiserver/internal/keys.h"

#include "apiserver/internal/skim.h"
#include "apiserver/internal/traits.h"
#include "apiserver/registry.h"
#include "json/json.h"

namespace kinglet::apiserver {
namespace {

// The text of piece `index` between slashes; "" when there is none.
std::string_view piece(std::string_view key, size_t index) {
  for (; index > 0; --index) {
    const size_t slash = key.find('/');
    if (slash == std::string_view::npos) return {};
    key.remove_prefix(slash + 1);
  }
  return key.substr(0, key.find('/'));
}

void add_labels(std::string_view metadata, store::Tags& tags) {
  const auto labels = skim(metadata, {"labels"});
  if (!labels) return;
  skim_members(*labels, [&](std::string_view name, std::string_view value) {
    tags.emplace_back(fmt::format("l:{}", name), scalar_text(value));
    return true;
  });
}

void add_field(std::string& out, std::string_view root, std::string_view path) {
  while (!path.empty()) {
    const size_t dot = path.find('.');
    const auto value = skim(root, {path.substr(0, dot)});
    if (!value) return;
    root = *value;
    path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  }
  out = scalar_text(root);
}

// Fields whose selectable value is not simply the member of that name.
std::string field_value(std::string_view path, std::string_view value) {
  std::string out;
  if (path == "source") {  // events: the component, or the newer controller
    add_field(out, value, "source.component");
    if (out.empty()) add_field(out, value, "reportingComponent");
  } else if (path == "status.podIPs") {
    const auto list = skim(value, {"status", "podIPs"});
    const auto parsed = list ? json::parse(*list) : Result<json::Value>(json::Value());
    if (parsed && parsed->is_array())
      for (const auto& row : parsed->get_array())
        out += (out.empty() ? "" : ",") + std::string(json::text_at(row, {"ip"}));
  } else if (path == "status.successful") {
    add_field(out, value, "status.succeeded");
    if (out.empty()) out = "0";
  } else {
    add_field(out, value, path);
    if (out.empty() && (path == "spec.unschedulable" || path == "spec.hostNetwork")) out = "false";
    if (out.empty() && path == "status.replicas") out = "0";
  }
  return out;
}

}  // namespace

std::string_view key_name(std::string_view key) { return key.substr(key.rfind('/') + 1); }

std::string_view key_namespace(std::string_view key) {
  const auto third = piece(key, 2);
  return third.data() + third.size() == key.data() + key.size() ? std::string_view() : third;
}

std::string_view key_group(std::string_view key) {
  const auto group = piece(key, 0);
  return group == "core" ? std::string_view() : group;
}

std::string_view key_plural(std::string_view key) { return piece(key, 1); }

std::string store_prefix(const schema::Resource& resource, std::string_view ns) {
  const auto& stored = stored_form(resource);
  std::string out(stored.group.empty() ? std::string_view("core") : stored.group);
  out += '/';
  out += stored.plural;
  out += '/';
  if (!ns.empty() && resource.namespaced) {
    out += ns;
    out += '/';
  }
  return out;
}

std::string store_key(const schema::Resource& resource, std::string_view ns,
                      std::string_view name) {
  std::string out = store_prefix(resource, ns);
  out += name;
  return out;
}

store::Tags index_tags(std::string_view key, std::string_view value) {
  store::Tags tags;
  const auto metadata = skim(value, {"metadata"});
  if (!metadata) return tags;
  for (const auto path : traits_of(key_group(key), key_plural(key)).fields) {
    auto text = field_value(path, value);
    if (!text.empty()) tags.emplace_back(fmt::format("f:{}", path), std::move(text));
  }
  add_labels(*metadata, tags);
  std::sort(tags.begin(), tags.end());
  return tags;
}

}  // namespace kinglet::apiserver

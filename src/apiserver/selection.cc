#include "apiserver/internal/selection.h"

#include "apiserver/internal/keys.h"
#include "apiserver/internal/traits.h"

namespace kinglet::apiserver {
namespace {

constexpr size_t kSelectorBytesMax = 64 << 10;

// events.k8s.io names the same fields differently.
std::string stored_path(const schema::Resource& resource, const std::string& path) {
  if (resource.group != "events.k8s.io") return path;
  if (path.starts_with("regarding.")) return "involvedObject." + path.substr(10);
  if (path == "reportingController") return "reportingComponent";
  return path;
}

Result<void> check_field(const schema::Resource& resource, schema::FieldRequirement& term) {
  if (term.field == "metadata.name") return {};
  if (term.field == "metadata.namespace" && resource.namespaced) return {};
  const auto& stored = stored_form(resource);
  const auto fields = traits_of(stored.group, stored.plural).fields;
  const auto path = stored_path(resource, term.field);
  if (std::find(fields.begin(), fields.end(), path) == fields.end()) {
    if (!fields.empty())
      return Error(Code::bad_request, "field label not supported: {}", term.field);
    return Error(
        Code::bad_request,
        "\"{}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
        term.field);
  }
  term.field = path;
  return {};
}

// Tags are sorted by name; `prefix` + `name` is compared without being joined.
const std::string* find_tag(const store::Tags& tags, std::string_view prefix,
                            std::string_view name) {
  const auto less = [&](const auto& tag) {
    const std::string_view text = tag.first;
    const int head = text.substr(0, prefix.size()).compare(prefix);
    return head != 0 ? head < 0 : text.substr(prefix.size()) < name;
  };
  const auto at = std::partition_point(tags.begin(), tags.end(), less);
  if (at == tags.end()) return nullptr;
  const std::string_view text = at->first;
  return text.starts_with(prefix) && text.substr(prefix.size()) == name ? &at->second : nullptr;
}

}  // namespace

std::optional<std::string> selected_name(std::string_view field_selector) {
  const auto terms = schema::parse_field_selector(field_selector);
  if (!terms) return std::nullopt;
  for (const auto& term : *terms)
    if (term.field == "metadata.name" && term.equal && !term.value.empty()) return term.value;
  return std::nullopt;
}

Result<Selection> Selection::make(const schema::Resource& resource, std::string_view labels,
                                  std::string_view fields) {
  Selection out;
  if (labels.size() > kSelectorBytesMax)
    return Error(Code::bad_request, "the label selector is too long");
  KL_TRY_FN(selector, schema::Selector::parse(labels));
  out.labels_ = std::move(selector);
  if (fields.size() > kSelectorBytesMax)
    return Error(Code::bad_request, "the field selector is too long");
  KL_TRY_FN(terms, schema::parse_field_selector(fields));
  out.fields_ = std::move(terms);
  for (auto& term : out.fields_) {
    KL_CHECK_FN(check_field(resource, term));
    if (term.field == "metadata.name" && term.equal) out.only_name_ = term.value;
  }
  return out;
}

void Selection::select_name(std::string name) {
  only_name_ = name;
  fields_.push_back({"metadata.name", std::move(name), true});
}

bool Selection::matches(const store::Entry& entry) const {
  static const store::Tags none;
  const store::Tags& tags = entry.tags ? *entry.tags : none;
  for (const auto& term : fields_) {
    bool same = false;
    if (term.field == "metadata.name") {
      same = key_name(entry.key) == term.value;
    } else if (term.field == "metadata.namespace") {
      same = key_namespace(entry.key) == term.value;
    } else {
      const auto* value = find_tag(tags, "f:", term.field);
      same = value ? *value == term.value : term.value.empty();  // empty fields have no tag
    }
    if (same != term.equal) return false;
  }
  return labels_.matches_with([&](const std::string& key) { return find_tag(tags, "l:", key); });
}

}  // namespace kinglet::apiserver

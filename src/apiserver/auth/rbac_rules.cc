#include "apiserver/auth/rbac_rules.h"

namespace kinglet::apiserver {
namespace {

using Strings = std::vector<std::string>;

// How many single permissions one comparison may look at. A rule is a product of lists, so that a
// small body could ask for millions; beyond the bound the rest counts as missing, which refuses the
// write.
constexpr size_t kPiecesMax = 200'000;
constexpr size_t kMissingMax = 1000;  // more would only make the message longer

Strings strings_at(const json::Object& object, std::string_view name) {
  Strings out;
  const auto* list = object.if_contains(name);
  if (!list || !list->is_array()) return out;
  for (const auto& item : list->get_array())
    if (item.is_string()) out.emplace_back(item.get_string());
  return out;
}

bool has(const Strings& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

bool matches_or_star(const Strings& list, std::string_view text) {
  return has(list, "*") || has(list, text);
}

// `combined` is "pods" or "pods/log".
bool resource_matches(const Strings& list, std::string_view combined) {
  if (matches_or_star(list, combined)) return true;
  const auto slash = combined.find('/');
  return slash != combined.npos && has(list, "*" + std::string(combined.substr(slash)));
}

bool url_matches(const Strings& list, std::string_view path) {
  for (const auto& pattern : list) {
    if (pattern == path) return true;
    if (pattern.ends_with('*') &&
        path.starts_with(std::string_view(pattern).substr(0, pattern.size() - 1)))
      return true;
  }
  return false;
}

// One permission: a rule whose lists have one element each (or none).
bool grants(const PolicyRule& rule, const PolicyRule& piece) {
  if (!matches_or_star(rule.verbs, piece.verbs.front())) return false;
  if (!piece.non_resource_urls.empty())
    return url_matches(rule.non_resource_urls, piece.non_resource_urls.front());
  if (!matches_or_star(rule.api_groups, piece.api_groups.front())) return false;
  if (!resource_matches(rule.resources, piece.resources.front())) return false;
  if (rule.resource_names.empty()) return true;
  return !piece.resource_names.empty() && has(rule.resource_names, piece.resource_names.front());
}

bool granted(const PolicyRules& held, const PolicyRule& piece) {
  return std::any_of(held.begin(), held.end(),
                     [&](const auto& rule) { return grants(rule, piece); });
}

// A list to iterate over even when the field is empty.
const Strings& or_blank(const Strings& list) {
  static const Strings blank = {""};
  return list.empty() ? blank : list;
}

class Missing {
 public:
  explicit Missing(const PolicyRules& held) : held_(held) {}
  PolicyRules take() { return std::move(missing_); }

  void add(const PolicyRule& wanted) {
    for (const auto& verb : wanted.verbs) {
      for (const auto& url : wanted.non_resource_urls)
        if (!check({{verb}, {}, {}, {}, {url}})) return;
      for (const auto& group : wanted.api_groups)
        for (const auto& resource : wanted.resources)
          for (const auto& name : or_blank(wanted.resource_names))
            if (!check({{verb}, {group}, {resource}, name.empty() ? Strings{} : Strings{name}, {}}))
              return;
    }
  }

 private:
  // False: enough has been looked at.
  bool check(PolicyRule piece) {
    const bool full = ++looked_at_ > kPiecesMax;
    if (full || !granted(held_, piece)) missing_.push_back(std::move(piece));
    return !full && missing_.size() < kMissingMax;
  }
  const PolicyRules& held_;
  PolicyRules missing_;
  size_t looked_at_ = 0;
};

void print_list(std::string& out, const char* name, const Strings& list) {
  if (list.empty()) return;
  if (out.size() > 1) out += ", ";
  out += name;
  out += ":[";
  for (size_t i = 0; i < list.size(); ++i) {
    if (i) out += ' ';
    json::print_string(out, list[i]);
  }
  out += ']';
}

json::Array to_array(const Strings& list) {
  json::Array out;
  for (const auto& text : list) out.emplace_back(text);
  return out;
}

}  // namespace

PolicyRules parse_rules(const json::Value* rules) {
  PolicyRules out;
  if (!rules || !rules->is_array()) return out;
  for (const auto& item : rules->get_array()) {
    if (!item.is_object()) continue;
    const auto& object = item.get_object();
    out.push_back({strings_at(object, "verbs"), strings_at(object, "apiGroups"),
                   strings_at(object, "resources"), strings_at(object, "resourceNames"),
                   strings_at(object, "nonResourceURLs")});
  }
  return out;
}

json::Object rule_object(const PolicyRule& rule) {
  json::Object out;
  out["verbs"] = to_array(rule.verbs);
  if (!rule.api_groups.empty()) out["apiGroups"] = to_array(rule.api_groups);
  if (!rule.resources.empty()) out["resources"] = to_array(rule.resources);
  if (!rule.resource_names.empty()) out["resourceNames"] = to_array(rule.resource_names);
  if (!rule.non_resource_urls.empty()) out["nonResourceURLs"] = to_array(rule.non_resource_urls);
  return out;
}

bool rule_allows(const PolicyRule& rule, const Attributes& a) {
  if (!matches_or_star(rule.verbs, a.verb)) return false;
  if (!a.is_resource) return url_matches(rule.non_resource_urls, a.path);
  if (!matches_or_star(rule.api_groups, a.group)) return false;
  // A request without a name (create, list of all) is never within resourceNames.
  if (!rule.resource_names.empty() && (a.name.empty() || !has(rule.resource_names, a.name)))
    return false;
  if (a.subresource.empty()) return resource_matches(rule.resources, a.resource);
  return resource_matches(rule.resources, a.resource + "/" + a.subresource);
}

PolicyRules missing_rules(const PolicyRules& held, const PolicyRules& wanted) {
  Missing missing(held);
  for (const auto& rule : wanted) missing.add(rule);
  return missing.take();
}

PolicyRules compact_rules(PolicyRules rules) {
  // Verbs first, then resources: enough to turn the pieces of one rule back into it.
  for (auto field : {&PolicyRule::verbs, &PolicyRule::resources}) {
    PolicyRules joined;
    for (auto& rule : rules) {
      auto same = std::find_if(joined.begin(), joined.end(), [&](const PolicyRule& other) {
        PolicyRule a = rule, b = other;
        (a.*field).clear();
        (b.*field).clear();
        return a == b;
      });
      if (same == joined.end()) {
        joined.push_back(std::move(rule));
        continue;
      }
      for (auto& text : rule.*field)
        if (!has((*same).*field, text)) ((*same).*field).push_back(std::move(text));
    }
    rules = std::move(joined);
  }
  return rules;
}

std::string describe_rule(const PolicyRule& rule) {
  std::string out = "{";
  print_list(out, "APIGroups", rule.api_groups);
  print_list(out, "Resources", rule.resources);
  print_list(out, "ResourceNames", rule.resource_names);
  print_list(out, "NonResourceURLs", rule.non_resource_urls);
  print_list(out, "Verbs", rule.verbs);
  return out + "}";
}

}  // namespace kinglet::apiserver

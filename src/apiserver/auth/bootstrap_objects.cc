#include "apiserver/auth/bootstrap.h"
#include "apiserver/auth/bootstrap_roles.h"
#include "apiserver/auth/rbac_rules.h"

namespace kinglet::apiserver {
namespace {

constexpr std::string_view kRbac = "rbac.authorization.k8s.io";
constexpr std::string_view kAutoUpdate = "rbac.authorization.kubernetes.io/autoupdate";

const schema::Resource* resource(std::string_view group, std::string_view plural) {
  const auto* found = schema::find_resource(group, "v1", plural);
  KL_ASSERT(found != nullptr, "the catalogue lacks {}", plural);
  return found;
}

std::vector<std::string> split(std::string_view list, char separator = ',') {
  std::vector<std::string> out;
  while (!list.empty()) {
    const auto end = list.find(separator);
    out.emplace_back(list.substr(0, end));
    list = end == list.npos ? std::string_view() : list.substr(end + 1);
  }
  return out;
}

// "ns/name" or "name".
std::pair<std::string, std::string> split_name(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == text.npos) return {"", std::string(text)};
  return {std::string(text.substr(0, slash)), std::string(text.substr(slash + 1))};
}

json::Object metadata(const std::string& ns, const std::string& name) {
  json::Object out{{"name", name}};
  if (!ns.empty()) out["namespace"] = ns;
  return out;
}

BootstrapObject blank_rbac(std::string_view kind, const std::string& ns, const std::string& name) {
  const std::string plural = kind == "Role"          ? "roles"
                             : kind == "ClusterRole" ? "clusterroles"
                             : kind == "RoleBinding" ? "rolebindings"
                                                     : "clusterrolebindings";
  auto meta = metadata(ns, name);
  meta["labels"] = json::Object{{"kubernetes.io/bootstrapping", "rbac-defaults"}};
  meta["annotations"] = json::Object{{kAutoUpdate, "true"}};
  json::Object object{{"kind", kind},
                      {"apiVersion", "rbac.authorization.k8s.io/v1"},
                      {"metadata", std::move(meta)}};
  return {resource(kRbac, plural), ns, name, std::move(object)};
}

PolicyRule rule_of(const BootstrapRule& row) {
  PolicyRule out{split(row.verbs), split(row.groups), split(row.resources), split(row.names),
                 split(row.urls)};
  for (auto& group : out.api_groups)
    if (group == "core") group.clear();
  return out;
}

using RulesByRole = std::map<std::string, PolicyRules, std::less<>>;

RulesByRole rules_by_role() {
  RulesByRole out;
  for (const auto& row : bootstrap_rules()) out[std::string(row.role)].push_back(rule_of(row));
  return out;
}

json::Array rules_array(const PolicyRules& rules) {
  json::Array out;
  for (const auto& rule : rules) out.emplace_back(rule_object(rule));
  return out;
}

// The rules of the roles that carry the label; aggregates within aggregates included.
void collect(const RulesByRole& rules, std::string_view label, PolicyRules& out) {
  for (const auto& [role, carried] : bootstrap_aggregated()) {
    if (carried != label) continue;
    const auto found = rules.find(role);
    if (found != rules.end()) out.insert(out.end(), found->second.begin(), found->second.end());
    for (const auto& inner : bootstrap_aggregates())
      if (inner.role == role) collect(rules, inner.label, out);
  }
}

void add_labels(std::string_view role, json::Object& object) {
  for (const auto& [name, label] : bootstrap_aggregated())
    if (name == role) object["metadata"].as_object()["labels"].as_object()[label] = "true";
}

void add_roles(std::vector<BootstrapObject>& out) {
  const auto rules = rules_by_role();
  for (const auto& [path, list] : rules) {
    const auto [ns, name] = split_name(path);
    auto role = blank_rbac(ns.empty() ? "ClusterRole" : "Role", ns, name);
    auto& object = role.object.as_object();
    add_labels(path, object);
    object["rules"] = rules_array(list);
    out.push_back(std::move(role));
  }
  for (const auto& [name, label] : bootstrap_aggregates()) {
    auto role = blank_rbac("ClusterRole", "", std::string(name));
    auto& object = role.object.as_object();
    add_labels(name, object);
    PolicyRules all;
    collect(rules, label, all);
    object["rules"] = rules_array(all);
    json::Object selector{{"matchLabels", json::Object{{label, "true"}}}};
    object["aggregationRule"] =
        json::Object{{"clusterRoleSelectors", json::Array{std::move(selector)}}};
    out.push_back(std::move(role));
  }
}

json::Object subject_of(std::string_view text) {
  const auto colon = text.find(':');
  const auto kind = text.substr(0, colon);
  const auto rest = text.substr(colon + 1);
  if (kind == "ServiceAccount") {
    const auto [ns, name] = split_name(rest);
    return {{"kind", kind}, {"name", name}, {"namespace", ns}};
  }
  return {{"kind", kind}, {"apiGroup", kRbac}, {"name", rest}};
}

void add_bindings(std::vector<BootstrapObject>& out) {
  for (const auto& row : bootstrap_bindings()) {
    const auto [ns, name] = split_name(row.binding);
    const auto [role_ns, role_name] = split_name(row.role);
    auto binding = blank_rbac(ns.empty() ? "ClusterRoleBinding" : "RoleBinding", ns, name);
    auto& object = binding.object.as_object();
    json::Array subjects;
    for (const auto& subject : split(row.subjects)) subjects.emplace_back(subject_of(subject));
    if (!subjects.empty()) object["subjects"] = std::move(subjects);
    object["roleRef"] = json::Object{{"apiGroup", kRbac},
                                     {"kind", role_ns.empty() ? "ClusterRole" : "Role"},
                                     {"name", role_name}};
    out.push_back(std::move(binding));
  }
}

void add_priority_classes(std::vector<BootstrapObject>& out) {
  struct Row {
    const char* name;
    int value;
    const char* description;
  };
  constexpr Row kRows[] = {
      {"system-cluster-critical", 2000000000,
       "Used for system critical pods that must run in the cluster, but can be moved to another "
       "node if necessary."},
      {"system-node-critical", 2000001000,
       "Used for system critical pods that must not be moved from their current node."},
  };
  for (const auto& row : kRows) {
    json::Object object{{"kind", "PriorityClass"},
                        {"apiVersion", "scheduling.k8s.io/v1"},
                        {"metadata", metadata("", row.name)},
                        {"value", row.value},
                        {"description", row.description},
                        {"preemptionPolicy", "PreemptLowerPriority"}};
    out.push_back(
        {resource("scheduling.k8s.io", "priorityclasses"), "", row.name, std::move(object)});
  }
}

bool same_subject(const json::Value& a, const json::Value& b) {
  return json::text_at(a, {"kind"}) == json::text_at(b, {"kind"}) &&
         json::text_at(a, {"name"}) == json::text_at(b, {"name"}) &&
         json::text_at(a, {"namespace"}) == json::text_at(b, {"namespace"});
}

bool add_missing_subjects(const json::Value& wanted, json::Object& object) {
  const auto* subjects = json::find(wanted, {"subjects"});
  if (!subjects || !subjects->is_array()) return false;
  auto& have = object["subjects"];
  if (!have.is_array()) have = json::Array();
  bool changed = false;
  for (const auto& subject : subjects->get_array()) {
    auto& list = have.get_array();
    if (std::any_of(list.begin(), list.end(),
                    [&](const auto& other) { return same_subject(other, subject); }))
      continue;
    list.push_back(subject);
    changed = true;
  }
  return changed;
}

bool add_missing_rules(const json::Value& wanted, json::Object& object) {
  const auto missing = compact_rules(missing_rules(parse_rules(object.if_contains("rules")),
                                                   parse_rules(json::find(wanted, {"rules"}))));
  if (missing.empty()) return false;
  auto& rules = object["rules"];
  if (!rules.is_array()) rules = json::Array();
  for (const auto& rule : missing) rules.get_array().emplace_back(rule_object(rule));
  return true;
}

// Labels decide what is aggregated, so they are part of what a role grants.
bool add_missing_labels(const json::Value& wanted, json::Object& object) {
  const auto* labels = json::find(wanted, {"metadata", "labels"});
  if (!labels || !labels->is_object()) return false;
  auto& have = json::child(json::child(object, "metadata"), "labels");
  bool changed = false;
  for (const auto& item : labels->get_object()) {
    if (have.contains(item.key())) continue;
    have[item.key()] = item.value();
    changed = true;
  }
  return changed;
}

}  // namespace

std::vector<BootstrapObject> bootstrap_namespaces() {
  std::vector<BootstrapObject> out;
  for (const char* name : {"default", "kube-system", "kube-public", "kube-node-lease"}) {
    json::Object object{
        {"kind", "Namespace"}, {"apiVersion", "v1"}, {"metadata", metadata("", name)}};
    out.push_back({resource("", "namespaces"), "", name, std::move(object)});
  }
  return out;
}

std::vector<BootstrapObject> bootstrap_objects() {
  std::vector<BootstrapObject> out;
  add_priority_classes(out);
  add_roles(out);
  add_bindings(out);
  return out;
}

std::optional<json::Value> reconcile_rbac(const json::Value& stored, const json::Value& wanted) {
  if (!stored.is_object() ||
      json::text_at(stored, {"metadata", "annotations", kAutoUpdate}) == "false")
    return std::nullopt;
  json::Value out = stored;
  auto& object = out.get_object();
  bool changed = add_missing_labels(wanted, object);
  // The rules of an aggregating role follow from other roles.
  const bool aggregating = json::find(wanted, {"aggregationRule"}) != nullptr;
  if (aggregating && json::find(stored, {"aggregationRule"}) == nullptr) {
    object["aggregationRule"] = wanted.at("aggregationRule");
    changed = true;
  }
  if (add_missing_rules(wanted, object)) changed = true;
  const bool same_role =
      json::text_at(stored, {"roleRef", "name"}) == json::text_at(wanted, {"roleRef", "name"}) &&
      json::text_at(stored, {"roleRef", "kind"}) == json::text_at(wanted, {"roleRef", "kind"});
  if (same_role && add_missing_subjects(wanted, object)) changed = true;
  if (!changed) return std::nullopt;
  return out;
}

}  // namespace kinglet::apiserver

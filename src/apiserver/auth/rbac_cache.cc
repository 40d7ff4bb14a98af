#include "apiserver/auth/rbac_cache.h"

#include "apiserver/registry.h"
#include "base/log.h"

namespace kinglet::apiserver {
namespace {

constexpr std::string_view kGroup = "rbac.authorization.k8s.io";
constexpr std::string_view kServiceAccountPrefix = "system:serviceaccount:";

const schema::Resource& resource(size_t table) {
  static constexpr const char* kPlurals[] = {"clusterroles", "roles", "clusterrolebindings",
                                             "rolebindings"};
  const auto* found = schema::find_resource(kGroup, "v1", kPlurals[table]);
  KL_ASSERT(found != nullptr, "the catalogue lacks {}", kPlurals[table]);
  return *found;
}

// "" for a subject that can match nobody.
std::string subject_key(const json::Value& subject, std::string_view binding_ns) {
  const auto kind = json::text_at(subject, {"kind"});
  const std::string name(json::text_at(subject, {"name"}));
  if (name.empty()) return "";
  if (kind == "User") return "U" + name;
  if (kind == "Group") return "G" + name;
  if (kind != "ServiceAccount") return "";
  auto ns = json::text_at(subject, {"namespace"});
  if (ns.empty()) ns = binding_ns;
  return ns.empty() ? "" : fmt::format("S{}/{}", ns, name);
}

std::shared_ptr<const Binding> parse_binding(const json::Value& object) {
  auto out = std::make_shared<Binding>();
  out->ns = json::text_at(object, {"metadata", "namespace"});
  out->name = json::text_at(object, {"metadata", "name"});
  out->role_kind = json::text_at(object, {"roleRef", "kind"});
  out->role_name = json::text_at(object, {"roleRef", "name"});
  const auto* subjects = json::find(object, {"subjects"});
  if (!subjects || !subjects->is_array()) return out;
  for (const auto& subject : subjects->get_array()) {
    auto key = subject_key(subject, out->ns);
    if (!key.empty()) out->subjects.push_back(std::move(key));
  }
  std::sort(out->subjects.begin(), out->subjects.end());
  out->subjects.erase(std::unique(out->subjects.begin(), out->subjects.end()), out->subjects.end());
  return out;
}

std::vector<std::pair<std::string, std::string>> parse_labels(const json::Value& object) {
  std::vector<std::pair<std::string, std::string>> out;
  const auto* labels = json::find(object, {"metadata", "labels"});
  if (!labels || !labels->is_object()) return out;
  for (const auto& item : labels->get_object())
    if (item.value().is_string()) out.emplace_back(item.key(), item.value().get_string());
  return out;
}

std::vector<schema::Selector> parse_aggregates(const json::Value& object) {
  std::vector<schema::Selector> out;
  const auto* selectors = json::find(object, {"aggregationRule", "clusterRoleSelectors"});
  if (!selectors || !selectors->is_array()) return out;
  for (const auto& item : selectors->get_array()) {
    auto selector = schema::Selector::from_object(item);
    // An empty selector would select every role, cluster-admin included.
    if (selector && !selector->empty()) out.push_back(std::move(*selector));
  }
  return out;
}

}  // namespace

std::vector<std::string> subject_keys(const User& user) {
  std::vector<std::string> out = {"U" + user.name};
  if (user.name.starts_with(kServiceAccountPrefix)) {
    const auto rest = std::string_view(user.name).substr(kServiceAccountPrefix.size());
    const auto colon = rest.find(':');
    if (colon != rest.npos && colon > 0 && rest.find(':', colon + 1) == rest.npos &&
        colon + 1 < rest.size())
      out.push_back(fmt::format("S{}/{}", rest.substr(0, colon), rest.substr(colon + 1)));
  }
  for (const auto& group : user.groups) out.push_back("G" + group);
  return out;
}

void RbacCache::refresh() {
  for (size_t i = 0; i < table_count; ++i) {
    const auto table = static_cast<Table>(i);
    if (!watches_[i] && !reload(table)) continue;
    for (;;) {
      auto event = watches_[i]->poll();
      if (!event) {  // fell behind, or the history was compacted
        if (!reload(table)) break;
        continue;
      }
      if (!*event) break;
      apply(table, **event);
    }
  }
}

bool RbacCache::reload(Table table) {
  watches_[table].reset();
  drop_all(table);
  const auto prefix = store_prefix(resource(table));
  const auto page = store_.list(prefix, {});
  auto watch = store_.watch(prefix, page.revision);
  if (!watch) {
    // Nothing of this table is granted until the next question tries again.
    Log("rbac").error("cannot follow roles and bindings", kv("error", watch.error()));
    return false;
  }
  watches_[table] = std::move(*watch);
  for (const auto& entry : page.entries) put(table, *entry);
  return true;
}

void RbacCache::apply(Table table, const store::Event& event) {
  if (event.type == store::Event::Type::put) put(table, *event.entry);
  if (event.type == store::Event::Type::remove) drop(table, event.entry->key);
}

void RbacCache::put(Table table, const store::Entry& entry) {
  drop(table, entry.key);
  const auto object = json::parse(entry.value.view());
  if (!object) return;
  if (table == cluster_roles || table == roles) {
    Role role;
    role.own = parse_rules(json::find(*object, {"rules"}));
    if (table == cluster_roles) {
      role.labels = parse_labels(*object);
      role.aggregates = parse_aggregates(*object);
      forget_aggregates();
    }
    roles_[table].insert_or_assign(entry.key, std::move(role));
    return;
  }
  const size_t which = table - cluster_bindings;
  auto binding = parse_binding(*object);
  for (const auto& subject : binding->subjects) by_subject_[which][subject].push_back(binding);
  bindings_[which].insert_or_assign(entry.key, std::move(binding));
}

void RbacCache::drop(Table table, const std::string& key) {
  if (table == cluster_roles || table == roles) {
    if (roles_[table].erase(key) && table == cluster_roles) forget_aggregates();
    return;
  }
  const size_t which = table - cluster_bindings;
  const auto found = bindings_[which].find(key);
  if (found == bindings_[which].end()) return;
  for (const auto& subject : found->second->subjects) {
    const auto list = by_subject_[which].find(subject);
    if (list == by_subject_[which].end()) continue;
    std::erase(list->second, found->second);
    if (list->second.empty()) by_subject_[which].erase(list);
  }
  bindings_[which].erase(found);
}

void RbacCache::drop_all(Table table) {
  if (table == cluster_roles || table == roles) {
    roles_[table].clear();
    return;
  }
  bindings_[table - cluster_bindings].clear();
  by_subject_[table - cluster_bindings].clear();
}

void RbacCache::forget_aggregates() {
  for (auto& [key, role] : roles_[cluster_roles]) {
    role.resolved = false;
    role.all.clear();
  }
}

// Aggregated roles may aggregate each other; each role counts once.
void RbacCache::collect(const Role& role, std::set<const Role*>& seen, PolicyRules& out) const {
  if (!seen.insert(&role).second) return;
  if (role.aggregates.empty()) {
    out.insert(out.end(), role.own.begin(), role.own.end());
    return;
  }
  for (const auto& [key, other] : roles_[cluster_roles]) {
    const auto find = [&labels = other.labels](const std::string& wanted) -> const std::string* {
      for (const auto& [name, value] : labels)
        if (name == wanted) return &value;
      return nullptr;
    };
    for (const auto& selector : role.aggregates)
      if (selector.matches_with(find)) collect(other, seen, out);
  }
}

const PolicyRules& RbacCache::resolve(Role& role) {
  if (role.aggregates.empty()) return role.own;
  if (!role.resolved) {
    std::set<const Role*> seen;
    collect(role, seen, role.all);
    role.resolved = true;
  }
  return role.all;
}

const PolicyRules* RbacCache::rules(std::string_view ns, std::string_view name) {
  refresh();
  const auto table = ns.empty() ? cluster_roles : roles;
  const auto found = roles_[table].find(store_key(resource(table), ns, name));
  return found == roles_[table].end() ? nullptr : &resolve(found->second);
}

void RbacCache::visit(const User& user, std::string_view ns, const Visit& visit) {
  refresh();
  const auto keys = subject_keys(user);
  const auto role_of = [this](const Binding& binding) -> const PolicyRules* {
    const bool own_namespace = binding.role_kind == "Role";
    const auto table = own_namespace ? roles : cluster_roles;
    const auto found = roles_[table].find(
        store_key(resource(table), own_namespace ? binding.ns : std::string(), binding.role_name));
    return found == roles_[table].end() ? nullptr : &resolve(found->second);
  };
  for (const size_t which : {0, 1}) {
    if (which == 1 && ns.empty()) return;
    for (const auto& key : keys) {
      const auto list = by_subject_[which].find(key);
      if (list == by_subject_[which].end()) continue;
      for (const auto& binding : list->second) {
        if (which == 1 && binding->ns != ns) continue;
        if (which == 0 && binding->role_kind == "Role")
          continue;  // meaningless, and refused by validation
        if (!visit(*binding, role_of(*binding), key)) return;
      }
    }
  }
}

}  // namespace kinglet::apiserver

// Roles and bindings as the store holds them now, parsed once. Nothing runs: each question first
// drains the store's watches (a pointer comparison when nothing changed), so a role that has been
// written is in force for the next request.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "apiserver/auth/rbac_rules.h"
#include "schema/values.h"
#include "store/store.h"

namespace kinglet::apiserver {

struct Binding {
  std::string ns, name;  // ns empty: ClusterRoleBinding
  std::string role_kind, role_name;
  std::vector<std::string> subjects;  // as subject_key() makes them
};
// The kinds of subject are kept apart by a letter: "U" user, "G" group, "S" service account
// ("S<ns>/<name>").
std::vector<std::string> subject_keys(const User& user);

class RbacCache {
 public:
  explicit RbacCache(store::Store& store) : store_(store) {}

  // Calls `visit` for each binding in force for the user in `ns` (cluster-wide ones first) with the
  // rules of its role (null: the role does not exist) and the subject that matched; stops when it
  // returns false.
  using Visit = std::function<bool(const Binding&, const PolicyRules*, const std::string& subject)>;
  void visit(const User& user, std::string_view ns, const Visit& visit);
  // Rules of a role with aggregation resolved. ns empty: ClusterRole. Null: there is none.
  const PolicyRules* rules(std::string_view ns, std::string_view name);

 private:
  enum Table : size_t { cluster_roles, roles, cluster_bindings, bindings, table_count };
  struct Role {
    PolicyRules own;
    std::vector<std::pair<std::string, std::string>> labels;
    std::vector<schema::Selector> aggregates;
    bool resolved = false;  // `all` is current; of aggregating roles only
    PolicyRules all;
  };

  void refresh();
  bool reload(Table table);  // lists again and follows from there
  void apply(Table table, const store::Event& event);
  void put(Table table, const store::Entry& entry);
  void drop(Table table, const std::string& key);
  void drop_all(Table table);
  void forget_aggregates();
  const PolicyRules& resolve(Role& role);
  void collect(const Role& role, std::set<const Role*>& seen, PolicyRules& out) const;

  store::Store& store_;
  std::unique_ptr<store::Watch> watches_[table_count];
  std::map<std::string, Role> roles_[2];  // by store key
  std::unordered_map<std::string, std::shared_ptr<const Binding>> bindings_[2];
  std::unordered_map<std::string, std::vector<std::shared_ptr<const Binding>>> by_subject_[2];
};

}  // namespace kinglet::apiserver

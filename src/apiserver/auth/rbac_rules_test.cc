#include "apiserver/auth/rbac_rules.h"

#include <gtest/gtest.h>

namespace kinglet::apiserver {
namespace {

Attributes ask(std::string verb, std::string group, std::string resource, std::string name = "",
               std::string subresource = "") {
  Attributes a;
  a.verb = std::move(verb);
  a.group = std::move(group);
  a.resource = std::move(resource);
  a.name = std::move(name);
  a.subresource = std::move(subresource);
  a.ns = "default";
  return a;
}
Attributes ask_path(std::string verb, std::string path) {
  Attributes a;
  a.is_resource = false;
  a.verb = std::move(verb);
  a.path = std::move(path);
  return a;
}

TEST(RuleAllows, follows_the_words_of_the_rule) {
  struct Case {
    const char* name;
    PolicyRule rule;
    Attributes asked;
    bool allowed;
  };
  const PolicyRule read_pods = {{"get", "list"}, {""}, {"pods"}, {}, {}};
  const PolicyRule one_secret = {{"get", "create", "list"}, {""}, {"secrets"}, {"a"}, {}};
  const PolicyRule health = {{"get"}, {}, {}, {}, {"/healthz", "/logs/*"}};
  const Case cases[] = {
      {"verb and resource", read_pods, ask("get", "", "pods", "x"), true},
      {"other verb", read_pods, ask("delete", "", "pods", "x"), false},
      {"verbs are case-sensitive", read_pods, ask("GET", "", "pods", "x"), false},
      {"other group", read_pods, ask("get", "apps", "pods", "x"), false},
      {"a subresource is another resource", read_pods, ask("get", "", "pods", "x", "log"), false},
      {"subresource by name",
       {{"get"}, {""}, {"pods/log"}, {}, {}},
       ask("get", "", "pods", "x", "log"),
       true},
      {"all of one subresource",
       {{"get"}, {"*"}, {"*/scale"}, {}, {}},
       ask("get", "apps", "x", "y", "scale"),
       true},
      {"star of subresource is not the parent",
       {{"get"}, {"*"}, {"*/scale"}, {}, {}},
       ask("get", "apps", "x"),
       false},
      {"star covers subresources",
       {{"*"}, {"*"}, {"*"}, {}, {}},
       ask("create", "", "pods", "x", "exec"),
       true},
      {"pods/* is no pattern",
       {{"get"}, {""}, {"pods/*"}, {}, {}},
       ask("get", "", "pods", "x", "log"),
       false},
      {"named", one_secret, ask("get", "", "secrets", "a"), true},
      {"other name", one_secret, ask("get", "", "secrets", "b"), false},
      {"create has no name", one_secret, ask("create", "", "secrets"), false},
      {"list of all", one_secret, ask("list", "", "secrets"), false},
      {"path", health, ask_path("get", "/healthz"), true},
      {"longer path", health, ask_path("get", "/healthz/etcd"), false},
      {"path pattern", health, ask_path("get", "/logs/a/b"), true},
      {"resource rule gives no path", read_pods, ask_path("get", "/api/v1/pods"), false},
      {"path rule gives no resource", {{"*"}, {}, {}, {}, {"*"}}, ask("get", "", "pods"), false},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(rule_allows(c.rule, c.asked), c.allowed);
  }
}

TEST(MissingRules, names_exactly_what_would_be_gained) {
  const PolicyRules held = {{{"get", "list"}, {"", "apps"}, {"pods", "deployments"}, {}, {}},
                            {{"update"}, {""}, {"configmaps"}, {"mine"}, {}},
                            {{"get"}, {}, {}, {}, {"/metrics/*"}}};
  EXPECT_TRUE(missing_rules(held, {{{"get"}, {"apps"}, {"deployments"}, {"x"}, {}}}).empty());
  EXPECT_TRUE(missing_rules(held, {{{"update"}, {""}, {"configmaps"}, {"mine"}, {}}}).empty());
  EXPECT_TRUE(missing_rules(held, {{{"get"}, {}, {}, {}, {"/metrics/cadvisor"}}}).empty());

  const auto gained = missing_rules(held, {{{"get", "delete"}, {""}, {"pods", "secrets"}, {}, {}}});
  EXPECT_EQ(gained.size(), 3u);  // get secrets, delete pods, delete secrets
  EXPECT_EQ(missing_rules(held, {{{"update"}, {""}, {"configmaps"}, {}, {}}}).size(), 1u)
      << "without names is more";
  EXPECT_EQ(missing_rules(held, {{{"*"}, {""}, {"pods"}, {}, {}}}).size(), 1u)
      << "all verbs is more";
  EXPECT_EQ(missing_rules(held, {{{"get"}, {"*"}, {"pods"}, {}, {}}}).size(), 1u)
      << "all groups is more";
}

TEST(MissingRules, a_huge_product_is_refused_and_not_computed) {
  PolicyRule huge;
  for (int i = 0; i < 2000; ++i) {
    huge.verbs.push_back("v" + std::to_string(i));
    huge.api_groups.push_back("g" + std::to_string(i));
    huge.resources.push_back("r" + std::to_string(i));
  }
  const PolicyRules everything = {{{"*"}, {"*"}, {"*"}, {}, {}}};
  EXPECT_FALSE(missing_rules(everything, {huge}).empty());
}

TEST(CompactRules, joins_verbs_then_resources) {
  const auto joined = compact_rules({{{"get"}, {""}, {"pods"}, {}, {}},
                                     {{"list"}, {""}, {"pods"}, {}, {}},
                                     {{"get"}, {""}, {"secrets"}, {}, {}},
                                     {{"list"}, {""}, {"secrets"}, {}, {}}});
  ASSERT_EQ(joined.size(), 1u);
  EXPECT_EQ(describe_rule(joined[0]),
            R"({APIGroups:[""], Resources:["pods" "secrets"], Verbs:["get" "list"]})");
}

TEST(Forbidden, uses_upstreams_words) {
  User user;
  user.name = "u";
  EXPECT_EQ(
      forbidden(user, ask("get", "", "pods", "x"), "").message(),
      R"(pods "x" is forbidden: User "u" cannot get resource "pods" in API group "" in the namespace "default")");
  auto scale = ask("update", "apps", "deployments", "x", "scale");
  scale.ns = "";
  EXPECT_EQ(
      forbidden(user, scale, "because").message(),
      R"(deployments.apps "x" is forbidden: User "u" cannot update resource "deployments/scale" in API group )"
      R"("apps" at the cluster scope: because)");
  EXPECT_EQ(forbidden(user, ask_path("get", "/x"), "").message(),
            R"(forbidden: User "u" cannot get path "/x")");
}

}  // namespace
}  // namespace kinglet::apiserver

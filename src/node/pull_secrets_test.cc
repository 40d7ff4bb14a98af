#include "node/pull_secrets.h"

#include <gtest/gtest.h>

namespace kinglet::node {
namespace {

TEST(PullSecrets, cover_what_the_kubelet_says_they_cover) {
  struct Case {
    const char *place, *repository;
    bool covered;
  };
  const Case cases[] = {
      {"docker.io", "docker.io/library/busybox", true},
      {"registry.test", "registry.test/a", true},
      {"registry.test", "registry.test:5000/a", true},
      {"registry.test:5000", "registry.test:5000/a", true},
      {"registry.test:5000", "registry.test/a", false},
      {"*.test", "registry.test/a", true},
      {"*.test", "a.registry.test/a", false},
      {"*.*.test", "a.registry.test/a", true},
      {"reg*.test", "registry.test/a", true},
      {"registry.test/team", "registry.test/team/app", true},
      {"registry.test/team", "registry.test/other/app", false},
      {"other.test", "registry.test/a", false},
  };
  for (const auto& c : cases)
    EXPECT_EQ(covers(c.place, c.repository), c.covered) << c.place << " " << c.repository;
}

TEST(PullSecrets, are_read_in_both_forms) {
  api::Secret secret;
  secret.data[".dockerconfigjson"] =
      R"({"auths":{"https://index.docker.io/v1/":{"username":"a","password":"b"},"r.test":{"auth":"Yzpk"},"empty.test":{}}})";
  auto found = pull_secrets_of(secret);
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 2u);
  EXPECT_EQ((*found)[0].place, "docker.io");
  EXPECT_EQ((*found)[1].credential, (runtime::RegistryCredential{"c", "d", ""}));
  secret.data.clear();
  secret.data[".dockercfg"] = R"({"r.test/v2/":{"username":"a","password":"b"}})";
  found = pull_secrets_of(secret);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->at(0).place, "r.test");
  secret.data[".dockercfg"] = R"({"r.test":{"auth":"no"}})";
  EXPECT_FALSE(pull_secrets_of(secret));
  EXPECT_TRUE(pull_secrets_of({})->empty());
}

TEST(PullSecrets, the_most_exact_place_is_tried_first) {
  const std::vector<PullSecret> secrets = {{"r.test", {"general", "x", ""}},
                                           {"r.test/team", {"team", "x", ""}},
                                           {"other.test", {"other", "x", ""}}};
  const auto found = credentials_for(secrets, "r.test/team/app");
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].username, "team");
  EXPECT_EQ(found[1].username, "general");
}

}  // namespace
}  // namespace kinglet::node

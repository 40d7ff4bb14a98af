#include "apiserver/internal/skim.h"

#include <gtest/gtest.h>

#include "apiserver/internal/keys.h"
#include "apiserver/internal/traits.h"
#include "apiserver/registry.h"

namespace kinglet::apiserver {
namespace {

TEST(Skim, finds_members_without_parsing) {
  struct Case {
    const char* text;
    std::initializer_list<std::string_view> path;
    const char* value;  // null: absent
  };
  const Case cases[] = {
      {R"({"a":1})", {"a"}, "1"},
      {R"({"a":{"b":"x"}})", {"a", "b"}, R"("x")"},
      {R"({"a":{"b":"}"},"c":[{"d":"]"}],"e":true})", {"e"}, "true"},
      {R"({"a":"\"b\":1","b":2})", {"b"}, "2"},
      {R"({"a":{"b":1}})", {"b"}, nullptr},
      {R"({"a":1})", {"a", "b"}, nullptr},
      {R"([1])", {"a"}, nullptr},
      {R"({"a":"unfinished)", {"a"}, nullptr},
      {R"({"a":{"b":1)", {"a"}, nullptr},
      {"", {"a"}, nullptr},
      {" { \"a\" : 7 }", {"a"}, "7"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.text);
    const auto value = skim(c.text, c.path);
    ASSERT_EQ(value.has_value(), c.value != nullptr);
    if (c.value) {
      EXPECT_EQ(*value, c.value);
    }
  }
}

TEST(Skim, finds_the_objects_own_resource_version) {
  const std::string text =
      R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a\"resourceVersion\":\"9","uid":"u","resourceVersion":"12","ownerReferences":[]},"data":{"resourceVersion":"5"}})";
  const auto digits = revision_digits(text);
  ASSERT_TRUE(digits);
  EXPECT_EQ(text.substr(digits->begin, digits->end - digits->begin), "12");
}

TEST(IndexTags, hold_labels_and_selectable_fields) {
  const auto tags = index_tags(
      "core/pods/ns/p",
      R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","labels":{"app":"web","a.b/c":""}},"spec":{"nodeName":"n1"},"status":{"phase":"Running","podIPs":[{"ip":"1.2.3.4"},{"ip":"::1"}]}})");
  const store::Tags expected = {
      {"f:spec.hostNetwork", "false"},    {"f:spec.nodeName", "n1"}, {"f:status.phase", "Running"},
      {"f:status.podIPs", "1.2.3.4,::1"}, {"l:a.b/c", ""},           {"l:app", "web"}};
  EXPECT_EQ(tags, expected);
  EXPECT_TRUE(index_tags("core/pods/ns/p", "not json").empty());
}

TEST(Keys, say_where_an_object_is) {
  const auto* pods = schema::find_resource("", "v1", "pods");
  const auto* nodes = schema::find_resource("", "v1", "nodes");
  const auto* deployments = schema::find_resource("apps", "v1", "deployments");
  ASSERT_TRUE(pods && nodes && deployments);
  EXPECT_EQ(store_key(*pods, "a", "p"), "core/pods/a/p");
  EXPECT_EQ(store_key(*nodes, "", "n"), "core/nodes/n");
  EXPECT_EQ(store_prefix(*deployments, "x"), "apps/deployments/x/");
  EXPECT_EQ(store_prefix(*deployments), "apps/deployments/");
  EXPECT_EQ(key_namespace("core/pods/a/p"), "a");
  EXPECT_EQ(key_namespace("core/nodes/n"), "");
  EXPECT_EQ(key_name("core/nodes/n"), "n");
  EXPECT_EQ(key_group("core/nodes/n"), "");
  EXPECT_EQ(key_plural("apps/deployments/x/d"), "deployments");
  const auto* events = schema::find_resource("events.k8s.io", "v1", "events");
  ASSERT_TRUE(events);
  EXPECT_EQ(store_key(*events, "a", "e"), "core/events/a/e") << "both groups show the same events";
}

TEST(Traits, are_found_for_every_kind_that_has_them) {
  EXPECT_TRUE(traits_of("", "pods").delete_returns_object);
  EXPECT_TRUE(traits_of("apps", "deployments").generation);
  EXPECT_TRUE(traits_of("storage.k8s.io", "volumeattachments").needs_revision);
  EXPECT_TRUE(
      traits_of("admissionregistration.k8s.io", "mutatingwebhookconfigurations").needs_revision);
  EXPECT_TRUE(traits_of("rbac.authorization.k8s.io", "roles").create_on_update);
  EXPECT_EQ(traits_of("coordination.k8s.io", "leases").durability, store::Durability::volatile_);
  EXPECT_FALSE(traits_of("", "configmaps").generation);
}

}  // namespace
}  // namespace kinglet::apiserver

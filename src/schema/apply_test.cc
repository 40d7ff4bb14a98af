#include "schema/apply.h"

#include <gtest/gtest.h>

namespace kinglet::schema {
namespace {

ApplyShape deployments() { return ApplyShape::of(*find_resource("apps", "v1", "deployments")); }
ApplyShape pods() { return ApplyShape::of(*find_resource("", "v1", "pods")); }

json::Value value(std::string_view text) { return json::parse(text).value(); }
std::string set_text(const FieldSet& set) { return json::print(set.json()); }

TEST(FieldsOf, follows_list_types_and_keys) {
  struct Case {
    const char *name, *object, *fields;
  };
  const Case cases[] = {
      {"scalars and structs", R"({"spec":{"replicas":2,"strategy":{}}})",
       R"({"f:spec":{"f:replicas":{},"f:strategy":{}}})"},
      {"maps key by key", R"({"metadata":{"labels":{"a":"b"},"annotations":{}}})",
       R"({"f:metadata":{"f:annotations":{},"f:labels":{"f:a":{}}}})"},
      {"an atomic struct is one field", R"({"spec":{"selector":{"matchLabels":{"a":"b"}}}})",
       R"({"f:spec":{"f:selector":{}}})"},
      {"list items by their keys, defaults filled in",
       R"({"spec":{"template":{"spec":{"containers":[{"name":"c","ports":[{"containerPort":80}]}]}}}})",
       R"({"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:name":{},"f:ports":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{}}}}}}}}})"},
      {"an atomic list is one field",
       R"({"spec":{"template":{"spec":{"containers":[{"name":"c","args":["x"]}]}}}})",
       R"({"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:args":{},"f:name":{}}}}}}})"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const auto set = fields_of(deployments(), value(c.object));
    ASSERT_TRUE(set);
    EXPECT_EQ(set_text(*set), c.fields);
  }
}

TEST(FieldsOf, has_the_items_of_sets) {
  const auto set = fields_of(pods(), value(R"({"metadata":{"finalizers":["a/b","c/d"]}})"));
  ASSERT_TRUE(set);
  EXPECT_EQ(set_text(*set), R"({"f:metadata":{"f:finalizers":{"v:\"a/b\"":{},"v:\"c/d\"":{}}}})");
}

TEST(FieldsOf, refuses_items_without_key_and_twice) {
  EXPECT_FALSE(fields_of(pods(), value(R"({"spec":{"containers":[{"image":"i"}]}})")));
  EXPECT_FALSE(fields_of(pods(), value(R"({"spec":{"containers":[{"name":"a"},{"name":"a"}]}})")));
}

TEST(CompareFields, tells_added_modified_and_removed) {
  const auto changes = compare_fields(
      deployments(),
      value(
          R"({"metadata":{"labels":{"a":"1","b":"1"}},"spec":{"replicas":1,"template":{"spec":{"containers":[{"name":"c","image":"i"}]}}}})"),
      value(
          R"({"metadata":{"labels":{"a":"2"}},"spec":{"replicas":1,"paused":true,"template":{"spec":{"containers":[{"name":"c","image":"i"},{"name":"d"}]}}}})"));
  EXPECT_EQ(
      set_text(changes.added),
      R"({"f:spec":{"f:paused":{},"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"d\"}":{".":{},"f:name":{}}}}}}})");
  EXPECT_EQ(set_text(changes.modified), R"({"f:metadata":{"f:labels":{"f:a":{}}}})");
  EXPECT_EQ(set_text(changes.removed), R"({"f:metadata":{"f:labels":{"f:b":{}}}})");
}

TEST(CompareFields, new_maps_are_owned_themselves) {
  const auto changes = compare_fields(pods(), value(R"({"metadata":{}})"),
                                      value(R"({"metadata":{"labels":{"a":"1"}}})"));
  EXPECT_EQ(set_text(changes.added), R"({"f:metadata":{"f:labels":{".":{},"f:a":{}}}})");
}

TEST(MergeApplied, keeps_what_others_have_and_the_applied_order) {
  const auto merged = merge_applied(
      pods(),
      value(
          R"({"spec":{"nodeName":"n","containers":[{"name":"side","image":"s"},{"name":"a","image":"1","tty":true}]}})"),
      value(R"({"spec":{"containers":[{"name":"b","image":"b"},{"name":"a","image":"2"}]}})"));
  ASSERT_TRUE(merged);
  EXPECT_EQ(
      json::print(*merged),
      R"({"spec":{"nodeName":"n","containers":[{"name":"side","image":"s"},{"name":"b","image":"b"},{"name":"a","image":"2","tty":true}]}})");
}

TEST(RemoveUnowned, takes_the_whole_item_unless_somebody_else_has_a_part) {
  const auto last = FieldSet::parse(value(
      R"({"f:spec":{"f:containers":{"k:{\"name\":\"a\"}":{".":{},"f:image":{},"f:name":{}}}},"f:metadata":{"f:labels":{"f:x":{},"f:y":{}}}})"));
  ASSERT_TRUE(last);
  const auto object = value(
      R"({"metadata":{"labels":{"x":"1","y":"1","z":"1"}},"spec":{"containers":[{"name":"a","image":"i","stdin":true},{"name":"b"}]}})");
  auto alone = object;
  remove_unowned(pods(), alone, *last, FieldSet());
  EXPECT_EQ(json::print(alone), "{}")
      << "a field of a struct with nobody's claim below goes as a whole";
  const auto owned = FieldSet::parse(value(
      R"({"f:spec":{"f:containers":{"k:{\"name\":\"a\"}":{"f:image":{}}}},"f:metadata":{"f:labels":{"f:z":{}}}})"));
  auto shared = object;
  remove_unowned(pods(), shared, *last, *owned);
  EXPECT_EQ(
      json::print(shared),
      R"({"metadata":{"labels":{"z":"1"}},"spec":{"containers":[{"name":"a","image":"i","stdin":true},{"name":"b"}]}})")
      << "what nobody owns stays in an item that stays";
}

}  // namespace
}  // namespace kinglet::schema

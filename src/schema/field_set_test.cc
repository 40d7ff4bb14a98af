#include "schema/field_set.h"

#include <gtest/gtest.h>

namespace kinglet::schema {
namespace {

FieldSet set_of(std::string_view text) {
  auto set = FieldSet::parse(json::parse(text).value());
  EXPECT_TRUE(set) << text;
  return set ? *set : FieldSet();
}

TEST(FieldSet, is_written_as_it_was_read) {
  for (const std::string_view text :
       {R"({})", R"({"f:a":{}})", R"({"f:a":{".":{},"f:b":{}}})",
        R"({"f:l":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:name":{}}}})",
        R"({"f:s":{"v:\"x\"":{},"v:1":{}}})", R"({"f:i":{"i:0":{}}})"})
    EXPECT_EQ(json::print(set_of(text).json()), text);
}

TEST(FieldSet, spells_keys_in_one_order) {
  EXPECT_EQ(set_of(R"({"k:{\"b\":1,\"a\":\"x\"}":{}})"),
            set_of(R"({"k:{\"a\":\"x\",\"b\":1}":{}})"));
}

TEST(FieldSet, refuses_what_is_no_set) {
  for (const std::string_view text :
       {R"([])", R"({"a":{}})", R"({"f:a":1})", R"({"k:{":{}})", R"({"i:x":{}})", R"({"v:":{}})"})
    EXPECT_FALSE(FieldSet::parse(json::parse(text).value())) << text;
}

TEST(FieldSet, adds_subtracts_and_intersects_members) {
  const auto a = set_of(R"({"f:x":{},"f:y":{".":{},"f:z":{}}})");
  const auto b = set_of(R"({"f:y":{"f:z":{}},"f:w":{}})");
  auto sum = a;
  sum.add(b);
  EXPECT_EQ(json::print(sum.json()), R"({"f:w":{},"f:x":{},"f:y":{".":{},"f:z":{}}})");
  auto rest = a;
  rest.subtract(b);
  EXPECT_EQ(json::print(rest.json()), R"({"f:x":{},"f:y":{}})");
  EXPECT_EQ(json::print(a.common(b).json()), R"({"f:y":{"f:z":{}}})");
}

TEST(FieldSet, names_its_paths_for_people) {
  std::string all;
  set_of(R"({"f:spec":{"f:c":{"k:{\"name\":\"a\"}":{".":{},"f:image":{}}},"f:s":{"v:\"x\"":{}}}})")
      .each_path([&](const std::string& path) { all += path + "\n"; });
  EXPECT_EQ(all, ".spec.c[name=\"a\"]\n.spec.c[name=\"a\"].image\n.spec.s[=\"x\"]\n");
}

TEST(FieldSet, drops_what_is_below_a_path) {
  auto set = set_of(R"({"f:metadata":{"f:name":{},"f:labels":{"f:a":{}}},"f:status":{"f:x":{}}})");
  const std::string_view name[] = {"f:metadata", "f:name"}, status[] = {"f:status"};
  set.drop(name);
  set.drop(status);
  EXPECT_EQ(json::print(set.json()), R"({"f:metadata":{"f:labels":{"f:a":{}}}})");
}

}  // namespace
}  // namespace kinglet::schema

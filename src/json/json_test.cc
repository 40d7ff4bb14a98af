#include "json/json.h"

#include <gtest/gtest.h>

namespace kinglet::json {
namespace {

Value must(std::string_view text) {
  auto value = parse(text);
  EXPECT_TRUE(value) << text << ": " << (value ? "" : value.error().message());
  return value ? *std::move(value) : Value();
}

TEST(Json, prints_as_go_does) {
  struct Case {
    const char* in;
    const char* out;
  };
  const Case cases[] = {
      {R"({"b":1,"a":[true,null,"x"]})", R"({"b":1,"a":[true,null,"x"]})"},
      {R"("<a>&\u2028\u0001\n")", R"("\u003ca\u003e\u0026\u2028\u0001\n")"},
      {"1.0", "1"},
      {"0.1", "0.1"},
      {"1e21", "1e+21"},
      {"1e20", "100000000000000000000"},
      {"1e-7", "1e-7"},
      {"-0", "0"},
      {"18446744073709551615", "18446744073709551615"},
      {R"("\ud83d\ude00")", "\"\xf0\x9f\x98\x80\""},
      {"[]", "[]"},
  };
  for (const auto& c : cases) EXPECT_EQ(print(must(c.in)), c.out) << c.in;
  EXPECT_EQ(print_pretty(must(R"({"a":[1,{"b":{}}],"c":[]})")),
            "{\n  \"a\": [\n    1,\n    {\n      \"b\": {}\n    }\n  ],\n  \"c\": []\n}");
}

TEST(Json, refuses_bad_text_with_its_place) {
  struct Case {
    std::string in;
    const char* message;
  };
  const Case cases[] = {
      {"", "unexpected end of JSON input"},
      {"{\"a\":", "unexpected end of JSON input"},
      {"{\"a\":x}", "invalid character 'x' in JSON at offset 5"},
      {"{} x", "invalid character 'x' after top-level value at offset 3"},
      {"1e999", "exponent overflow"},
      {std::string(200, '['), "exceeded max depth of 128"},
  };
  for (const auto& c : cases) {
    const auto value = parse(c.in);
    ASSERT_FALSE(value) << c.in;
    EXPECT_EQ(value.code(), Code::bad_request);
    EXPECT_NE(value.error().message().find(c.message), std::string::npos)
        << value.error().message();
  }
}

TEST(Json, reports_duplicate_keys_by_path_and_keeps_the_last) {
  std::vector<std::string> duplicates;
  const auto value =
      parse(R"({"a":1,"spec":{"x":[{"c":1},{"c":1,"c":2}],"y":1},"a":2,"spec2":{"k":1,"k":3}})",
            &duplicates);
  ASSERT_TRUE(value);
  EXPECT_EQ(duplicates, (std::vector<std::string>{"spec.x[1].c", "a", "spec2.k"}));
  EXPECT_EQ(int_at(*value, {"a"}), 2);
  EXPECT_EQ(int_at(*value, {"spec2", "k"}), 3);
}

TEST(Json, finds_members) {
  Value value = must(R"({"a":{"t":"x","n":5,"b":true}})");
  EXPECT_EQ(text_at(value, {"a", "t"}), "x");
  EXPECT_EQ(text_at(value, {"a", "n"}), "");
  EXPECT_EQ(int_at(value, {"a", "n"}), 5);
  EXPECT_EQ(int_at(value, {"a", "zz"}, 7), 7);
  EXPECT_TRUE(bool_at(value, {"a", "b"}));
  EXPECT_EQ(find(value, {"a", "t", "u"}), nullptr);
  child(value.as_object(), "new")["k"] = 1;
  EXPECT_EQ(int_at(value, {"new", "k"}), 1);
}

TEST(JsonPatch, follows_rfc_6902) {
  struct Case {
    const char* doc;
    const char* patch;
    const char* result;
  };
  const Case cases[] = {
      {R"({"a":1})", R"([{"op":"add","path":"/b","value":[1]}])", R"({"a":1,"b":[1]})"},
      {R"({"a":[1,3]})",
       R"([{"op":"add","path":"/a/1","value":2},{"op":"add","path":"/a/-","value":4}])",
       R"({"a":[1,2,3,4]})"},
      {R"({"a":1,"b":2,"c":3})", R"([{"op":"remove","path":"/b"}])", R"({"a":1,"c":3})"},
      {R"({"a":{"x/y":1}})", R"([{"op":"replace","path":"/a/x~1y","value":2}])",
       R"({"a":{"x/y":2}})"},
      {R"({"a":1})", R"([{"op":"move","from":"/a","path":"/b"}])", R"({"b":1})"},
      {R"({"a":{"z":1}})", R"([{"op":"copy","from":"/a","path":"/b"}])",
       R"({"a":{"z":1},"b":{"z":1}})"},
      {R"({"a":1})",
       R"([{"op":"test","path":"/a","value":1},{"op":"test","path":"/n","value":null}])",
       R"({"a":1})"},
      {R"({"a":1})", R"([{"op":"replace","path":"","value":{"b":2}}])", R"({"b":2})"},
  };
  for (const auto& c : cases) {
    Value doc = must(c.doc);
    const auto applied = apply_json_patch(doc, must(c.patch));
    ASSERT_TRUE(applied) << c.patch << ": " << applied.error().message();
    EXPECT_EQ(print(doc), c.result);
  }
}

TEST(JsonPatch, says_what_does_not_apply_and_changes_nothing) {
  struct Case {
    const char* patch;
    Code code;
    const char* message;
  };
  const Case cases[] = {
      {R"({"op":"add"})", Code::bad_request,
       "json: cannot unmarshal object into Go value of type jsonpatch.Patch"},
      {R"([{"op":"frob","path":"/a"}])", Code::bad_request, "Unexpected kind: frob"},
      {R"([{"op":"add","path":"/x/y","value":1}])", Code::invalid,
       R"(add operation does not apply: doc is missing path: "/x/y": missing value)"},
      {R"([{"op":"replace","path":"/x","value":1}])", Code::invalid,
       "replace operation does not apply: doc is missing key: /x: missing value"},
      {R"([{"op":"remove","path":"/x"}])", Code::invalid,
       "error in remove for path: '/x': Unable to remove nonexistent key: x: missing value"},
      {R"([{"op":"add","path":"/b","value":1},{"op":"test","path":"/a","value":9}])", Code::invalid,
       "testing value /a failed: test failed"},
      {R"([{"op":"add","path":"/l/7","value":1}])", Code::invalid,
       "Unable to access invalid index: 7: invalid index referenced"},
  };
  for (const auto& c : cases) {
    Value doc = must(R"({"a":1,"l":[]})");
    const auto applied = apply_json_patch(doc, must(c.patch));
    ASSERT_FALSE(applied) << c.patch;
    EXPECT_EQ(applied.code(), c.code);
    EXPECT_EQ(applied.error().message(), c.message);
    EXPECT_EQ(print(doc), R"({"a":1,"l":[]})");
  }
}

TEST(JsonPatch, bounds_what_copies_may_add) {
  Array operations;
  for (int i = 0; i < 60; ++i)
    operations.push_back(must(R"({"op":"copy","from":"/a","path":"/a/-"})"));
  Value doc = must(R"({"a":["0123456789"]})");
  const auto applied = apply_json_patch(doc, operations);
  ASSERT_FALSE(applied);
  EXPECT_NE(applied.error().message().find("accumulated size increase of copy"), std::string::npos);
  Array many;
  for (size_t i = 0; i <= kJsonPatchOperationsMax; ++i) many.push_back(1);
  EXPECT_TRUE(apply_json_patch(doc, many).is(Code::too_large));
}

TEST(MergePatch, follows_rfc_7386) {
  struct Case {
    const char* doc;
    const char* patch;
    const char* result;
  };
  const Case cases[] = {
      {R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
      {R"({"a":"b","c":1})", R"({"a":null})", R"({"c":1})"},
      {R"({"a":{"b":1}})", R"({"a":{"c":2,"b":null}})", R"({"a":{"c":2}})"},
      {R"({"a":[1]})", R"({"a":[2]})", R"({"a":[2]})"},
      {R"({})", R"({"a":{"b":{"c":null}}})", R"({"a":{"b":{}}})"},
      {R"(["x"])", R"({"a":1})", R"({"a":1})"},
  };
  for (const auto& c : cases) {
    Value doc = must(c.doc);
    apply_merge_patch(doc, must(c.patch));
    EXPECT_EQ(print(doc), c.result) << c.patch;
  }
}

}  // namespace
}  // namespace kinglet::json

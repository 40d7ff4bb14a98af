#include <gtest/gtest.h>

#include "json/json.h"

namespace kinglet::json {
namespace {

std::string to_json(std::string_view yaml) {
  const auto value = parse_yaml(yaml);
  return value ? print(*value) : "error: " + value.error().message();
}

TEST(Yaml, scalars_mean_what_kubernetes_takes_them_for) {
  struct Case {
    const char* yaml;
    const char* json;
  };
  const Case cases[] = {
      {"a: yes", R"({"a":true})"},
      {"a: 'yes'", R"({"a":"yes"})"},
      {"a: Off", R"({"a":false})"},
      {"a: nOn", R"({"a":"nOn"})"},
      {"a: 1_000", R"({"a":1000})"},
      {"a: 0644", R"({"a":420})"},
      {"a: 0o17", R"({"a":15})"},
      {"a: 0x1f", R"({"a":31})"},
      {"a: 08", R"({"a":8})"},
      {"a: -5", R"({"a":-5})"},
      {"a: 1.5", R"({"a":1.5})"},
      {"a: 3.0", R"({"a":3})"},
      {"a: 1e3", R"({"a":1000})"},
      {"a: 1.2.3", R"({"a":"1.2.3"})"},
      {"a: ~", R"({"a":null})"},
      {"a:", R"({"a":null})"},
      {"a: \"\"", R"({"a":""})"},
      {"a: 2001-01-01", R"({"a":"2001-01-01"})"},
      {"a: !!str 5", R"({"a":"5"})"},
      {"1: x\ntrue: z", R"({"1":"x","true":"z"})"},
      {"a: 100m", R"({"a":"100m"})"},
      {"a: 1e", R"({"a":"1e"})"},
      {"a: |\n  x\n  y\n", R"({"a":"x\ny\n"})"},
      {"", "null"},
      {"{\"a\": 1, \"b\": \"\\u003c\"}", "{\"a\":1,\"b\":\"\\u003c\"}"},
  };
  for (const auto& c : cases) EXPECT_EQ(to_json(c.yaml), c.json) << c.yaml;
}

TEST(Yaml, expands_anchors_and_merge_keys_within_limits) {
  EXPECT_EQ(to_json("a: &x {p: 1, q: 2}\nb: *x\nc:\n  <<: *x\n  q: 3\n"),
            R"({"a":{"p":1,"q":2},"b":{"p":1,"q":2},"c":{"q":3,"p":1}})");
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 12; ++i) {
    bomb += fmt::format("a{}: &a{} [", i, i);
    for (int j = 0; j < 9; ++j) bomb += fmt::format("{}*a{}", j ? "," : "", i - 1);
    bomb += "]\n";
  }
  EXPECT_NE(to_json(bomb).find("excessive aliasing"), std::string::npos);
  EXPECT_NE(to_json("a: &a [*a]").find("anchor"), std::string::npos);
  std::string deep;
  for (int i = 0; i < 300; ++i) deep += "[";
  EXPECT_NE(to_json(deep).find("error"), std::string::npos);
}

TEST(Yaml, reports_errors_with_line_and_duplicates_with_path) {
  EXPECT_EQ(to_json("a: 1\nb: [").find("error: yaml: line 2"), 0u) << to_json("a: 1\nb: [");
  EXPECT_NE(to_json("a: .inf").find("unsupported value"), std::string::npos);
  std::vector<std::string> duplicates;
  const auto value = parse_yaml("s:\n  - k: 1\n  - k: 1\n    k: 2\n", &duplicates);
  ASSERT_TRUE(value);
  EXPECT_EQ(duplicates, std::vector<std::string>{"s[1].k"});
}

TEST(Yaml, splits_streams) {
  const auto documents = parse_yaml_stream("---\n# nothing\n---\na: 1\n---\nb: 2\n...\n");
  ASSERT_TRUE(documents);
  ASSERT_EQ(documents->size(), 2u);
  EXPECT_EQ(print((*documents)[1]), R"({"b":2})");
}

TEST(Yaml, prints_as_kubectl_does) {
  const auto value =
      parse(R"({"spec":{"b10":1,"b9":[{"name":"x","args":["a: b","true","10",""," x"]},[],{}],
      "text":"l1\nl2\n","none":null,"e":{},"Z":1.5,"cmd":"- a","tick":"it's"},"apiVersion":"v1"})");
  ASSERT_TRUE(value);
  EXPECT_EQ(print_yaml(*value), R"(apiVersion: v1
spec:
  Z: 1.5
  b9:
  - args:
    - 'a: b'
    - "true"
    - "10"
    - ""
    - ' x'
    name: x
  - []
  - {}
  b10: 1
  cmd: '- a'
  e: {}
  none: null
  text: |
    l1
    l2
  tick: it's
)");
  EXPECT_EQ(print(*parse_yaml(print_yaml(*value))),
            print(*parse_yaml(print_yaml(*parse_yaml(print_yaml(*value))))));
}

}  // namespace
}  // namespace kinglet::json

#include "schema/values.h"

#include <gtest/gtest.h>

#include "schema/field_selector.h"

namespace kinglet::schema {
namespace {

std::string canonical(const std::string& text) {
  const auto q = Quantity::parse(text);
  return q ? q->text() : "error: " + q.error().message();
}
Quantity quantity(const std::string& text) { return *Quantity::parse(text); }

TEST(Quantity, is_printed_in_canonical_form) {
  const std::pair<const char*, const char*> cases[] = {
      {"0", "0"},
      {"0.0", "0"},
      {"-0", "0"},
      {"100m", "100m"},
      {"1000m", "1"},
      {"1500m", "1500m"},
      {"0.5", "500m"},
      {"1", "1"},
      {"+1", "1"},
      {"-1", "-1"},
      {"1024Mi", "1Gi"},
      {"1Gi", "1Gi"},
      {"1.5Gi", "1536Mi"},
      {"0.5Mi", "512Ki"},
      {"0.5Ki", "512"},
      {"1000Ki", "1000Ki"},
      {"128974848", "128974848"},
      {"129e6", "129e6"},
      {"129M", "129M"},
      {"123Mi", "123Mi"},
      {"1e3", "1e3"},
      {"1E3", "1e3"},
      {"1e4", "10e3"},
      {"1e-3", "1e-3"},
      {"1000k", "1M"},
      {"12E", "12E"},
      {"1n", "1n"},
      {"0.1n", "1n"},
      {"-0.1n", "-1n"},
      {"1.0000000001", "1000000001n"},
      {"10u", "10u"},
      {"1.", "1"},
      {".5", "500m"},
      {"007", "7"},
      {"1.G", "1G"},
      {"10Ei", "9223372036854775807"},
      {"8Ei", "9223372036854775807"},
      {"7Ei", "7Ei"},
      {"99999999999999999999", "9223372036854775807"},
      {"1e-400", "1e-9"},
      {"0e999999999999", "0"},
      {"0.000000000000000000000000000000000000001Ki", "1n"},
  };
  for (const auto& [in, out] : cases) EXPECT_EQ(canonical(in), out) << in;
}

TEST(Quantity, refuses_what_is_none_with_upstreams_words) {
  const std::string format =
      "error: quantities must match the regular expression "
      "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
  const std::string suffix = "error: unable to parse quantity's suffix";
  const std::pair<const char*, std::string> cases[] = {
      {"", format},      {"abc", format}, {"1.1.M", format}, {"1+1.0M", format},
      {"0.1mi", suffix}, {"1i", suffix},  {" 1", format},    {"1 ", format},
      {"-", format},     {".", format},   {"1ee3", suffix},  {"1e", suffix},
      {"1e+", suffix},   {"Mi", format},  {"1K", suffix},    {"10GiB", format}};
  for (const auto& [in, out] : cases) EXPECT_EQ(canonical(in), out) << in;
  EXPECT_FALSE(Quantity::parse(std::string(10000, '9')));
}

TEST(Quantity, values_round_up_and_saturate) {
  EXPECT_EQ(quantity("1500m").value(), 2);
  EXPECT_EQ(quantity("-1500m").value(), -2);
  EXPECT_EQ(quantity("1500m").milli_value(), 1500);
  EXPECT_EQ(quantity("1u").milli_value(), 1);
  EXPECT_EQ(quantity("1Gi").value(), 1 << 30);
  EXPECT_EQ(quantity("7Ei").milli_value(), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(quantity("100u").rounded_up_to_milli().text(), "1m");
}

TEST(Quantity, compares_and_adds_exactly) {
  EXPECT_EQ(quantity("1").compare(quantity("1000m")), 0);
  EXPECT_LT(quantity("999m").compare(quantity("1")), 0);
  EXPECT_GT(quantity("1Ki").compare(quantity("1k")), 0);
  EXPECT_EQ(quantity("1Gi").plus(quantity("1Gi")).text(), "2Gi");
  EXPECT_EQ(quantity("250m").plus(quantity("750m")).text(), "1");
  EXPECT_EQ(quantity("1").minus(quantity("1n")).text(), "999999999n");
  EXPECT_EQ(quantity("0").plus(quantity("1Gi")).text(), "1Gi");
  EXPECT_EQ(quantity("1Gi").minus(quantity("1Gi")).text(), "0");
}

TEST(IntOrString, percentages_scale) {
  const auto percent = [](const char* text, int total, bool up) {
    return *IntOrString{0, std::string(text)}.scaled(total, up);
  };
  EXPECT_EQ(percent("25%", 10, true), 3);
  EXPECT_EQ(percent("25%", 10, false), 2);
  EXPECT_EQ(percent("100%", 7, false), 7);
  EXPECT_EQ(*(IntOrString{5, std::nullopt}.scaled(100, true)), 5);
  EXPECT_FALSE((IntOrString{0, "5"}.scaled(100, true)));
  EXPECT_FALSE((IntOrString{0, "%"}.scaled(100, true)));
}

std::string selector_text(std::string_view text) {
  const auto s = Selector::parse(text);
  return s ? s->text() : "error: " + s.error().message();
}

TEST(Selector, text_is_parsed_and_printed) {
  const std::pair<const char*, const char*> cases[] = {
      {"", ""},
      {"a=b", "a=b"},
      {"a==b", "a=b"},
      {" a = b , c != d ", "a=b,c!=d"},
      {"e in (g,f)", "e in (f,g)"},
      {"e notin (f, g),!h,i", "e notin (f,g),!h,i"},
      {"b,a", "a,b"},
      {"x in (a)", "x=a"},
      {"x in (,a)", "x in (,a)"},
      {"x=", "x="},
      {"x=,y", "x=,y"},
      {"x>1,y<2", "x>1,y<2"},
      {"in in (in)", "in=in"},
      {"k8s.io/a=b", "k8s.io/a=b"},
      {"a=b,", "error: found '', expected: identifier after ','"},
      {",a", "error: found ',', expected: !, identifier, or 'end of string'"},
      {"a=b c", "error: found 'c', expected: ',' or 'end of string'"},
      {"a b",
       "error: unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"},
      {"a in b", "error: unable to parse requirement: found 'b' expected: '('"},
      {"a in (b", "error: unable to parse requirement: found '', expected: ',' or ')'"},
      {"a=(", "error: unable to parse requirement: found '(', expected: identifier"},
      {"!", "error: unable to parse requirement: found '', expected: identifier"},
      {"x>a",
       "error: unable to parse requirement: values[0]: Invalid value: \"a\": for 'Gt', 'Lt' "
       "operators, the value must "
       "be an integer"},
      {"x in ()",
       "error: unable to parse requirement: values: Invalid value: []: for 'in', 'notin' "
       "operators, values set can't "
       "be empty"},
      {"-a",
       "error: unable to parse requirement: <nil>: Invalid value: \"-a\": name part must consist "
       "of alphanumeric "
       "characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. "
       "'MyName',  or "
       "'my.name',  or '123-abc', regex used for validation is "
       "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"},
      {"a=-",
       "error: unable to parse requirement: values[0][a]: Invalid value: \"-\": a valid label must "
       "be an empty string "
       "or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
       "alphanumeric character "
       "(e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
       "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"},
  };
  for (const auto& [in, out] : cases) EXPECT_EQ(selector_text(in), out) << in;
}

TEST(Selector, matches_labels) {
  const std::map<std::string, std::string> labels = {{"a", "b"}, {"n", "5"}};
  const auto matches = [&](std::string_view text) {
    return Selector::parse(text)->matches_with([&](const std::string& key) -> const std::string* {
      const auto it = labels.find(key);
      return it == labels.end() ? nullptr : &it->second;
    });
  };
  for (const char* yes :
       {"", "a", "a=b", "a!=c", "z!=c", "!z", "a in (b,c)", "a notin (c)", "n>4", "n<6"})
    EXPECT_TRUE(matches(yes)) << yes;
  for (const char* no :
       {"z", "a=c", "a!=b", "!a", "a in (c)", "a notin (b)", "n>5", "n<5", "z>1", "a>1"})
    EXPECT_FALSE(matches(no)) << no;
  EXPECT_FALSE(Selector::nothing().matches_with(
      [](const std::string&) -> const std::string* { return nullptr; }));
}

TEST(Selector, objects_are_read) {
  const auto text = [](std::string_view object) {
    const auto s = Selector::from_object(*json::parse(object));
    return s ? s->text() : "error: " + s.error().message();
  };
  EXPECT_EQ(text(R"({"matchLabels":{"b":"c","a":"b"}})"), "a=b,b=c");
  EXPECT_EQ(text(R"({"matchExpressions":[{"key":"k","operator":"NotIn","values":["x","y"]},)"
                 R"({"key":"e","operator":"Exists"}]})"),
            "e,k notin (x,y)");
  EXPECT_EQ(text(R"({"matchExpressions":[{"key":"k","operator":"Near"}]})"),
            "error: \"Near\" is not a valid label selector operator");
  EXPECT_TRUE(Selector::from_object(*json::parse("{}"))->empty());
  EXPECT_FALSE(Selector::from_object(json::Value(nullptr))->empty());
}

TEST(FieldSelector, terms_are_split_and_unescaped) {
  const auto parse = [](std::string_view text) { return *parse_field_selector(text); };
  EXPECT_EQ(parse("").size(), 0u);
  EXPECT_EQ(parse("a.b=c"), (std::vector<FieldRequirement>{{"a.b", "c", true}}));
  EXPECT_EQ(parse("a==c,b!=d"),
            (std::vector<FieldRequirement>{{"a", "c", true}, {"b", "d", false}}));
  EXPECT_EQ(parse(R"(a=x\,y\=z)"), (std::vector<FieldRequirement>{{"a", "x,y=z", true}}));
  EXPECT_EQ(parse("a="), (std::vector<FieldRequirement>{{"a", "", true}}));
  for (const char* wrong : {"a", "a!b", "a=b=c", R"(a=\x)", R"(a=\)"})
    EXPECT_FALSE(parse_field_selector(wrong)) << wrong;
}

TEST(Names, messages_are_upstreams) {
  EXPECT_TRUE(dns1123_label_errors("a-1").empty());
  EXPECT_EQ(dns1123_label_errors("a.b"), std::vector<std::string>{"must not contain dots"});
  EXPECT_EQ(dns1123_subdomain_errors("A"),
            std::vector<std::string>{
                "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
                "characters, '-' or '.', and "
                "must start and end with an alphanumeric character (e.g. 'example.com', regex used "
                "for validation is "
                R"('[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'))"});
  EXPECT_EQ(dns1123_subdomain_errors(std::string(254, 'a')),
            std::vector<std::string>{"must be no more than 253 bytes"});
  EXPECT_EQ(dns1035_label_errors("1a").size(), 1u);
  EXPECT_TRUE(label_key_errors("example.com/Name_1").empty());
  EXPECT_EQ(label_key_errors("/a"), std::vector<std::string>{"prefix part must be non-empty"});
  EXPECT_EQ(label_key_errors("a/b/c").size(), 1u);
  EXPECT_EQ(label_key_errors("a/").size(), 2u);
  EXPECT_EQ(label_value_errors("-x").size(), 1u);
  EXPECT_TRUE(label_value_errors("").empty());
}

}  // namespace
}  // namespace kinglet::schema

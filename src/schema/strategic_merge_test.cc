#include <gtest/gtest.h>

#include "schema/codec.h"
#include "schema/testing/small_types.h"

namespace kinglet::schema {
namespace {

std::string merge(std::string_view original, std::string_view patch) {
  const auto out =
      strategic_merge(testing::small_pod(), *json::parse(original), *json::parse(patch));
  return out ? json::print(*out) : "error: " + out.error().message();
}

TEST(StrategicMerge, follows_the_tables_and_the_directives) {
  struct Case {
    const char *name, *original, *patch, *merged;
  };
  const Case cases[] = {
      {"scalars replace, null deletes", R"({"a":1,"b":2})", R"({"a":3,"b":null,"c":null})",
       R"({"a":3})"},
      {"maps merge", R"({"labels":{"x":"1","y":"2"}})", R"({"labels":{"y":null,"z":"3"}})",
       R"({"labels":{"x":"1","z":"3"}})"},
      {"lists without a strategy are replaced", R"({"args":["a","b"]})", R"({"args":["c"]})",
       R"({"args":["c"]})"},
      {"lists with a merge key merge; the patch's own items come first in its order",
       R"({"containers":[{"name":"a","image":"1"},{"name":"b","image":"1"}]})",
       R"({"containers":[{"name":"b","image":"2"},{"name":"c","image":"3"}]})",
       R"({"containers":[{"name":"a","image":"1"},{"name":"b","image":"2"},{"name":"c","image":"3"}]})"},
      {"an item is deleted", R"({"containers":[{"name":"a"},{"name":"b"}]})",
       R"({"containers":[{"name":"a","$patch":"delete"}]})", R"({"containers":[{"name":"b"}]})"},
      {"a list is replaced", R"({"containers":[{"name":"a"},{"name":"b"}]})",
       R"({"containers":[{"name":"c"},{"$patch":"replace"}]})", R"({"containers":[{"name":"c"}]})"},
      {"a map is replaced", R"({"labels":{"a":"1"}})", R"({"labels":{"$patch":"replace","b":"2"}})",
       R"({"labels":{"b":"2"}})"},
      {"a map is emptied", R"({"labels":{"a":"1"}})", R"({"labels":{"$patch":"delete"}})",
       R"({"labels":{}})"},
      {"retained keys", R"({"labels":{"a":"1","b":"2"}})",
       R"({"labels":{"$retainKeys":["b","c"],"c":"3"}})", R"({"labels":{"b":"2","c":"3"}})"},
      {"a set key that is not retained", R"({"labels":{"a":"1"}})",
       R"({"labels":{"$retainKeys":["b"],"c":"3"}})",
       "error: invalid patch format of retainKeys: c is set but not retained"},
      {"primitive lists unite", R"({"finalizers":["a","b"]})", R"({"finalizers":["c","a"]})",
       R"({"finalizers":["c","a","b"]})"},
      {"values leave a primitive list", R"({"finalizers":["a","b"]})",
       R"({"$deleteFromPrimitiveList/finalizers":["a"]})", R"({"finalizers":["b"]})"},
      {"values leave and the rest is ordered", R"({"finalizers":["a","b","c"]})",
       R"({"$setElementOrder/finalizers":["c","b"],"$deleteFromPrimitiveList/finalizers":["a"]})",
       R"({"finalizers":["c","b"]})"},
      {"order with a merge: kubectl's usual patch",
       R"({"containers":[{"name":"a","image":"1"},{"name":"b","image":"1"}]})",
       R"({"$setElementOrder/containers":[{"name":"b"},{"name":"a"}],"containers":[{"name":"a","image":"2"}]})",
       R"({"containers":[{"name":"b","image":"1"},{"name":"a","image":"2"}]})"},
      {"server-only items keep their place in front",
       R"({"containers":[{"name":"s"},{"name":"a"},{"name":"b"}]})",
       R"({"$setElementOrder/containers":[{"name":"a"},{"name":"b"}],"containers":[{"name":"b","image":"2"}]})",
       R"({"containers":[{"name":"s"},{"name":"a"},{"name":"b","image":"2"}]})"},
      {"order and list disagree", R"({})",
       R"({"$setElementOrder/containers":[{"name":"a"}],"containers":[{"name":"b"}]})",
       "error: The order in patch list:\n[{\"name\":\"b\"}]\n doesn't match $setElementOrder "
       "list:\n[{\"name\":\"a\"}]\n"},
      {"nested lists merge",
       R"({"containers":[{"name":"a","ports":[{"containerPort":80},{"containerPort":81}]}]})",
       R"({"containers":[{"name":"a","ports":[{"containerPort":81,"name":"x"}]}]})",
       R"({"containers":[{"name":"a","ports":[{"containerPort":80},{"containerPort":81,"name":"x"}]}]})"},
      {"no merge key", R"({"containers":[{"name":"a"}]})", R"({"containers":[{"image":"x"}]})",
       "error: map: {\"image\":\"x\"} does not contain declared merge key: name"},
      {"an unknown directive", R"({"labels":{"a":"b"}})", R"({"labels":{"$patch":"frob"}})",
       "error: unknown patch type: frob in map"},
      {"directives do not leak into new values", R"({})",
       R"({"containers":[{"name":"a","$patch":"delete"},{"name":"b","labels":{"$retainKeys":["x"],"x":null}}]})",
       R"({"containers":[{"name":"b","labels":{}}]})"},
      {"a selector with strategy replace", R"({"selector":{"a":"1"}})", R"({"selector":{"b":"2"}})",
       R"({"selector":{"b":"2"}})"},
      {"types that differ replace", R"({"labels":"text","containers":{}})",
       R"({"labels":{"a":"b"},"containers":[]})", R"({"labels":{"a":"b"},"containers":[]})"},
  };
  for (const auto& c : cases) EXPECT_EQ(merge(c.original, c.patch), c.merged) << c.name;
}

}  // namespace
}  // namespace kinglet::schema

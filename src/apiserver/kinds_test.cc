// Every kind of the catalogue through the one path: created from a golden object, read in every
// form, patched three ways, watched and deleted.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "apiserver/testing/api_world.h"
#include "schema/codec.h"

namespace kinglet::apiserver {
namespace {
using namespace testing;  // NOLINT

// The golden object of a resource with metadata that a client could have sent; null: there is none.
json::Value golden(const schema::Resource& resource) {
  const std::string group = resource.group.empty()
                                ? "core"
                                : std::string(resource.group.substr(0, resource.group.find('.')));
  std::ifstream file(fmt::format("{}/src/schema/testdata/{}.{}.{}.json", KINGLET_SOURCE_DIR, group,
                                 resource.version, resource.kind));
  std::stringstream text;
  text << file.rdbuf();
  auto object = json::parse(text.str());
  if (!object) return {};
  object->get_object()["metadata"] = json::Object{{"name", "x"}};
  return *object;
}

std::string collection_of(const schema::Resource& resource) {
  const std::string root = resource.group.empty() ? "/api/" : "/apis/";
  return root + std::string(resource.group_version()) +
         (resource.namespaced ? "/namespaces/default/" : "/") + std::string(resource.plural);
}

class EveryKind : public ::testing::TestWithParam<const schema::Resource*> {
 protected:
  const schema::Resource& resource = *GetParam();
  const std::string collection = collection_of(resource);
  const std::string url = collection + "/x";
  ApiWorld world;
};

TEST_P(EveryKind, is_created_read_patched_watched_and_deleted) {
  const auto object = golden(resource);
  if (object.is_null()) GTEST_SKIP() << "no golden object";
  const auto made = world.post(collection, json::print(object));
  ASSERT_EQ(made->status, 201) << made->text;
  EXPECT_EQ(made->headers.get("Warning"), "");
  const auto read = world.get(url);
  ASSERT_EQ(read->text, made->text);
  EXPECT_EQ(json::text_at(read->json(), {"kind"}), resource.kind);

  const auto list = world.get(collection)->json();
  ASSERT_EQ(list.at("items").as_array().size(), 1u);
  EXPECT_EQ(json::text_at(list, {"kind"}), resource.list_kind);
  EXPECT_FALSE(list.at("items").as_array()[0].as_object().contains("kind"));
  const auto table = world
                         .request("GET", collection, "", "",
                                  {{"Accept", "application/json;as=Table;v=v1;g=meta.k8s.io"}})
                         ->json();
  EXPECT_EQ(table.at("rows").as_array()[0].at("cells").as_array().size(),
            table.at("columnDefinitions").as_array().size());

  const auto then = world.store->current();
  const std::string label = R"({{"metadata":{{"labels":{{"{}":"1"}}}}}})";
  EXPECT_EQ(world.patch(url, fmt::format(fmt::runtime(label), "merge"), "merge")->status, 200);
  EXPECT_EQ(
      world.patch(url, fmt::format(fmt::runtime(label), "strategic"), "strategic-merge")->status,
      200);
  const auto json_patch =
      world.patch(url, R"([{"op":"add","path":"/metadata/labels/json","value":"1"}])", "json");
  EXPECT_EQ(json_patch->status, 200) << json_patch->text;
  EXPECT_GE(world.get(url)->json().at("metadata").at("labels").as_object().size(), 3u);
  auto current = world.get(url);
  EXPECT_EQ(world.put(url, current->text)->text, current->text)
      << "putting back what was read changes nothing";

  auto gone = world.remove(url, R"({"gracePeriodSeconds":0})");
  if (resource.plural == "namespaces")
    gone = world.put(url + "/finalize", R"({"metadata":{"name":"x"},"spec":{}})");
  EXPECT_EQ(gone->status, 200) << gone->text;
  EXPECT_EQ(world.get(url)->status, 404);

  const auto watched =
      world.get(fmt::format("{}?watch=1&timeoutSeconds=1&resourceVersion={}", collection, then));
  const auto frames = watched->frames();
  ASSERT_GE(frames.size(), 4u) << watched->text;
  EXPECT_EQ(json::text_at(frames.front(), {"type"}), "MODIFIED");
  EXPECT_EQ(json::text_at(frames.back(), {"type"}), "DELETED");
  EXPECT_EQ(json::text_at(frames.back(), {"object", "kind"}), resource.kind);
}

TEST_P(EveryKind, speaks_protobuf) {
  const auto object = golden(resource);
  if (object.is_null()) GTEST_SKIP() << "no golden object";
  const auto made = world.request(
      "POST", collection, schema::to_protobuf(object), "application/vnd.kubernetes.protobuf",
      {{"Accept", "application/vnd.kubernetes.protobuf, application/json"}});
  ASSERT_EQ(made->status, 201) << made->text;
  EXPECT_EQ(made->headers.get("Content-Type"), "application/vnd.kubernetes.protobuf");
  const auto in_json = world.get(url)->json();
  EXPECT_TRUE(made->text == schema::to_protobuf(in_json)) << "both encodings say the same";
  const auto back = schema::from_protobuf(made->text);
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(json::text_at(*back, {"metadata", "uid"}), json::text_at(in_json, {"metadata", "uid"}));
}

std::vector<const schema::Resource*> stored_kinds() {
  std::vector<const schema::Resource*> out;
  for (const auto* resource : schema::resources())
    if (resource->has_verb("create") && resource->has_verb("get")) out.push_back(resource);
  return out;
}

INSTANTIATE_TEST_SUITE_P(Catalogue, EveryKind, ::testing::ValuesIn(stored_kinds()),
                         [](const auto& info) {
                           std::string name(info.param->group_version());
                           name += "_" + std::string(info.param->kind);
                           for (auto& c : name)
                             if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
                           return name;
                         });

}  // namespace
}  // namespace kinglet::apiserver

#include <gtest/gtest.h>

#include <set>

#include "schema/codec.h"
#include "schema/internal/protobuf_wire.h"

namespace kinglet::schema {
namespace {

// Every reference in a document leads to a definition of it.
void collect_references(const json::Value& value, std::set<std::string>& out) {
  if (value.is_array())
    for (const auto& item : value.get_array()) collect_references(item, out);
  if (!value.is_object()) return;
  for (const auto& [key, member] : value.get_object()) {
    if (std::string_view(key) == "$ref" && member.is_string()) {
      const std::string_view where = member.get_string();
      out.emplace(where.substr(where.rfind('/') + 1));
    }
    collect_references(member, out);
  }
}

void expect_closed(const json::Value& document, const json::Value& definitions) {
  std::set<std::string> references;
  collect_references(document, references);
  EXPECT_GT(references.size(), 5u);
  for (const auto& name : references) EXPECT_TRUE(definitions.get_object().contains(name)) << name;
}

const json::Value* parameter(const json::Value& operation, std::string_view name) {
  for (const auto& p : json::find(operation, {"parameters"})->get_array())
    if (json::text_at(p, {"name"}) == name) return &p;
  return nullptr;
}

TEST(OpenApi, v3_documents_are_whole_and_tell_kubectl_what_it_asks) {
  for (const auto& group : groups()) {
    for (const auto version : group.versions) {
      const auto document = json::parse(openapi_v3(group.name, version));
      ASSERT_TRUE(document) << group.name << " " << version << ": " << document.error().message();
      expect_closed(*document, *json::find(*document, {"components", "schemas"}));
    }
  }
  const auto apps = json::parse(openapi_v3("apps", "v1"));
  const auto* item =
      json::find(*apps, {"paths", "/apis/apps/v1/namespaces/{namespace}/deployments/{name}"});
  ASSERT_TRUE(item);
  const auto* patch = json::find(*item, {"patch"});
  ASSERT_TRUE(patch);
  EXPECT_TRUE(parameter(*patch, "fieldValidation"));
  EXPECT_TRUE(parameter(*patch, "dryRun"));
  EXPECT_EQ(*json::find(*patch, {"x-kubernetes-group-version-kind"}),
            *json::parse(R"({"group":"apps","kind":"Deployment","version":"v1"})"));
  const auto* type = json::find(*apps, {"components", "schemas", "io.k8s.api.apps.v1.Deployment"});
  ASSERT_TRUE(type);
  EXPECT_EQ(*json::find(*type, {"x-kubernetes-group-version-kind"}),
            *json::parse(R"([{"group":"apps","kind":"Deployment","version":"v1"}])"));
  EXPECT_TRUE(json::find(
      *apps, {"paths", "/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"}));
}

TEST(OpenApi, v2_has_merge_keys_and_kinds) {
  const auto document = json::parse(openapi_v2());
  ASSERT_TRUE(document);
  const auto* definitions = json::find(*document, {"definitions"});
  expect_closed(*document, *definitions);
  const auto* containers =
      json::find(*definitions, {"io.k8s.api.core.v1.PodSpec", "properties", "containers"});
  ASSERT_TRUE(containers);
  EXPECT_EQ(json::text_at(*containers, {"x-kubernetes-patch-merge-key"}), "name");
  EXPECT_EQ(json::text_at(*containers, {"x-kubernetes-patch-strategy"}), "merge");
  EXPECT_EQ(json::text_at(*containers, {"x-kubernetes-list-type"}), "map");
  EXPECT_EQ(json::text_at(*containers, {"items", "$ref"}),
            "#/definitions/io.k8s.api.core.v1.Container");
}

// The bytes of every field `number` of a message.
std::vector<std::string_view> fields(std::string_view message, uint32_t number) {
  std::vector<std::string_view> out;
  wire::Reader reader(message);
  while (!reader.at_end()) {
    const auto item = reader.next();
    EXPECT_TRUE(item) << "the message is malformed";
    if (!item) break;
    if (item->number == number) out.push_back(item->bytes);
  }
  return out;
}
std::string_view named(const std::vector<std::string_view>& rows, std::string_view name) {
  for (const auto row : rows)
    if (fields(row, 1).at(0) == name) return fields(row, 2).at(0);
  ADD_FAILURE() << "no " << name;
  return {};
}

TEST(OpenApi, v2_as_protobuf_says_what_the_json_says) {
  const std::string document = openapi_v2_protobuf();
  const auto json = json::parse(openapi_v2());
  EXPECT_EQ(fields(document, 1).at(0), "2.0");
  const auto paths = fields(fields(document, 8).at(0), 2);
  const auto definitions = fields(fields(document, 9).at(0), 1);
  EXPECT_EQ(paths.size(), json::find(*json, {"paths"})->get_object().size());
  EXPECT_EQ(definitions.size(), json::find(*json, {"definitions"})->get_object().size());

  const auto pod_spec = named(definitions, "io.k8s.api.core.v1.PodSpec");
  EXPECT_EQ(fields(fields(pod_spec, 22).at(0), 1).at(0), "object");
  const auto containers = named(fields(fields(pod_spec, 25).at(0), 1), "containers");
  EXPECT_EQ(fields(fields(fields(containers, 23).at(0), 1).at(0), 1).at(0),
            "#/definitions/io.k8s.api.core.v1.Container");
  const auto key = named(fields(containers, 31), "x-kubernetes-patch-merge-key");
  EXPECT_EQ(fields(key, 2).at(0), "\"name\"\n");

  const auto pods = named(paths, "/api/v1/namespaces/{namespace}/pods");
  const auto post = fields(pods, 4).at(0);
  EXPECT_EQ(fields(post, 5).at(0), "createCoreV1NamespacedPod");
  EXPECT_FALSE(fields(post, 8).empty()) << "parameters";
}

TEST(OpenApi, operation_ids_are_unique) {
  const auto document = json::parse(openapi_v2());
  std::set<std::string> seen;
  for (const auto& [url, item] : json::find(*document, {"paths"})->get_object()) {
    for (const auto& [method, operation] : item.get_object()) {
      if (std::string_view(method) == "parameters") continue;
      EXPECT_TRUE(seen.emplace(json::text_at(operation, {"operationId"})).second)
          << std::string_view(url) << " " << std::string_view(method);
    }
  }
}

}  // namespace
}  // namespace kinglet::schema

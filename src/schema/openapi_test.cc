#include <gtest/gtest.h>

#include "schema/codec.h"

namespace kinglet::schema {
namespace {

// Every "$ref" of the document names a definition that is there.
void check_references(const json::Value& value, const json::Object& definitions, std::string_view prefix) {
  if (value.is_array())
    for (const auto& item : value.as_array()) check_references(item, definitions, prefix);
  if (!value.is_object()) return;
  for (const auto& [key, member] : value.as_object()) {
    if (key == "$ref" && member.is_string()) {
      const std::string_view name(member.as_string());
      ASSERT_TRUE(name.starts_with(prefix)) << name;
      EXPECT_TRUE(definitions.contains(name.substr(prefix.size()))) << name;
    }
    check_references(member, definitions, prefix);
  }
}

TEST(OpenApi, every_document_is_json_whose_references_hold) {
  const auto v2 = json::parse(openapi_v2());
  ASSERT_TRUE(v2) << v2.error().message();
  check_references(*v2, v2->at("definitions").as_object(), "#/definitions/");
  for (const auto& group : groups())
    for (const auto version : group.versions) {
      SCOPED_TRACE(fmt::format("{}/{}", group.name, version));
      const auto v3 = json::parse(openapi_v3(group.name, version));
      ASSERT_TRUE(v3) << v3.error().message();
      check_references(*v3, v3->at("components").at("schemas").as_object(), "#/components/schemas/");
    }
}

TEST(OpenApi, patching_offers_field_validation) {
  const auto document = json::parse(openapi_v3("apps", "v1"));
  ASSERT_TRUE(document);
  const auto& patch =
      document->at("paths").at("/apis/apps/v1/namespaces/{namespace}/deployments/{name}").at("patch");
  EXPECT_EQ(patch.at("x-kubernetes-group-version-kind").at("kind").as_string(), "Deployment");
  bool found = false;
  for (const auto& parameter : patch.at("parameters").as_array())
    found = found || parameter.at("name").as_string() == "fieldValidation";
  EXPECT_TRUE(found);
}

TEST(OpenApi, lists_tell_how_they_merge) {
  const auto document = json::parse(openapi_v3("", "v1"));
  ASSERT_TRUE(document);
  const auto& containers =
      document->at("components").at("schemas").at("io.k8s.api.core.v1.PodSpec").at("properties").at("containers");
  EXPECT_EQ(containers.at("x-kubernetes-patch-merge-key").as_string(), "name");
  EXPECT_EQ(containers.at("x-kubernetes-patch-strategy").as_string(), "merge");
  EXPECT_EQ(containers.at("x-kubernetes-list-type").as_string(), "map");
}

}  // namespace
}  // namespace kinglet::schema

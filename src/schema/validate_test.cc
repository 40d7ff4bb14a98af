#include <gtest/gtest.h>

#include "schema/causes.h"
#include "schema/codec.h"

namespace kinglet::schema {
namespace {

std::vector<std::string> lines(const Resource& resource, std::string_view text) {
  std::vector<Cause> causes;
  validate_structure(resource, *json::parse(text), causes);
  std::vector<std::string> out;
  for (const auto& cause : causes) out.push_back(cause.field + ": " + cause.message);
  return out;
}

TEST(ValidateStructure, metadata_follows_the_kinds_rules) {
  const auto* maps = find_resource("", "v1", "configmaps");
  const auto* services = find_resource("", "v1", "services");
  const auto* nodes = find_resource("", "v1", "nodes");
  const auto* roles = find_resource("rbac.authorization.k8s.io", "v1", "clusterroles");
  ASSERT_TRUE(maps && services && nodes && roles);
  const auto ok = [](const Resource* r, std::string_view text) {
    EXPECT_EQ(lines(*r, text), std::vector<std::string>{}) << text;
  };
  ok(maps,
     R"({"metadata":{"name":"a.b","namespace":"n","labels":{"a":"b"},"annotations":{"X/y":"z"}}})");
  ok(maps, R"({"metadata":{"name":"a-12345","generateName":"a-","namespace":"n"}})");
  ok(roles, R"({"metadata":{"name":"system:x"}})");
  const auto one = [](const Resource* r, std::string_view text, std::string_view start) {
    const auto all = lines(*r, text);
    ASSERT_EQ(all.size(), 1u) << text;
    EXPECT_EQ(all[0].substr(0, start.size()), start);
  };
  one(maps, R"({"metadata":{"namespace":"n"}})",
      "metadata.name: Required value: name or generateName is required");
  one(maps, R"({"metadata":{"name":"A","namespace":"n"}})",
      "metadata.name: Invalid value: \"A\": a lowercase RFC 1123 subdomain");
  one(maps, R"({"metadata":{"name":"a"}})", "metadata.namespace: Required value");
  one(nodes, R"({"metadata":{"name":"a","namespace":"n"}})",
      "metadata.namespace: Forbidden: not allowed on this type");
  one(services, R"({"metadata":{"name":"1a","namespace":"n"}})",
      "metadata.name: Invalid value: \"1a\": a DNS-1035 label");
  one(roles, R"({"metadata":{"name":"a/b"}})",
      "metadata.name: Invalid value: \"a/b\": may not contain '/'");
  one(maps, R"({"metadata":{"name":"a","namespace":"n","labels":{"a":"b c"}}})",
      "metadata.labels: Invalid value: \"b c\": a valid label");
  one(maps, R"({"metadata":{"name":"a","namespace":"n","finalizers":["x"]}})",
      "metadata.finalizers: Invalid value: \"x\": name is neither");
  one(maps,
      R"({"metadata":{"name":"a","namespace":"n","ownerReferences":[{"apiVersion":"v1","kind":"Pod","name":"p"}]}})",
      "metadata.ownerReferences.uid: Invalid value: \"\": must not be empty");
  one(maps,
      "{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\",\"annotations\":{\"a\":\"" +
          std::string(300000, 'x') + "\"}}}",
      "metadata.annotations: Too long: may not be more than 262144 bytes");
}

TEST(ValidateStructure, closed_sets_and_required_texts_are_checked_everywhere) {
  const auto* pods = find_resource("", "v1", "pods");
  ASSERT_TRUE(pods);
  EXPECT_EQ(
      lines(*pods, R"({"metadata":{"name":"p","namespace":"n"},"spec":{"restartPolicy":"Sometimes",
      "containers":[{"name":"a","ports":[{"containerPort":1,"protocol":"ICMP"}],"env":[{"value":"x"}]}]}})"),
      (std::vector<std::string>{"spec.containers[0].ports[0].protocol: Unsupported value: "
                                "\"ICMP\": supported values: \"SCTP\", \"TCP\", "
                                "\"UDP\"",
                                "spec.containers[0].env[0].name: Required value",
                                "spec.restartPolicy: Unsupported value: \"Sometimes\": supported "
                                "values: \"Always\", \"Never\", "
                                "\"OnFailure\""}));
}

TEST(InvalidError, says_one_or_all_causes) {
  Causes causes;
  add_required(causes, Path("spec"), "why");
  EXPECT_EQ(invalid_error("Pod", "", "p", causes).message(),
            "Pod \"p\" is invalid: spec: Required value: why");
  add_duplicate(causes, Path("spec").child("x").index(1).key("k"), json::Value("v"));
  const auto error = invalid_error("Deployment", "apps", "d", causes);
  EXPECT_EQ(error.message(),
            "Deployment.apps \"d\" is invalid: [spec: Required value: why, spec.x[1][k]: Duplicate "
            "value: \"v\"]");
  EXPECT_EQ(error.details().causes.size(), 2u);
  EXPECT_EQ(error.details().kind, "Deployment");
}

}  // namespace
}  // namespace kinglet::schema

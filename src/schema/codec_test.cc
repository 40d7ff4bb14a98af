#include "schema/codec.h"

#include <gtest/gtest.h>

namespace kinglet::schema {
namespace {

const Type& type(std::string_view name) {
  const Type* found = find_type(name);
  EXPECT_NE(found, nullptr) << name;
  return *found;
}

json::Value must(std::string_view text) {
  auto value = json::parse(text);
  EXPECT_TRUE(value) << text;
  return value ? *std::move(value) : json::Value();
}

std::string decoded(std::string_view type_name, std::string_view text, Unknown* unknown = nullptr) {
  const auto value = decode(type(type_name), must(text), unknown);
  return value ? json::print(*value) : "error: " + value.error().message();
}

TEST(Decode, brings_values_into_canonical_form) {
  struct Case {
    const char* type;
    const char* in;
    const char* out;
  };
  const Case cases[] = {
      {"core.v1.ConfigMap",
       R"({"data":{"b":"1","a":"2"},"metadata":{"name":"x"},"apiVersion":"v1","kind":"ConfigMap"})",
       R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"x"},"data":{"a":"2","b":"1"}})"},
      {"core.v1.PodSpec",
       R"({"hostNetwork":false,"nodeName":"","priority":0,"containers":[null],"volumes":[]})",
       R"({"containers":[{}],"priority":0})"},
      {"core.v1.Volume", R"({"emptyDir":{},"name":"v"})", R"({"name":"v","emptyDir":{}})"},
      {"core.v1.ResourceRequirements", R"({"limits":{"memory":"1024Mi","cpu":0.5}})",
       R"({"limits":{"cpu":"500m","memory":"1Gi"}})"},
      {"meta.v1.ObjectMeta",
       R"({"creationTimestamp":"2024-01-01T02:00:00.5+02:00","deletionTimestamp":null})",
       R"({"creationTimestamp":"2024-01-01T00:00:00Z"})"},
      {"coordination.v1.LeaseSpec", R"({"renewTime":"2024-01-01T00:00:00.5Z"})",
       R"({"renewTime":"2024-01-01T00:00:00.500000Z"})"},
      {"core.v1.ServicePort", R"({"targetPort":"http","port":80})",
       R"({"port":80,"targetPort":"http"})"},
      {"authentication.v1.UserInfo", R"({"extra":{"k":["a","b"]}})",
       R"({"extra":{"k":["a","b"]}})"},
      {"apiextensions.v1.JSONSchemaProps",
       R"({"type":"object","additionalProperties":false,"items":[{"type":"string"}],"enum":[null,1],"default":{"b":1,"a":null}})",
       R"({"type":"object","default":{"b":1,"a":null},"enum":[null,1],"items":[{"type":"string"}],"additionalProperties":false})"},
      {"metrics.v1beta1.PodMetrics", R"({"window":"90000ms"})", R"({"window":"1m30s"})"},
  };
  for (const auto& c : cases) EXPECT_EQ(decoded(c.type, c.in), c.out) << c.type;
}

TEST(Decode, words_type_errors_as_the_real_server) {
  struct Case {
    const char* type;
    const char* in;
    const char* message;
  };
  const Case cases[] = {
      {"apps.v1.Deployment", R"({"spec":{"replicas":"3"}})",
       "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type "
       "int32"},
      {"apps.v1.Deployment", R"({"spec":{"replicas":1.5}})",
       "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of "
       "type int32"},
      {"core.v1.Pod", R"({"spec":{"containers":"x"}})",
       "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type "
       "[]v1.Container"},
      {"core.v1.Pod", R"({"spec":{"containers":[{"name":1}]}})",
       "json: cannot unmarshal number into Go struct field Container.spec.containers.name of type "
       "string"},
      {"core.v1.Pod", R"({"spec":{"volumes":[{"emptyDir":[]}]}})",
       "json: cannot unmarshal array into Go struct field Volume.spec.volumes.emptyDir of type "
       "v1.EmptyDirVolumeSource"},
      {"core.v1.Pod", R"({"metadata":{"labels":{"a":1}}})",
       "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type "
       "string"},
      {"core.v1.Pod", R"({"metadata":{"labels":[]}})",
       "json: cannot unmarshal array into Go struct field ObjectMeta.metadata.labels of type "
       "map[string]string"},
      {"core.v1.Pod", "[]", "json: cannot unmarshal array into Go value of type v1.Pod"},
      {"core.v1.Secret", R"({"data":{"a":"%%"}})", "illegal base64 data at input byte 0"},
      {"core.v1.Pod", R"({"metadata":{"creationTimestamp":"soon"}})",
       R"(parsing time "soon" as "2006-01-02T15:04:05Z07:00": cannot parse "soon" as "2006")"},
  };
  for (const auto& c : cases) EXPECT_EQ(decoded(c.type, c.in), std::string("error: ") + c.message);
  EXPECT_NE(decoded("core.v1.ResourceRequirements", R"({"limits":{"cpu":"lots"}})")
                .find("quantities must match the regular expression"),
            std::string::npos);
}

TEST(Decode, drops_unknown_fields_and_says_where_they_were) {
  Unknown unknown;
  EXPECT_EQ(
      decoded(
          "apps.v1.Deployment",
          R"({"foo":1,"spec":{"Replicas":1,"template":{"spec":{"containers":[{"bar":1},{"name":"x","probes":{}}]}}}})",
          &unknown),
      R"({"spec":{"template":{"spec":{"containers":[{},{"name":"x"}]}}}})");
  // In the order of the document.
  EXPECT_EQ(unknown.paths, (std::vector<std::string>{"foo", "spec.Replicas",
                                                     "spec.template.spec.containers[0].bar",
                                                     "spec.template.spec.containers[1].probes"}));
}

TEST(Encode, prints_kind_first_and_what_a_typed_encoder_always_prints) {
  const Resource* deployments = find_resource("apps", "v1", "deployments");
  ASSERT_NE(deployments, nullptr);
  EXPECT_EQ(
      encode(*deployments, must(R"({"metadata":{"labels":{"b":"1","a":"2"},"name":"x"}})")),
      R"({"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"x","labels":{"a":"2","b":"1"}},)"
      R"("spec":{"selector":null,"template":{"metadata":{},"spec":{"containers":null}},"strategy":{}},"status":{}})");
  EXPECT_EQ(encode(type("core.v1.Container"), must(R"({"image":"i","stdin":false,"name":"c"})")),
            R"({"name":"c","image":"i","resources":{}})");
  EXPECT_EQ(encode(type("core.v1.EnvVar"), must(R"({"name":"<"})")), R"({"name":"\u003c"})");
}

TEST(Types, are_found_by_name_and_kind) {
  EXPECT_EQ(find_type("core.v1.Nothing"), nullptr);
  EXPECT_EQ(find_object_type("v1", "PodList")->name, "core.v1.PodList");
  EXPECT_EQ(find_object_type("v1", "Status")->name, "meta.v1.Status");
  EXPECT_EQ(find_object_type("apps/v1", "DeleteOptions")->name, "meta.v1.DeleteOptions");
  const Resource* pods = find_kind("", "v1", "Pod");
  ASSERT_NE(pods, nullptr);
  EXPECT_EQ(pods->qualified_, "pods");
  EXPECT_TRUE(pods->has_verb("watch"));
  EXPECT_EQ(pods->subresource("eviction")->group, "policy");
  EXPECT_EQ(pods->columns.size(), 9u);
  EXPECT_EQ(pods->type->field("spec")->type->field("containers")->merge_key, "name");
  EXPECT_EQ(type("core.v1.Volume").field("configMap")->type->name, "core.v1.ConfigMapVolumeSource");
  EXPECT_EQ(groups().front().name, "");
  EXPECT_EQ(find_resource("autoscaling", "v1", "horizontalpodautoscalers")->storage, false);
}

}  // namespace
}  // namespace kinglet::schema

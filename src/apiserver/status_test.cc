// Every error of the API's table, through the whole request path, word for word.
#include <gtest/gtest.h>

#include "apiserver/request_info.h"
#include "apiserver/testing/api_world.h"

namespace kinglet::apiserver {
namespace {
using namespace testing;  // NOLINT

constexpr const char* kMaps = "/api/v1/namespaces/default/configmaps";

TEST(Errors, are_upstreams_word_for_word) {
  struct Case {
    const char *name, *method;
    std::string target, body;
    const char* type;
    int status;
    const char *reason, *message;
  };
  const std::string maps = kMaps;
  const Case cases[] = {
      {"bad JSON", "POST", maps, "{x", "application/json", 400, "BadRequest",
       "the object provided is unrecognized (must be of type ConfigMap): couldn't get "
       "version/kind; json parse error:"},
      {"wrong type", "POST", maps, R"({"data":7})", "", 400, "BadRequest",
       "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: json: cannot unmarshal"},
      {"other kind", "POST", maps, R"({"kind":"Secret","apiVersion":"v1"})", "", 400, "BadRequest",
       "Secret in version \"v1\" cannot be handled as a ConfigMap: "},
      {"other version", "POST", maps, R"({"kind":"ConfigMap","apiVersion":"v2"})", "", 400,
       "BadRequest",
       "the API version in the data (v2) does not match the expected API version (v1)"},
      {"other namespace", "POST", maps, R"({"metadata":{"name":"x","namespace":"other"}})", "", 400,
       "BadRequest",
       "the namespace of the provided object does not match the namespace sent on the request"},
      {"other name", "PUT", maps + "/a", config_map("b"), "", 400, "BadRequest",
       "the name of the object (b) does not match the name on the URL (a)"},
      {"no name", "PUT", maps + "/a", "{}", "", 400, "BadRequest",
       "the name of the object (a based on URL) was undeterminable: name must be provided"},
      {"no name at all", "POST", maps, "{}", "", 422, "Invalid", ""},
      {"strict", "POST", maps + "?fieldValidation=Strict",
       R"({"metadata":{"name":"x"},"foo":1,"data":{},"data":{}})", "", 400, "BadRequest",
       "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: "
       "unknown field \"foo\", "
       "duplicate field \"data\""},
      {"missing", "GET", maps + "/none", "", "", 404, "NotFound", "configmaps \"none\" not found"},
      {"missing in a group", "GET", "/apis/apps/v1/namespaces/default/deployments/none", "", "",
       404, "NotFound", "deployments.apps \"none\" not found"},
      {"exists", "POST", maps, config_map("a"), "", 409, "AlreadyExists",
       "configmaps \"a\" already exists"},
      {"no such verb", "PUT", maps, "{}", "", 405, "MethodNotAllowed",
       "the server does not allow this method on the requested resource"},
      {"no namespace", "POST", "/api/v1/configmaps", config_map("x"), "", 405, "MethodNotAllowed",
       "the server does not allow this method on the requested resource"},
      {"no such subresource", "GET", maps + "/a/status", "", "", 404, "NotFound",
       "the server could not find the requested resource"},
      {"content type", "POST", maps, "x", "text/plain", 415, "UnsupportedMediaType",
       "the body of the request was in an unknown format - accepted media types include: "
       "application/json, "
       "application/yaml, application/vnd.kubernetes.protobuf"},
      {"patch type", "PATCH", maps + "/a", "{}", "application/json", 415, "UnsupportedMediaType",
       "the body of the request was in an unknown format - accepted media types include: "
       "application/json-patch+json, application/merge-patch+json, "
       "application/strategic-merge-patch+json"},
      {"too large", "POST", maps, std::string(kBodyBytesMax + 1, ' '), "", 413,
       "RequestEntityTooLarge", "Request entity too large: limit is 3145728"},
      {"dry run", "POST", maps + "?dryRun=Some", config_map("x"), "", 422, "Invalid",
       "CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: \"Some\": supported "
       "values: \"All\""},
      {"field selector", "GET", maps + "?fieldSelector=spec.x%3D1", "", "", 400, "BadRequest",
       "\"spec.x\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""},
      {"field selector of pods", "GET", "/api/v1/pods?fieldSelector=spec.x%3D1", "", "", 400,
       "BadRequest", "field label not supported: spec.x"},
      {"match without version", "GET", maps + "?resourceVersionMatch=Exact", "", "", 422, "Invalid",
       "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: "
       "resourceVersionMatch is forbidden "
       "unless resourceVersion is provided"},
      {"exact zero", "GET", maps + "?resourceVersionMatch=Exact&resourceVersion=0", "", "", 422,
       "Invalid",
       "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: "
       "resourceVersionMatch \"exact\" is "
       "forbidden for resourceVersion \"0\""},
      {"initial events on a list", "GET", maps + "?sendInitialEvents=true", "", "", 422, "Invalid",
       "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: sendInitialEvents "
       "is forbidden for "
       "list"},
      {"future", "GET", maps + "?resourceVersion=999999", "", "", 504, "Timeout",
       "Timeout: Too large resource version: 999999, current: "},
      {"bad continue", "GET", maps + "?continue=!", "", "", 400, "BadRequest",
       "continue key is not valid"},
      {"bad version", "GET", maps + "?resourceVersion=x", "", "", 400, "BadRequest",
       "invalid resource version"},
      {"delete options", "DELETE", maps + "/a", R"({"propagationPolicy":"Sideways"})", "", 422,
       "Invalid",
       "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: "
       "\"Sideways\""},
      {"uid precondition", "DELETE", maps + "/a", R"({"preconditions":{"uid":"u"}})", "", 409,
       "Conflict",
       "Operation cannot be fulfilled on configmaps \"a\": the UID in the precondition (u) does "
       "not match the UID in "
       "record ("},
  };
  ApiWorld world;
  ASSERT_EQ(world.post(kMaps, config_map("a"))->status, 201);
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const auto answer = world.request(c.method, c.target, c.body, c.type);
    EXPECT_EQ(answer->status, c.status) << answer->text;
    const auto status = answer->json();
    EXPECT_EQ(json::text_at(status, {"kind"}), "Status");
    EXPECT_EQ(json::text_at(status, {"status"}), "Failure");
    EXPECT_EQ(json::text_at(status, {"reason"}), c.reason);
    EXPECT_EQ(json::int_at(status, {"code"}), c.status);
    EXPECT_TRUE(message(*answer).starts_with(c.message)) << message(*answer);
  }
}

TEST(Errors, carry_details_for_clients) {
  ApiWorld world;
  const auto missing = world.get("/apis/apps/v1/namespaces/default/deployments/none")->json();
  EXPECT_EQ(json::text_at(missing, {"details", "name"}), "none");
  EXPECT_EQ(json::text_at(missing, {"details", "group"}), "apps");
  EXPECT_EQ(json::text_at(missing, {"details", "kind"}), "deployments");
}

TEST(Errors, unknown_paths_are_plain_text) {
  ApiWorld world;
  for (const char* path : {"/nowhere", "/api/v1/widgets", "/apis/none/v1/things"}) {
    const auto answer = world.get(path);
    EXPECT_EQ(answer->status, 404);
    EXPECT_EQ(answer->text, "404 page not found\n");
  }
}

TEST(Errors, nothing_acceptable_is_406) {
  ApiWorld world;
  const auto answer = world.request("GET", kMaps, "", "", {{"Accept", "image/png"}});
  EXPECT_EQ(answer->status, 406);
  EXPECT_EQ(message(*answer),
            "only the following media types are accepted: application/json, application/yaml, "
            "application/vnd.kubernetes.protobuf");
}

TEST(Errors, the_unknown_and_the_unallowed_are_told_so) {
  ApiWorld world;
  world.gate.allowed = false;
  const auto forbidden = world.get("/api/v1/namespaces/ns/pods/p");
  EXPECT_EQ(forbidden->status, 403);
  EXPECT_TRUE(
      message(*forbidden)
          .starts_with(
              "pods \"p\" is forbidden: User \"admin\" cannot get resource \"pods\" in API group "
              "\"\" in the namespace \"ns\""));
  EXPECT_TRUE(
      message(*world.get("/api/v1/nodes"))
          .starts_with(
              "nodes is forbidden: User \"admin\" cannot list resource \"nodes\" in API group \"\" "
              "at the cluster scope"));
  EXPECT_TRUE(message(*world.get("/metrics"))
                  .starts_with("forbidden: User \"admin\" cannot get path \"/metrics\""));
  world.gate.known = false;
  const auto unknown = world.get("/api/v1/nodes");
  EXPECT_EQ(unknown->status, 401);
  EXPECT_EQ(message(*unknown), "Unauthorized");
}

TEST(FieldValidation, warns_by_default) {
  ApiWorld world;
  const auto made = world.post(kMaps, R"({"metadata":{"name":"x"},"foo":1})");
  EXPECT_EQ(made->status, 201);
  EXPECT_EQ(made->headers.get("Warning"), R"(299 - "unknown field \"foo\"")");
  EXPECT_EQ(world
                .request("POST", std::string(kMaps) + "?fieldValidation=Ignore",
                         R"({"metadata":{"name":"y"},"foo":1})")
                ->headers.get("Warning"),
            "");
}

}  // namespace
}  // namespace kinglet::apiserver

#include <gtest/gtest.h>

#include "schema/codec.h"
#include "schema/internal/defaulters.h"

namespace kinglet::schema {
namespace {

json::Value with_defaults(std::string_view api, std::string_view kind, std::string_view text) {
  const size_t slash = api.find('/');
  const bool core = slash == std::string_view::npos;
  const Resource* resource =
      find_kind(core ? "" : api.substr(0, slash), core ? api : api.substr(slash + 1), kind);
  EXPECT_NE(resource, nullptr) << kind;
  const auto parsed = json::parse(text);
  EXPECT_TRUE(parsed) << text;
  auto value = decode(*resource->type, *parsed);
  EXPECT_TRUE(value);
  apply_defaults(*resource, *value);
  return json::parse(encode(*resource, *value)).value();
}

std::string at(const json::Value& value, std::string_view pointer) {
  boost::json::error_code ec;
  const json::Value* found = value.find_pointer(pointer, ec);
  return found != nullptr ? json::print(*found) : "absent";
}

TEST(Defaults, fill_each_kind_as_the_real_server_does) {
  struct Expectation {
    const char* pointer;
    const char* value;
  };
  struct Case {
    const char* api;
    const char* kind;
    const char* in;
    std::vector<Expectation> expected;
  };
  const Case cases[] = {
      {"v1",
       "Pod",
       R"({"metadata":{"name":"p"},"spec":{"hostNetwork":true,"serviceAccountName":"sa","volumes":[{"name":"a"},
         {"name":"b","secret":{"secretName":"s"}},{"name":"c","projected":{"sources":[{"serviceAccountToken":{"path":"t"}}]}}],
         "containers":[{"name":"c","image":"nginx","ports":[{"containerPort":80}],"livenessProbe":{"httpGet":{"port":1}},
         "resources":{"limits":{"cpu":"1"}}},{"name":"d","image":"r:5/x@sha256:00"},{"name":"e","image":"r/x:1"}]}})",
       {{"/spec/restartPolicy", R"("Always")"},
        {"/spec/terminationGracePeriodSeconds", "30"},
        {"/spec/dnsPolicy", R"("ClusterFirst")"},
        {"/spec/securityContext", "{}"},
        {"/spec/schedulerName", R"("default-scheduler")"},
        {"/spec/serviceAccount", R"("sa")"},
        {"/spec/enableServiceLinks", "true"},
        {"/spec/volumes/0/emptyDir", "{}"},
        {"/spec/volumes/1/secret/defaultMode", "420"},
        {"/spec/volumes/2/projected/sources/0/serviceAccountToken/expirationSeconds", "3600"},
        {"/spec/containers/0/imagePullPolicy", R"("Always")"},
        {"/spec/containers/1/imagePullPolicy", R"("IfNotPresent")"},
        {"/spec/containers/2/imagePullPolicy", R"("IfNotPresent")"},
        {"/spec/containers/0/ports/0", R"({"hostPort":80,"containerPort":80,"protocol":"TCP"})"},
        {"/spec/containers/0/resources/requests/cpu", R"("1")"},
        {"/spec/containers/0/terminationMessagePath", R"("/dev/termination-log")"},
        {"/spec/containers/0/livenessProbe",
         R"({"httpGet":{"path":"/","port":1,"scheme":"HTTP"},"timeoutSeconds":1,"periodSeconds":10,"successThreshold":1,"failureThreshold":3})"}}},
      {"apps/v1",
       "Deployment",
       R"({"spec":{"template":{"spec":{"containers":[{"name":"c","image":"x:1","resources":{"limits":{"cpu":"1"}}}]}}}})",
       {{"/spec/replicas", "1"},
        {"/spec/strategy",
         R"({"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":"25%","maxSurge":"25%"}})"},
        {"/spec/revisionHistoryLimit", "10"},
        {"/spec/progressDeadlineSeconds", "600"},
        {"/spec/template/spec/enableServiceLinks", "absent"},
        {"/spec/template/spec/restartPolicy", R"("Always")"},
        {"/spec/template/spec/containers/0/resources/requests", "absent"},
        {"/spec/template/spec/containers/0/terminationMessagePolicy", R"("File")"}}},
      {"apps/v1",
       "Deployment",
       R"({"spec":{"strategy":{"type":"Recreate"}}})",
       {{"/spec/strategy", R"({"type":"Recreate"})"}}},
      {"apps/v1",
       "StatefulSet",
       R"({"spec":{"volumeClaimTemplates":[{"metadata":{"name":"d"}}]}})",
       {{"/spec/updateStrategy", R"({"type":"RollingUpdate","rollingUpdate":{"partition":0}})"},
        {"/spec/persistentVolumeClaimRetentionPolicy",
         R"({"whenDeleted":"Retain","whenScaled":"Retain"})"},
        {"/spec/volumeClaimTemplates/0/kind", R"("PersistentVolumeClaim")"},
        {"/spec/volumeClaimTemplates/0/status/phase", R"("Pending")"}}},
      {"apps/v1",
       "DaemonSet",
       R"({"spec":{}})",
       {{"/spec/updateStrategy",
         R"({"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":1,"maxSurge":0}})"}}},
      {"v1",
       "Service",
       R"({"spec":{"type":"NodePort","ports":[{"port":80}],"sessionAffinity":"ClientIP"}})",
       {{"/spec/ports/0", R"({"protocol":"TCP","port":80,"targetPort":80})"},
        {"/spec/externalTrafficPolicy", R"("Cluster")"},
        {"/spec/internalTrafficPolicy", R"("Cluster")"},
        {"/spec/sessionAffinityConfig/clientIP/timeoutSeconds", "10800"}}},
      {"v1",
       "Service",
       R"({"spec":{"ports":[{"port":80,"targetPort":"http"}]}})",
       {{"/spec/ports/0/targetPort", R"("http")"},
        {"/spec/type", R"("ClusterIP")"},
        {"/spec/sessionAffinity", R"("None")"},
        {"/spec/externalTrafficPolicy", "absent"}}},
      {"v1",
       "Namespace",
       R"({"metadata":{"name":"n"}})",
       {{"/metadata/labels", R"({"kubernetes.io/metadata.name":"n"})"},
        {"/status/phase", R"("Active")"}}},
      {"v1",
       "Secret",
       R"({"stringData":{"a":"x","b":""},"data":{"a":"eQ=="}})",
       {{"/data", R"({"a":"eA==","b":""})"}, {"/stringData", "absent"}, {"/type", R"("Opaque")"}}},
      {"v1",
       "LimitRange",
       R"({"spec":{"limits":[{"type":"Container","max":{"cpu":"1"},"min":{"memory":"1Mi"}}]}})",
       {{"/spec/limits/0/default", R"({"cpu":"1"})"},
        {"/spec/limits/0/defaultRequest", R"({"cpu":"1","memory":"1Mi"})"}}},
      {"batch/v1",
       "Job",
       R"({"spec":{"template":{"metadata":{"labels":{"a":"b"}}}}})",
       {{"/spec/completions", "1"},
        {"/spec/parallelism", "1"},
        {"/spec/backoffLimit", "6"},
        {"/spec/suspend", "false"},
        {"/spec/podReplacementPolicy", R"("TerminatingOrFailed")"},
        {"/metadata/labels", R"({"a":"b"})"}}},
      {"batch/v1", "Job", R"({"spec":{"parallelism":2}})", {{"/spec/completions", "absent"}}},
      {"batch/v1",
       "CronJob",
       R"({"spec":{}})",
       {{"/spec/concurrencyPolicy", R"("Allow")"}, {"/spec/failedJobsHistoryLimit", "1"}}},
      {"autoscaling/v2",
       "HorizontalPodAutoscaler",
       R"({"spec":{"behavior":{}}})",
       {{"/spec/minReplicas", "1"},
        {"/spec/metrics/0/resource/target/averageUtilization", "80"},
        {"/spec/behavior/scaleUp/selectPolicy", R"("Max")"}}},
      {"networking.k8s.io/v1",
       "NetworkPolicy",
       R"({"spec":{"egress":[{"ports":[{"port":1}]}]}})",
       {{"/spec/policyTypes", R"(["Ingress","Egress"])"},
        {"/spec/egress/0/ports/0/protocol", R"("TCP")"}}},
      {"rbac.authorization.k8s.io/v1",
       "RoleBinding",
       R"({"roleRef":{"kind":"Role","name":"r"},"subjects":[{"kind":"User","name":"u"},{"kind":"ServiceAccount","name":"s"}]})",
       {{"/roleRef/apiGroup", R"("rbac.authorization.k8s.io")"},
        {"/subjects/0/apiGroup", R"("rbac.authorization.k8s.io")"},
        {"/subjects/1/apiGroup", "absent"}}},
      {"apiextensions.k8s.io/v1",
       "CustomResourceDefinition",
       R"({"spec":{"names":{"kind":"FooBar"},"versions":[{"name":"v1","storage":true}]}})",
       {{"/spec/names/singular", R"("foobar")"},
        {"/spec/names/listKind", R"("FooBarList")"},
        {"/spec/conversion", R"({"strategy":"None"})"},
        {"/status/storedVersions", R"(["v1"])"}}},
      {"storage.k8s.io/v1",
       "StorageClass",
       R"({"provisioner":"p"})",
       {{"/reclaimPolicy", R"("Delete")"}, {"/volumeBindingMode", R"("Immediate")"}}},
      {"discovery.k8s.io/v1",
       "EndpointSlice",
       R"({"ports":[{"port":80}]})",
       {{"/ports/0", R"({"name":"","protocol":"TCP","port":80})"}}},
  };
  for (const auto& c : cases) {
    const json::Value filled = with_defaults(c.api, c.kind, c.in);
    for (const auto& e : c.expected)
      EXPECT_EQ(at(filled, e.pointer), e.value) << c.kind << " " << e.pointer << "\n"
                                                << json::print(filled);
    EXPECT_EQ(json::print(with_defaults(c.api, c.kind, json::print(filled))), json::print(filled))
        << "defaulting twice changes " << c.kind;
  }
}

}  // namespace
}  // namespace kinglet::schema

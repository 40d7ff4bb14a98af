// What each kind refuses, and in which words; and what it may not change.
#include <gtest/gtest.h>

#include "apiserver/testing/kinds_world.h"

namespace kinglet::apiserver {
namespace {

using testing::KindsWorld;

std::string object(std::string_view api_version, std::string_view kind, std::string_view name,
                   std::string_view rest) {
  return fmt::format(R"({{"kind":"{}","apiVersion":"{}","metadata":{{"name":"{}"}}{}{}}})", kind,
                     api_version, name, rest.empty() ? "" : ",", rest);
}

constexpr const char* kTemplate =
    R"("template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}})";

TEST(Kinds, refuse_what_is_wrong_in_upstreams_words) {
  KindsWorld world;
  struct Case {
    const char *path, *api_version, *kind, *name;
    std::string rest;
    const char* why;
  };
  const std::string t = kTemplate;
  const Case cases[] = {
      {"/apis/apps/v1/namespaces/n/deployments", "apps/v1", "Deployment", "d",
       R"("spec":{)" + t + "}", "spec.selector: Required value"},
      {"/apis/apps/v1/namespaces/n/deployments", "apps/v1", "Deployment", "d",
       R"("spec":{"selector":{"matchLabels":{"a":"c"}},)" + t + "}",
       "spec.template.metadata.labels: Invalid value: {\"a\":\"b\"}: `selector` does not match "
       "template `labels`"},
      {"/apis/apps/v1/namespaces/n/deployments", "apps/v1", "Deployment", "d",
       R"("spec":{"replicas":-1,"selector":{"matchLabels":{"a":"b"}},)" + t + "}",
       "spec.replicas: Invalid value: -1: must be greater than or equal to 0"},
      {"/apis/apps/v1/namespaces/n/deployments", "apps/v1", "Deployment", "d",
       R"("spec":{"strategy":{"rollingUpdate":{"maxSurge":0,"maxUnavailable":0}},"selector":{"matchLabels":{"a":"b"}},)" +
           t + "}",
       "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` "
       "is 0"},
      {"/apis/apps/v1/namespaces/n/daemonsets", "apps/v1", "DaemonSet", "d",
       R"("spec":{"selector":{},)" + t + "}",
       "spec.selector: Invalid value: {}: empty selector is invalid for daemonset"},
      {"/apis/batch/v1/namespaces/n/cronjobs", "batch/v1", "CronJob", "c",
       R"("spec":{"schedule":"61 * * * *","jobTemplate":{"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"i"}]}}}}})",
       "spec.schedule: Invalid value: \"61 * * * *\": failed to parse minute 61"},
      {"/apis/batch/v1/namespaces/n/jobs", "batch/v1", "Job", "j", R"("spec":{)" + t + "}",
       "spec.template.spec.restartPolicy: Unsupported value: \"Always\": supported values: "
       "\"Never\", \"OnFailure\""},
      {"/api/v1/namespaces/n/configmaps", "v1", "ConfigMap", "c", R"("data":{"a b":"c"})",
       "data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric "
       "characters, '-', '_' or '.' "
       "(e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is "
       "'[-._a-zA-Z0-9]+')"},
      {"/api/v1/namespaces/n/secrets", "v1", "Secret", "s",
       R"("type":"kubernetes.io/tls","data":{"tls.crt":"eA=="})", "data[tls.key]: Required value"},
      {"/apis/rbac.authorization.k8s.io/v1/namespaces/n/roles", "rbac.authorization.k8s.io/v1",
       "Role", "r", R"("rules":[{"apiGroups":[""],"resources":["pods"]}])",
       "rules[0].verbs: Required value: verbs must contain at least one value"},
      {"/apis/networking.k8s.io/v1/namespaces/n/ingresses", "networking.k8s.io/v1", "Ingress", "i",
       R"("spec":{})",
       "spec: Invalid value: []: either `defaultBackend` or `rules` must be specified"},
      {"/apis/networking.k8s.io/v1/namespaces/n/networkpolicies", "networking.k8s.io/v1",
       "NetworkPolicy", "p",
       R"("spec":{"podSelector":{},"ingress":[{"from":[{"ipBlock":{"cidr":"10.0.0.0/8","except":["11.0.0.0/9"]}}]}]})",
       "spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: \"11.0.0.0/9\": must be a strict "
       "subset of `cidr`"},
      {"/apis/policy/v1/namespaces/n/poddisruptionbudgets", "policy/v1", "PodDisruptionBudget", "b",
       R"("spec":{"minAvailable":"x","selector":{}})",
       "spec.minAvailable: Invalid value: \"x\": a valid percent string must be a numeric string "
       "followed by an ending '%' "
       "(e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"},
      {"/apis/autoscaling/v2/namespaces/n/horizontalpodautoscalers", "autoscaling/v2",
       "HorizontalPodAutoscaler", "h",
       R"("spec":{"scaleTargetRef":{"kind":"Deployment","name":"d"},"minReplicas":3,"maxReplicas":2})",
       "spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`"},
      {"/apis/coordination.k8s.io/v1/namespaces/n/leases", "coordination.k8s.io/v1", "Lease", "l",
       R"("spec":{"leaseDurationSeconds":0})",
       "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"},
      {"/api/v1/namespaces/n/persistentvolumeclaims", "v1", "PersistentVolumeClaim", "c",
       R"("spec":{"accessModes":["ReadWriteOnce"]})", "spec.resources[storage]: Required value"},
      {"/apis/discovery.k8s.io/v1/namespaces/n/endpointslices", "discovery.k8s.io/v1",
       "EndpointSlice", "e", R"("addressType":"IPv4","endpoints":[{"addresses":["127.0.0.1"]}])",
       "endpoints[0].addresses[0]: Invalid value: \"127.0.0.1\": may not be in the loopback range "
       "(127.0.0.0/8, ::1/128)"},
      {"/apis/scheduling.k8s.io/v1/priorityclasses", "scheduling.k8s.io/v1", "PriorityClass", "p",
       R"("value":1000000001)",
       "value: Forbidden: maximum allowed value of a user defined priority is 1000000000"},
      {"/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "apiextensions.k8s.io/v1",
       "CustomResourceDefinition", "wrong.example.com",
       R"("spec":{"group":"example.com","scope":"Namespaced","names":{"plural":"things","kind":"Thing"},"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object"}}}]})",
       "metadata.name: Invalid value: \"wrong.example.com\": must be "
       "spec.names.plural+\".\"+spec.group"},
  };
  for (const auto& c : cases) {
    const auto answer = world.post(c.path, object(c.api_version, c.kind, c.name, c.rest));
    EXPECT_EQ(answer->status, 422) << c.kind << " " << answer->text;
    EXPECT_EQ(KindsWorld::why(*answer), c.why) << c.kind;
  }
}

TEST(Kinds, do_not_change_what_must_stay) {
  KindsWorld world;
  struct Case {
    std::string path, api_version, kind, rest, patch, why;
  };
  const std::string t = kTemplate;
  const Case cases[] = {
      {"/apis/apps/v1/namespaces/n/deployments", "apps/v1", "Deployment",
       R"("spec":{"selector":{"matchLabels":{"a":"b"}},)" + t + "}",
       R"({"spec":{"selector":{"matchLabels":{"c":"d"}},"template":{"metadata":{"labels":{"c":"d"}}}}})",
       "spec.selector: Invalid value: {\"matchLabels\":{\"a\":\"b\",\"c\":\"d\"}}: field is "
       "immutable"},
      {"/api/v1/namespaces/n/configmaps", "v1", "ConfigMap", R"("immutable":true,"data":{"a":"b"})",
       R"({"data":{"a":"c"}})", "data: Forbidden: field is immutable when `immutable` is set"},
      {"/api/v1/namespaces/n/secrets", "v1", "Secret", R"("type":"Opaque")", R"({"type":"other"})",
       "type: Invalid value: \"other\": field is immutable"},
      {"/apis/rbac.authorization.k8s.io/v1/namespaces/n/rolebindings",
       "rbac.authorization.k8s.io/v1", "RoleBinding",
       R"("roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"r"})",
       R"({"roleRef":{"name":"q"}})",
       "roleRef: Invalid value: "
       "{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":\"Role\",\"name\":\"q\"}: cannot "
       "change roleRef"},
      {"/apis/storage.k8s.io/v1/storageclasses", "storage.k8s.io/v1", "StorageClass",
       R"("provisioner":"p")", R"({"provisioner":"q"})",
       "provisioner: Forbidden: updates to provisioner are forbidden."},
      {"/apis/batch/v1/namespaces/n/jobs", "batch/v1", "Job",
       R"("spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"i"}]}}})",
       R"({"spec":{"completions":5}})", "spec.completions: Invalid value: 5: field is immutable"},
  };
  for (const auto& c : cases) {
    const auto made = world.post(c.path, object(c.api_version, c.kind, "x", c.rest));
    EXPECT_EQ(made->status, 201) << c.kind << made->text;
    const auto answer = world.patch(c.path + "/x", c.patch);
    EXPECT_EQ(answer->status, 422) << c.kind << " " << answer->text;
    EXPECT_EQ(KindsWorld::why(*answer), c.why) << c.kind;
  }
}

TEST(Kinds, jobs_find_their_own_pods) {
  KindsWorld world;
  const auto job = world.make(
      "/apis/batch/v1/namespaces/n/jobs",
      object(
          "batch/v1", "Job", "j",
          R"("spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"i"}]}}})"));
  const auto uid = json::text_at(job, {"metadata", "uid"});
  EXPECT_EQ(
      json::text_at(job, {"spec", "selector", "matchLabels", "batch.kubernetes.io/controller-uid"}),
      uid);
  EXPECT_EQ(json::text_at(job, {"spec", "template", "metadata", "labels", "job-name"}), "j");
}

TEST(Kinds, namespaces_begin_active_and_finalized) {
  KindsWorld world;
  const auto ns = world.get("/api/v1/namespaces/n")->json();
  EXPECT_EQ(json::text_at(ns, {"status", "phase"}), "Active");
  EXPECT_EQ(*json::find(ns, {"spec", "finalizers"}), *json::parse(R"(["kubernetes"])"));
}

TEST(Kinds, certificate_requests_say_who_asked) {
  KindsWorld world;
  const auto made = world.make(
      "/apis/certificates.k8s.io/v1/certificatesigningrequests",
      object(
          "certificates.k8s.io/v1", "CertificateSigningRequest", "c",
          R"("spec":{"request":"eA==","signerName":"example.com/s","usages":["client auth"],"username":"root"})"));
  EXPECT_EQ(json::text_at(made, {"spec", "username"}), "admin");
}

}  // namespace
}  // namespace kinglet::apiserver

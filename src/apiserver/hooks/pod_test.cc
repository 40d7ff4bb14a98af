#include <gtest/gtest.h>

#include "apiserver/hooks/pod_rules.h"
#include "apiserver/testing/kinds_world.h"

namespace kinglet::apiserver {
namespace {

using testing::KindsWorld;
const std::string kPods = "/api/v1/namespaces/n/pods";

std::string pod(const std::string& name, const std::string& spec) {
  return R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":")" + name + R"("},"spec":)" + spec +
         "}";
}

TEST(Pods, begin_pending_with_a_class_of_service_and_an_account) {
  KindsWorld world;
  const auto made = world.make(kPods, pod("p", R"({"containers":[{"name":"c","image":"i"}]})"));
  EXPECT_EQ(json::text_at(made, {"status", "phase"}), "Pending");
  EXPECT_EQ(json::text_at(made, {"status", "qosClass"}), "BestEffort");
  EXPECT_EQ(json::text_at(made, {"spec", "serviceAccountName"}), "default");
  EXPECT_EQ(json::text_at(made, {"spec", "serviceAccount"}), "default");
  EXPECT_EQ(json::int_at(made, {"spec", "priority"}, -1), 0);
  EXPECT_EQ(json::text_at(made, {"spec", "preemptionPolicy"}), "PreemptLowerPriority");
  EXPECT_EQ(json::find(made, {"spec", "tolerations"})->get_array().size(), 2u);
  const auto& volume = json::find(made, {"spec", "volumes"})->get_array().at(0);
  const std::string name(json::text_at(volume, {"name"}));
  EXPECT_TRUE(name.starts_with("kube-api-access-") && name.size() == 21) << name;
  EXPECT_EQ(*json::find(volume, {"projected"}), *json::parse(R"({"sources":[
      {"serviceAccountToken":{"expirationSeconds":3607,"path":"token"}},
      {"configMap":{"name":"kube-root-ca.crt","items":[{"key":"ca.crt","path":"ca.crt"}]}},
      {"downwardAPI":{"items":[{"path":"namespace","fieldRef":{"apiVersion":"v1","fieldPath":"metadata.namespace"}}]}}],
      "defaultMode":420})"));
  const auto& container = json::find(made, {"spec", "containers"})->get_array().at(0);
  const auto& mount = json::find(container, {"volumeMounts"})->get_array().at(0);
  EXPECT_EQ(json::text_at(mount, {"name"}), name);
  EXPECT_EQ(json::text_at(mount, {"mountPath"}), "/var/run/secrets/kubernetes.io/serviceaccount");

  const auto plain = world.make(
      kPods,
      pod("q",
          R"({"automountServiceAccountToken":false,"containers":[{"name":"c","image":"i"}]})"));
  EXPECT_EQ(json::find(plain, {"spec", "volumes"}), nullptr);
}

TEST(Pods, have_the_class_of_service_that_their_resources_say) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"containers":[{}]})", "BestEffort"},
      {R"({"containers":[{"resources":{"requests":{"cpu":"1"}}}]})", "Burstable"},
      {R"({"containers":[{"resources":{"limits":{"cpu":"1","memory":"1Gi"}}}]})", "Guaranteed"},
      {R"({"containers":[{"resources":{"limits":{"cpu":"1","memory":"1Gi"},"requests":{"cpu":"1000m","memory":"1Gi"}}}]})",
       "Guaranteed"},
      {R"({"containers":[{"resources":{"limits":{"cpu":"1","memory":"1Gi"},"requests":{"cpu":"1","memory":"1"}}}]})",
       "Burstable"},
      {R"({"containers":[{"resources":{"limits":{"cpu":"1","memory":"1Gi"}}},{}]})", "Burstable"},
      {R"({"containers":[{"resources":{"requests":{"cpu":"0"}}}]})", "BestEffort"}};
  for (const auto& [spec, qos] : cases) EXPECT_EQ(qos_class(*json::parse(spec)), qos) << spec;
}

TEST(Pods, are_refused_with_upstreams_words) {
  KindsWorld world;
  struct Case {
    const char *spec, *why;
  };
  const Case cases[] = {
      {R"({})", "spec.containers: Required value"},
      {R"({"containers":[{"name":"A","image":"i"}]})",
       "spec.containers[0].name: Invalid value: \"A\": a lowercase RFC 1123 label must consist of "
       "lower case alphanumeric "
       "characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  "
       "or '123-abc', regex used "
       "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"},
      {R"({"containers":[{"name":"a"}]})", "spec.containers[0].image: Required value"},
      {R"({"containers":[{"name":"a","image":"i"},{"name":"a","image":"i"}]})",
       "spec.containers[1].name: Duplicate value: \"a\""},
      {R"({"containers":[{"name":"a","image":"i","ports":[{"containerPort":70000}]}]})",
       "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and "
       "65535, inclusive"},
      {R"({"containers":[{"name":"a","image":"i","env":[{"name":"a=b"}]}]})",
       "spec.containers[0].env[0].name: Invalid value: \"a=b\": a valid environment variable name "
       "must consist only of "
       "printable ASCII characters other than '='"},
      {R"({"containers":[{"name":"a","image":"i","env":[{"name":"a","value":"x","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}]}]})",
       "spec.containers[0].env[0].valueFrom: Invalid value: \"\": may not be specified when "
       "`value` is not empty"},
      {R"({"containers":[{"name":"a","image":"i","volumeMounts":[{"name":"v","mountPath":"/x"}]}]})",
       "spec.containers[0].volumeMounts[0].name: Not found: \"v\""},
      {R"({"containers":[{"name":"a","image":"i","livenessProbe":{}}]})",
       "spec.containers[0].livenessProbe: Required value: must specify a handler type"},
      {R"({"containers":[{"name":"a","image":"i","livenessProbe":{"successThreshold":2,"exec":{"command":["x"]}}}]})",
       "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1"},
      {R"({"containers":[{"name":"a","image":"i","resources":{"requests":{"cpu":"2"},"limits":{"cpu":"1"}}}]})",
       "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to "
       "cpu limit of 1"},
      {R"({"containers":[{"name":"a","image":"i","resources":{"limits":{"cpu":"-1"}}}]})",
       "[spec.containers[0].resources.limits[cpu]: Invalid value: \"-1\": must be greater than or "
       "equal to 0, "
       "spec.containers[0].resources.requests[cpu]: Invalid value: \"-1\": must be greater than or "
       "equal to 0]"},
      {R"({"restartPolicy":"Sometimes","containers":[{"name":"a","image":"i"}]})",
       "spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", "
       "\"Never\", \"OnFailure\""},
      {R"({"volumes":[{"name":"v","hostPath":{"path":"/a/../b"}}],"containers":[{"name":"a","image":"i"}]})",
       "spec.volumes[0].hostPath.path: Invalid value: \"/a/../b\": must not contain '..'"},
      {R"({"volumes":[{"name":"v","emptyDir":{},"hostPath":{"path":"/a"}}],"containers":[{"name":"a","image":"i"}]})",
       "spec.volumes[0].emptyDir: Forbidden: may not specify more than 1 volume type"},
      {R"({"tolerations":[{"operator":"Equal","value":"x"}],"containers":[{"name":"a","image":"i"}]})",
       "spec.tolerations[0].operator: Invalid value: \"Equal\": operator must be Exists when `key` "
       "is empty, which means "
       "\"match all values and all keys\""},
      {R"({"serviceAccountName":"ghost","containers":[{"name":"a","image":"i"}]})",
       "pods \"x\" is forbidden: error looking up service account n/ghost: serviceaccount "
       "\"ghost\" not found"},
      {R"({"priorityClassName":"ghost","containers":[{"name":"a","image":"i"}]})",
       "pods \"x\" is forbidden: no PriorityClass with name ghost was found"},
  };
  for (const auto& c : cases) {
    const auto answer = world.post(kPods, pod("x", c.spec));
    EXPECT_GE(answer->status, 403) << c.spec;
    EXPECT_EQ(KindsWorld::why(*answer), c.why);
  }
}

TEST(Pods, change_only_where_they_may) {
  KindsWorld world;
  world.make(kPods, pod("p", R"({"containers":[{"name":"c","image":"i"}]})"));
  EXPECT_EQ(world
                .patch(kPods + "/p", R"({"spec":{"containers":[{"name":"c","image":"j"}]}})",
                       "strategic-merge")
                ->status,
            200);
  EXPECT_EQ(world.patch(kPods + "/p", R"({"spec":{"activeDeadlineSeconds":10}})")->status, 200);
  const auto longer = world.patch(kPods + "/p", R"({"spec":{"activeDeadlineSeconds":20}})");
  EXPECT_EQ(KindsWorld::why(*longer),
            "spec.activeDeadlineSeconds: Invalid value: 20: must be less than or equal to previous "
            "value");
  const auto moved = world.patch(kPods + "/p", R"({"spec":{"nodeName":"elsewhere"}})");
  EXPECT_EQ(moved->status, 422);
  EXPECT_TRUE(KindsWorld::why(*moved).starts_with(
      "spec: Forbidden: pod updates may not change fields other than"));
  EXPECT_EQ(world.patch(kPods + "/p", R"({"metadata":{"labels":{"a":"b"}}})")->status, 200);
  const auto status = world.patch(kPods + "/p/status", R"({"status":{"phase":"Running"}})");
  EXPECT_EQ(json::text_at(status->json(), {"status", "phase"}), "Running") << status->text;
}

}  // namespace
}  // namespace kinglet::apiserver

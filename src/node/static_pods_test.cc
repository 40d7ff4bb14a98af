#include "node/static_pods.h"

#include <gtest/gtest.h>

namespace kinglet::node {
namespace {

const std::string kManifest = R"(
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {a: b}}
spec:
  containers: [{name: c, image: "app:1"}]
)";

TEST(StaticPods, become_pods_of_this_node) {
  const auto pod = parse_static_pod(kManifest, "node-1");
  ASSERT_TRUE(pod) << pod.error().message();
  EXPECT_EQ(pod->metadata.name, "web-node-1");
  EXPECT_EQ(pod->metadata.namespace_, "default");
  EXPECT_EQ(pod->metadata.uid.size(), 32u);
  EXPECT_EQ(pod->spec.nodeName, "node-1");
  EXPECT_EQ(pod->spec.restartPolicy, "Always");
  EXPECT_EQ(pod->spec.containers[0].imagePullPolicy, "IfNotPresent");
  EXPECT_TRUE(is_static(*pod));
  EXPECT_FALSE(is_mirror(*pod));
  const auto mirror = mirror_of(*pod, "node-uid");
  EXPECT_TRUE(is_mirror(mirror));
  EXPECT_FALSE(is_static(mirror));
  EXPECT_EQ(mirror.metadata.annotations.at(kConfigMirror), pod->metadata.uid);
  EXPECT_EQ(mirror.metadata.ownerReferences.at(0).uid, "node-uid");
  // Another text, or another node, is another pod.
  EXPECT_NE(parse_static_pod(kManifest + "\n", "node-1")->metadata.uid, pod->metadata.uid);
  EXPECT_NE(parse_static_pod(kManifest, "node-2")->metadata.uid, pod->metadata.uid);
}

TEST(StaticPods, mistakes_are_told) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "kind Pod"},
      {"kind: Service\napiVersion: v1", "kind Pod"},
      {"kind: Pod\napiVersion: v1\nmetadata: {name: ../x}\nspec: {containers: [{name: c, image: "
       "i}]}",
       "not a name"},
      {"kind: Pod\napiVersion: v1\nmetadata: {name: x}\nspec: {containers: []}", "no containers"},
      {"kind: Pod\napiVersion: v1\nmetadata: {name: x}\nspec: {serviceAccountName: s, containers: "
       "[{name: c, image: i}]}",
       "service account"},
      {"kind: Pod\napiVersion: v1\nmetadata: {name: x}\nspec: {volumes: [{name: v, secret: "
       "{secretName: s}}], "
       "containers: [{name: c, image: i}]}",
       "a Secret"},
      {"a: [", ""},
  };
  for (const auto& [text, part] : cases) {
    const auto pod = parse_static_pod(text, "n");
    ASSERT_FALSE(pod) << text;
    EXPECT_NE(pod.error().message().find(part), std::string::npos) << pod.error().message();
  }
}

TEST(StaticPods, are_read_from_a_directory) {
  const auto disk = make_fake_disk();
  ASSERT_TRUE(disk->make_dirs("/m"));
  for (const char* name : {"/m/a.yaml", "/m/b.txt", "/m/.c.yaml"})
    ASSERT_TRUE(write_file(*disk, name, kManifest));
  ASSERT_TRUE(write_file(*disk, "/m/bad.yml", "no"));
  std::vector<std::string> bad;
  const auto pods = read_static_pods(
      *disk, "/m", "n", [&](const std::string& name, const Error&) { bad.push_back(name); });
  EXPECT_EQ(pods.size(), 1u);
  EXPECT_TRUE(pods.count("a.yaml"));
  EXPECT_EQ(bad, std::vector<std::string>{"bad.yml"});
  EXPECT_TRUE(read_static_pods(*disk, "/nothing", "n", {}).empty());
}

}  // namespace
}  // namespace kinglet::node

#include "scheduler/internal/decide.h"

#include <gtest/gtest.h>

namespace kinglet::scheduler {
namespace {

template <class T>
Ref<const T> made(const std::string& yaml) {
  const auto value = json::parse_yaml(yaml);
  EXPECT_TRUE(value) << yaml;
  auto object = T::decode(*value);
  object->meta = client::decode_meta(*value);
  object->raw = Bytes(json::print(*value));
  return object;
}
Ref<const Node> node(std::string name, std::string spec = "", std::string labels = "", std::string amounts = "cpu: '4', memory: 8Gi, pods: '10'") {
  return made<Node>("{metadata: {name: " + name + ", labels: {kubernetes.io/hostname: " + name + (labels.empty() ? "" : ", " + labels) +
                    "}}, spec: {" + spec + "}, status: {allocatable: {" + amounts + "}}}");
}
Ref<const Pod> pod(std::string name, std::string spec = "", std::string labels = "app: web", std::string requests = "") {
  return made<Pod>("{metadata: {name: " + name + ", namespace: a, uid: " + name + ", labels: {" + labels + "}}, spec: {" + spec +
                   (spec.empty() ? "" : ", ") + "containers: [{name: c, resources: {requests: {" + requests + "}}}]}}");
}

struct World {
  std::unique_ptr<Random> random = make_seeded_random(1);
  Cluster cluster;
  Decider decider{default_plugins(), *random};
  World(std::initializer_list<Ref<const Node>> nodes) {
    for (const auto& n : nodes) cluster.set_node(n);
  }
  Decision decide(Ref<const Pod> p) { return decider.decide(cluster, wants_of(std::move(p))); }
};

TEST(Decide, says_why_nothing_fits_in_upstreams_words) {
  struct Case {
    const char* name;
    std::vector<Ref<const Node>> nodes;
    Ref<const Pod> pod;
    const char* message;
  };
  const Case cases[] = {
      {"no nodes", {}, pod("p"), "no nodes available to schedule pods"},
      {"too little", {node("n1")}, pod("p", "", "", "cpu: '5', memory: 9Gi"),
       "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory."},
      {"several reasons", {node("a", "unschedulable: true"), node("b", "taints: [{key: k, value: v, effect: NoSchedule}]"), node("c")},
       pod("p", "", "", "cpu: '5'"),
       "0/3 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {k: v}, 1 node(s) were unschedulable."},
      {"wrong labels", {node("a"), node("b")}, pod("p", "nodeSelector: {disk: ssd}"),
       "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector."},
      {"devices", {node("a")}, pod("p", "", "", "example.com/gpu: '1'"), "0/1 nodes are available: 1 Insufficient example.com/gpu."},
      {"no place for more pods", {node("a", "", "", "cpu: '4', memory: 8Gi, pods: '0'")}, pod("p"), "0/1 nodes are available: 1 Too many pods."},
      {"spread over a label that no node has", {node("a")},
       pod("p", "topologySpreadConstraints: [{maxSkew: 1, topologyKey: rack, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: web}}}]"),
       "0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints (missing required label)."},
      {"near something that is not there", {node("a")},
       pod("p", "affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: db}}}]}}"),
       "0/1 nodes are available: 1 node(s) didn't match pod affinity rules."},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    World world({});
    for (const auto& n : c.nodes) world.cluster.set_node(n);
    const auto decision = world.decide(c.pod);
    EXPECT_EQ(decision.node, "");
    EXPECT_EQ(decision.message, c.message);
    EXPECT_NE(decision.wakes_on, 0u) << "something must be able to help it";
  }
}

TEST(Decide, takes_the_better_node) {
  struct Case {
    const char* name;
    std::vector<Ref<const Node>> nodes;
    Ref<const Pod> pod;
    const char* node;
  };
  const Case cases[] = {
      {"the only one that fits", {node("small", "", "", "cpu: 100m, memory: 1Gi, pods: '9'"), node("big")}, pod("p", "", "", "cpu: '1'"), "big"},
      {"the emptier one", {node("small", "", "", "cpu: '2', memory: 4Gi, pods: '9'"), node("big", "", "", "cpu: '8', memory: 16Gi, pods: '9'")},
       pod("p", "", "", "cpu: '1', memory: 2Gi"), "big"},
      {"the one it prefers", {node("a", "", "", "cpu: '8', memory: 16Gi, pods: '9'"), node("b", "", "disk: ssd")},
       pod("p", "affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 100, preference: {matchExpressions: [{key: disk, operator: In, values: [ssd]}]}}]}}"), "b"},
      {"not the one that would rather not", {node("a", "taints: [{key: k, effect: PreferNoSchedule}]"), node("b")}, pod("p"), "b"},
      {"a tainted one that it tolerates", {node("a", "taints: [{key: k, effect: NoSchedule}]")}, pod("p", "tolerations: [{key: k, operator: Exists}]"), "a"},
      {"by name, as daemons do", {node("a"), node("b")},
       pod("p", "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchFields: [{key: metadata.name, operator: In, values: [b]}]}]}}}"), "b"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    World world({});
    for (const auto& n : c.nodes) world.cluster.set_node(n);
    const auto decision = world.decide(c.pod);
    EXPECT_EQ(decision.node, c.node) << decision.message;
  }
}

TEST(Decide, counts_what_is_being_bound_until_it_fails) {
  World world({node("n1", "", "", "cpu: '1', memory: 1Gi, pods: '9'")});
  const auto first = pod("first", "", "", "cpu: 600m");
  ASSERT_EQ(world.decide(first).node, "n1");
  world.cluster.assume(first, "n1");
  EXPECT_EQ(world.decide(pod("second", "", "", "cpu: 600m")).node, "");
  world.cluster.forget(first->meta.key());
  EXPECT_EQ(world.decide(pod("second", "", "", "cpu: 600m")).node, "n1");
  world.cluster.set_pod(made<Pod>("{metadata: {name: first, namespace: a}, spec: {nodeName: n1, containers: [{resources: {requests: {cpu: 600m}}}]}}"));
  EXPECT_EQ(world.decide(pod("second", "", "", "cpu: 600m")).node, "");
  world.cluster.remove_pod(first->meta.key());
  EXPECT_EQ(world.cluster.find("n1")->used, Resources()) << "nothing is left behind";
}

TEST(Decide, host_ports_are_taken_once_per_address) {
  World world({node("n1")});
  const auto with_port = [](std::string name, std::string ip) {
    return made<Pod>("{metadata: {name: " + name + ", namespace: a}, spec: {containers: [{ports: [{containerPort: 80, hostPort: 8080" +
                     (ip.empty() ? "" : ", hostIP: " + ip) + "}]}]}}");
  };
  world.cluster.assume(with_port("one", "10.0.0.1"), "n1");
  EXPECT_EQ(world.decide(with_port("two", "10.0.0.2")).node, "n1");
  EXPECT_EQ(world.decide(with_port("three", "10.0.0.1")).message,
            "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.");
  EXPECT_EQ(world.decide(with_port("four", "")).node, "") << "any address clashes with each";
}

TEST(Decide, spreads_a_sets_pods_without_being_asked) {
  World world({node("a"), node("b"), node("c")});
  std::map<std::string, int> count;
  for (int i = 0; i < 6; ++i) {
    const auto p = made<Pod>(fmt::format("{{metadata: {{name: p{}, namespace: a, ownerReferences: [{{uid: set, controller: true}}]}}, spec: {{containers: [{{}}]}}}}", i));
    const auto decision = world.decide(p);
    ++count[decision.node];
    world.cluster.assume(p, decision.node);
  }
  EXPECT_EQ(count, (std::map<std::string, int>{{"a", 2}, {"b", 2}, {"c", 2}}));
}

TEST(Decide, a_hard_spread_keeps_the_skew) {
  World world({node("a", "", "zone: west"), node("b", "", "zone: east")});
  const std::string spread = "topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: web}}}]";
  world.cluster.assume(pod("one", spread), "a");
  EXPECT_EQ(world.decide(pod("two", spread)).node, "b");
  world.cluster.set_node(node("b", "unschedulable: true", "zone: east"));
  EXPECT_EQ(world.decide(pod("two", spread)).message,
            "0/2 nodes are available: 1 node(s) didn't match pod topology spread constraints, 1 node(s) were unschedulable.");
}

TEST(Decide, pods_that_want_to_be_apart_are_both_heard) {
  const std::string apart = "affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: web}}}]}}";
  World world({node("a"), node("b")});
  world.cluster.assume(pod("one", apart), "a");
  EXPECT_EQ(world.decide(pod("two", apart)).node, "b");
  EXPECT_EQ(world.decide(pod("plain")).node, "b") << "the one on a does not want it there";
  world.cluster.assume(pod("two", apart), "b");
  EXPECT_EQ(world.decide(pod("three", apart)).message, "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules.");
  EXPECT_EQ(world.decide(pod("plain")).message, "0/2 nodes are available: 2 node(s) didn't satisfy existing pods anti-affinity rules.");
}

TEST(Decide, pods_that_want_to_be_near_follow_and_the_first_starts_alone) {
  const std::string near = "affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: web}}}]}}";
  World world({node("a"), node("b"), node("c")});
  const auto first = world.decide(pod("one", near));
  ASSERT_NE(first.node, "") << first.message;
  world.cluster.assume(pod("one", near), first.node);
  EXPECT_EQ(world.decide(pod("two", near)).node, first.node);
}

TEST(Decide, is_fast_with_many_nodes) {
  World world({});
  for (int i = 0; i < 1000; ++i) world.cluster.set_node(node(fmt::format("n{:04}", i)));
  for (int i = 0; i < 500; ++i) {
    const auto p = pod(fmt::format("p{}", i), "", "app: web", "cpu: 100m");
    const auto decision = world.decide(p);
    ASSERT_NE(decision.node, "");
    world.cluster.assume(p, decision.node);
  }
  EXPECT_EQ(world.cluster.pods(), 500u);
}

struct FakeVolumes final : VolumeView {
  std::vector<Ref<const client::Claim>> claims;
  std::vector<Ref<const client::Volume>> all;
  std::vector<Ref<const client::StorageClass>> classes;
  template <class T>
  static Ref<const T> named(const std::vector<Ref<const T>>& list, const std::string& name) {
    for (const auto& one : list)
      if (one->meta.name == name) return one;
    return nullptr;
  }
  Ref<const client::Claim> claim(const client::ObjectKey& key) const override { return named(claims, key.name); }
  Ref<const client::Volume> volume(const std::string& name) const override { return named(all, name); }
  Ref<const client::StorageClass> storage_class(const std::string& name) const override { return named(classes, name); }
  std::vector<Ref<const client::Volume>> volumes() const override { return all; }
};

TEST(VolumeBinding, sends_a_pod_where_its_volumes_are_or_can_be) {
  FakeVolumes view;
  const auto affinity = [](const char* node) {
    return std::string("nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [") + node + "]}]}]}}";
  };
  view.claims = {made<client::Claim>("{metadata: {name: bound, namespace: a, annotations: {pv.kubernetes.io/bind-completed: 'yes'}}, spec: {volumeName: v}}"),
                 made<client::Claim>("{metadata: {name: made, namespace: a}, spec: {storageClassName: local-path}}"),
                 made<client::Claim>("{metadata: {name: static, namespace: a}, spec: {storageClassName: disks, resources: {requests: {storage: 1Gi}}}}"),
                 made<client::Claim>("{metadata: {name: now, namespace: a}, spec: {storageClassName: quick}}")};
  view.all = {made<client::Volume>("{metadata: {name: v}, spec: {" + affinity("n2") + "}}"),
              made<client::Volume>("{metadata: {name: d}, spec: {storageClassName: disks, capacity: {storage: 2Gi}, " + affinity("n1") + "}}")};
  view.classes = {made<client::StorageClass>("{metadata: {name: local-path}, provisioner: rancher.io/local-path, volumeBindingMode: WaitForFirstConsumer}"),
                  made<client::StorageClass>("{metadata: {name: disks}, provisioner: kubernetes.io/no-provisioner, volumeBindingMode: WaitForFirstConsumer}"),
                  made<client::StorageClass>("{metadata: {name: quick}, provisioner: x, volumeBindingMode: Immediate}")};
  struct Case {
    const char *claim, *node, *message;
  };
  const Case cases[] = {
      {"bound", "n2", ""},
      {"static", "n1", ""},
      {"none", "", "0/2 nodes are available: 2 persistentvolumeclaim \"none\" not found."},
      {"now", "", "0/2 nodes are available: 2 pod has unbound immediate PersistentVolumeClaims."},
  };
  auto random = make_seeded_random(1);
  auto plugins = default_plugins();
  plugins.push_back(make_volume_binding(view));
  Decider decider(std::move(plugins), *random);
  Cluster cluster;
  cluster.set_node(node("n1"));
  cluster.set_node(node("n2"));
  const auto user = [](const std::string& claim) {
    return pod("p", "volumes: [{name: d, persistentVolumeClaim: {claimName: " + claim + "}}]");
  };
  for (const auto& c : cases) {
    const auto decision = decider.decide(cluster, wants_of(user(c.claim)));
    EXPECT_EQ(decision.node, c.node) << c.claim;
    EXPECT_EQ(decision.message, c.message);
  }
  EXPECT_FALSE(decider.decide(cluster, wants_of(user("made"))).node.empty());
}

}  // namespace
}  // namespace kinglet::scheduler

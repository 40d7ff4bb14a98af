#include <gtest/gtest.h>

#include "apiserver/hooks/address.h"
#include "apiserver/hooks/number_allocator.h"
#include "apiserver/testing/kinds_world.h"

namespace kinglet::apiserver {
namespace {

using testing::KindsWorld;
const std::string kServices = "/api/v1/namespaces/n/services";

std::string service(const std::string& name, const std::string& spec) {
  return R"({"kind":"Service","apiVersion":"v1","metadata":{"name":")" + name + R"("},"spec":)" +
         spec + "}";
}

TEST(NumberAllocator, gives_the_upper_part_first_and_repeats_late) {
  NumberAllocator numbers(1, 6, 2);
  EXPECT_EQ(numbers.take_next(), 3u);
  EXPECT_EQ(numbers.take_next(), 4u);
  numbers.release(4);
  EXPECT_EQ(numbers.take_next(), 5u);
  EXPECT_TRUE(numbers.take(1));
  EXPECT_FALSE(numbers.take(1));
  EXPECT_EQ(numbers.take_next(), 6u);
  EXPECT_EQ(numbers.take_next(), 4u);
  EXPECT_EQ(numbers.take_next(), 2u);
  EXPECT_EQ(numbers.take_next(), std::nullopt);
}

TEST(Address, ranges_contain_and_texts_round_trip) {
  EXPECT_TRUE(Cidr::parse("10.43.0.0/16")->contains(*Address::parse("10.43.255.1")));
  EXPECT_FALSE(Cidr::parse("10.43.0.0/16")->contains(*Address::parse("10.44.0.1")));
  EXPECT_TRUE(Cidr::parse("fd00::/9")->contains(*Address::parse("fd00::1")));
  EXPECT_FALSE(Cidr::parse("10.0.0.0/8")->contains(*Address::parse("::1")));
  for (const char* wrong :
       {"", "1.2.3", "01.2.3.4", "1.2.3.4/33", "::1/129", "1.2.3.4/", "1.2.3.4/08"})
    EXPECT_FALSE(Cidr::parse(wrong)) << wrong;
  EXPECT_EQ(Address::parse("FD00:0::1")->text(), "fd00::1");
  EXPECT_EQ(Address::parse("10.1.2.3")->text(), "10.1.2.3");
  EXPECT_NE(Address::parse("127.0.0.1")->special_reason(), "");
  EXPECT_EQ(Address::parse("10.0.0.1")->special_reason(), "");
}

TEST(Services, get_cluster_ips_and_node_ports_and_give_them_back) {
  KindsWorld world;
  const auto a =
      world.make(kServices, service("a", R"({"type":"NodePort","ports":[{"port":80}]})"));
  const std::string ip(json::text_at(a, {"spec", "clusterIP"}));
  EXPECT_TRUE(ip.starts_with("10.43.")) << ip;
  EXPECT_EQ(json::find(a, {"spec", "clusterIPs"})->get_array()[0], json::Value(ip));
  EXPECT_EQ(json::text_at(a, {"spec", "ipFamilyPolicy"}), "SingleStack");
  const auto& port = json::find(a, {"spec", "ports"})->get_array()[0];
  const auto node_port = json::int_at(port, {"nodePort"});
  EXPECT_GE(node_port, 30000);
  EXPECT_EQ(json::text_at(port, {"protocol"}), "TCP");

  const auto taken = [&](const std::string& spec) {
    return KindsWorld::why(*world.post(kServices, service("b", spec)));
  };
  EXPECT_EQ(taken(R"({"clusterIP":")" + ip + R"(","ports":[{"port":80}]})"),
            "spec.clusterIPs: Invalid value: [\"" + ip + "\"]: failed to allocate IP " + ip +
                ": provided IP is already allocated");
  EXPECT_EQ(
      taken(R"({"type":"NodePort","ports":[{"port":80,"nodePort":)" + std::to_string(node_port) +
            "}]}"),
      fmt::format("spec.ports[0].nodePort: Invalid value: {}: provided port is already allocated",
                  node_port));
  EXPECT_EQ(taken(R"({"clusterIP":"1.2.3.4","ports":[{"port":80}]})"),
            "spec.clusterIPs: Invalid value: [\"1.2.3.4\"]: failed to allocate IP 1.2.3.4: the "
            "provided IP (1.2.3.4) is not "
            "in the valid range. The range of valid IPs is 10.43.0.0/16");
  EXPECT_EQ(taken(R"({"type":"NodePort","ports":[{"port":80,"nodePort":80}]})"),
            "spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. "
            "The range of valid ports "
            "is 30000-32767");
  EXPECT_EQ(world.remove(kServices + "/a")->status, 200);
  world.make(kServices, service("c", R"({"clusterIP":")" + ip +
                                         R"(","type":"NodePort","ports":[{"port":80,"nodePort":)" +
                                         std::to_string(node_port) + "}]}"));
}

TEST(Services, keep_what_was_allocated_through_updates_and_changes_of_type) {
  KindsWorld world;
  const auto made =
      world.make(kServices, service("a", R"({"type":"NodePort","ports":[{"port":80}]})"));
  const std::string ip(json::text_at(made, {"spec", "clusterIP"}));
  const auto replaced =
      world.put(kServices + "/a", service("a", R"({"type":"NodePort","ports":[{"port":80}]})"))
          ->json();
  EXPECT_EQ(*json::find(replaced, {"spec"}), *json::find(made, {"spec"}));
  const auto moved = world.put(kServices + "/a",
                               service("a", R"({"clusterIP":"10.43.9.9","ports":[{"port":80}]})"));
  EXPECT_EQ(moved->status, 422);
  EXPECT_EQ(KindsWorld::why(*moved),
            "spec.clusterIPs[0]: Invalid value: [\"10.43.9.9\"]: may not change once set");
  const auto inner = world.patch(kServices + "/a", R"({"spec":{"type":"ClusterIP"}})")->json();
  EXPECT_EQ(json::int_at(json::find(inner, {"spec", "ports"})->get_array()[0], {"nodePort"}), 0);
  EXPECT_EQ(json::text_at(inner, {"spec", "clusterIP"}), ip);
  const auto outer = world.patch(
      kServices + "/a", R"({"spec":{"type":"ExternalName","externalName":"example.com"}})");
  EXPECT_EQ(outer->status, 200) << outer->text;
  EXPECT_EQ(json::find(outer->json(), {"spec", "clusterIP"}), nullptr);
  world.make(kServices, service("b", R"({"clusterIP":")" + ip + R"(","ports":[{"port":80}]})"));
}

TEST(Services, know_what_was_taken_before_a_restart) {
  KindsWorld world;
  const auto made = world.make(kServices, service("a", R"({"ports":[{"port":80}]})"));
  auto hooks = make_hooks({});
  hooks.at("/services")->restore(*world.registry);
  User user;
  std::vector<std::string> warnings;
  WriteContext context{*schema::find_resource("", "v1", "services"),
                       Operation::create,
                       user,
                       "n",
                       "b",
                       "",
                       false,
                       {},
                       *world.registry,
                       warnings};
  auto object = *json::parse(
      service("b", R"({"type":"ClusterIP","ports":[{"port":80}],"clusterIP":")" +
                       std::string(json::text_at(made, {"spec", "clusterIP"})) + "\"}"));
  EXPECT_TRUE(hooks.at("/services")->allocate(context, object, nullptr).is(Code::invalid));
}

TEST(Services, are_refused_with_upstreams_words) {
  KindsWorld world;
  struct Case {
    const char *spec, *why;
  };
  const Case cases[] = {
      {R"({})", "spec.ports: Required value"},
      {R"({"ports":[{"port":0}]})",
       "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"},
      {R"({"ports":[{"port":80},{"port":81,"name":"b"}]})", "spec.ports[0].name: Required value"},
      {R"({"ports":[{"port":80,"name":"a"},{"port":81,"name":"a"}]})",
       "spec.ports[1].name: Duplicate value: \"a\""},
      {R"({"ports":[{"port":80,"nodePort":30000}]})",
       "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"},
      {R"({"type":"Magic","ports":[{"port":80}]})",
       "spec.type: Unsupported value: \"Magic\": supported values: \"ClusterIP\", "
       "\"ExternalName\", \"LoadBalancer\", "
       "\"NodePort\""},
      {R"({"type":"NodePort","clusterIP":"None","ports":[{"port":80}]})",
       "spec.clusterIP: Invalid value: \"None\": may not be set to 'None' for NodePort services"},
      {R"({"type":"ExternalName"})", "spec.externalName: Required value"},
      {R"({"ipFamilyPolicy":"RequireDualStack","ports":[{"port":80}]})",
       "spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": this cluster is not configured "
       "for dual-stack services"},
      {R"({"ports":[{"port":80}],"externalIPs":["127.0.0.1"]})",
       "spec.externalIPs[0]: Invalid value: \"127.0.0.1\": may not be in the loopback range "
       "(127.0.0.0/8, ::1/128)"},
  };
  for (const auto& c : cases) {
    const auto answer = world.post(kServices, service("x", c.spec));
    EXPECT_EQ(answer->status, 422) << c.spec;
    EXPECT_EQ(KindsWorld::why(*answer), c.why);
  }
  const auto headless =
      world.make(kServices, service("h", R"({"clusterIP":"None","selector":{"a":"b"}})"));
  EXPECT_EQ(json::text_at(headless, {"spec", "clusterIP"}), "None");
}

TEST(Services, options_are_checked_before_use) {
  EXPECT_TRUE(check_hook_options({}));
  EXPECT_FALSE(check_hook_options({.service_cidr = "10.43.0.0/31"}));
  EXPECT_FALSE(check_hook_options({.service_cidr = "fd00::/112"}));
  EXPECT_FALSE(check_hook_options({.node_port_range = "5-1"}));
  EXPECT_FALSE(check_hook_options({.node_port_range = "30000"}));
}

}  // namespace
}  // namespace kinglet::apiserver

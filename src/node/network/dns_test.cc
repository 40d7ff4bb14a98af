#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <ldns/ldns.h>

#include "node/network/dns_message.h"
#include "node/network/dns_server.h"
#include "node/network/dns_zone.h"

namespace kinglet::network {
namespace {
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class Dns : public ::testing::Test {
 protected:
  void SetUp() override {
    web_ = {.ns = "shop", .name = "web", .cluster_ip = "10.43.0.5"};
    web_.ports = {{"http", "TCP", 80}, {"", "TCP", 81}};
    db_ = {.ns = "shop", .name = "db", .cluster_ip = "None"};
    slice_ = {.ns = "shop", .service = "db", .ports = {{"sql", "TCP", 5432}}};
    slice_.endpoints = {{{"10.42.0.7"}, "db-0"}, {{"10.42.0.8"}, ""}, {{"10.42.0.9"}, "db-2"}};
    slice_.endpoints[2].ready = false;
    empty_ = {.ns = "shop", .name = "empty", .cluster_ip = "None"};
    out_ = {.ns = "shop", .name = "out", .external_name = "Example.COM."};
    ServiceWorld world;
    world.services = {&web_, &db_, &empty_, &out_};
    world.slices.emplace(std::pair("shop", "db"), &slice_);
    zone_.rebuild(world);
  }
  std::string ask(const std::string& name, DnsType type = DnsType::a) {
    const DnsAnswer answer = zone_.resolve(name, type);
    if (answer.kind == DnsAnswer::Kind::no_name) return "no such name";
    if (answer.kind == DnsAnswer::Kind::elsewhere) return "elsewhere";
    std::vector<std::string> out;
    for (const auto& record : answer.records)
      out.push_back(record.type == DnsType::srv ? fmt::format("{}:{}", record.target, record.port)
                                                : record.target);
    return fmt::format("{}", fmt::join(out, " "));
  }
  ServiceModel web_, db_, empty_, out_;
  SliceModel slice_;
  DnsZone zone_{"cluster.local", {"10.43.0.0/16", "10.42.0.0/16"}};
};

TEST_F(Dns, names_have_the_records_of_the_specification) {
  struct Case {
    const char* name;
    DnsType type;
    const char* answer;
  };
  const Case cases[] = {
      {"web.shop.svc.cluster.local", DnsType::a, "10.43.0.5"},
      {"WEB.shop.SVC.cluster.local.", DnsType::a, "10.43.0.5"},
      {"web.shop.svc.cluster.local", DnsType::aaaa, ""},
      {"_http._tcp.web.shop.svc.cluster.local", DnsType::srv, "web.shop.svc.cluster.local:80"},
      {"_http._udp.web.shop.svc.cluster.local", DnsType::srv, "no such name"},
      {"_tcp.web.shop.svc.cluster.local", DnsType::srv, ""},
      {"nope.shop.svc.cluster.local", DnsType::a, "no such name"},
      {"x.web.shop.svc.cluster.local", DnsType::a, "no such name"},
      {"db.shop.svc.cluster.local", DnsType::a, "10.42.0.7 10.42.0.8"},
      {"db-0.db.shop.svc.cluster.local", DnsType::a, "10.42.0.7"},
      {"10-42-0-8.db.shop.svc.cluster.local", DnsType::a, "10.42.0.8"},
      {"db-2.db.shop.svc.cluster.local", DnsType::a, "no such name"},
      {"_sql._tcp.db.shop.svc.cluster.local", DnsType::srv,
       "db-0.db.shop.svc.cluster.local:5432 10-42-0-8.db.shop.svc.cluster.local:5432"},
      {"empty.shop.svc.cluster.local", DnsType::a, ""},
      {"out.shop.svc.cluster.local", DnsType::a, "example.com"},
      {"shop.svc.cluster.local", DnsType::a, ""},
      {"svc.cluster.local", DnsType::a, ""},
      {"cluster.local", DnsType::a, ""},
      {"nocluster.local", DnsType::a, "elsewhere"},
      {"10-42-0-7.shop.pod.cluster.local", DnsType::a, "10.42.0.7"},
      {"10-42-0-7.nowhere.pod.cluster.local", DnsType::a, "no such name"},
      {"x.shop.pod.cluster.local", DnsType::a, "no such name"},
      {"shop.pod.cluster.local", DnsType::a, ""},
      {"5.0.43.10.in-addr.arpa", DnsType::ptr, "web.shop.svc.cluster.local"},
      {"7.0.42.10.in-addr.arpa", DnsType::ptr, "db-0.db.shop.svc.cluster.local"},
      {"99.0.42.10.in-addr.arpa", DnsType::ptr, "no such name"},
      {"8.8.8.8.in-addr.arpa", DnsType::ptr, "elsewhere"},
      {"example.com", DnsType::a, "elsewhere"},
      {"dns-version.cluster.local", DnsType::txt, "1.1.0"},
      // What a search path makes of a name from outside.
      {"example.com.shop.svc.cluster.local", DnsType::a, "no such name"},
  };
  for (const auto& c : cases) EXPECT_EQ(ask(c.name, c.type), c.answer) << c.name;
}

TEST_F(Dns, messages_go_there_and_back) {
  const std::string question = write_query(77, "db.shop.svc.cluster.local", DnsType::a);
  const auto query = read_query(question);
  ASSERT_TRUE(query && *query);
  EXPECT_EQ((*query)->name, "db.shop.svc.cluster.local");
  const std::string answer =
      write_answer(**query, zone_.resolve((*query)->name, DnsType::a), "cluster.local", 512);
  EXPECT_TRUE(is_answer_to(answer, question, 77));
  EXPECT_FALSE(is_answer_to(answer, question, 78));
  EXPECT_FALSE(is_answer_to(question, question, 77));
  ldns_pkt* packet = nullptr;
  ASSERT_EQ(ldns_wire2pkt(&packet, reinterpret_cast<const uint8_t*>(answer.data()), answer.size()),
            LDNS_STATUS_OK);
  EXPECT_EQ(ldns_pkt_ancount(packet), 2);
  EXPECT_EQ(ldns_pkt_get_rcode(packet), LDNS_RCODE_NOERROR);
  EXPECT_TRUE(ldns_pkt_aa(packet));
  EXPECT_TRUE(ldns_pkt_ra(packet));
  ldns_pkt_free(packet);
  EXPECT_FALSE(read_query(answer)) << "an answer is not answered";
}

TEST_F(Dns, no_name_and_no_data_carry_the_authority) {
  for (const char* name : {"nope.shop.svc.cluster.local", "empty.shop.svc.cluster.local"}) {
    const auto query = read_query(write_query(1, name, DnsType::a));
    const std::string answer =
        write_answer(**query, zone_.resolve(name, DnsType::a), "cluster.local", 512);
    ldns_pkt* packet = nullptr;
    ASSERT_EQ(
        ldns_wire2pkt(&packet, reinterpret_cast<const uint8_t*>(answer.data()), answer.size()),
        LDNS_STATUS_OK);
    EXPECT_EQ(ldns_pkt_nscount(packet), 1);
    EXPECT_EQ(ldns_pkt_get_rcode(packet),
              name[0] == 'n' ? LDNS_RCODE_NXDOMAIN : LDNS_RCODE_NOERROR);
    ldns_pkt_free(packet);
  }
}

TEST_F(Dns, long_answers_are_cut_and_say_so) {
  for (int i = 0; i < 100; ++i)
    slice_.endpoints.push_back({{fmt::format("10.42.1.{}", i)}, fmt::format("db-{}", 10 + i)});
  ServiceWorld world;
  world.services = {&db_};
  world.slices.emplace(std::pair("shop", "db"), &slice_);
  zone_.rebuild(world);
  const auto query = read_query(write_query(1, "db.shop.svc.cluster.local", DnsType::a));
  const DnsAnswer answer = zone_.resolve("db.shop.svc.cluster.local", DnsType::a);
  const std::string cut = write_answer(**query, answer, "cluster.local", 512);
  EXPECT_LE(cut.size(), 512u);
  EXPECT_NE(cut[2] & 0x02, 0) << "TC";
  EXPECT_GT(write_answer(**query, answer, "cluster.local", 0).size(), 1600u);
}

TEST_F(Dns, malformed_messages_get_an_error_or_nothing) {
  EXPECT_FALSE(read_query(""));
  EXPECT_FALSE(read_query("short"));
  std::string question = write_query(5, "a.b", DnsType::a);
  std::string broken = question.substr(0, question.size() - 3);
  const auto read = read_query(broken);
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->is(Code::bad_request));
  const std::string error = write_header_error(broken, DnsCode::bad_format);
  EXPECT_EQ(error.size(), 12u);
  EXPECT_EQ(error[3] & 0xf, 1);
  std::string update = question;
  update[2] = 0x28;
  EXPECT_TRUE(read_query(update)->is(Code::invalid));
}

TEST(Upstreams, are_read_from_resolv_conf) {
  EXPECT_THAT(
      upstreams_of(
          "# hosts\nnameserver 10.43.0.10\nnameserver\t1.1.1.1 # x\nsearch a b\n"
          "nameserver fe80::1\r\nnameserver bad\nnameserverx 2.2.2.2\nnameserver 127.0.0.53",
          "10.43.0.10"),
      ElementsAre("1.1.1.1", "fe80::1", "127.0.0.53"));
  EXPECT_TRUE(upstreams_of("", "").empty());
}

}  // namespace
}  // namespace kinglet::network

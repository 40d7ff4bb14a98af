#include "cluster/pki.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "cluster/join_token.h"
#include "cluster/kubeconfig.h"

namespace kinglet::cluster {
namespace {

constexpr WallTime kJune2026{std::chrono::seconds(1780300000)};
constexpr const char* kTls = "/data/server/tls/";

class Pkis : public ::testing::Test {
 protected:
  void SetUp() override {
    disk_ = make_fake_disk();
    options_.data_dir = "/data";
    options_.node_name = "edge-1";
  }
  Result<Pki> start(WallTime now) {
    clock_ = make_sim_clock(now);
    return ensure_pki(*disk_, *clock_, options_);
  }
  std::string text(const std::string& name) {
    const auto read = read_file(*disk_, kTls + name);
    return read ? *read : std::string();
  }
  static bool has(const std::vector<std::string>& list, const std::string& item) {
    return std::find(list.begin(), list.end(), item) != list.end();
  }

  std::unique_ptr<FakeDisk> disk_;
  std::unique_ptr<SimClock> clock_;
  PkiOptions options_;
};

TEST_F(Pkis, are_made_once_and_read_back) {
  options_.tls_sans = {"cluster.example", "192.0.2.7", "2001:DB8:0::7"};
  const auto first = start(kJune2026);
  ASSERT_TRUE(first) << first.error().message();
  const auto serving = net::read_certificate(first->serving.certificate_pem);
  ASSERT_TRUE(serving);
  for (const char* name :
       {"kubernetes", "kubernetes.default", "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local", "localhost", "edge-1", "cluster.example"})
    EXPECT_TRUE(has(serving->dns_names, name)) << name;
  for (const char* address : {"127.0.0.1", "::1", "10.43.0.1", "192.0.2.7", "2001:db8::7"})
    EXPECT_TRUE(has(serving->addresses, address)) << address;
  const auto admin = net::read_certificate(first->admin.certificate_pem);
  ASSERT_TRUE(admin);
  EXPECT_EQ(admin->common_name, "system:admin");
  EXPECT_EQ(admin->organizations, std::vector<std::string>{"system:masters"});
  EXPECT_TRUE(first->serving.certificate_pem.ends_with(first->server_ca.certificate_pem));

  const auto second = start(kJune2026);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->server_ca.certificate_pem, first->server_ca.certificate_pem);
  EXPECT_EQ(second->serving.certificate_pem, first->serving.certificate_pem);
  EXPECT_EQ(second->service_key_pem, first->service_key_pem);
}

TEST_F(Pkis, survive_a_clock_that_wakes_up_in_1970) {
  const auto made = start(WallTime{});
  ASSERT_TRUE(made);
  for (const auto* pem : {&made->server_ca.certificate_pem, &made->serving.certificate_pem}) {
    const auto info = net::read_certificate(*pem);
    ASSERT_TRUE(info);
    EXPECT_LE(info->not_before, WallTime{});
    EXPECT_GT(info->not_after, kJune2026);
  }
}

TEST_F(Pkis, renew_a_certificate_that_ends_soon_and_keep_the_authority) {
  const auto first = start(kJune2026);
  ASSERT_TRUE(first);
  const auto later = WallTime{kJune2026.since_epoch + std::chrono::hours(24 * 280)};
  const auto second = start(later);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->server_ca.certificate_pem, first->server_ca.certificate_pem);
  EXPECT_NE(second->serving.certificate_pem, first->serving.certificate_pem);
  EXPECT_NE(second->admin.certificate_pem, first->admin.certificate_pem);
  const auto info = net::read_certificate(second->serving.certificate_pem);
  EXPECT_GT(info->not_after.since_epoch - later.since_epoch, std::chrono::hours(24 * 300));
}

TEST_F(Pkis, add_names_and_never_drop_them) {
  options_.tls_sans = {"old.example"};
  ASSERT_TRUE(start(kJune2026));
  options_.tls_sans = {"new.example"};
  const auto made = start(kJune2026);
  ASSERT_TRUE(made);
  const auto info = net::read_certificate(made->serving.certificate_pem);
  EXPECT_TRUE(has(info->dns_names, "old.example"));
  EXPECT_TRUE(has(info->dns_names, "new.example"));
}

TEST_F(Pkis, never_replace_an_authority_that_lost_its_key) {
  ASSERT_TRUE(start(kJune2026));
  const auto before = text("server-ca.crt");
  ASSERT_TRUE(disk_->remove(std::string(kTls) + "server-ca.key"));
  const auto again = start(kJune2026);
  ASSERT_TRUE(again.is(Code::invalid));
  EXPECT_NE(again.error().message().find("server-ca.key"), std::string::npos);
  EXPECT_EQ(text("server-ca.crt"), before);
}

TEST_F(Pkis, say_when_an_authority_is_damaged) {
  ASSERT_TRUE(start(kJune2026));
  ASSERT_TRUE(write_file(*disk_, std::string(kTls) + "client-ca.crt", "rubbish"));
  const auto again = start(kJune2026);
  ASSERT_TRUE(again.is(Code::invalid));
  EXPECT_NE(again.error().message().find("client-ca.crt"), std::string::npos);
}

TEST_F(Pkis, mend_a_damaged_leaf) {
  ASSERT_TRUE(start(kJune2026));
  ASSERT_TRUE(write_file(*disk_, std::string(kTls) + "client-admin.crt", ""));
  const auto again = start(kJune2026);
  ASSERT_TRUE(again);
  EXPECT_TRUE(net::read_certificate(text("client-admin.crt")));
}

TEST_F(Pkis, are_whole_after_power_cuts_at_any_write) {
  for (int writes = 0; writes < 40; ++writes) {
    SCOPED_TRACE(writes);
    disk_ = make_fake_disk();
    disk_->fail_after(writes, 5);
    (void)start(kJune2026);
    disk_->work_again();
    disk_->crash();
    const auto made = start(kJune2026);
    ASSERT_TRUE(made) << made.error().message();
    EXPECT_TRUE(made->serving.certificate_pem.ends_with(text("server-ca.crt")));
    EXPECT_TRUE(made->admin.certificate_pem.ends_with(text("client-ca.crt")));
  }
}

TEST_F(Pkis, name_nodes_as_the_node_authoriser_expects) {
  const auto made = start(kJune2026);
  ASSERT_TRUE(made);
  const auto pair = issue_node_client(*clock_, *made, "edge-7");
  ASSERT_TRUE(pair);
  const auto info = net::read_certificate(pair->certificate_pem);
  EXPECT_EQ(info->common_name, "system:node:edge-7");
  EXPECT_EQ(info->organizations, std::vector<std::string>{"system:nodes"});
}

class JoinTokenFiles : public ::testing::Test {
 protected:
  Result<JoinTokens> start(std::string server = "", std::string agent = "") {
    return ensure_join_tokens(*disk_, *random_, "the CA",
                              {"/data", std::move(server), std::move(agent)});
  }
  std::string text(const std::string& path) { return read_file(*disk_, path).value(); }
  std::unique_ptr<FakeDisk> disk_ = make_fake_disk();
  std::unique_ptr<Random> random_ = make_seeded_random(1);
};

TEST_F(JoinTokenFiles, are_made_once_in_k3s_form) {
  const auto first = start();
  ASSERT_TRUE(first) << first.error().message();
  EXPECT_EQ(text("/data/server/token"),
            "K10" + ca_hash("the CA") + "::server:" + first->server_secret + "\n");
  EXPECT_EQ(text("/data/server/node-token"), text("/data/server/token"));
  EXPECT_FALSE(disk_->exists("/data/server/agent-token"));
  const auto second = start();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->server_secret, first->server_secret);
}

TEST_F(JoinTokenFiles, follow_what_is_given) {
  const auto made = start("s3cret", "agents-only");
  ASSERT_TRUE(made);
  EXPECT_EQ(made->server_secret, "s3cret");
  EXPECT_EQ(text("/data/server/agent-token"), "K10" + ca_hash("the CA") + "::node:agents-only\n");
  EXPECT_TRUE(start("K10" + ca_hash("the CA") + "::server:s3cret"));
  EXPECT_TRUE(start("K10" + ca_hash("another CA") + "::server:s3cret").is(Code::invalid));
}

TEST(JoinToken, says_what_is_wrong_with_it) {
  const std::string hash(64, 'a');
  struct Case {
    const char* name;
    std::string text;
    bool ok;
  };
  const Case cases[] = {
      {"bare secret", "hunter2", true},
      {"whole", "K10" + hash + "::server:x", true},
      {"line end", "K10" + hash + "::server:x\n", true},
      {"empty", " \n", false},
      {"short hash", "K10abc::server:x", false},
      {"upper-case hash", "K10" + std::string(64, 'A') + "::server:x", false},
      {"no user", "K10" + hash + "::x", false},
      {"no secret", "K10" + hash + "::server:", false},
      {"two lines", "a\nb", false},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(parse_join_token(c.text).has_value(), c.ok);
  }
}

TEST(KubeconfigFile, is_private_and_written_only_when_it_changes) {
  const auto files = make_fake_disk();
  const Kubeconfig config{"https://127.0.0.1:6443", "ca", {"cert", "key"}, "default"};
  ASSERT_TRUE(write_kubeconfig(*files, "/etc/kinglet/kinglet.yaml", config));
  const auto text = read_file(*files, "/etc/kinglet/kinglet.yaml");
  ASSERT_TRUE(text);
  EXPECT_NE(text->find("    server: https://127.0.0.1:6443\n"), std::string::npos);
  EXPECT_NE(text->find("    client-key-data: a2V5\n"), std::string::npos);
  files->fail_after(0, 5);
  EXPECT_TRUE(write_kubeconfig(*files, "/etc/kinglet/kinglet.yaml", config)) << "nothing to write";
}

}  // namespace
}  // namespace kinglet::cluster

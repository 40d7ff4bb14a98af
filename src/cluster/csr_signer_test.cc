#include "cluster/csr_signer.h"

#include <gtest/gtest.h>

#include "base/testing.h"
#include "cluster/pki.h"
#include "net/crypto.h"

namespace kinglet::cluster {
namespace {

// PKCS#10 requests of one throw-away key.
constexpr const char* kNode = R"(-----BEGIN CERTIFICATE REQUEST-----
MIHvMIGWAgEAMDQxFTATBgNVBAoMDHN5c3RlbTpub2RlczEbMBkGA1UEAwwSc3lz
dGVtOm5vZGU6ZWRnZS0xMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE2EBSvgPP
lcGkFqtNjYmyMLgwJkKsRunaLAs3Pykz1DJMjoDNrPPKQGF5Pcv4WybOmIuyJqlm
jnh5FwfquHXcnaAAMAoGCCqGSM49BAMCA0gAMEUCIQDWUvi26C7GinTLVqeoL+VA
/xH1xtm5Yt8cnVXls3u+egIgUpsM/OMTNMF4JTLRgFa/V6diPVco0bYvaDBmBSzW
874=
-----END CERTIFICATE REQUEST-----
)";
constexpr const char* kNodeWithNames = R"(-----BEGIN CERTIFICATE REQUEST-----
MIIBGDCBwAIBADA0MRUwEwYDVQQKDAxzeXN0ZW06bm9kZXMxGzAZBgNVBAMMEnN5
c3RlbTpub2RlOmVkZ2UtMTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNhAUr4D
z5XBpBarTY2JsjC4MCZCrEbp2iwLNz8pM9QyTI6AzazzykBheT3L+FsmzpiLsiap
Zo54eRcH6rh13J2gKjAoBgkqhkiG9w0BCQ4xGzAZMBcGA1UdEQQQMA6CBmVkZ2Ut
MYcEwAACBzAKBggqhkjOPQQDAgNHADBEAiAbVUT/LpJjLlw0twAj1xtaP6QZegsv
FzSGrxnJHzYtNAIgZ4NLu1unPNhdieVK59XTmHWbNGjpicRbDvc/lHPSXvE=
-----END CERTIFICATE REQUEST-----
)";
constexpr const char* kMasters = R"(-----BEGIN CERTIFICATE REQUEST-----
MIHiMIGJAgEAMCcxFzAVBgNVBAoMDnN5c3RlbTptYXN0ZXJzMQwwCgYDVQQDDANl
dmUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATYQFK+A8+VwaQWq02NibIwuDAm
QqxG6dosCzc/KTPUMkyOgM2s88pAYXk9y/hbJs6Yi7ImqWaOeHkXB+q4ddydoAAw
CgYIKoZIzj0EAwIDSAAwRQIhAIYgyfegEG7eliQsd3YsKKhfFPnuE0qU2vGQ1O7C
gIsCAiB6yVNY5nJwtSQYPiMRfQ/Il0pHgC+TAJ5CGxP6h3hXRw==
-----END CERTIFICATE REQUEST-----
)";
constexpr const char* kJane = R"(-----BEGIN CERTIFICATE REQUEST-----
MIHXMH8CAQAwHTEMMAoGA1UECgwDZGV2MQ0wCwYDVQQDDARqYW5lMFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAE2EBSvgPPlcGkFqtNjYmyMLgwJkKsRunaLAs3Pykz
1DJMjoDNrPPKQGF5Pcv4WybOmIuyJqlmjnh5FwfquHXcnaAAMAoGCCqGSM49BAMC
A0gAMEUCICjiRZ8kHwErqxgGlkMO2sx7OQxFOQ9OU+EX+CEK5gImAiEAonYAT0tp
KTn58y9lPMNXtTUUYXBqPUhv2lkow+2Gn7k=
-----END CERTIFICATE REQUEST-----
)";
constexpr const char* kKubelet = "kubernetes.io/kube-apiserver-client-kubelet";
constexpr const char* kServing = "kubernetes.io/kubelet-serving";
constexpr const char* kClient = "kubernetes.io/kube-apiserver-client";
constexpr const char* kClientUsages = R"(["digital signature","client auth"])";
constexpr const char* kServerUsages = R"(["digital signature","server auth"])";

json::Value request(const char* pem, const char* signer, const char* usages, const char* user,
                    const char* conditions = "[]") {
  return json::
      parse(fmt::format(
                R"({{"kind":"CertificateSigningRequest","apiVersion":"certificates.k8s.io/v1","metadata":{{"name":"r"}},
      "spec":{{"request":"{}","signerName":"{}","usages":{},"username":"{}","groups":["system:bootstrappers"]}},
      "status":{{"conditions":{}}}}})",
                net::base64(pem), signer, usages, user, conditions))
          .value();
}
constexpr const char* kApproved = R"([{"type":"Approved","status":"True"}])";

TEST(PlanCsr, approves_nodes_and_signs_what_was_approved) {
  using Do = CsrPlan::Do;
  struct Case {
    const char* name;
    json::Value object;
    Do what;
  };
  const Case cases[] = {
      {"a joining node", request(kNode, kKubelet, kClientUsages, "system:bootstrap:server"),
       Do::approve},
      {"a renewing node", request(kNode, kKubelet, kClientUsages, "system:node:edge-1"),
       Do::approve},
      {"somebody else", request(kNode, kKubelet, kClientUsages, "jane"), Do::nothing},
      {"one node for another", request(kNode, kKubelet, kClientUsages, "system:node:edge-2"),
       Do::nothing},
      {"masters as a node", request(kMasters, kKubelet, kClientUsages, "system:bootstrap:server"),
       Do::nothing},
      {"a server's usages", request(kNode, kKubelet, kServerUsages, "system:bootstrap:server"),
       Do::nothing},
      {"alternative names",
       request(kNodeWithNames, kKubelet, kClientUsages, "system:bootstrap:server"), Do::nothing},
      {"no request", request("rubbish", kKubelet, kClientUsages, "system:bootstrap:server"),
       Do::nothing},
      {"another signer", request(kNode, "acme.com/x", kClientUsages, "system:bootstrap:server"),
       Do::nothing},
      {"people approve the rest", request(kJane, kClient, kClientUsages, "jane"), Do::nothing},
      {"serving", request(kNodeWithNames, kServing, kServerUsages, "system:node:edge-1"),
       Do::nothing},
      {"approved client", request(kJane, kClient, kClientUsages, "jane", kApproved), Do::sign},
      {"approved node", request(kNode, kKubelet, kClientUsages, "x", kApproved), Do::sign},
      {"approved serving",
       request(kNodeWithNames, kServing, kServerUsages, "system:node:edge-1", kApproved), Do::sign},
      {"approved serving of another",
       request(kNodeWithNames, kServing, kServerUsages, "system:node:b", kApproved), Do::fail},
      {"approved masters", request(kMasters, kClient, kClientUsages, "eve", kApproved), Do::fail},
      {"denied",
       request(kJane, kClient, kClientUsages, "jane", R"([{"type":"Denied","status":"True"}])"),
       Do::nothing},
  };
  const auto may = [](const CsrUser& user, const std::string& part) {
    if (part == "selfnodeclient") return user.name.starts_with("system:node:");
    return user.name == "system:bootstrap:server";
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(static_cast<int>(plan_csr(c.object, may).what), static_cast<int>(c.what));
  }
}

TEST(PlanCsr, leaves_a_signed_request_alone) {
  auto object = request(kJane, kClient, kClientUsages, "jane", kApproved);
  object.as_object()["status"].as_object()["certificate"] = "eA==";
  EXPECT_EQ(plan_csr(object, {}).what, CsrPlan::Do::nothing);
}

// Keeps the last object written to each subresource, and what was created by name.
class LastWrite final : public client::Api {
 public:
  std::map<std::string, json::Value> written;
  std::map<std::string, Bytes> stored;
  Task<Result<Bytes>> update(const schema::Resource&, std::string, std::string, std::string object,
                             client::WriteOptions, std::string subresource) override {
    auto parsed = json::parse(object);
    written[subresource] = parsed.value();
    co_return Bytes(object);
  }
  Task<Result<Bytes>> get(const schema::Resource&, std::string, std::string name) override {
    const auto found = stored.find(name);
    if (found == stored.end()) co_return Error(Code::not_found, "{}", name);
    co_return found->second;
  }
  Task<Result<client::ObjectList>> list(const schema::Resource&, std::string,
                                        client::ListOptions) override {
    co_return refused();
  }
  Task<Result<std::unique_ptr<client::Watch>>> watch(const schema::Resource&, std::string,
                                                     client::ListOptions) override {
    co_return refused();
  }
  Task<Result<Bytes>> create(const schema::Resource&, std::string, std::string object,
                             client::WriteOptions, std::string, std::string) override {
    const auto parsed = json::parse(object);
    stored[std::string(json::text_at(*parsed, {"metadata", "name"}))] = Bytes(object);
    co_return Bytes(object);
  }
  Task<Result<Bytes>> patch(const schema::Resource&, std::string, std::string, client::PatchType,
                            std::string, client::WriteOptions, std::string) override {
    co_return refused();
  }
  Task<Result<void>> remove(const schema::Resource&, std::string, std::string,
                            client::DeleteOptions) override {
    co_return refused();
  }

 private:
  static Error refused() { return Error(Code::internal, "not expected here"); }
};

class Signer : public ::testing::Test {
 protected:
  void SetUp() override {
    PkiOptions options;
    options.data_dir = "/data";
    auto made = ensure_pki(*disk, *clock, options);
    ASSERT_TRUE(made);
    pki = std::move(*made);
    signer = std::make_unique<CsrSigner>(api, *clock, *random, pki.client_ca, pki.server_ca,
                                         [](const CsrUser&, const std::string&) { return true; });
  }
  void handle(json::Value object) {
    const auto done = kinglet::testing::run_task(loop, *clock, signer->handle(std::move(object)));
    EXPECT_TRUE(done);
  }
  boost::asio::io_context loop;
  std::unique_ptr<FakeDisk> disk = make_fake_disk();
  std::unique_ptr<SimClock> clock = make_sim_clock(WallTime{std::chrono::seconds(1780300000)});
  std::unique_ptr<Random> random = make_seeded_random(1);
  Pki pki;
  LastWrite api;
  std::unique_ptr<CsrSigner> signer;
};

TEST_F(Signer, approves_first_and_signs_what_comes_back) {
  handle(request(kNode, kKubelet, kClientUsages, "system:bootstrap:server"));
  ASSERT_TRUE(api.written.contains("approval"));
  EXPECT_FALSE(api.written.contains("status"));
  handle(api.written.at("approval"));
  ASSERT_TRUE(api.written.contains("status"));
  const auto& signed_one = api.written.at("status");
  const auto pem = net::from_base64(json::text_at(signed_one, {"status", "certificate"}));
  ASSERT_TRUE(pem);
  const auto info = net::read_certificate(*pem);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->common_name, "system:node:edge-1");
  EXPECT_EQ(info->organizations, std::vector<std::string>{"system:nodes"});
}

TEST_F(Signer, keeps_to_the_wanted_time) {
  auto object = request(kJane, kClient, kClientUsages, "jane", kApproved);
  object.as_object()["spec"].as_object()["expirationSeconds"] = 3600;
  const auto asked_at = clock->wall();
  handle(std::move(object));
  const auto& signed_one = api.written.at("status");
  const auto pem = net::from_base64(json::text_at(signed_one, {"status", "certificate"})).value();
  const auto info = net::read_certificate(pem).value();
  EXPECT_EQ(info.not_after.since_epoch - asked_at.since_epoch, std::chrono::hours(1));
}

TEST_F(Signer, says_why_it_does_not_sign) {
  handle(request(kMasters, kClient, kClientUsages, "eve", kApproved));
  const auto text = json::print(api.written.at("status"));
  EXPECT_NE(text.find("SignerValidationFailure"), std::string::npos);
  EXPECT_EQ(text.find("\"certificate\""), std::string::npos);
}

constexpr const char* kBinding = "edge-1.node-key.kinglet.io";

TEST_F(Signer, binds_the_name_to_the_key_that_gets_its_certificate) {
  handle(request(kNode, kKubelet, kClientUsages, "system:bootstrap:server"));
  EXPECT_FALSE(api.stored.contains(kBinding));
  handle(api.written.at("approval"));
  ASSERT_TRUE(api.stored.contains(kBinding));
  NodeNames names(api);
  const auto key = net::read_csr(kNode)->public_key_sha256;
  const auto run = [&](Task<Result<void>> task) {
    return kinglet::testing::run_task(loop, *clock, std::move(task));
  };
  EXPECT_TRUE(run(names.check("edge-1", key)));
  EXPECT_TRUE(run(names.check("edge-1", "another")).is(Code::already_exists));
  EXPECT_TRUE(run(names.may_take("edge-1", "another"))) << "without a Node the name is free";
  api.stored["edge-1"] = Bytes("{}");
  EXPECT_TRUE(run(names.may_take("edge-1", key)));
  EXPECT_TRUE(run(names.may_take("edge-1", "another")).is(Code::already_exists));
}

TEST_F(Signer, denies_a_name_that_another_machine_has) {
  api.stored["edge-1"] = Bytes("{}");  // a Node, of a key that is not this one
  handle(request(kNode, kKubelet, kClientUsages, "system:bootstrap:server"));
  const auto& condition = api.written.at("approval").at("status").at("conditions").as_array().at(0);
  EXPECT_EQ(json::text_at(condition, {"type"}), "Denied");
  EXPECT_NE(json::text_at(condition, {"message"}).find("kubectl delete node edge-1"),
            std::string_view::npos);
  EXPECT_FALSE(api.written.contains("status"));
}

}  // namespace
}  // namespace kinglet::cluster

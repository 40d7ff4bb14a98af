#include "apiserver/discovery/discovery.h"

#include "apiserver/discovery/documents.h"
#include "apiserver/discovery/health.h"
#include "apiserver/testing/api_world.h"

namespace kinglet::apiserver {
namespace {

using testing::FakeExchange;

constexpr const char* kAggregatedAccept =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

class DiscoveryPages : public ::testing::Test {
 protected:
  std::unique_ptr<FakeExchange> get(const std::string& target, const std::string& accept = "",
                                    const std::string& tag = "") {
    auto exchange = std::make_unique<FakeExchange>("GET", target);
    if (!accept.empty()) exchange->request().headers.add("Accept", accept);
    if (!tag.empty()) exchange->request().headers.add("If-None-Match", tag);
    const auto info = request_info(exchange->request());
    EXPECT_TRUE(pages->serves(info)) << target;
    const User user;
    kinglet::testing::run_task(loop, pages->serve(*exchange, info, user));
    return exchange;
  }
  boost::asio::io_context loop;
  std::unique_ptr<Extension> pages = make_discovery({"v1.34.1+kinglet1", "192.0.2.1:6443"});
};

TEST_F(DiscoveryPages, speak_the_old_form) {
  const auto versions = get("/api")->json();
  EXPECT_EQ(json::print(versions.at("versions")), R"(["v1"])");
  const auto groups = get("/apis")->json();
  EXPECT_EQ(json::text_at(groups, {"kind"}), "APIGroupList");
  const auto apps = get("/apis/apps")->json();
  EXPECT_EQ(json::text_at(apps, {"preferredVersion", "groupVersion"}), "apps/v1");
  EXPECT_EQ(get("/apis/nope")->status, 404);
  EXPECT_EQ(get("/apis/apps/v9")->status, 404);

  const auto core = get("/api/v1")->json();
  EXPECT_EQ(json::text_at(core, {"groupVersion"}), "v1");
  bool log = false, pods = false;
  for (const auto& row : core.at("resources").as_array()) {
    if (json::text_at(row, {"name"}) == "pods/log") log = true;
    if (json::text_at(row, {"name"}) == "pods") {
      pods = true;
      EXPECT_EQ(json::text_at(row, {"singularName"}), "pod");
      EXPECT_TRUE(json::bool_at(row, {"namespaced"}));
      EXPECT_EQ(json::text_at(row, {"storageVersionHash"}), "xPOwRZ+Yhw8=");
    }
  }
  EXPECT_TRUE(log && pods);
  const auto apps_v1 = get("/apis/apps/v1")->json();
  for (const auto& row : apps_v1.at("resources").as_array()) {
    if (json::text_at(row, {"name"}) != "deployments/scale") continue;
    EXPECT_EQ(json::text_at(row, {"group"}), "autoscaling");
    EXPECT_EQ(json::text_at(row, {"kind"}), "Scale");
  }
}

TEST_F(DiscoveryPages, speak_the_aggregated_form_with_a_tag) {
  const auto first = get("/apis", kAggregatedAccept);
  EXPECT_EQ(first->headers.get("content-type"),
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
  const auto document = first->json();
  EXPECT_EQ(json::text_at(document, {"apiVersion"}), "apidiscovery.k8s.io/v2");
  const std::string tag(first->headers.get("etag"));
  EXPECT_EQ(tag.size(), 130u);
  const auto second = get("/apis", kAggregatedAccept, tag);
  EXPECT_EQ(second->status, 304);
  EXPECT_TRUE(second->text.empty());
  EXPECT_EQ(get("/apis", kAggregatedAccept, "\"else\"")->status, 200);
  const auto core = get("/api", kAggregatedAccept)->json();
  EXPECT_EQ(core.at("items").as_array().size(), 1u);
}

TEST_F(DiscoveryPages, tell_the_version) {
  const auto version = get("/version")->json();
  EXPECT_EQ(json::text_at(version, {"major"}), "1");
  EXPECT_EQ(json::text_at(version, {"minor"}), "34");
  EXPECT_EQ(json::text_at(version, {"gitVersion"}), "v1.34.1+kinglet1");
}

TEST(WantsAggregated, takes_the_first_form_that_it_knows) {
  EXPECT_EQ(wants_aggregated(kAggregatedAccept), "v2");
  EXPECT_EQ(
      wants_aggregated("application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"),
      "v2beta1");
  EXPECT_EQ(wants_aggregated("application/json," + std::string(kAggregatedAccept)), std::nullopt);
  EXPECT_EQ(wants_aggregated(""), std::nullopt);
  EXPECT_EQ(wants_aggregated("*/*"), std::nullopt);
  EXPECT_EQ(
      wants_aggregated("application/json;g=apidiscovery.k8s.io;v=v3;as=APIGroupDiscoveryList"),
      std::nullopt);
  EXPECT_EQ(wants_aggregated(";;;=,,=;as"), std::nullopt);
}

TEST(Health, reports_checks) {
  bool ready = false;
  HealthChecks checks;
  checks.add("bootstrap", HealthChecks::Means::not_ready, [&]() -> Result<void> {
    if (!ready) return Error(Code::unavailable, "secret detail");
    return {};
  });
  const auto ask = [&](const std::string& target) {
    net::Request request;
    request.target = target;
    EXPECT_TRUE(net::split_target(request));
    return health_answer(checks, request.path, request);
  };
  EXPECT_EQ(ask("/livez").text, "ok");
  EXPECT_EQ(ask("/readyz").status, 500);
  EXPECT_EQ(ask("/readyz").text,
            "[+]ping ok\n[-]bootstrap failed: reason withheld\nreadyz check failed\n");
  EXPECT_EQ(ask("/readyz?exclude=bootstrap").status, 200);
  EXPECT_EQ(ask("/readyz/bootstrap").status, 500);
  EXPECT_EQ(ask("/readyz/ping").text, "ok");
  EXPECT_EQ(ask("/readyz/nope").status, 404);
  EXPECT_EQ(ask("/livez/bootstrap").status, 404);
  ready = true;
  EXPECT_EQ(ask("/readyz").text, "ok");
  EXPECT_EQ(ask("/readyz?verbose").text, "[+]ping ok\n[+]bootstrap ok\nreadyz check passed\n");
}

}  // namespace
}  // namespace kinglet::apiserver

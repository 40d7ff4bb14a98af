#include "apiserver/metrics_api.h"

#include <gtest/gtest.h>


namespace kinglet::apiserver {
namespace {

const json::Value kSummary = *json::parse(R"({
  "node": {"cpu": {"usageNanoCores": 250000000}, "memory": {"workingSetBytes": 1048576}},
  "pods": [{"podRef": {"uid": "u"}, "containers": [
    {"name": "a", "cpu": {"usageNanoCores": 5}, "memory": {"workingSetBytes": 2048}}]}]})");

TEST(MetricsApi, says_what_a_node_uses) {
  const auto node = *json::parse(R"({"metadata": {"name": "n", "labels": {"a": "b"}}})");
  const auto metrics = node_metrics(kSummary, node, "2026-01-01T00:00:00Z");
  EXPECT_EQ(json::text_at(metrics, {"usage", "cpu"}), "250000000n");
  EXPECT_EQ(json::text_at(metrics, {"usage", "memory"}), "1024Ki");
  EXPECT_EQ(json::text_at(metrics, {"metadata", "labels", "a"}), "b");
  EXPECT_EQ(json::text_at(metrics, {"kind"}), "NodeMetrics");
  EXPECT_TRUE(node_metrics(json::Object(), node, "").is_null());
}

TEST(MetricsApi, says_what_each_container_uses_or_nothing) {
  const auto pod = *json::parse(R"({"metadata": {"name": "p", "namespace": "d", "uid": "u"}})");
  const auto& summary = kSummary.at("pods").as_array()[0];
  const auto metrics = pod_metrics(summary, pod, "2026-01-01T00:00:00Z");
  const auto& container = metrics.at("containers").as_array().at(0);
  EXPECT_EQ(json::text_at(container, {"usage", "cpu"}), "5n");
  EXPECT_EQ(json::text_at(container, {"usage", "memory"}), "2Ki");
  for (const char* odd :
       {"{}", "null", "7", R"({"containers": 7})", R"({"containers": [{"name": "a"}]})"})
    EXPECT_TRUE(pod_metrics(*json::parse(odd), pod, "").is_null()) << odd;
}

}  // namespace
}  // namespace kinglet::apiserver

#include <gtest/gtest.h>

#include "node/host_usage.h"
#include "node/internal/prometheus_text.h"
#include "node/usage_rates.h"

namespace kinglet::node {
namespace {

TEST(HostUsage, reads_what_proc_says) {
  HostUsage out;
  take_proc_stat("cpu  100 10 50 1000 20 3 4 5 7 0\ncpu0 1 1 1 1\nbtime 1700000000\n", 100, out);
  EXPECT_EQ(out.cpu_ns, (100u + 10 + 50 + 3 + 4 + 5) * 10'000'000u);
  EXPECT_EQ(out.boot_seconds, 1700000000);
  take_meminfo("MemTotal:  2000 kB\nMemFree: 5 kB\nMemAvailable:   500 kB\nAnonPages: 7 kB\n", out);
  EXPECT_EQ(out.memory_total_bytes, 2000u * 1024);
  EXPECT_EQ(out.memory_available_bytes, 500u * 1024);
  EXPECT_EQ(out.rss_bytes, 7u * 1024);
  const auto links = parse_net_dev(
      "Inter-|   Receive\n face |bytes\n    lo: 1 2 3 4 5 6 7 8 9 10\n  eth0:100 1 2 0 0 0 0 0 200 "
      "1 3 0 0 0 0 0\n");
  ASSERT_EQ(links.size(), 1u);
  EXPECT_EQ(links[0].name, "eth0");
  EXPECT_EQ(links[0].rx_bytes, 100u);
  EXPECT_EQ(links[0].rx_errors, 2u);
  EXPECT_EQ(links[0].tx_bytes, 200u);
  EXPECT_EQ(links[0].tx_errors, 3u);
  EXPECT_GT(read_host_usage().cpu_ns, 0u);
  EXPECT_GT(read_disk_usage("/").capacity_bytes, 0u);
}

TEST(HostUsage, nonsense_is_nothing) {
  HostUsage out;
  take_proc_stat("cpu\ncpu x\n\n", 0, out);
  take_meminfo("MemTotal:", out);
  EXPECT_EQ(out.memory_total_bytes, 0u);
  EXPECT_TRUE(parse_net_dev(":\n::\n").empty());
}

TEST(UsageRates, come_from_two_looks) {
  UsageRates rates;
  const TimePoint start{};
  EXPECT_FALSE(rates.can_rate(start));
  rates.add({start, {{"a", 1'000'000'000}, {"gone", 5}}});
  EXPECT_FALSE(rates.can_rate(start + 100ms));
  EXPECT_TRUE(rates.can_rate(start + 1s));
  EXPECT_FALSE(rates.can_rate(start + 2min));
  rates.add({start + 2s, {{"a", 2'000'000'000}, {"new", 5}}});
  EXPECT_EQ(rates.nano_cores("a"), 500'000'000u);
  EXPECT_EQ(rates.nano_cores("gone"), std::nullopt);
  EXPECT_EQ(rates.nano_cores("new"), std::nullopt);
  // Asked again at once: still over a window that means something.
  rates.add({start + 2s + 10ms, {{"a", 2'000'000'000}}});
  EXPECT_EQ(rates.window(), 2s + 10ms);
  // A container that was replaced under the same name begins at zero.
  rates.add({start + 10s, {{"a", 7}}});
  EXPECT_EQ(rates.nano_cores("a"), 0u);
}

TEST(PrometheusText, escapes_its_labels) {
  PrometheusText out;
  out.family("x_total", "counter", "Help.");
  out.value({{"a", "q\"\\\n"}, {"b", ""}}, 1.5);
  out.value({}, 3);
  EXPECT_EQ(std::move(out).text(),
            "# HELP x_total Help.\n# TYPE x_total counter\nx_total{a=\"q\\\"\\\\\\n\",b=\"\"} "
            "1.5\nx_total 3\n");
}

}  // namespace
}  // namespace kinglet::node

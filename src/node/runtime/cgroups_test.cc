#include "node/runtime/cgroups.h"

#include <gtest/gtest.h>

namespace kinglet::runtime {
namespace {
constexpr const char* kV1 =
    "30 24 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
    "31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "32 30 0:28 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n"
    "33 30 0:29 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd\n"
    "90 30 0:28 / /elsewhere/pids rw,relatime - cgroup cgroup rw,pids\n";
constexpr const char* kHybrid = "34 30 0:30 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
constexpr const char* kV2 = "29 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

TEST(CgroupLayout, of_v1_hybrid_and_v2) {
  auto layout = parse_cgroup_mounts(kV1, "");
  EXPECT_FALSE(layout.unified);
  EXPECT_EQ(layout.v1.at("cpuacct"), "/sys/fs/cgroup/cpu,cpuacct");
  EXPECT_EQ(layout.v1.at("pids"), "/sys/fs/cgroup/pids");
  EXPECT_TRUE(layout.has("cpu"));
  EXPECT_FALSE(layout.has("memory"));
  layout = parse_cgroup_mounts(std::string(kV1) + kHybrid, "hugetlb\n");
  EXPECT_FALSE(layout.unified);
  EXPECT_EQ(layout.unified_mount, "/sys/fs/cgroup/unified");
  layout = parse_cgroup_mounts(kV2, "cpu io memory pids\n");
  EXPECT_TRUE(layout.unified);
  EXPECT_TRUE(layout.has("pids"));
  EXPECT_FALSE(layout.has("cpuset"));
  layout = parse_cgroup_mounts("nonsense\n- - -\n a - cgroup", "");
  EXPECT_TRUE(layout.v1.empty() && layout.unified_mount.empty());
}

TEST(CgroupPlan, writes_each_versions_files) {
  const Resources all{.cpu_shares = 1024, .cpu_quota_us = 20000, .memory_limit_bytes = 1 << 20, .pids_limit = 50};
  const Resources none{.cpu_quota_us = -1, .memory_limit_bytes = -1, .pids_limit = -1};
  const auto v1 = parse_cgroup_mounts(kV1, "");
  const auto v2 = parse_cgroup_mounts(kV2, "cpu memory pids");
  using Plan = std::vector<CgroupWrite>;
  EXPECT_EQ(plan_cgroup_writes(v1, all), (Plan{{"cpu", "cpu.shares", "1024"},
                                               {"cpu", "cpu.cfs_period_us", "100000"},
                                               {"cpu", "cpu.cfs_quota_us", "20000"},
                                               {"memory", "memory.limit_in_bytes", "1048576"},
                                               {"pids", "pids.max", "50"}}));
  EXPECT_EQ(plan_cgroup_writes(v2, all), (Plan{{"cpu", "cpu.weight", "39"},
                                               {"cpu", "cpu.max", "20000 100000"},
                                               {"memory", "memory.max", "1048576"},
                                               {"pids", "pids.max", "50"}}));
  EXPECT_EQ(plan_cgroup_writes(v2, none),
            (Plan{{"cpu", "cpu.max", "max 100000"}, {"memory", "memory.max", "max"}, {"pids", "pids.max", "max"}}));
  EXPECT_TRUE(plan_cgroup_writes(v1, {}).empty());
}

TEST(CgroupPlan, shares_become_weights) {
  EXPECT_EQ(cpu_weight_of_shares(0), 1u);
  EXPECT_EQ(cpu_weight_of_shares(2), 1u);
  EXPECT_EQ(cpu_weight_of_shares(1024), 39u);
  EXPECT_EQ(cpu_weight_of_shares(262144), 10000u);
  EXPECT_EQ(cpu_weight_of_shares(1 << 30), 10000u);
}
}  // namespace
}  // namespace kinglet::runtime

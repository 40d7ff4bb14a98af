#include "node/eviction.h"

#include <gtest/gtest.h>

namespace kinglet::node {
namespace {

constexpr uint64_t kMiB = 1 << 20, kGiB = 1 << 30;

TEST(Eviction, thresholds_fit_small_machines) {
  struct Case {
    const char* name;
    uint64_t total, available;
    bool memory;
  };
  const Case cases[] = {{"plenty", 8 * kGiB, kGiB, false},
                        {"little", 8 * kGiB, 90 * kMiB, true},
                        {"small, enough", 512 * kMiB, 60 * kMiB, false},
                        {"small, little", 512 * kMiB, 50 * kMiB, true},
                        {"cannot be read", 0, 0, false}};
  for (const auto& c : cases) {
    HostUsage host;
    host.memory_total_bytes = c.total;
    host.memory_available_bytes = c.available;
    EXPECT_EQ(shortage_of(host, {}).memory, c.memory) << c.name;
  }
  DiskUsage disk;
  disk.capacity_bytes = 16 * kGiB;
  disk.available_bytes = kGiB;
  EXPECT_FALSE(shortage_of({}, disk).disk);
  disk.available_bytes = 500 * kMiB;
  EXPECT_TRUE(shortage_of({}, disk).disk);
  disk.available_bytes = 8 * kGiB;
  disk.inodes = 1000;
  disk.inodes_free = 10;
  EXPECT_TRUE(shortage_of({}, disk).disk);
}

TEST(Eviction, who_took_more_than_asked_goes_first) {
  const PodUse modest{"modest", 0, 100, 50, false}, greedy{"greedy", 0, 10, 60, false},
      greedier{"greedier", 0, 10, 90, false}, precious{"precious", 1000, 0, 500, false},
      critical{"critical", 0, 0, 900, true};
  const auto first = [](std::vector<PodUse> pods) {
    const auto found = first_to_evict(std::move(pods));
    return found ? found->uid : std::string("nobody");
  };
  EXPECT_EQ(first({modest, greedy, greedier, precious, critical}), "greedier");
  EXPECT_EQ(first({modest, precious, critical}), "precious");
  EXPECT_EQ(first({modest, critical}), "modest");
  EXPECT_EQ(first({critical}), "nobody");
  EXPECT_NE(eviction_message({}, greedy).find("low on resource: memory"), std::string::npos);
}

TEST(Eviction, some_pods_never_go) {
  api::Pod pod;
  EXPECT_FALSE(is_critical(pod));
  pod.spec.priority = 2'000'001'000;
  EXPECT_TRUE(is_critical(pod));
  pod.spec.priority.reset();
  pod.metadata.annotations["kubernetes.io/config.source"] = "file";
  EXPECT_TRUE(is_critical(pod));
}

}  // namespace
}  // namespace kinglet::node

#include "tunnel/server_list.h"

#include <gtest/gtest.h>

namespace kinglet::tunnel {
namespace {
using Urls = std::vector<std::string>;

class ServerListTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(disk_->make_dirs("/a")); }
  ServerList list() { return ServerList(*disk_, "/a/servers.json", {"https://given:6443"}); }
  std::unique_ptr<FakeDisk> disk_ = make_fake_disk();
};

TEST_F(ServerListTest, remembers_every_address_that_worked_or_was_told) {
  auto first = list();
  EXPECT_EQ(first.in_order(), Urls({"https://given:6443"}));
  first.learned({"https://10.0.0.1:6443", "https://10.0.0.2:6443"});
  first.worked("https://10.0.0.2:6443");
  disk_->crash();
  EXPECT_EQ(list().in_order(),
            Urls({"https://10.0.0.2:6443", "https://given:6443", "https://10.0.0.1:6443"}));
}

TEST_F(ServerListTest, the_newest_come_first_and_are_bounded) {
  auto servers = list();
  for (int i = 0; i < 100; ++i) servers.learned({"https://10.0.0." + std::to_string(i) + ":6443"});
  const auto all = servers.in_order();
  EXPECT_EQ(all.size(), 33u);
  EXPECT_EQ(all[1], "https://10.0.0.99:6443");
}

TEST_F(ServerListTest, a_damaged_file_counts_as_empty) {
  for (const char* text :
       {"", "{", "[]", R"({"known":[7,"http://plain","https://x/path"],"last":"ftp://x"})"}) {
    ASSERT_TRUE(write_file(*disk_, "/a/servers.json", text));
    EXPECT_EQ(list().in_order(), Urls({"https://given:6443"})) << text;
  }
}

TEST_F(ServerListTest, a_full_disk_stops_nobody) {
  auto servers = list();
  disk_->fail_after(0, 28);
  servers.learned({"https://10.0.0.1:6443"});
  EXPECT_EQ(servers.in_order().size(), 2u);
}

}  // namespace
}  // namespace kinglet::tunnel

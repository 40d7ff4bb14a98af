#include "node/runtime/records.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "node/runtime/log_rotation.h"
#include "node/runtime/stop_signal.h"
#include "node/runtime/testing/temp_dir.h"

namespace kinglet::runtime {
namespace {

TEST(Records, come_back_as_they_were) {
  SandboxRecord sandbox;
  sandbox.id = std::string(64, 'a');
  sandbox.epoch = "boot 1";
  sandbox.phase = SandboxRecord::Phase::ready;
  sandbox.config.pod_name = "p";
  sandbox.config.hosts = "127.0.0.1 \"quoted\"\n";
  sandbox.config.resources.cpu_shares = 7;
  sandbox.config.host_pid = true;
  sandbox.config.sysctls = {{"net.core.somaxconn", "100"}};
  sandbox.config.labels = {{"a", "b"}};
  const auto again = parse_sandbox_record(print_record(sandbox));
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(print_record(*again), print_record(sandbox));
  EXPECT_EQ(again->config.resources, sandbox.config.resources);
  EXPECT_TRUE(again->config.host_pid);

  ContainerRecord container;
  container.id = std::string(64, 'b');
  container.sandbox_id = sandbox.id;
  container.phase = ContainerRecord::Phase::exited;
  container.process = {12, 3456};
  container.exit_code = 137;
  container.oom_killed = true;
  container.started = WallTime{std::chrono::microseconds(1'700'000'000'123'456)};
  const auto same = parse_container_record(print_record(container));
  ASSERT_TRUE(same) << same.error().message();
  EXPECT_EQ(print_record(*same), print_record(container));
  EXPECT_EQ(same->started, container.started);
}

TEST(Records, damaged_and_newer_ones_are_refused) {
  const std::string id(64, 'a');
  const std::string cases[] = {
      "", "{", "[]", "null", R"({"version":1})", R"({"version":2,"id":")" + id + R"("})",
      R"({"version":1,"id":"../../etc","phase":"ready","config":{}})",
      R"({"version":1,"id":")" + id + R"(","phase":"flying","config":{}})",
      R"({"version":1,"id":")" + id + R"(","phase":"exited","sandbox":"x"})"};
  for (const auto& text : cases) {
    EXPECT_FALSE(parse_sandbox_record(text)) << text;
    EXPECT_FALSE(parse_container_record(text)) << text;
  }
}

TEST(ProcessId, names_one_process_only) {
  const auto self = identify_process(::getpid());
  EXPECT_TRUE(is_alive(self));
  EXPECT_FALSE(is_alive({self.pid, self.start_ticks + 1})) << "another process had this number";
  EXPECT_FALSE(is_alive({}));
  EXPECT_TRUE(signal_process(self, 0));
  EXPECT_TRUE(signal_process({self.pid, self.start_ticks + 1}, 0).is(Code::not_found));
}

TEST(LogRotation, drops_the_oldest) {
  EXPECT_EQ(rotated_name("/l/0.log", WallTime{std::chrono::seconds(1136214245)}), "/l/0.log.20060102-150405");
  const std::vector<std::string> names{"0.log", "1.log.20200101-000000", "0.log.20200103-000000",
                                       "0.log.20200101-000000", "0.log.20200102-000000"};
  using Names = std::vector<std::string>;
  EXPECT_EQ(surplus_logs("0.log", names, 3), Names{"0.log.20200101-000000"});
  EXPECT_EQ(surplus_logs("0.log", names, 5), Names{});
  EXPECT_EQ(surplus_logs("0.log", names, 1).size(), 3u);
}

TEST(StopSignal, by_name_and_number) {
  const std::pair<const char*, int> cases[] = {{"", SIGTERM},      {"SIGINT", SIGINT}, {"QUIT", SIGQUIT}, {"15", 15},
                                               {"SIGFLY", SIGTERM}, {"0", SIGTERM},     {"9999", SIGTERM},
                                               {"SIGRTMIN+3", SIGRTMIN + 3}, {"RTMIN+999", SIGTERM}};
  for (const auto& [name, number] : cases) EXPECT_EQ(signal_number(name), number) << name;
}
}  // namespace
}  // namespace kinglet::runtime

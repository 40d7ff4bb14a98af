// Real containers: crun, conmon, overlayfs and cgroups. Needs root; says so and skips otherwise.
#include <gtest/gtest.h>

#include <chrono>

#include "node/runtime/testing/runtime_world.h"

namespace kinglet::runtime {
namespace {
using testing::RealContainers;
using testing::RuntimeWorld;
namespace fs = std::filesystem;

class RuntimeTest : public RealContainers {};

TEST_F(RuntimeTest, runs_a_container_to_its_end) {
  const auto sandbox = world().sandbox();
  const auto id = world().run(sandbox, world().shell("echo out; echo err >&2; cat /etc/upper; exit 7"));
  const auto status = world().wait_exit(id);
  EXPECT_EQ(status.exit_code, 7);
  EXPECT_FALSE(status.oom_killed);
  EXPECT_EQ(status.id.size(), 64u);
  EXPECT_LE(status.created, status.started);
  EXPECT_LE(status.started, status.finished);
  const std::string log = testing::load(status.log_path);
  EXPECT_NE(log.find(" stdout F out\n"), std::string::npos) << log;
  EXPECT_NE(log.find(" stderr F err\n"), std::string::npos) << log;
  EXPECT_NE(log.find("from the second layer"), std::string::npos) << log;
  world().must(runtime().remove_container(id));
  EXPECT_TRUE(runtime().container(id).is(Code::not_found));
  EXPECT_TRUE(fs::exists(status.log_path)) << "the log stays";
  world().must(runtime().remove_sandbox(sandbox));
  EXPECT_TRUE(runtime().sandboxes().empty());
  EXPECT_TRUE(fs::is_empty(world().path() + "/run/containers"));
  EXPECT_TRUE(fs::is_empty(world().path() + "/run/sandboxes"));
  EXPECT_TRUE(fs::is_empty(world().path() + "/data/agent/containers"));
}

TEST_F(RuntimeTest, says_in_cruns_words_why_a_program_cannot_start) {
  const auto sandbox = world().sandbox();
  auto config = world().shell("");
  config.command = {"/no/such/program"};
  const auto made = world().go(runtime().create_container(sandbox, config));
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message().find("/no/such/program"), std::string::npos) << made.error().message();
  EXPECT_TRUE(runtime().containers().empty());
  EXPECT_TRUE(fs::is_empty(world().path() + "/data/agent/containers"));
  config = world().shell("true");
  config.image = "registry.test/other:1";
  EXPECT_TRUE(world().go(runtime().create_container(sandbox, config)).is(Code::not_found));
  config = world().shell("true");
  config.security.run_as_non_root = true;
  EXPECT_TRUE(world().go(runtime().create_container(sandbox, config)).is(Code::invalid));
  EXPECT_TRUE(world().go(runtime().create_container(std::string(64, '0'), world().shell("true"))).is(Code::not_found));
}

TEST_F(RuntimeTest, gives_the_container_what_its_configuration_says) {
  const auto sandbox = world().sandbox("cfg");
  testing::save(world().path() + "/data.txt", "mounted");
  struct Case {
    const char* script;
    std::function<void(ContainerConfig&)> change;
    std::string says;
  };
  const Case cases[] = {
      {"hostname; cat /etc/hostname", {}, "host-cfg\nhost-cfg\n"},
      {"cat /etc/hosts /etc/resolv.conf", {}, "127.0.0.1 localhost\nnameserver 10.43.0.10\n"},
      {"id -u; id -g; id -G; pwd; echo $HOME",
       [](auto& c) {
         c.security.run_as_user = 1000;
         c.security.supplemental_groups = {3000};
         c.working_dir = "/made/here";
       },
       "1000\n1000\n1000 2000 3000\n/made/here\n/home/me\n"},
      {"echo $A $B; echo $HOSTNAME", [](auto& c) { c.env = {{"A", "1"}, {"B", "x y"}}; }, "1 x y\nhost-cfg\n"},
      {"touch /x 2>&1; cat /d/data.txt; touch /d/data.txt 2>&1",
       [&](auto& c) {
         c.security.readonly_rootfs = true;
         c.mounts.push_back({world().path() + "/data.txt", "/d/data.txt", true, Mount::Propagation::none});
       },
       "touch: /x: Read-only file system\nmountedtouch: /d/data.txt: Read-only file system\n"},
      {"grep -E '^(CapEff|Seccomp|NoNewPrivs):' /proc/self/status",
       [](auto& c) {
         c.security.drop_capabilities = {"ALL"};
         c.security.add_capabilities = {"NET_BIND_SERVICE"};
         c.security.no_new_privileges = true;
       },
       "CapEff:\t0000000000000400\nNoNewPrivs:\t1\nSeccomp:\t2\n"},
      {"unshare -U true 2>&1", {}, "unshare: unshare(0x10000000): Operation not permitted\n"},
      {"unshare -m true && echo yes; ls /dev/null /dev/vda 2>&1 | head -1",
       [](auto& c) { c.security.privileged = true; }, "yes\n/dev/null\n"},
      {"echo bye > /dev/termination-log",
       [&](auto& c) {
         testing::save(world().path() + "/term", "");
         c.termination_file = world().path() + "/term";
         c.termination_path = "/dev/termination-log";
       },
       ""},
      {"stat -c %a /dev/shm /tmp", {}, "1777\n1777\n"},
      {"cat /proc/interrupts; echo $?; touch /proc/sys/kernel/domainname 2>&1", {},
       "0\ntouch: /proc/sys/kernel/domainname: Read-only file system\n"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.script);
    auto config = world().shell(c.script);
    if (c.change) c.change(config);
    EXPECT_EQ(world().output_of(sandbox, std::move(config)), c.says);
  }
  EXPECT_EQ(testing::load(world().path() + "/term"), "bye\n");
}

TEST_F(RuntimeTest, stops_politely_then_by_force) {
  const auto sandbox = world().sandbox();
  const auto polite = world().run(sandbox, world().shell("trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.05; done"));
  const auto log = runtime().container(polite)->log_path;
  while (testing::load(log).find("up") == std::string::npos) ::usleep(1000);
  world().must(runtime().stop_container(polite, std::chrono::seconds(20)));
  EXPECT_EQ(runtime().container(polite)->exit_code, 3);
  world().must(runtime().remove_container(polite));

  const auto deaf = world().run(sandbox, world().shell("exec sleep 1000"));  // as process 1 it does not hear TERM
  world().must(runtime().stop_container(deaf, std::chrono::milliseconds(50)));
  EXPECT_EQ(runtime().container(deaf)->exit_code, 137);
  EXPECT_FALSE(runtime().container(deaf)->oom_killed);
  world().must(runtime().stop_container(deaf, std::chrono::seconds(1)));  // again: nothing to do
  world().must(runtime().stop_container("nobody", std::chrono::seconds(1)));

  const auto never = world().must(runtime().create_container(sandbox, world().shell("true")));
  world().must(runtime().remove_container(never));
  world().run(sandbox, world().shell("exec sleep 1000"));
  world().must(runtime().remove_sandbox(sandbox));  // with a running container in it
  EXPECT_TRUE(runtime().containers().empty());
}

TEST_F(RuntimeTest, tells_an_oom_kill_from_another) {
  const auto cgroups = Cgroups::open();
  ASSERT_TRUE(cgroups);
  if (!(*cgroups)->layout().has("memory")) GTEST_SKIP() << "this machine has no memory cgroup";
  const auto sandbox = world().sandbox();
  auto config = world().shell("exec tail /dev/zero");  // keeps the line it looks for the end of
  config.resources.memory_limit_bytes = 8 << 20;
  const auto status = world().wait_exit(world().run(sandbox, config));
  EXPECT_EQ(status.exit_code, 137);
  EXPECT_TRUE(status.oom_killed);
}

TEST_F(RuntimeTest, execs_into_a_container) {
  const auto sandbox = world().sandbox();
  auto config = world().shell("exec sleep 1000");
  config.env = {{"COLOUR", "red"}};
  const auto id = world().run(sandbox, config);
  const auto exec = [&](std::vector<std::string> argv, Duration limit = std::chrono::seconds(30)) {
    return world().go(runtime().exec_sync(id, std::move(argv), limit));
  };
  auto result = exec({"sh", "-c", "echo $COLOUR; echo no >&2; exit 5"});
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(result->code, 5);
  EXPECT_EQ(result->out, "red\n");
  EXPECT_EQ(result->err, "no\n");
  result = exec({"sh", "-c", "exit 255"});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->code, 255) << "the command's own 255, not crun's";
  result = exec({"/no/such"});
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message().find("/no/such"), std::string::npos) << result.error().message();
  result = exec({"sleep", "1000"}, std::chrono::milliseconds(300));
  ASSERT_TRUE(result.is(Code::timeout)) << result->code;
  // ...and its process is gone, too.
  std::string left = "?";
  for (int i = 0; i < 100 && !left.empty(); ++i) {
    result = exec({"sh", "-c", "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline; echo; done | grep '^sleep 1000' | tail -n +2"});
    ASSERT_TRUE(result);
    left = result->out;
  }
  EXPECT_EQ(left, "");
  world().must(runtime().stop_container(id, Duration::zero()));
  EXPECT_TRUE(exec({"true"}).is(Code::conflict));
}

Task<Result<std::string>> read_all(Session& session, Chunk::Stream stream) {
  std::string out;
  for (;;) {
    KL_TRY(chunk, co_await session.read());
    if (chunk.stream == Chunk::Stream::end) co_return out;
    if (chunk.stream == stream) out += chunk.data;
  }
}

TEST_F(RuntimeTest, streams_an_exec_with_and_without_a_terminal) {
  const auto sandbox = world().sandbox();
  const auto id = world().run(sandbox, world().shell("exec sleep 1000"));
  auto session = world().must(runtime().exec(id, {{"cat"}, false, true}));
  ASSERT_TRUE(session);
  const std::string large(300'000, 'x');
  auto& s = *session;
  TaskGroup both;
  world().must(s.write("small\n"));
  session->close_stdin();
  EXPECT_EQ(world().must(read_all(s, Chunk::Stream::out)), "small\n");
  EXPECT_EQ(world().must(s.wait()), 0);

  session = world().must(runtime().exec(id, {{"sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' y; echo e >&2; exit 4"}, false, false}));
  ASSERT_TRUE(session);
  EXPECT_EQ(world().must(read_all(*session, Chunk::Stream::out)).size(), 1'000'000u);
  EXPECT_EQ(world().must(session->wait()), 4);

  session = world().must(runtime().exec(id, {{"sh"}, true, true}));
  ASSERT_TRUE(session);
  EXPECT_TRUE(session->resize(33, 101));
  world().must(session->write("stty size; echo $TERM; exit 9\n"));
  const auto text = world().must(read_all(*session, Chunk::Stream::out));
  EXPECT_NE(text.find("33 101\r\n"), std::string::npos) << text;
  EXPECT_NE(text.find("xterm\r\n"), std::string::npos) << text;
  EXPECT_EQ(world().must(session->wait()), 9);

  for (const bool tty : {false, true}) {
    session = world().must(runtime().exec(id, {{"/no/such"}, tty, false}));
    // On the terminal, where there is one.
    const auto why = world().must(read_all(*session, tty ? Chunk::Stream::out : Chunk::Stream::err));
    EXPECT_NE(why.find("/no/such"), std::string::npos) << why;
    EXPECT_EQ(world().must(session->wait()), 127);
  }
  session = world().must(runtime().exec(id, {{"sleep", "1000"}, false, false}));
  session.reset();  // the client left: its process ends
}

TEST_F(RuntimeTest, attaches_to_a_containers_own_streams) {
  const auto sandbox = world().sandbox();
  auto config = world().shell("while read line; do echo \"got $line\"; done; exit 2");
  config.stdin_open = true;
  config.stdin_once = true;
  const auto id = world().run(sandbox, config);
  auto session = world().must(runtime().attach(id));
  ASSERT_TRUE(session);
  world().must(session->write("one\n"));
  auto chunk = world().must(session->read());
  EXPECT_EQ(chunk.data, "got one\n");
  session->close_stdin();
  EXPECT_EQ(world().must(session->wait()), 2);
}

TEST_F(RuntimeTest, adopts_what_runs_and_learns_what_ended_meanwhile) {
  const auto sandbox = world().sandbox();
  const auto runs = world().run(sandbox, world().shell("echo before; exec sleep 1000"));
  const auto ends = world().run(sandbox, world().shell("sleep 0.3; exit 6"));
  const auto waits = world().must(runtime().create_container(sandbox, world().shell("true")));
  const auto pid = runtime().container(runs)->pid;
  world().stop();
  ::usleep(600'000);
  world().start();
  ASSERT_EQ(runtime().containers().size(), 3u);
  EXPECT_EQ(runtime().sandboxes().size(), 1u);
  EXPECT_TRUE(runtime().sandboxes()[0].ready);
  EXPECT_EQ(runtime().container(runs)->state, ContainerState::running);
  EXPECT_EQ(runtime().container(runs)->pid, pid);
  EXPECT_EQ(runtime().container(waits)->state, ContainerState::created);
  const auto ended = world().wait_exit(ends);
  EXPECT_EQ(ended.exit_code, 6);
  world().must(runtime().start_container(waits));
  EXPECT_EQ(world().wait_exit(waits).exit_code, 0);
  world().must(runtime().stop_container(runs, Duration::zero()));
  EXPECT_EQ(runtime().container(runs)->exit_code, 137);
}

// A killed process may still be there for a moment.
bool ends(const ProcessId& process) {
  for (int i = 0; i < 5000 && is_alive(process); ++i) ::usleep(1000);
  return !is_alive(process);
}

TEST_F(RuntimeTest, kills_and_reports_a_container_whose_monitor_died) {
  const auto sandbox = world().sandbox();
  const auto id = world().run(sandbox, world().shell("exec sleep 1000"));
  const auto process = identify_process(runtime().container(id)->pid);
  const std::string conmon = testing::load(world().path() + "/run/containers/" + id + "/conmon.pid");
  ASSERT_EQ(::kill(std::stoi(conmon), SIGKILL), 0);
  const auto status = world().wait_exit(id);
  EXPECT_EQ(status.exit_code, 137);
  EXPECT_NE(status.message, "");
  world().must(runtime().remove_container(id));
  EXPECT_TRUE(ends(process));
}

TEST_F(RuntimeTest, after_a_reboot_containers_have_ended_and_sandboxes_are_not_ready) {
  const auto sandbox = world().sandbox();
  const auto id = world().run(sandbox, world().shell("exec sleep 1000"));
  world().must(runtime().kill_container(id, SIGKILL) ? runtime().stop_container(id, Duration::zero())
                                                     : runtime().stop_container(id, Duration::zero()));
  const auto second = world().run(sandbox, world().shell("exec sleep 1000"));
  const StatePaths paths{world().path() + "/data/agent", world().path() + "/run"};
  world().stop();
  // The power goes: processes, mounts and /run are gone.
  for (const pid_t p : processes_of_bundle(paths, second)) ::kill(p, SIGKILL);
  ASSERT_EQ(::system(("crun --root=" + paths.crun_root() + " delete --force " + second).c_str()), 0);
  ASSERT_TRUE(unmount_all(paths.run));
  fs::remove_all(paths.run);
  world().start();
  EXPECT_FALSE(runtime().sandboxes().at(0).ready);
  EXPECT_EQ(runtime().container(second)->state, ContainerState::exited);
  EXPECT_EQ(runtime().container(second)->exit_code, 255);
  EXPECT_EQ(runtime().container(second)->message, "the machine was restarted");
  world().must(runtime().remove_sandbox(sandbox));
  EXPECT_TRUE(fs::is_empty(world().path() + "/data/agent/containers"));
}

TEST_F(RuntimeTest, recovery_clears_away_what_was_cut_in_half) {
  const auto sandbox = world().sandbox();
  const auto id = world().run(sandbox, world().shell("exec sleep 1000"));
  const auto lost = world().run(sandbox, world().shell("exec sleep 1000"));
  const auto process = identify_process(runtime().container(id)->pid);
  const auto lost_process = identify_process(runtime().container(lost)->pid);
  const StatePaths paths{world().path() + "/data/agent", world().path() + "/run"};
  world().stop();
  // As if killed before the second record of `id`, and the record of `lost` cut short by a power failure.
  std::string record = testing::load(paths.container_record(id));
  record.replace(record.find("\"running\""), 9, "\"creating\"");
  testing::save(paths.container_record(id), record);
  testing::save(paths.container_record(lost), record.substr(0, 50));
  world().start();
  EXPECT_TRUE(runtime().containers().empty());
  EXPECT_TRUE(ends(process));
  EXPECT_TRUE(ends(lost_process));
  EXPECT_TRUE(fs::is_empty(paths.bundles()));
  EXPECT_TRUE(fs::is_empty(paths.containers()));
}

TEST_F(RuntimeTest, rotates_logs_without_losing_a_line) {
  const auto sandbox = world().sandbox();
  const auto id = world().run(sandbox, world().shell("for i in $(seq 1 3000); do echo line $i; done; sleep 1000"));
  const std::string path = runtime().container(id)->log_path;
  while (testing::load(path).find("line 300\n") == std::string::npos) ::usleep(1000);
  world().must(runtime().rotate_logs());
  const auto all = [&] {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(fs::path(path).parent_path())) names.push_back(entry.path());
    std::sort(names.begin() + 0, names.end(), [](const auto& a, const auto& b) { return a.size() > b.size() || (a.size() == b.size() && a < b); });
    std::string text;
    for (const auto& name : names) text += RuntimeWorld::log_text(name);
    return text;
  };
  for (int i = 0; i < 2000 && all().find("line 3000\n") == std::string::npos; ++i) ::usleep(2000);
  std::string wanted;
  for (int i = 1; i <= 3000; ++i) wanted += "line " + std::to_string(i) + "\n";
  EXPECT_EQ(all(), wanted);
}

TEST_F(RuntimeTest, counts_what_a_container_uses) {
  const auto sandbox = world().sandbox();
  const auto id = world().run(sandbox, world().shell("head -c 1000000 /dev/zero > /big; sleep 1000"));
  world().must(runtime().exec_sync(id, {"true"}, std::chrono::seconds(10)));
  const auto stats = runtime().stats(id);
  ASSERT_TRUE(stats);
  EXPECT_GT(stats->cpu_ns, 0u);
  EXPECT_GE(stats->pids, 1u);
  EXPECT_TRUE(runtime().sandbox_stats(sandbox));
  uint64_t bytes = 0;
  for (int i = 0; i < 1000 && bytes < 1'000'000; ++i) bytes = world().must(runtime().writable_layer_bytes(id));
  EXPECT_GE(bytes, 1'000'000u);
  Resources more;
  more.cpu_shares = 300;
  world().must(runtime().update_resources(id, more));
}

TEST_F(RuntimeTest, is_quick) {
  const auto sandbox = world().sandbox();
  constexpr int kRounds = 10;
  std::chrono::nanoseconds create{}, start{}, stop{};
  for (int i = 0; i < kRounds; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const auto id = world().must(runtime().create_container(sandbox, world().shell("exec sleep 1000")));
    const auto created = std::chrono::steady_clock::now();
    world().must(runtime().start_container(id));
    const auto started = std::chrono::steady_clock::now();
    world().must(runtime().remove_container(id));
    create += created - begin;
    start += started - created;
    stop += std::chrono::steady_clock::now() - started;
  }
  // For people to read; only a hang fails it, since other tests may have the processor.
  std::printf("create %.1f ms, start %.1f ms, remove %.1f ms\n", create.count() / 1e6 / kRounds, start.count() / 1e6 / kRounds,
              stop.count() / 1e6 / kRounds);
  EXPECT_LT((create + start) / kRounds, std::chrono::seconds(10));
}
}  // namespace
}  // namespace kinglet::runtime

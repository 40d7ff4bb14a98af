#include "base/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <mutex>
#include <thread>

#include "base/deadline.h"
#include "base/task_group.h"
#include "base/testing.h"
#include "base/worker.h"

namespace kinglet {
namespace {
namespace asio = boost::asio;
using testing::run_task;

Result<Exit> run(Command command) {
  asio::io_context loop;
  return run_task(loop, run_process(std::move(command)));
}
Command shell(std::string script) { return {.argv = {"sh", "-c", std::move(script)}}; }

TEST(Process, gives_output_and_exit_code) {
  const auto exit = run(shell("echo out; echo err >&2; exit 3"));
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->code, 3);
  EXPECT_EQ(exit->out, "out\n");
  EXPECT_EQ(exit->err, "err\n");
}

TEST(Process, a_signal_is_128_and_its_number) {
  const auto exit = run(shell("kill -TERM $$"));
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->code, 128 + SIGTERM);
}

TEST(Process, a_program_that_is_not_there_is_not_found) {
  EXPECT_TRUE(run({.argv = {"/no/such/program"}}).is(Code::not_found));
  EXPECT_TRUE(run({.argv = {"kinglet-no-such-program"}}).is(Code::not_found));
}

TEST(Process, input_larger_than_a_pipe_reaches_it) {
  Command command{.argv = {"wc", "-c"}, .input = std::string(1 << 20, 'x')};
  const auto exit = run(command);
  ASSERT_TRUE(exit);
  EXPECT_EQ(std::stoi(exit->out), 1 << 20);
}

TEST(Process, one_that_does_not_read_its_input_harms_nobody) {
  Command command = shell("exec 0<&-; exit 5");
  command.input = std::string(1 << 20, 'x');
  const auto exit = run(command);
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->code, 5);
}

TEST(Process, output_beyond_the_limit_is_dropped) {
  Command command = shell("head -c 300000 /dev/zero");
  command.output_bytes_max = 1000;
  const auto exit = run(command);
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->code, 0);
  EXPECT_EQ(exit->out.size(), 1000u);
}

TEST(Process, environment_directory_session_and_descriptors_are_set) {
  int fds[2];
  ASSERT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  ASSERT_EQ(::write(fds[1], "passed\n", 7), 7);
  Command command = shell("echo $X; pwd; cat <&7 | head -1; ls /proc/self/fd | wc -w");
  command.env = {"X=5", "PATH=/usr/bin:/bin"};
  command.directory = "/";
  command.new_session = true;
  command.pass_fds = {{fds[0], 7}};
  ::close(fds[1]);
  const auto exit = run(command);
  ::close(fds[0]);
  ASSERT_TRUE(exit);
  // ls: 0, 1, 2, 7 and the directory that it reads.
  EXPECT_EQ(exit->out, "5\n/\npassed\n5\n");
}

TEST(Process, a_daemon_that_keeps_the_pipes_does_not_hold_us_up) {
  const auto exit = run(shell("sleep 5 & echo $!"));
  ASSERT_TRUE(exit);
  const pid_t daemon = std::stoi(exit->out);
  EXPECT_EQ(::kill(daemon, SIGKILL), 0);
}

Task<Result<int>> pid_of_cancelled(Clock& clock) {
  // The child tells its number through a file that outlives it.
  Command command = shell("exec sleep 1000");
  KL_TRY(child, start_process(command, {}));
  const pid_t pid = child->pid();
  Task<int> waiting = child->wait();
  TaskGroup group;
  auto drop = [](Task<int> task) -> Task<void> { (void)co_await std::move(task); };
  group.add("wait", drop(std::move(waiting)));
  auto stop = [](TaskGroup& g, Clock& c) -> Task<void> {
    co_await c.sleep(5ms);
    g.cancel();
  };
  group.add("stop", stop(group, clock));
  KL_CHECK(co_await group.run());
  child.reset();
  co_return pid;
}
TEST(Process, a_child_that_is_dropped_is_killed_and_reaped) {
  asio::io_context loop;
  const auto clock = make_system_clock();
  const auto pid = run_task(loop, pid_of_cancelled(*clock));
  ASSERT_TRUE(pid);
  EXPECT_EQ(::kill(*pid, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

TEST(Process, a_deadline_ends_a_program_that_hangs) {
  asio::io_context loop;
  const auto clock = make_system_clock();
  const auto exit = run_task(loop, with_deadline(*clock, 10ms, run_process(shell("sleep 1000"))));
  EXPECT_TRUE(exit.is(Code::timeout));
}

Task<int> add_on(Worker& worker, int a, int b) {
  std::function<int()> job = [a, b] { return a + b; };
  co_return co_await worker.run<int>(std::move(job));
}
TEST(Worker, results_and_exceptions_come_back) {
  asio::io_context loop;
  Worker worker("test-worker");
  EXPECT_EQ(run_task(loop, add_on(worker, 2, 3)), 5);
  auto bad = [](Worker& w) -> Task<int> {
    std::function<int()> job = []() -> int { throw std::runtime_error("bug"); };
    co_return co_await w.run<int>(std::move(job));
  };
  EXPECT_THROW((void)run_task(loop, bad(worker)), std::runtime_error);
}

TEST(Worker, a_job_may_outlive_its_caller_and_the_loop) {
  std::mutex gate;
  gate.lock();
  auto worker = std::make_unique<Worker>("test-worker");
  std::atomic<bool> ran = false;
  {
    asio::io_context loop;
    std::function<int()> job = [&] {
      const std::lock_guard wait(gate);
      ran = true;
      return 1;
    };
    auto call = [](Worker& w, std::function<int()> j) -> Task<int> {
      co_return co_await w.run<int>(std::move(j));
    };
    asio::co_spawn(loop, call(*worker, std::move(job)), [](std::exception_ptr, int) {});
    loop.poll();
  }
  gate.unlock();
  while (!ran) std::this_thread::yield();
  worker.reset();
}

}  // namespace
}  // namespace kinglet

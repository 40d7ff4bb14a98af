#include "node/kubelet_api.h"

#include <gtest/gtest.h>
#include <sys/ioctl.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <filesystem>
#include <fstream>

#include "base/process.h"
#include "base/task_group.h"
#include "base/testing.h"
#include "net/client.h"
#include "net/server.h"
#include "net/spdy.h"
#include "net/websocket_client.h"

namespace kinglet::node {
namespace {
namespace asio = boost::asio;
namespace fs = std::filesystem;

// A process of this machine in place of one in a container.
class ProcessSession final : public runtime::Session {
 public:
  ProcessSession(asio::any_io_executor executor, std::unique_ptr<Child> child)
      : child_(std::move(child)), out_(executor, ::dup(child_->stdout_fd())) {}
  Task<Result<runtime::Chunk>> read() override {
    runtime::Chunk chunk;
    char buffer[4096];
    for (;;) {
      const ssize_t got = ::read(out_.native_handle(), buffer, sizeof(buffer));
      if (got > 0) {
        chunk.stream = runtime::Chunk::Stream::out;
        chunk.data.assign(buffer, static_cast<size_t>(got));
        co_return chunk;
      }
      if (got == 0) co_return chunk;
      co_await out_.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
    }
  }
  Task<Result<void>> write(std::string data) override {
    const ssize_t put = ::write(child_->stdin_fd(), data.data(), data.size());
    if (put < 0) co_return Error(Code::unavailable, "stdin is closed");
    co_return Result<void>();
  }
  void close_stdin() override { child_->close_stdin(); }
  Result<void> resize(uint16_t rows, uint16_t columns) override {
    last_rows = rows;
    last_columns = columns;
    return {};
  }
  Task<Result<int>> wait() override { co_return co_await child_->wait(); }

  static inline int last_rows = 0, last_columns = 0;

 private:
  std::unique_ptr<Child> child_;
  asio::posix::stream_descriptor out_;
};

class FakeContainers final : public ContainerAccess {
 public:
  Result<ContainerView> find_container(const std::string& ns, const std::string& pod,
                                       const std::string& container) const override {
    const auto found = views.find(ns + "/" + pod + "/" + container);
    if (found == views.end()) return Error(Code::not_found, "pods \"{}\" not found", pod);
    return found->second;
  }
  Task<Result<std::unique_ptr<runtime::Session>>> exec(std::string,
                                                       runtime::ExecOptions options) override {
    Command command;
    command.argv = options.argv;
    ChildStreams streams;
    streams.in = options.stdin_open ? Stdio::pipe : Stdio::null;
    auto child = start_process(command, streams);
    if (!child) co_return child.error();
    ++running;
    std::unique_ptr<runtime::Session> session =
        std::make_unique<ProcessSession>(co_await asio::this_coro::executor, std::move(*child));
    co_return session;
  }
  Task<Result<std::unique_ptr<runtime::Session>>> attach(std::string) override {
    co_return Error(Code::unavailable, "no attach here");
  }
  Result<std::string> network_namespace(const std::string&, const std::string&) const override {
    return std::string();
  }

  std::map<std::string, ContainerView> views;
  int running = 0;
};

class KubeletApiTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/kinglet-kubelet-api-XXXXXX";
    dir_ = ::mkdtemp(name);
    ContainerView view;
    view.state = ContainerView::State::running;
    view.id = "c1";
    view.log_path = dir_ + "/0.log";
    containers_.views["ns/web/c"] = view;
    ContainerView waiting;
    waiting.waiting_reason = "PodInitializing";
    containers_.views["ns/web/waiting"] = waiting;
  }
  void TearDown() override { fs::remove_all(dir_); }

  void append(const std::string& text) { std::ofstream(dir_ + "/0.log", std::ios::app) << text; }
  static std::string line(const std::string& text, const char* stream = "stdout") {
    return "2026-11-22T06:30:17.000000000+00:00 " + std::string(stream) + " F " + text + "\n";
  }

  void run(Task<void> body) {
    auto whole = serve_while(std::move(body));
    testing::run_task<void>(loop_, std::move(whole));
  }
  Task<void> serve_while(Task<void> body) {
    net::ServerOptions options;
    options.address = "127.0.0.1";
    options.port = 0;
    auto server = net::listen(*clock_, *metrics_, *api_, options);
    port_ = (*server)->port();
    TaskGroup group;
    group.add("server", (*server)->run());
    group.add("test", then_cancel(group, std::move(body)));
    const auto ended = co_await group.run();
    EXPECT_TRUE(ended);
  }
  static Task<void> then_cancel(TaskGroup& group, Task<void> body) {
    co_await std::move(body);
    group.cancel();
  }
  std::string url(const std::string& path) const {
    return fmt::format("http://127.0.0.1:{}{}", port_, path);
  }
  Task<net::ClientResponse> get(std::string path) {
    net::ClientRequest request;
    request.url = url(path);
    auto task = net::fetch(*clock_, std::move(request));
    auto response = co_await std::move(task);
    EXPECT_TRUE(response) << response.error().message();
    co_return response ? std::move(*response) : net::ClientResponse();
  }
  // Runs a command over a WebSocket; what came on each channel, as "1:..." lines in order of the
  // channels.
  Task<std::map<int, std::string>> exec(std::string query, std::string protocol,
                                        std::vector<std::string> send);

  Task<void> logs();
  Task<void> log_refusals();
  Task<void> follow();
  Task<void> execs();
  Task<void> exec_refusals();
  Task<void> client_leaves();
  Task<void> forwards();
  Task<void> forward_refusals();

  asio::io_context loop_;
  std::unique_ptr<Clock> clock_ = make_system_clock();
  std::unique_ptr<Metrics> metrics_ = make_metrics();
  std::unique_ptr<Random> random_ = make_seeded_random(1);
  FakeContainers containers_;
  std::unique_ptr<net::Handler> api_ = make_kubelet_api(containers_, *clock_);
  std::string dir_;
  uint16_t port_ = 0;
};

Task<void> KubeletApiTest::logs() {
  append(line("one") + line("two", "stderr") + line("three"));
  auto all = co_await get("/containerLogs/ns/web/c");
  EXPECT_EQ(all.status, 200);
  EXPECT_EQ(all.headers.get("content-type"), "text/plain");
  EXPECT_EQ(all.body, "one\ntwo\nthree\n");
  auto tail = co_await get("/containerLogs/ns/web/c?tailLines=2");
  EXPECT_EQ(tail.body, "two\nthree\n");
  tail = co_await get("/containerLogs/ns/web/c?tailLines=0");
  EXPECT_EQ(tail.body, "");
  tail = co_await get("/containerLogs/ns/web/some-uid/c?tailLines=99");
  EXPECT_EQ(tail.body, "one\ntwo\nthree\n");
  const auto timed = co_await get("/containerLogs/ns/web/c?timestamps=true&limitBytes=34");
  EXPECT_EQ(timed.body, "2026-11-22T06:30:17.000000000Z one");
  std::string many;
  for (int i = 0; i < 5000; ++i) many += line(fmt::format("line {} {}", i, std::string(50, 'x')));
  append(many);
  tail = co_await get("/containerLogs/ns/web/c?tailLines=3000");
  EXPECT_TRUE(tail.body.starts_with("line 2000 ")) << tail.body.substr(0, 50);
  containers_.views["ns/web/c"].previous_log_path = containers_.views["ns/web/c"].log_path;
  const auto previous = co_await get("/containerLogs/ns/web/c?previous=true&limitBytes=4");
  EXPECT_EQ(previous.body, "one\n");
}
TEST_F(KubeletApiTest, logs_are_read) { run(logs()); }

Task<void> KubeletApiTest::log_refusals() {
  struct Case {
    const char* path;
    int status;
    const char* message;
  };
  static constexpr Case kCases[] = {
      {"/containerLogs/ns/web/none", 404, "pods \\\"web\\\" not found"},
      {"/containerLogs/ns/web/waiting", 400,
       "container \\\"waiting\\\" in pod \\\"web\\\" is waiting to start: PodInitializing"},
      {"/containerLogs/ns/web/c?previous=true", 400,
       "previous terminated container \\\"c\\\" in pod \\\"web\\\" not found"},
      {"/containerLogs/ns/web/c", 404, "has gone"},
      {"/containerLogs/ns/web/c?tailLines=-1", 422, "tailLines"},
      {"/containerLogs/ns/web", 404, "could not find"},
      {"/containerLogs/ns/web/a/b/c", 404, "could not find"},
      {"/containerLogs/../web/c", 400, "not a name"},
      {"/containerLogs/ns/web/..", 400, "not a name"},
      {"/containerLogs/ns/web/c%2Fd", 404, "not found"},
      {"/containerLogs/ns//c", 404, "could not find"},
      {"/", 404, "could not find"},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.path);
    const auto answer = co_await get(c.path);
    EXPECT_EQ(answer.status, c.status);
    EXPECT_NE(answer.body.find(c.message), std::string::npos) << answer.body;
    EXPECT_NE(answer.body.find("\"kind\":\"Status\""), std::string::npos);
  }
}
TEST_F(KubeletApiTest, a_log_that_is_not_there_is_a_status) { run(log_refusals()); }

Task<void> KubeletApiTest::follow() {
  append(line("old"));
  TaskGroup group;
  struct Steps {
    static Task<void> writer(KubeletApiTest& test) {
      co_await test.clock_->sleep(100ms);
      test.append(line("live"));
      co_await test.clock_->sleep(50ms);
      // conmon's way: the file is moved aside, and the last words go there still.
      fs::rename(test.dir_ + "/0.log", test.dir_ + "/0.log.20261122-063018");
      std::ofstream(test.dir_ + "/0.log.20261122-063018", std::ios::app)
          << line("last of the old file");
      test.append(line("first of the new file"));
      co_await test.clock_->sleep(50ms);
      test.containers_.views["ns/web/c"].state = ContainerView::State::exited;
      test.append(line("end"));
    }
  };
  group.add("writer", Steps::writer(*this));
  struct Reader {
    static Task<void> read(KubeletApiTest& test, std::string& body) {
      const auto all = co_await test.get("/containerLogs/ns/web/c?follow=true&tailLines=1");
      body = all.body;
    }
  };
  std::string body;
  group.add("reader", Reader::read(*this, body));
  const auto ended = co_await group.run();
  EXPECT_TRUE(ended);
  EXPECT_EQ(body, "old\nlive\nlast of the old file\nfirst of the new file\nend\n");
}
TEST_F(KubeletApiTest, a_follower_sees_writes_rotation_and_the_end) { run(follow()); }

Task<std::map<int, std::string>> KubeletApiTest::exec(std::string query, std::string protocol,
                                                      std::vector<std::string> send) {
  std::map<int, std::string> channels;
  const std::string where = url("/exec/ns/web/c?" + query);
  const net::ClientTls no_tls;
  std::vector<std::string> protocols(1, protocol);
  auto task = net::dial_websocket(*clock_, *random_, where, no_tls, protocols);
  auto socket = co_await std::move(task);
  EXPECT_TRUE(socket) << socket.error().message();
  if (!socket) co_return channels;
  EXPECT_EQ((*socket)->subprotocol(), protocol);
  for (const auto& message : send) {
    const auto sent = co_await (*socket)->write(message);
    EXPECT_TRUE(sent);
  }
  for (;;) {
    auto message = co_await (*socket)->read();
    EXPECT_TRUE(message) << message.error().message();
    if (!message || !*message) break;
    const std::string& data = (*message)->data;
    EXPECT_FALSE(data.empty());
    if (!data.empty()) channels[static_cast<unsigned char>(data[0])] += data.substr(1);
  }
  co_return channels;
}

std::vector<std::string> stdin_then_close() {
  return {std::string("\0hello ", 7), std::string("\0world", 6), std::string("\xff\0", 2)};
}
std::vector<std::string> size_then_exit() {
  return {"\x04{\"Width\":120,\"Height\":40}", std::string("\0x\n", 3)};
}

Task<void> KubeletApiTest::execs() {
  const std::vector<std::string> nothing;
  auto heard = co_await exec("command=echo&command=hello+you&output=1&error=1", "v5.channel.k8s.io",
                             nothing);
  EXPECT_EQ(heard[1], "hello you\n");
  EXPECT_EQ(heard[3], R"({"metadata":{},"status":"Success"})");
  heard = co_await exec("command=sh&command=-c&command=exit+7&stdout=true", "v4.channel.k8s.io",
                        nothing);
  EXPECT_NE(heard[3].find(R"("reason":"ExitCode","message":"7")"), std::string::npos) << heard[3];
  const auto input = stdin_then_close();
  heard = co_await exec("command=cat&input=1&output=1", "v5.channel.k8s.io", input);
  EXPECT_EQ(heard[1], "hello world");
  const auto resize = size_then_exit();
  heard =
      co_await exec("command=head&command=-n1&input=1&output=1&tty=1", "v5.channel.k8s.io", resize);
  EXPECT_EQ(heard[1], "x\n");
  EXPECT_EQ(ProcessSession::last_columns, 120);
  EXPECT_EQ(ProcessSession::last_rows, 40);
  heard = co_await exec("command=head&command=-c1000000&command=/dev/zero&output=1",
                        "v5.channel.k8s.io", nothing);
  EXPECT_EQ(heard[1].size(), 1000000u);
  heard = co_await exec("command=/no/such/program&output=1", "v5.channel.k8s.io", nothing);
  EXPECT_NE(heard[3].find("InternalError"), std::string::npos) << heard[3];
  heard = co_await exec("command=echo&command=hi&output=1", "base64.v4.channel.k8s.io", nothing);
  EXPECT_EQ(heard['1'], "aGkK");
}
TEST_F(KubeletApiTest, commands_run_over_a_websocket) { run(execs()); }

Task<void> KubeletApiTest::exec_refusals() {
  const auto plain = co_await get("/exec/ns/web/c?command=true&output=1");
  EXPECT_EQ(plain.status, 400);
  const auto no_command = co_await get("/exec/ns/web/c?output=1");
  EXPECT_EQ(no_command.status, 400);
  const auto no_stream = co_await get("/exec/ns/web/c?command=true");
  EXPECT_EQ(no_stream.status, 400);
  const auto waiting = co_await get("/exec/ns/web/waiting?command=true&output=1");
  EXPECT_NE(waiting.body.find("is not running"), std::string::npos);
  const std::string where = url("/exec/ns/web/c?command=true&output=1");
  const net::ClientTls no_tls;
  const std::vector<std::string> strange(1, "v9.channel.k8s.io");
  auto task = net::dial_websocket(*clock_, *random_, where, no_tls, strange);
  const auto socket = co_await std::move(task);
  EXPECT_FALSE(socket);
}
TEST_F(KubeletApiTest, bad_exec_requests_are_refused) { run(exec_refusals()); }

Task<void> KubeletApiTest::client_leaves() {
  const std::string mark = dir_ + "/alive";
  {
    const std::string where =
        url("/exec/ns/web/c?output=1&command=sh&command=-c&command=echo+$$;exec+sleep+1000");
    const net::ClientTls no_tls;
    const std::vector<std::string> protocols(1, "v5.channel.k8s.io");
    auto task = net::dial_websocket(*clock_, *random_, where, no_tls, protocols);
    auto socket = co_await std::move(task);
    EXPECT_TRUE(socket);
    std::string pid;
    while (pid.find('\n') == pid.npos) {
      auto message = co_await (*socket)->read();
      if (!message || !*message) break;
      pid += (*message)->data.substr(1);
    }
    std::ofstream(mark) << pid;
  }
  int pid = 0;
  std::ifstream(mark) >> pid;
  EXPECT_GT(pid, 0);
  for (int i = 0; i < 500 && ::kill(pid, 0) == 0; ++i) co_await clock_->sleep(10ms);
  EXPECT_NE(::kill(pid, 0), 0);
}
TEST_F(KubeletApiTest, an_exec_ends_with_its_client) { run(client_leaves()); }

// What a forwarding client has heard, by stream.
struct Heard {
  std::map<uint32_t, std::string> data;
  std::map<uint32_t, bool> replied, ended;
};
void hear(Heard& heard, const std::vector<net::SpdyFrame>& frames) {
  for (const auto& frame : frames) {
    if (frame.kind == net::SpdyFrame::Kind::syn_reply) heard.replied[frame.stream] = true;
    if (frame.kind == net::SpdyFrame::Kind::data) heard.data[frame.stream] += frame.data;
    if (frame.kind == net::SpdyFrame::Kind::reset || frame.fin) heard.ended[frame.stream] = true;
  }
}
net::SpdyHeaders pair_headers(const char* type, uint16_t port, const char* request) {
  return {{"streamtype", type}, {"port", fmt::format("{}", port)}, {"requestid", request}};
}

// Two connections over one WebSocket: one to this very server, one to a port where nobody listens.
Task<void> KubeletApiTest::forwards() {
  const std::string where = url("/portForward/ns/web");
  const net::ClientTls no_tls;
  const std::vector<std::string> protocols(1, "SPDY/3.1+portforward.k8s.io");
  auto task = net::dial_websocket(*clock_, *random_, where, no_tls, protocols);
  auto socket = co_await std::move(task);
  EXPECT_TRUE(socket) << socket.error().message();
  if (!socket) co_return;
  net::SpdyCodec codec;
  // One after the other: the compression of headers remembers.
  std::string wire = codec.syn_stream(1, pair_headers("error", port_, "0"));
  wire += net::SpdyCodec::data(1, "", true);
  wire += codec.syn_stream(3, pair_headers("data", port_, "0"));
  const std::string request = "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  wire += net::SpdyCodec::data(3, request, false);
  wire += codec.syn_stream(5, pair_headers("error", 1, "1"));
  wire += codec.syn_stream(7, pair_headers("data", 1, "1"));
  wire += codec.syn_stream(9, pair_headers("other", 1, "2"));
  wire += net::SpdyCodec::ping(11);
  // Cut anywhere: SPDY is a stream, the messages mean nothing.
  for (size_t at = 0; at < wire.size(); at += 100) {
    const std::string piece = wire.substr(at, 100);
    const auto sent = co_await (*socket)->write(piece);
    EXPECT_TRUE(sent);
  }
  Heard heard;
  while (!heard.ended[1] || !heard.ended[3] || !heard.ended[5] || !heard.ended[7]) {
    auto message = co_await (*socket)->read();
    EXPECT_TRUE(message && *message);
    if (!message || !*message) break;
    std::vector<net::SpdyFrame> frames;
    EXPECT_TRUE(codec.feed((*message)->data, frames));
    hear(heard, frames);
  }
  EXPECT_TRUE(heard.replied[1] && heard.replied[3]);
  EXPECT_TRUE(heard.data[3].starts_with("HTTP/1.1 404")) << heard.data[3];
  EXPECT_EQ(heard.data[1], "");
  EXPECT_NE(heard.data[5].find("connect to 127.0.0.1:1"), std::string::npos) << heard.data[5];
  EXPECT_TRUE(heard.ended[9]);
  EXPECT_FALSE(heard.replied[9]);
}
TEST_F(KubeletApiTest, ports_are_forwarded_over_a_websocket) { run(forwards()); }

Task<void> KubeletApiTest::forward_refusals() {
  const auto plain = co_await get("/portForward/ns/web");
  EXPECT_EQ(plain.status, 400);
  const auto path = co_await get("/portForward/ns/web/a/b");
  EXPECT_EQ(path.status, 404);
}
TEST_F(KubeletApiTest, forwarding_needs_an_upgrade) { run(forward_refusals()); }

}  // namespace
}  // namespace kinglet::node

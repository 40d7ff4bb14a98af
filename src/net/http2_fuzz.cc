// HTTP/2 frames of a client, fed to a server connection with a handler that answers. Nothing may
// crash or hang, and when the connection is over no handler runs any more.
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>

#include "base/task_group.h"
#include "base/testing.h"
#include "net/internal/connection.h"

using namespace kinglet;
using namespace kinglet::net;

namespace {
int g_running = 0;

class EchoHandler final : public Handler {
 public:
  Task<void> serve(Exchange& exchange) override {
    struct Running {
      Running() { ++g_running; }
      ~Running() { --g_running; }
    } running;
    auto body = co_await exchange.read_body(1 << 16);
    if (!body) co_return;
    const std::string text = *body + exchange.request().path;
    const auto answered = co_await respond_text(exchange, 200, text);
    (void)answered;
  }
};

Task<void> feed(int peer, std::string_view bytes) {
  const ssize_t sent = ::send(peer, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  (void)sent;
  ::shutdown(peer, SHUT_WR);
  co_return;
}

Task<void> run(int ours, int peer, std::string_view bytes) {
  const auto executor = co_await boost::asio::this_coro::executor;
  static const auto clock = make_system_clock();
  EchoHandler handler;
  TaskGroup group;
  Deadlines deadlines(*clock, group);
  ServerContext server{*clock, handler, ServerLimits(), deadlines, Log("fuzz")};
  // A local socket speaks no TCP, but asio only moves bytes through it.
  boost::asio::ip::tcp::socket socket(executor);
  socket.assign(boost::asio::ip::tcp::v4(), ours);
  Transport transport(std::move(socket), nullptr);
  co_await feed(peer, bytes);
  struct Then {
    static Task<void> serve(ServerContext& server, Transport& transport, TaskGroup& group) {
      auto serving = serve_http2(server, transport, Peer());
      co_await std::move(serving);
      group.cancel();
    }
  };
  group.add("connection", Then::serve(server, transport, group));
  const auto ended = co_await group.run();
  (void)ended;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1 || size > (64 << 10)) return 0;
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  // Most inputs begin as a client does, or the fuzzer would never get past the preface.
  if (data[0] & 1)
    bytes = std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") + std::string("\0\0\0\4\0\0\0\0\0", 9) +
            bytes;
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0) return 0;
  {
    boost::asio::io_context loop;
    auto task = run(fds[0], fds[1], bytes);
    kinglet::testing::run_task<void>(loop, std::move(task));
  }
  ::close(fds[1]);
  KL_ASSERT(g_running == 0, "a handler outlives its connection");
  return 0;
}

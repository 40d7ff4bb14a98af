// HTTP/2 frames of a server, fed to a client with a request under way. Nothing may crash or hang,
// and when the connection is over the request has an end: an answer, or an error.
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>

#include "base/testing.h"
#include "net/internal/h2_client_connection.h"

using namespace kinglet;
using namespace kinglet::net;

namespace {

Task<void> talk(H2Client& client, bool& ended) {
  H2Request request;
  request.method = "POST";
  request.has_body = true;
  auto call = client.open(std::move(request));
  if (!call) {
    ended = true;
    co_return;
  }
  const std::string body(100'000, 'b');
  const auto sent = co_await (*call)->write(body);
  (void)sent;
  const auto status = co_await (*call)->status();
  if (status) {
    const auto answer = co_await read_all(**call, 1 << 20);
    (void)answer;
  }
  ended = true;
}

Task<void> run(int ours, bool& ended) {
  static const auto clock = make_system_clock();
  boost::asio::ip::tcp::socket socket(co_await boost::asio::this_coro::executor);
  socket.assign(boost::asio::ip::tcp::v4(), ours);  // asio only moves bytes through it
  H2Connection connection(*clock, std::make_unique<Transport>(std::move(socket), nullptr), "fuzz",
                          false);
  struct Parts {
    static Task<void> run(H2Client& client) {
      const auto over = co_await client.run();
      (void)over;
    }
  };
  TaskGroup group;
  group.add("request", talk(connection, ended));
  group.add("connection", Parts::run(connection));
  const auto over = co_await group.run();
  (void)over;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1 || size > (64 << 10)) return 0;
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] & 1)
    bytes = std::string("\0\0\0\4\0\0\0\0\0", 9) + bytes;  // the settings that a server begins with
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0) return 0;
  const ssize_t sent = ::send(fds[1], bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  (void)sent;
  ::shutdown(fds[1], SHUT_WR);
  bool ended = false;
  {
    boost::asio::io_context loop;
    auto task = run(fds[0], ended);
    kinglet::testing::run_task<void>(loop, std::move(task));
  }
  ::close(fds[1]);
  KL_ASSERT(ended, "a request outlives its connection");
  return 0;
}

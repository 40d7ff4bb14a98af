// Connections into a pod's network namespace.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>

#include "base/deadline.h"
#include "base/task.h"
#include "base/worker.h"
#include "node/network/netns.h"
#include "node/port_forward.h"

namespace kinglet::node {
namespace asio = boost::asio;

namespace {
constexpr Duration kConnectTimeout = std::chrono::seconds(10);

Result<int> make_socket(int family) {
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno_error(errno, "socket");
  return fd;
}

// A socket belongs to the namespace in which it was made, whoever uses it later.
Result<int> socket_in(const std::string& path, int family) {
  if (path.empty()) return make_socket(family);
  KL_TRY_FN(netns, network::open_netns(path));
  int made = -1;
  KL_CHECK_FN(network::in_netns(netns.get(), [&made, family]() -> Result<void> {
    KL_TRY_FN(fd, make_socket(family));
    made = fd;
    return {};
  }));
  return made;
}

class NamespaceDialer {
 public:
  NamespaceDialer(std::string path, Clock& clock) : path_(std::move(path)), clock_(clock) {}

  Task<Result<int>> dial(uint16_t port) {
    auto first = dial_family(AF_INET, port);
    auto four = co_await with_deadline(clock_, kConnectTimeout, std::move(first));
    if (four) co_return four;
    auto second = dial_family(AF_INET6, port);
    auto six = co_await with_deadline(clock_, kConnectTimeout, std::move(second));
    if (six) co_return six;
    co_return four;  // what went wrong first says more
  }

 private:
  Task<Result<int>> dial_family(int family, uint16_t port) {
    // A thread of its own: the loop's must never be in another namespace.
    std::function<Result<int>()> job = [path = path_, family] { return socket_in(path, family); };
    Worker worker("netns-dial");
    KL_TRY(fd, co_await worker.run<Result<int>>(std::move(job)));
    const bool v4 = family == AF_INET;
    asio::ip::tcp::socket socket(co_await asio::this_coro::executor);
    socket.assign(v4 ? asio::ip::tcp::v4() : asio::ip::tcp::v6(), fd);
    asio::ip::tcp::endpoint endpoint(v4 ? asio::ip::address(asio::ip::address_v4::loopback())
                                        : asio::ip::address(asio::ip::address_v6::loopback()),
                                     port);
    boost::system::error_code error;
    co_await socket.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, error));
    if (error)
      co_return Error(Code::unavailable, "connect to {}:{}: {}", v4 ? "127.0.0.1" : "[::1]", port,
                      error.message());
    co_return socket.release();
  }

  const std::string path_;
  Clock& clock_;
};
}  // namespace

DialPod dial_in_namespace(std::string path, Clock& clock) {
  const auto dialer = std::make_shared<NamespaceDialer>(std::move(path), clock);
  return [dialer](uint16_t port) { return dialer->dial(port); };
}

}  // namespace kinglet::node

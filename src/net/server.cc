#include "net/server.h"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/redirect_error.hpp>

#include "base/task.h"
#include "net/internal/connection.h"
#include "net/internal/tls.h"

namespace kinglet::net {
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {
constexpr Duration kAcceptPause =
    std::chrono::milliseconds(100);  // out of descriptors: others must end first
constexpr int kBacklog = 1024;

// A node that loses its cable says no goodbye: TCP asks after 30 s of silence, three times.
void watch_for_dead_peers(int fd) {
  const int on = 1, idle = 30, interval = 10, count = 3;
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

// A listening socket that belongs to no loop yet: run() knows which one it will be.
class Listener {
 public:
  Listener(Listener&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), protocol_(other.protocol_) {}
  Listener& operator=(Listener&&) = delete;
  ~Listener() {
    if (fd_ >= 0) ::close(fd_);
  }
  static Result<Listener> bind(const std::string& address, uint16_t port);
  uint16_t port() const;
  int release() { return std::exchange(fd_, -1); }
  tcp protocol() const { return protocol_; }

 private:
  Listener(int fd, tcp protocol) : fd_(fd), protocol_(protocol) {}
  int fd_;
  tcp protocol_;
};

Result<Listener> Listener::bind(const std::string& address, uint16_t port) {
  boost::system::error_code error;
  const auto ip = asio::ip::make_address(address, error);
  if (error) return Error(Code::invalid, "\"{}\" is not an IP address", address);
  const tcp::endpoint endpoint(ip, port);
  const auto protocol = endpoint.protocol();
  const int fd = ::socket(protocol.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0 && errno == EAFNOSUPPORT && address == "::")
    return bind("0.0.0.0", port);  // no IPv6 here
  if (fd < 0) return errno_error(errno, "socket");
  Listener listener(fd, protocol);
  const int on = 1, off = 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (ip.is_v6()) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  if (::bind(fd, endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0 &&
      ::listen(fd, kBacklog) == 0)
    return listener;
  const int number = errno;
  if (number == EADDRNOTAVAIL && address == "::") return bind("0.0.0.0", port);
  const std::string where = fmt::format("listen on {} port {}", address, port);
  if (number == EADDRINUSE)
    return Error(Code::io, "{}: address in use (`ss -ltnp` shows by whom)", where);
  return errno_error(number, where);
}

uint16_t Listener::port() const {
  sockaddr_storage bound{};
  socklen_t size = sizeof(bound);
  getsockname(fd_, reinterpret_cast<sockaddr*>(&bound), &size);
  const auto network = bound.ss_family == AF_INET6
                           ? reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port
                           : reinterpret_cast<sockaddr_in*>(&bound)->sin_port;
  return ntohs(network);
}

class TcpServer final : public Server {
 public:
  TcpServer(Clock& clock, Metrics& metrics, Handler& handler, ServerOptions options,
            Listener listener);
  uint16_t port() const override { return port_; }
  Result<void> set_certificate(const KeyPair& key_pair) override;
  Task<Result<void>> run() override;

 private:
  Task<Result<void>> accept_loop();
  Task<void> serve(tcp::socket socket);
  Task<void> serve_protocol(Transport& transport);
  Task<Result<bool>> speaks_http2(Transport& transport);

  Clock& clock_;
  ServerOptions options_;
  Listener listener_;
  const uint16_t port_;
  SslContextPtr tls_;
  TaskGroup group_{TaskGroup::WhenEmpty::keep_open};
  Deadlines deadlines_;
  ServerContext context_;
  std::map<std::string, size_t> per_address_;
  size_t connections_ = 0;
  Gauge& open_;
  Counter &accepted_, &refused_, &failed_handshakes_;
};

TcpServer::TcpServer(Clock& clock, Metrics& metrics, Handler& handler, ServerOptions options,
                     Listener listener)
    : clock_(clock),
      options_(std::move(options)),
      listener_(std::move(listener)),
      port_(listener_.port()),
      deadlines_(clock, group_),
      context_{clock, handler, options_.limits, deadlines_, Log("net")},
      open_(metrics.gauge("kinglet_net_connections", "Open connections to the server")),
      accepted_(metrics.counter("kinglet_net_accepted_total", "Connections accepted")),
      refused_(
          metrics.counter("kinglet_net_refused_total", "Connections closed at once: too many")),
      failed_handshakes_(
          metrics.counter("kinglet_net_handshake_failures_total", "TLS handshakes that failed")) {}

Result<void> TcpServer::set_certificate(const KeyPair& key_pair) {
  KL_TRY_FN(context, make_server_context(clock_, key_pair, options_.client_ca_pem));
  tls_ = std::move(context);  // running connections hold the old one
  return {};
}

Task<Result<void>> TcpServer::run() {
  group_.add("accept", accept_loop());
  co_return co_await group_.run();
}

Task<Result<void>> TcpServer::accept_loop() {
  tcp::acceptor acceptor(co_await asio::this_coro::executor);
  acceptor.assign(listener_.protocol(), listener_.release());
  for (;;) {
    boost::system::error_code error;
    tcp::socket socket =
        co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (error == asio::error::operation_aborted)
      throw boost::system::system_error(asio::error::operation_aborted);
    if (error) {
      if (error != asio::error::connection_aborted) {
        context_.log.warn("cannot accept a connection", kv("error", error.message()));
        co_await clock_.sleep(kAcceptPause);
      }
      continue;
    }
    accepted_.add();
    group_.add("connection", serve(std::move(socket)));
  }
}

Task<void> TcpServer::serve(tcp::socket socket) {
  watch_for_dead_peers(socket.native_handle());
  SslPtr ssl;
  if (tls_) {
    ssl.reset(SSL_new(tls_.get()));
    SSL_set_accept_state(ssl.get());
  }
  Transport transport(std::move(socket), std::move(ssl));
  const std::string host = transport.peer_host();
  if (connections_ >= options_.limits.connections_max ||
      per_address_[host] >= options_.limits.connections_per_address_max) {
    refused_.add();
    co_return;
  }
  struct Counted {
    TcpServer& server;
    const std::string& host;
    Counted(TcpServer& s, const std::string& h) : server(s), host(h) { change(1); }
    ~Counted() { change(-1); }
    void change(int by) {
      server.connections_ += static_cast<size_t>(by);
      auto& same = server.per_address_[host];
      same += static_cast<size_t>(by);
      if (same == 0) server.per_address_.erase(host);
      server.open_.set(static_cast<double>(server.connections_));
    }
  } counted(*this, host);
  try {
    co_await serve_protocol(transport);
  } catch (const boost::system::system_error& error) {
    if (error.code() == asio::error::operation_aborted) throw;
    context_.log.error("a handler threw", kv("error", error.what()));
  } catch (const std::exception& error) {
    // A bug in one handler ends its connection and not the server.
    context_.log.error("a handler threw", kv("error", error.what()));
  }
}

Task<void> TcpServer::serve_protocol(Transport& transport) {
  bool http2 = false;
  {
    Deadlines::Timer timer(deadlines_, [&transport] {
      transport.abort(Error(Code::timeout, "the handshake takes too long"));
    });
    timer.set(options_.limits.handshake_timeout);
    const auto done = co_await transport.handshake();
    if (!done) {
      failed_handshakes_.add();
      context_.log.debug("no TLS", kv("peer", transport.peer_address()), kv("error", done.error()));
      co_return;
    }
    const auto detected = co_await speaks_http2(transport);
    if (!detected) co_return;
    http2 = *detected;
  }
  Peer peer = peer_of(transport.ssl(), transport.peer_address());
  // A statement of its own: g++ 12 would free the names twice.
  auto serving = http2 ? serve_http2(context_, transport, std::move(peer))
                       : serve_http1(context_, transport, std::move(peer));
  co_await std::move(serving);
}

// By ALPN; without TLS by the first bytes, which in HTTP/2 are "PRI * HTTP/2.0" (prior knowledge).
Task<Result<bool>> TcpServer::speaks_http2(Transport& transport) {
  if (transport.ssl()) co_return alpn_of(transport.ssl()) == "h2";
  KL_CHECK(co_await transport.wait(Transport::Direction::read));
  constexpr std::string_view kPreface = "PRI ";
  char first[kPreface.size()];
  const ssize_t got = ::recv(transport.fd(), first, sizeof(first), MSG_PEEK | MSG_DONTWAIT);
  co_return got > 0 && std::string_view(first, static_cast<size_t>(got)) == kPreface;
}
}  // namespace

Result<std::unique_ptr<Server>> listen(Clock& clock, Metrics& metrics, Handler& handler,
                                       ServerOptions options) {
  KL_TRY_FN(listener, Listener::bind(options.address, options.port));
  const KeyPair key_pair = options.key_pair;
  auto server =
      std::make_unique<TcpServer>(clock, metrics, handler, std::move(options), std::move(listener));
  if (!key_pair.certificate_pem.empty()) KL_CHECK_FN(server->set_certificate(key_pair));
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace kinglet::net

#include "net/internal/dial.h"

#include <fmt/ranges.h>
#include <http_parser.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/redirect_error.hpp>
#include <cstring>

#include "net/crypto.h"
#include "net/internal/http1_parser.h"
#include "net/internal/tls.h"
#include "net/internal/websocket.h"
#include "net/websocket_client.h"

namespace kinglet::net {
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {
constexpr size_t kUrlBytesMax = 16 << 10;
constexpr size_t kHandshakeBytesMax = 16 << 10;

std::string part(const std::string& url, const http_parser_url& parts, int field) {
  if ((parts.field_set & (1 << field)) == 0) return {};
  return url.substr(parts.field_data[field].off, parts.field_data[field].len);
}

// An address in text needs no resolver, and so no resolver thread.
Task<Result<std::vector<tcp::endpoint>>> resolve(const std::string& host, uint16_t port) {
  std::vector<tcp::endpoint> found;
  boost::system::error_code error;
  const auto address = asio::ip::make_address(host, error);
  if (!error) {
    found.emplace_back(address, port);
    co_return found;
  }
  if (host == "localhost") {
    found.emplace_back(asio::ip::address_v4::loopback(), port);
    found.emplace_back(asio::ip::address_v6::loopback(), port);
    co_return found;
  }
  tcp::resolver resolver(co_await asio::this_coro::executor);
  const std::string service = fmt::format("{}", port);
  const auto rows = co_await resolver.async_resolve(
      host, service, asio::redirect_error(asio::use_awaitable, error));
  if (error) co_return Error(Code::unavailable, "lookup {}: {}", host, error.message());
  for (const auto& row : rows) found.push_back(row.endpoint());
  co_return found;
}

class TransportStream final : public Stream {
 public:
  TransportStream(std::unique_ptr<Transport> transport, std::string first)
      : transport_(std::move(transport)), first_(std::move(first)) {}

  Task<Result<size_t>> read(std::span<char> out) override {
    if (!first_.empty()) {
      const size_t taken = std::min(out.size(), first_.size());
      std::memcpy(out.data(), first_.data(), taken);
      first_.erase(0, taken);
      co_return taken;
    }
    for (;;) {
      const auto read = transport_->read_now(out);
      if (read.state == Transport::Io::ok) co_return read.bytes;
      if (read.state == Transport::Io::closed) co_return size_t{0};
      if (read.state == Transport::Io::failed)
        co_return Error(Code::unavailable, "connection lost");
      KL_CHECK(co_await transport_->wait(Transport::Direction::read));
    }
  }
  Task<Result<void>> write(std::string_view bytes) override {
    co_return co_await transport_->write_all(bytes);
  }
  Task<Result<void>> close_write() override {
    transport_->shutdown_write();
    co_return Result<void>();
  }

 private:
  std::unique_ptr<Transport> transport_;
  std::string first_;
};
}  // namespace

Task<Result<tcp::socket>> connect_tcp(std::string host, uint16_t port) {
  KL_TRY(endpoints, co_await resolve(host, port));
  boost::system::error_code error = asio::error::host_not_found;
  for (const auto& endpoint : endpoints) {
    tcp::socket socket(co_await asio::this_coro::executor);
    co_await socket.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, error));
    const auto cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none)
      throw boost::system::system_error(asio::error::operation_aborted);
    if (!error) co_return std::move(socket);
  }
  co_return Error(Code::unavailable, "connect to {} port {}: {}", host, port, error.message());
}

Result<Url> parse_url(const std::string& url) {
  const Error bad(Code::bad_request, "\"{}\" is not an http or https URL", url.substr(0, 200));
  if (url.size() > kUrlBytesMax) return bad;
  http_parser_url parts;
  http_parser_url_init(&parts);
  if (http_parser_parse_url(url.data(), url.size(), 0, &parts) != 0) return bad;
  std::string scheme = part(url, parts, UF_SCHEMA);
  for (char& c : scheme)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  if (scheme != "http" && scheme != "https") return bad;
  Url out;
  out.tls = scheme == "https";
  out.host = part(url, parts, UF_HOST);
  if (out.host.empty()) return bad;
  out.port = parts.field_set & (1 << UF_PORT) ? parts.port : out.tls ? 443 : 80;
  out.target = part(url, parts, UF_PATH);
  if (out.target.empty()) out.target = "/";
  if (const std::string query = part(url, parts, UF_QUERY); !query.empty())
    out.target += "?" + query;
  return out;
}

std::string host_header(const Url& url) {
  const bool v6 = url.host.find(':') != std::string::npos;
  std::string out = v6 ? "[" + url.host + "]" : url.host;
  if (url.port != (url.tls ? 443 : 80)) out += fmt::format(":{}", url.port);
  return out;
}

Task<Result<std::unique_ptr<Transport>>> dial(Clock& clock, std::string host, uint16_t port,
                                              const ClientTls* tls, std::string alpn) {
  SslPtr ssl;
  if (tls) {
    KL_TRY(context, make_client_context(clock, *tls, alpn));
    KL_TRY(session, make_client_session(context.get(), *tls, host));
    ssl = std::move(session);  // it holds its context
  }
  KL_TRY(socket, co_await connect_tcp(host, port));
  auto transport = std::make_unique<Transport>(std::move(socket), std::move(ssl));
  KL_CHECK(co_await transport->handshake());
  co_return transport;
}

Task<Result<std::unique_ptr<WebSocket>>> dial_websocket(Clock& clock, Random& random,
                                                        std::string url, ClientTls tls,
                                                        std::vector<std::string> subprotocols) {
  KL_TRY(parts, parse_url(url));
  const std::string alpn = "http/1.1";
  KL_TRY(transport, co_await dial(clock, parts.host, parts.port, parts.tls ? &tls : nullptr, alpn));
  std::string nonce(16, '\0');
  random.fill({reinterpret_cast<uint8_t*>(nonce.data()), nonce.size()});
  const std::string key = base64(nonce);
  std::string head = fmt::format(
      "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n",
      parts.target, host_header(parts), key);
  if (!subprotocols.empty())
    head += fmt::format("Sec-WebSocket-Protocol: {}\r\n", fmt::join(subprotocols, ", "));
  head += "\r\n";
  KL_CHECK(co_await transport->write_all(head));

  Http1Parser parser(Http1Parser::Kind::response, kHandshakeBytesMax);
  std::string rest;
  while (!parser.message_done()) {
    char bytes[1024];
    const auto read = transport->read_now(bytes);
    if (read.state == Transport::Io::blocked) {
      KL_CHECK(co_await transport->wait(Transport::Direction::read));
      continue;
    }
    if (read.state != Transport::Io::ok) co_return Error(Code::unavailable, "connection lost");
    KL_TRY(used, parser.feed({bytes, read.bytes}));
    rest.assign(bytes + used, read.bytes - used);
  }
  if (parser.status() != 101)
    co_return Error(Code::unavailable, "no WebSocket: {} {}", parser.status(), parser.body());
  if (parser.headers().get("sec-websocket-accept") != websocket_accept_key(key))
    co_return Error(Code::unavailable, "no WebSocket: wrong Sec-WebSocket-Accept");
  auto stream = make_transport_stream(std::move(transport), std::move(rest));
  co_return make_websocket_client(
      std::move(stream), std::string(parser.headers().get("sec-websocket-protocol")), random);
}

std::unique_ptr<Stream> make_transport_stream(std::unique_ptr<Transport> transport,
                                              std::string first) {
  return std::make_unique<TransportStream>(std::move(transport), std::move(first));
}

}  // namespace kinglet::net

#include "net/internal/connect_proxy.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>

#include "net/crypto.h"
#include "net/internal/http1_parser.h"

namespace kinglet::net {
namespace asio = boost::asio;

namespace {
constexpr size_t kAnswerBytesMax = 16 << 10;

// Asio tells a cancelled operation as an error; here it unwinds, as everywhere.
Task<void> unwind_if_cancelled() {
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none)
    throw boost::system::system_error(asio::error::operation_aborted);
}
}  // namespace

Result<ProxyAddress> parse_proxy(const std::string& text) {
  std::string url = text.find("://") == std::string::npos ? "http://" + text : text;
  ProxyAddress out;
  const size_t start = url.find("://") + 3;
  const size_t end = std::min(url.size(), url.find('/', start));
  const size_t at = url.rfind('@', end);
  if (at != std::string::npos && at >= start) {
    auto credentials = percent_decode(std::string_view(url).substr(start, at - start));
    // Its own words would quote the password.
    if (!credentials)
      return Error(Code::bad_request, "proxy: bad percent-encoding in the user or password");
    out.credentials = *std::move(credentials);
    url.erase(start, at - start + 1);
  }
  const auto parsed = parse_url(url);
  if (!parsed || parsed->tls)
    return Error(Code::bad_request, "the proxy must look like http://[user:password@]host:port");
  out.host = parsed->host;
  out.port = parsed->port;
  return out;
}

std::string connect_request(const ProxyAddress& proxy, const std::string& host, uint16_t port) {
  const bool v6 = host.find(':') != std::string::npos;
  const std::string target = fmt::format("{}{}{}:{}", v6 ? "[" : "", host, v6 ? "]" : "", port);
  std::string out = fmt::format("CONNECT {} HTTP/1.1\r\nHost: {}\r\n", target, target);
  if (!proxy.credentials.empty())
    out += fmt::format("Proxy-Authorization: Basic {}\r\n", base64(proxy.credentials));
  return out + "\r\n";
}

Result<void> check_connect_answer(int status) {
  if (status / 100 == 2) return {};
  if (status == 407)
    return Error(Code::unauthorized,
                 "the proxy wants a user and password, or refuses these (407): give "
                 "http://user:password@host:port");
  return Error(Code::unavailable, "the proxy answers {} to CONNECT", status);
}

Task<Result<void>> connect_through(asio::ip::tcp::socket& socket, ProxyAddress proxy,
                                   std::string host, uint16_t port) {
  const std::string head = connect_request(proxy, host, port);
  boost::system::error_code failed;
  co_await asio::async_write(socket, asio::buffer(head),
                             asio::redirect_error(asio::use_awaitable, failed));
  co_await unwind_if_cancelled();
  if (failed) co_return Error(Code::unavailable, "proxy: {}", failed.message());
  Http1Parser parser(Http1Parser::Kind::response, kAnswerBytesMax);
  parser.expect_no_body();
  // One byte at a time: what follows the head belongs to TLS. It is short, and once per connection.
  while (!parser.message_done()) {
    char byte = 0;
    const size_t got = co_await socket.async_read_some(
        asio::buffer(&byte, 1), asio::redirect_error(asio::use_awaitable, failed));
    co_await unwind_if_cancelled();
    if (failed || got == 0)
      co_return Error(Code::unavailable, "the proxy has closed the connection");
    const auto fed = parser.feed({&byte, 1});
    if (!fed)
      co_return Error(Code::unavailable, "the proxy answers no HTTP: {}", fed.error().message());
  }
  co_return check_connect_answer(parser.status());
}

}  // namespace kinglet::net

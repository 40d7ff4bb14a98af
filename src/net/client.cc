#include "net/client.h"

#include "base/deadline.h"
#include "net/internal/connection.h"
#include "net/internal/dial.h"
#include "net/internal/http1_parser.h"

namespace kinglet::net {
namespace {
constexpr size_t kResponseHeaderBytesMax = 256 << 10;
constexpr int kRedirectsMax = 10;

Result<std::string> request_head(const ClientRequest& request, const Url& url) {
  std::string head = fmt::format("{} {} HTTP/1.1\r\n", request.method, url.target);
  if (!request.headers.find("host")) head += fmt::format("Host: {}\r\n", host_header(url));
  for (const auto& [name, value] : request.headers.rows()) {
    if (!valid_header(name, value)) return Error(Code::bad_request, "header \"{}\"", name);
    head.append(name).append(": ").append(value).append("\r\n");
  }
  const bool has_body = !request.body.empty() || request.method == "POST" ||
                        request.method == "PUT" || request.method == "PATCH";
  if (has_body && !request.headers.find("content-length"))
    head += fmt::format("Content-Length: {}\r\n", request.body.size());
  if (!request.headers.find("connection")) head += "Connection: close\r\n";
  return head + "\r\n";
}

Task<Result<void>> read_response(Transport& transport, Http1Parser& parser, size_t body_bytes_max) {
  while (!parser.message_done()) {
    const auto buffer = scratch();
    const auto read = transport.read_now(buffer);
    if (read.state == Transport::Io::blocked) {
      KL_CHECK(co_await transport.wait(Transport::Direction::read));
      continue;
    }
    if (read.state == Transport::Io::failed) co_return Error(Code::unavailable, "connection lost");
    if (read.state == Transport::Io::closed) {
      if (parser.feed_end()) co_return Result<void>();
      co_return Error(Code::unavailable, "the answer ends in the middle");
    }
    std::string_view bytes(buffer.data(), read.bytes);
    while (!bytes.empty() && !parser.message_done()) {
      const auto used = parser.feed(bytes);
      if (!used) co_return Error(Code::unavailable, used.error().message());
      bytes.remove_prefix(*used);
      // "100 Continue" and its like are not the answer.
      if (parser.message_done() && parser.status() / 100 == 1 && parser.status() != 101)
        parser.next();
    }
    if (parser.body_size() > body_bytes_max)
      co_return Error(Code::too_large, "answer larger than {} bytes", body_bytes_max);
  }
  co_return Result<void>();
}

Task<Result<ClientResponse>> fetch_once(Clock& clock, const ClientRequest& request,
                                        const Url& url) {
  KL_TRY(head, request_head(request, url));
  const std::string alpn = "http/1.1";
  KL_TRY(transport,
         co_await dial(clock, url.host, url.port, url.tls ? &request.tls : nullptr, alpn));
  KL_CHECK(co_await transport->write_all(head));
  // A server may answer and close before it has taken the body: its answer counts then.
  const auto sent = co_await transport->write_all(request.body);
  Http1Parser parser(Http1Parser::Kind::response, kResponseHeaderBytesMax);
  if (request.method == "HEAD") parser.expect_no_body();
  const auto answered = co_await read_response(*transport, parser, request.body_bytes_max);
  if (!answered) co_return sent ? answered.error() : sent.error();
  ClientResponse response;
  response.status = parser.status();
  response.headers = std::move(parser.headers());
  response.body = std::move(parser.body());
  co_return response;
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// Where a redirect leads on the same host; nullopt: elsewhere.
std::optional<Url> same_host(const Url& from, std::string_view location) {
  if (location.starts_with('/') && !location.starts_with("//")) {
    Url to = from;
    to.target = std::string(location.substr(0, location.find('#')));
    return to;
  }
  auto to = parse_url(std::string(location));
  if (!to || to->host != from.host) return std::nullopt;
  return std::move(*to);
}

Task<Result<ClientResponse>> fetch_all(Clock& clock, ClientRequest request) {
  KL_TRY(first, parse_url(request.url));
  Url url = first;
  for (int i = 0; i < kRedirectsMax; ++i) {
    KL_TRY(response, co_await fetch_once(clock, request, url));
    if (!request.follow_redirects || !is_redirect(response.status)) co_return std::move(response);
    auto next = same_host(url, response.headers.get("location"));
    if (!next) co_return std::move(response);
    if (response.status != 307 && response.status != 308 && request.method != "HEAD") {
      request.method = "GET";
      request.body.clear();
    }
    url = std::move(*next);
  }
  co_return Error(Code::unavailable, "more than {} redirects", kRedirectsMax);
}

Task<Result<void>> connect_once(Clock& clock, std::string host, uint16_t port) {
  const std::string no_alpn;
  const auto connected = co_await dial(clock, host, port, nullptr, no_alpn);
  if (!connected) co_return connected.error();
  co_return Result<void>();
}
}  // namespace

Task<Result<ClientResponse>> fetch(Clock& clock, ClientRequest request) {
  const Duration timeout = request.timeout;
  auto work = fetch_all(clock, std::move(request));
  co_return co_await with_deadline(clock, timeout, std::move(work));
}

Task<Result<void>> probe_tcp(Clock& clock, std::string host, uint16_t port, Duration timeout) {
  auto work = connect_once(clock, std::move(host), port);
  co_return co_await with_deadline(clock, timeout, std::move(work));
}

}  // namespace kinglet::net

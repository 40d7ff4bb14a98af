#include "net/download.h"

#include "base/deadline.h"
#include "net/crypto.h"
#include "net/internal/connect_proxy.h"
#include "net/internal/connection.h"
#include "net/internal/dial.h"
#include "net/internal/http1_parser.h"
#include "net/internal/tls.h"

namespace kinglet::net {
namespace {
constexpr size_t kResponseHeaderBytesMax = 256 << 10;
constexpr int kRedirectsMax = 10;

struct Route {
  Url target;
  std::optional<ProxyAddress> proxy;
};

Result<Route> route_to(const DownloadRequest& request, const std::string& url) {
  Route out;
  KL_TRY_FN(target, parse_url(url));
  out.target = std::move(target);
  const std::string proxy = proxy_for(request.proxies, url);
  if (proxy.empty()) return out;
  KL_TRY_FN(address, parse_proxy(proxy));
  out.proxy = std::move(address);
  return out;
}

Result<std::string> head_of(const DownloadRequest& request, const Route& route, bool same_host) {
  const bool through = route.proxy && !route.target.tls;  // else the proxy only passes bytes on
  const std::string host = host_header(route.target);
  std::string head = fmt::format("{} {}{} HTTP/1.1\r\nHost: {}\r\n", request.method,
                                 through ? "http://" + host : "", route.target.target, host);
  for (const auto& [name, value] : request.headers.rows()) {
    if (!valid_header(name, value)) return Error(Code::bad_request, "header \"{}\"", name);
    if (!same_host && name == "Authorization") continue;
    head.append(name).append(": ").append(value).append("\r\n");
  }
  if (through && !route.proxy->credentials.empty())
    head += fmt::format("Proxy-Authorization: Basic {}\r\n", base64(route.proxy->credentials));
  if (!request.body.empty() || request.method == "POST")
    head += fmt::format("Content-Length: {}\r\n", request.body.size());
  return head + "Connection: close\r\n\r\n";
}

// TLS to the target inside a connection that the proxy makes.
Task<Result<std::unique_ptr<Transport>>> dial_through(Clock& clock, Route route, ClientTls tls) {
  KL_TRY(context, make_client_context(clock, tls, "http/1.1"));
  KL_TRY(ssl, make_client_session(context.get(), tls, route.target.host));
  auto connecting = connect_tcp(route.proxy->host, route.proxy->port);
  KL_TRY(socket, co_await std::move(connecting));
  auto asking = connect_through(socket, *route.proxy, route.target.host, route.target.port);
  KL_CHECK(co_await std::move(asking));
  auto transport = std::make_unique<Transport>(std::move(socket), std::move(ssl));
  KL_CHECK(co_await transport->handshake());
  co_return transport;
}

Task<Result<std::unique_ptr<Transport>>> connect_to(Clock& clock, Route route, ClientTls tls) {
  const std::string alpn = "http/1.1";
  if (route.proxy && route.target.tls) {
    auto dialing = dial_through(clock, std::move(route), std::move(tls));
    co_return co_await std::move(dialing);
  }
  const std::string host = route.proxy ? route.proxy->host : route.target.host;
  const uint16_t port = route.proxy ? route.proxy->port : route.target.port;
  co_return co_await dial(clock, host, port, route.target.tls ? &tls : nullptr, alpn);
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// One answer, as far as it has come.
class Answer {
 public:
  Answer(const DownloadRequest& request, DownloadSink* sink) : request_(request), sink_(sink) {
    if (request.method == "HEAD") parser_.expect_no_body();
  }
  bool done() const { return parser_.message_done(); }

  Result<void> feed(std::string_view bytes) {
    while (!bytes.empty() && !parser_.message_done()) {
      const auto used = parser_.feed(bytes);
      if (!used) return Error(Code::unavailable, "{}", used.error().message());
      bytes.remove_prefix(*used);
      // "100 Continue" and its like are not the answer.
      if (parser_.message_done() && parser_.status() / 100 == 1) parser_.next();
    }
    return take_body();
  }
  Result<void> end() {
    if (!parser_.feed_end()) return Error(Code::unavailable, "the answer ends in the middle");
    return take_body();
  }
  ClientResponse response() {
    ClientResponse out;
    out.status = parser_.status();
    out.headers = std::move(parser_.headers());
    out.body = std::move(parser_.body());
    return out;
  }

 private:
  Result<void> take_body() {
    if (!parser_.headers_done() || parser_.status() / 100 == 1) return {};
    if (!begun_) {
      begun_ = true;
      if (sink_ != nullptr && !is_redirect(parser_.status())) {
        KL_TRY_FN(wanted, sink_->begin(parser_.status(), parser_.headers()));
        streams_ = wanted;
      }
    }
    if (streams_) {
      if (!parser_.body().empty()) KL_CHECK_FN(sink_->write(parser_.body()));
      parser_.body().clear();
    } else if (parser_.body_size() > request_.body_bytes_max) {
      return Error(Code::too_large, "answer larger than {} bytes", request_.body_bytes_max);
    }
    return {};
  }

  const DownloadRequest& request_;
  DownloadSink* sink_;
  Http1Parser parser_{Http1Parser::Kind::response, kResponseHeaderBytesMax};
  bool begun_ = false, streams_ = false;
};

Task<Result<void>> read_answer(Clock& clock, Transport& transport, Answer& answer,
                               Duration stall_timeout) {
  while (!answer.done()) {
    const auto buffer = scratch();
    const auto read = transport.read_now(buffer);
    if (read.state == Transport::Io::blocked) {
      auto waiting = transport.wait(Transport::Direction::read);
      KL_CHECK(co_await with_deadline(clock, stall_timeout, std::move(waiting)));
      continue;
    }
    if (read.state == Transport::Io::failed) co_return Error(Code::unavailable, "connection lost");
    if (read.state == Transport::Io::closed) co_return answer.end();
    KL_CHECK(answer.feed({buffer.data(), read.bytes}));
  }
  co_return Result<void>();
}

Task<Result<void>> send_request(Transport& transport, std::string head, const std::string& body) {
  KL_CHECK(co_await transport.write_all(head));
  co_return co_await transport.write_all(body);
}

Task<Result<ClientResponse>> ask(Clock& clock, const DownloadRequest& request,
                                 const std::string& url, bool same_host, DownloadSink* sink) {
  KL_TRY(route, route_to(request, url));
  KL_TRY(head, head_of(request, route, same_host));
  ClientTls tls = same_host ? request.tls : ClientTls{};
  auto connecting = connect_to(clock, route, std::move(tls));
  KL_TRY(transport, co_await with_deadline(clock, request.stall_timeout, std::move(connecting)));
  auto sending = send_request(*transport, std::move(head), request.body);
  // A server may answer and close before it has taken the body: its answer counts then.
  const auto sent = co_await with_deadline(clock, request.stall_timeout, std::move(sending));
  Answer answer(request, sink);
  const auto read = co_await read_answer(clock, *transport, answer, request.stall_timeout);
  if (!read) co_return sent ? read.error() : sent.error();
  co_return answer.response();
}

bool same_origin(const Url& a, const Url& b) {
  return a.tls == b.tls && a.host == b.host && a.port == b.port;
}

// A Location header, relative or whole, as a URL; empty: none that can be followed.
std::string resolve_location(const Url& from, std::string_view location) {
  if (location.empty()) return "";
  const std::string base = fmt::format("{}://{}", from.tls ? "https" : "http", host_header(from));
  if (location.starts_with("//"))
    return fmt::format("{}:{}", from.tls ? "https" : "http", location);
  if (location.starts_with('/')) return base + std::string(location);
  return std::string(location);
}

}  // namespace

Task<Result<ClientResponse>> download(Clock& clock, DownloadRequest request, DownloadSink* sink) {
  KL_TRY(first, parse_url(request.url));
  std::string url = request.url;
  for (int i = 0; i < kRedirectsMax; ++i) {
    KL_TRY(here, parse_url(url));
    const bool same_host = same_origin(first, here);
    KL_TRY(response, co_await ask(clock, request, url, same_host, sink));
    if (!is_redirect(response.status)) co_return std::move(response);
    url = resolve_location(here, response.headers.get("location"));
    if (url.empty()) co_return std::move(response);
    if (response.status == 303 || (request.method == "POST" && response.status < 307)) {
      request.method = "GET";
      request.body.clear();
    }
  }
  co_return Error(Code::unavailable, "more than {} redirects", kRedirectsMax);
}

}  // namespace kinglet::net

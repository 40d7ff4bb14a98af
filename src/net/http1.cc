#include "net/internal/http1.h"

#include "net/internal/http1_exchange.h"

namespace kinglet::net {
namespace {
constexpr size_t kBodyBytesAhead = 64 << 10;      // read before the handler asks for it
constexpr size_t kPipelineBytesAhead = 64 << 10;  // the next requests, while one is served
// A handler may answer before it has read the body (413). Reading the rest keeps the connection,
// and keeps the kernel from resetting it before the client has seen the answer.
constexpr size_t kDiscardBytesMax = 1 << 20;
constexpr Duration kLinger = std::chrono::seconds(2);
}  // namespace

Http1Connection::Http1Connection(ServerContext& server, Transport& transport, Peer peer)
    : server_(server),
      transport_(transport),
      peer_(std::move(peer)),
      parser_(Http1Parser::Kind::request, server.limits.header_bytes_max),
      read_timer_(server.deadlines, [this] { read_expired(); }),
      write_timer_(server.deadlines, [this] {
        transport_.abort(Error(Code::unavailable, "the peer takes no data"));
      }) {}

Task<void> Http1Connection::run() {
  read_timer_.set(server_.limits.header_timeout);  // a new connection has something to say
  group_.add("http1 reader", read_loop());
  const auto ended = co_await group_.run();
  if (!ended)
    server_.log.debug("connection ended", kv("peer", peer_.address), kv("error", ended.error()));
}

bool Http1Connection::may_read() const {
  if (lingering_) return true;
  if (raw_) return parser_.body_size() < kBodyBytesAhead;
  if (!serving_ || discarding_) return true;
  if (!parser_.message_done()) return parser_.body_size() < kBodyBytesAhead;
  return input_.size() < kPipelineBytesAhead;
}

Task<Result<void>> Http1Connection::read_loop() {
  for (;;) {
    while (!may_read()) co_await resume_.wait();
    const auto buffer = scratch();
    const auto read = transport_.read_now(buffer);
    if (read.state == Transport::Io::ok) {
      take({buffer.data(), read.bytes});
    } else if (read.state == Transport::Io::blocked) {
      KL_CHECK(co_await transport_.wait(Transport::Direction::read));
    } else if (read.state == Transport::Io::closed) {
      peer_finished();
      co_return Result<void>();
    } else {
      co_return Error(Code::unavailable, "connection lost");  // cancels the handler
    }
  }
}

void Http1Connection::take(std::string_view bytes) {
  if (lingering_) return;
  if (raw_) {
    parser_.body().append(bytes);
    arrived_.notify_all();
    return;
  }
  input_.append(bytes);
  const bool head_was_done = parser_.headers_done();
  const bool head_done = parse_input();
  if (head_was_done) {
    if (discarding_) parser_.body().clear();
    arrived_.notify_all();
  } else if (head_done && !serving_) {
    serving_ = true;
    // Last: the handler may run, and answer, before add() returns.
    group_.add("http1 requests", serve_requests());
  }
}

// Gives the parser what it may have; true when there is a request to serve or to go on with.
bool Http1Connection::parse_input() {
  size_t at = 0;
  while (at < input_.size() && !parser_.message_done()) {
    const bool fresh = !parser_.begun();
    const auto used = parser_.feed(std::string_view(input_).substr(at));
    if (!used) {
      refuse(used.error());
      read_timer_.set(kLinger);
      return parser_.headers_done();  // a handler may still say what it thinks of such a body
    }
    at += *used;
    if (fresh && parser_.begun()) read_timer_.set(server_.limits.header_timeout);
  }
  if (at == input_.size())
    input_ = {};  // an idle connection keeps no memory for it
  else
    input_.erase(0, at);
  if (!parser_.headers_done()) return false;
  read_timer_.clear();
  return true;
}

// Bytes that are no HTTP. Nobody serves them, unless they are in the middle of a body.
void Http1Connection::refuse(const Error& error) {
  input_ = {};
  if (parser_.headers_done()) {
    body_error_ = error;
    arrived_.notify_all();
    return;
  }
  const int status = error.code() == Code::too_large ? 431 : 400;
  transport_.put(
      fmt::format("HTTP/1.1 {} {}\r\ncontent-type: text/plain; charset=utf-8\r\n"
                  "connection: close\r\ncontent-length: {}\r\n\r\n{}",
                  status, status_text(status), error.message().size(), error.message()));
  transport_.shutdown_write();
  lingering_ = true;
}

void Http1Connection::peer_finished() {
  peer_finished_ = true;
  if (raw_ && !lingering_) {
    arrived_.notify_all();  // half closed: the other direction may go on
    return;
  }
  body_error_ = Error(Code::unavailable, "the peer has gone");
  group_.cancel();
}

void Http1Connection::read_expired() {
  if (serving_ && !discarding_ && !lingering_) {
    body_error_ =
        Error(Code::timeout, "no byte of the body for {} s",
              std::chrono::floor<std::chrono::seconds>(server_.limits.body_timeout).count());
    arrived_.notify_all();
  } else {
    transport_.abort(Error(Code::timeout, "the peer is too slow"));
  }
}

Task<void> Http1Connection::serve_requests() {
  for (;;) {
    const bool keep = co_await serve_one();
    if (!keep) break;
    body_at_ = 0;
    discarding_ = false;
    if (parser_.body().capacity() > 4096) parser_.body() = {};
    parser_.next();
    read_timer_.set(server_.limits.idle_timeout);
    if (!parse_input()) {
      serving_ = false;
      resume_.notify_all();
      co_return;
    }
  }
  co_await linger();
  group_.cancel();
}

Request Http1Connection::take_request() {
  Request request;
  request.method = parser_.method();
  request.target = std::move(parser_.target());
  request.headers = std::move(parser_.headers());
  request.peer = peer_;
  request.http_major = 1;
  return request;
}

// False: the connection cannot be used for another request.
Task<bool> Http1Connection::serve_one() {
  Http1Exchange exchange(*this, take_request());
  auto valid = exchange.validate();
  if (valid) {
    co_await server_.handler.serve(exchange);
  } else {
    const auto answered = co_await respond_text(exchange, 400, valid.error().message());
    (void)answered;
  }
  const bool answered = co_await exchange.end();
  if (!answered || !exchange.keep_alive() || raw_) co_return false;
  co_return co_await drain_body();
}

Task<bool> Http1Connection::drain_body() {
  if (parser_.message_done()) co_return true;
  discarding_ = true;
  parser_.body().clear();
  resume_.notify_all();
  read_timer_.set(kLinger);
  const uint64_t length = parser_.content_length().value_or(0);
  if (length > kDiscardBytesMax) co_return false;
  while (!parser_.message_done() && !body_error_) co_await arrived_.wait();
  co_return parser_.message_done();
}

// Says that we are done, then reads until the peer is: a close with unread bytes would reset the
// connection.
Task<void> Http1Connection::linger() {
  if (transport_.aborted()) co_return;
  transport_.shutdown_write();
  if (peer_finished_ || (parser_.message_done() && !raw_)) co_return;
  lingering_ = true;
  read_timer_.set(kLinger);
  resume_.notify_all();
  for (;;)
    co_await arrived_
        .wait();  // the reader ends the group when the peer closes, or the timer aborts it
}

Task<void> serve_http1(ServerContext& server, Transport& transport, Peer peer) {
  Http1Connection connection(server, transport, std::move(peer));
  co_await connection.run();
}

}  // namespace kinglet::net

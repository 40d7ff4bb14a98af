#include "net/internal/http1_exchange.h"

#include <cstring>

#include "net/internal/websocket.h"

namespace kinglet::net {
namespace {
// What the framing says about itself; a handler's own words would contradict it.
bool ours(std::string_view name) {
  static constexpr std::string_view kOurs[] = {"content-length", "transfer-encoding", "connection",
                                               "keep-alive", "date"};
  const auto same = [&](std::string_view a) {
    return a.size() == name.size() &&
           std::equal(a.begin(), a.end(), name.begin(),
                      [](char x, char y) { return x == (y >= 'A' && y <= 'Z' ? y + 32 : y); });
  };
  return std::any_of(std::begin(kOurs), std::end(kOurs), same);
}
const Error kAnswered(Code::internal, "the request has been answered already");
}  // namespace

Http1Exchange::Http1Exchange(Http1Connection& connection, Request request)
    : c_(connection),
      request_(std::move(request)),
      keep_alive_(connection.parser_.keep_alive() || connection.parser_.upgrade()),
      is_head_(request_.method == "HEAD"),
      expects_continue_(connection.parser_.minor_version() >= 1 &&
                        request_.headers.get("expect") == "100-continue" &&
                        !connection.parser_.message_done()) {}

Result<void> Http1Exchange::validate() {
  const size_t hosts = request_.headers.all("host").size();
  if (hosts > 1 || (hosts == 0 && c_.parser_.minor_version() >= 1)) {
    keep_alive_ = false;
    return Error(Code::bad_request, "missing or repeated Host header");
  }
  return split_target(request_);
}

Task<Result<void>> Http1Exchange::continue_if_expected() {
  if (!expects_continue_) co_return Result<void>();
  expects_continue_ = false;
  if (state_ == State::open && !c_.body_ready())
    co_return co_await c_.send("HTTP/1.1 100 Continue\r\n\r\n");
  co_return Result<void>();
}

Task<Result<size_t>> Http1Exchange::read_some(std::span<char> out) {
  KL_CHECK(co_await continue_if_expected());
  co_return co_await c_.read_body_part(out);
}

Task<Result<std::string>> Http1Exchange::read_body(size_t limit) {
  const Error too_large(Code::too_large, "request body larger than {} bytes", limit);
  if (c_.parser_.content_length().value_or(0) > limit) co_return too_large;
  KL_CHECK(co_await continue_if_expected());
  std::string body;
  for (;;) {
    auto& arrived = c_.parser_.body();
    if (body.empty() && c_.body_at_ == 0)
      body = std::exchange(arrived, {});  // a small body is never copied
    else
      body.append(arrived, c_.body_at_);
    arrived.clear();
    c_.body_at_ = 0;
    c_.resume_.notify_all();
    if (body.size() > limit) co_return too_large;
    if (c_.parser_.message_done()) co_return body;
    KL_CHECK(co_await c_.wait_for_body());
  }
}

std::string Http1Exchange::head(int status, const Headers& headers, std::optional<size_t> length) {
  std::string out = fmt::format("HTTP/1.1 {} {}\r\n", status, status_text(status));
  for (const auto& [name, value] : headers.rows()) {
    if (ours(name) || !valid_header(name, value)) continue;
    out.append(name).append(": ").append(value).append("\r\n");
  }
  out.append("date: ").append(http_date(c_.server_.clock)).append("\r\n");
  if (length && status_has_body(status)) out += fmt::format("content-length: {}\r\n", *length);
  if (chunked_) out += "transfer-encoding: chunked\r\n";
  // A body that was announced and not asked for may come or not: nobody could tell it from the next
  // request.
  if (expects_continue_ && !c_.parser_.message_done()) keep_alive_ = false;
  if (!keep_alive_)
    out += "connection: close\r\n";
  else if (c_.parser_.minor_version() == 0)
    out += "connection: keep-alive\r\n";
  return out += "\r\n";
}

Task<Result<void>> Http1Exchange::respond(int status, Headers headers, std::vector<Bytes> body) {
  if (state_ != State::open) co_return kAnswered;
  state_ = State::done;
  size_t length = 0;
  for (const auto& piece : body) length += piece.size();
  std::string rest = head(status, headers, length);
  std::string_view view = rest;
  const bool with_body = !is_head_ && status_has_body(status);
  for (size_t i = 0;; ++i) {
    while (!view.empty()) {
      view.remove_prefix(c_.transport_.put(view));
      if (!view.empty()) KL_CHECK(co_await c_.flush());
    }
    if (!with_body || i >= body.size()) break;
    view = body[i].view();
  }
  co_return co_await c_.flush();
}

Task<Result<void>> Http1Exchange::start(int status, Headers headers) {
  if (state_ != State::open) co_return kAnswered;
  state_ = State::streaming;
  body_suppressed_ = is_head_ || !status_has_body(status);
  chunked_ = !body_suppressed_ && c_.parser_.minor_version() >= 1;
  if (!chunked_ && !body_suppressed_)
    keep_alive_ = false;  // HTTP/1.0: the end of the connection ends the body
  const std::string text = head(status, headers, std::nullopt);
  co_return co_await c_.send(text);
}

Task<Result<void>> Http1Exchange::write(std::span<const Bytes> pieces) {
  if (state_ != State::streaming) co_return Error(Code::internal, "write without start");
  if (c_.transport_.aborted()) co_return Error(Code::unavailable, "connection lost");
  size_t length = 0;
  for (const auto& piece : pieces) length += piece.size();
  if (length == 0 || body_suppressed_)
    co_return Result<void>();  // an empty chunk would end the body
  // All pieces make one chunk.
  const std::string size_line = chunked_ ? fmt::format("{:x}\r\n", length) : std::string();
  std::string_view view = size_line;
  for (size_t i = 0;; ++i) {
    while (!view.empty()) {
      view.remove_prefix(c_.transport_.put(view));
      if (!view.empty()) KL_CHECK(co_await c_.flush());
    }
    if (i < pieces.size())
      view = pieces[i].view();
    else if (i == pieces.size() && chunked_)
      view = "\r\n";
    else
      break;
  }
  co_return co_await c_.flush();
}

Task<Result<void>> Http1Exchange::finish() {
  if (state_ != State::streaming) co_return Error(Code::internal, "finish without start");
  state_ = State::done;
  if (chunked_) co_return co_await c_.send("0\r\n\r\n");
  co_return Result<void>();
}

Task<bool> Http1Exchange::end() {
  if (state_ == State::open) {
    c_.server_.log.error("a request was left without an answer", kv("path", request_.path));
    const auto answered = co_await respond_text(*this, 500, "internal error\n");
    co_return answered.has_value();
  }
  co_return state_ == State::done;
}

Task<Result<void>> Http1Exchange::switch_protocols(std::string head) {
  state_ = State::upgraded;
  keep_alive_ = false;
  // What came after the request is the new protocol's.
  c_.raw_ = true;
  c_.body_at_ = 0;
  c_.parser_.body() = std::exchange(c_.input_, {});
  co_return co_await c_.send(head);
}

Task<Result<std::unique_ptr<WebSocket>>> Http1Exchange::accept_websocket(std::string subprotocol) {
  if (state_ != State::open) co_return kAnswered;
  KL_CHECK(check_websocket_request(request_));
  if (!c_.parser_.upgrade() || !c_.parser_.message_done())
    co_return Error(Code::bad_request, "not a WebSocket request");
  std::string text =
      "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
      "sec-websocket-accept: " +
      websocket_accept_key(request_.headers.get("sec-websocket-key")) + "\r\n";
  if (!subprotocol.empty()) text += "sec-websocket-protocol: " + subprotocol + "\r\n";
  text += "\r\n";
  KL_CHECK(co_await switch_protocols(text));
  auto stream = make_pipe_stream(c_);
  co_return make_websocket(std::move(stream), std::move(subprotocol));
}

Task<Result<std::unique_ptr<Stream>>> Http1Exchange::upgrade(Headers headers) {
  if (state_ != State::open) co_return kAnswered;
  if (!c_.parser_.upgrade() || !c_.parser_.message_done())
    co_return Error(Code::bad_request, "not an upgrade request");
  std::string text = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\n";
  for (const auto& [name, value] : headers.rows()) {
    if (ours(name) || !valid_header(name, value)) continue;
    text.append(name).append(": ").append(value).append("\r\n");
  }
  text += "\r\n";
  KL_CHECK(co_await switch_protocols(text));
  co_return make_pipe_stream(c_);
}

// The connection's half: bodies and raw bytes.

Task<Result<void>> Http1Connection::wait_for_body() {
  if (body_error_) co_return *body_error_;
  resume_.notify_all();
  read_timer_.set(server_.limits.body_timeout);
  co_await arrived_.wait();
  read_timer_.clear();
  co_return Result<void>();
}

Task<Result<size_t>> Http1Connection::read_body_part(std::span<char> out) {
  while (!body_ready()) {
    if (parser_.message_done()) co_return size_t{0};
    KL_CHECK(co_await wait_for_body());
  }
  auto& body = parser_.body();
  const size_t taken = std::min(out.size(), body.size() - body_at_);
  std::memcpy(out.data(), body.data() + body_at_, taken);
  body_at_ += taken;
  if (body_at_ == body.size()) {
    body.clear();
    body_at_ = 0;
    resume_.notify_all();
  }
  co_return taken;
}

Task<Result<size_t>> Http1Connection::pipe_read(std::span<char> out) {
  while (!body_ready()) {
    if (peer_finished_) co_return size_t{0};
    if (transport_.aborted()) co_return Error(Code::unavailable, "connection lost");
    co_await arrived_
        .wait();  // an open session may be silent for hours: TCP keep-alive finds the dead ones
  }
  co_return co_await read_body_part(out);
}

Task<Result<void>> Http1Connection::pipe_write(std::string_view bytes) {
  co_return co_await send(bytes);
}

Task<Result<void>> Http1Connection::pipe_close() {
  KL_CHECK(co_await flush());
  transport_.shutdown_write();
  co_return Result<void>();
}

Task<Result<void>> Http1Connection::send(std::string_view bytes) {
  do {
    bytes.remove_prefix(transport_.put(bytes));
    KL_CHECK(co_await flush());
  } while (!bytes.empty());
  co_return Result<void>();
}

Task<Result<void>> Http1Connection::flush() {
  for (;;) {
    const auto state = transport_.flush();
    if (state == Transport::Io::ok) {
      write_timer_.clear();
      co_return Result<void>();
    }
    if (state != Transport::Io::blocked) co_return Error(Code::unavailable, "connection lost");
    write_timer_.set(server_.limits.write_timeout);
    KL_CHECK(co_await transport_.wait(Transport::Direction::write));
  }
}

}  // namespace kinglet::net

#include <cstring>

#include "net/internal/http1_parser.h"
#include "net/internal/http2.h"
#include "net/internal/websocket.h"

namespace kinglet::net {
namespace {
constexpr size_t kHeaderRowOverhead =
    32;  // as SETTINGS_MAX_HEADER_LIST_SIZE counts (RFC 9113, 6.5.2)
const Error kAnswered(Code::internal, "the request has been answered already");
const Error kGone(Code::unavailable, "the peer has reset the stream");

// RFC 9113, 8.2.2: what only HTTP/1 has, and what we say ourselves.
bool skipped(std::string_view name) {
  return name == "connection" || name == "keep-alive" || name == "transfer-encoding" ||
         name == "upgrade" || name == "content-length" || name == "date" ||
         name == "proxy-connection";
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}
}  // namespace

Http2Stream::Http2Stream(Http2Connection& connection, int32_t id, const Peer& peer)
    : c_(connection),
      id_(id),
      read_timer_(connection.server().deadlines,
                  [this] {
                    body_error_ = Error(Code::timeout, "the body does not come");
                    arrived_.notify_all();
                  }),
      write_timer_(connection.server().deadlines, [this] {
        reset(NGHTTP2_CANCEL);
        c_.pump();
      }) {
  request_.peer = peer;
  request_.http_major = 2;
}

void Http2Stream::on_header(std::string_view name, std::string_view value) {
  header_bytes_ += name.size() + value.size() + kHeaderRowOverhead;
  too_large_ = too_large_ || header_bytes_ > c_.server().limits.header_bytes_max ||
               request_.headers.rows().size() >= kHeadersMax;
  if (too_large_) return;
  if (name == ":method")
    request_.method = value;
  else if (name == ":path")
    request_.target = value;
  else if (name == ":protocol")
    protocol_ = value;
  else if (name == ":authority")
    request_.headers.set("host", std::string(value));
  else if (name == "host" && request_.headers.find("host"))
    return;  // RFC 9113, 8.3.1: the authority counts
  else if (!name.starts_with(':'))
    request_.headers.add(std::string(name), std::string(value));
}

void Http2Stream::on_body(std::string_view bytes) {
  // The window bounds this: what is not taken is not announced as room.
  if (body_at_ > 0 && body_at_ == body_.size()) {
    body_.clear();
    body_at_ = 0;
  }
  body_.append(bytes);
  arrived_.notify_all();
}

void Http2Stream::on_body_end() {
  body_end_ = true;
  arrived_.notify_all();
}

void Http2Stream::on_closed(uint32_t error_code) {
  closed_ = true;
  if (!body_end_) body_error_ = kGone;
  arrived_.notify_all();
  sent_.notify_all();
  out_.clear();
  out_bytes_ = out_at_ = 0;
  // A stream that both sides have ended closes normally while the handler may still tidy up.
  if (!handler_done_ && (error_code != NGHTTP2_NO_ERROR || !response_sent_)) group_.cancel();
}

// nghttp2 asks how much of the next frame we have; take_out() then hands it over.
ssize_t Http2Stream::give(size_t length, uint32_t* flags) {
  if (out_bytes_ == 0 && !out_end_) {
    deferred_ = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  const size_t taken = std::min(length, out_bytes_);
  if (taken > 0) *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (out_end_ && taken == out_bytes_) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return static_cast<ssize_t>(taken);
}

void Http2Stream::take_out(Transport& transport, size_t bytes) {
  out_bytes_ -= bytes;
  while (bytes > 0) {
    const std::string_view rest = out_.front().view().substr(out_at_);
    const size_t taken = std::min(bytes, rest.size());
    transport.put(rest.substr(0, taken));
    bytes -= taken;
    out_at_ += taken;
    if (taken == rest.size()) {
      out_.pop_front();
      out_at_ = 0;
    }
  }
  if (out_bytes_ == 0)
    sent_.notify_all();
  else
    watch_writing();  // slow is allowed, stuck is not
}

// Behind an upgraded stream may be a program that does not read for minutes, which is its business; a peer that takes
// nothing on any stream is noticed by the connection.
void Http2Stream::watch_writing() {
  if (!patient_) write_timer_.set(c_.server().limits.write_timeout);
}

// RFC 9113, 8.1: the whole answer is out and the client still sends: it may stop.
void Http2Stream::reset_if_body_is_left() {
  if (handler_done_ && response_sent_ && !body_end_ && !closed_) reset(NGHTTP2_NO_ERROR);
}

void Http2Stream::reset(uint32_t error_code) {
  if (!closed_) nghttp2_submit_rst_stream(c_.session(), NGHTTP2_FLAG_NONE, id_, error_code);
}

Result<void> Http2Stream::validate() {
  if (too_large_) return Error(Code::too_large, "request headers too large");
  if (!protocol_.empty()) {
    // The same request as on HTTP/1.1, so that handlers need not know.
    request_.method = "GET";
    request_.headers.set("upgrade", protocol_);
    request_.headers.set("connection", "Upgrade");
  }
  return split_target(request_);
}

Task<void> Http2Stream::serve() {
  const auto valid = validate();
  if (valid)
    co_await c_.server().handler.serve(*this);
  else {
    const int status = too_large_ ? 431 : 400;
    const auto answered = co_await respond_text(*this, status, valid.error().message());
    (void)answered;
  }
  if (state_ == State::streaming && !protocol_.empty()) {
    const auto ended = co_await finish();  // a WebSocket's stream ends with its handler
    (void)ended;
  }
  if (state_ == State::open && !closed_) {
    c_.server().log.error("a request was left without an answer", kv("path", request_.path));
    const auto answered = co_await respond_text(*this, 500, "internal error\n");
    (void)answered;
  }
}

Task<Result<void>> Http2Stream::wait_for_body() {
  if (body_error_) co_return *body_error_;
  read_timer_.set(c_.server().limits.body_timeout);
  co_await arrived_.wait();
  read_timer_.clear();
  co_return Result<void>();
}

Task<Result<size_t>> Http2Stream::read_some(std::span<char> out) {
  while (!body_ready()) {
    if (body_end_) co_return size_t{0};
    KL_CHECK(co_await wait_for_body());
  }
  const size_t taken = std::min(out.size(), body_.size() - body_at_);
  std::memcpy(out.data(), body_.data() + body_at_, taken);
  body_at_ += taken;
  if (!closed_) c_.consumed(id_, taken);
  if (patient_ && !body_ready()) {
    std::string().swap(body_);  // silent for long: it owns no buffer
    body_at_ = 0;
  }
  co_return taken;
}

Task<Result<std::string>> Http2Stream::read_body(size_t limit) {
  std::string whole;
  for (;;) {
    const size_t arrived = body_.size() - body_at_;
    if (whole.empty() && body_at_ == 0)
      whole = std::exchange(body_, {});
    else
      whole.append(body_, body_at_);
    body_.clear();
    body_at_ = 0;
    if (arrived > 0 && !closed_) c_.consumed(id_, arrived);
    if (whole.size() > limit)
      co_return Error(Code::too_large, "request body larger than {} bytes", limit);
    if (body_end_) co_return whole;
    KL_CHECK(co_await wait_for_body());
  }
}

void Http2Stream::submit(int status, const Headers& headers, std::optional<size_t> length,
                         bool with_body) {
  std::vector<std::pair<std::string, std::string>> rows;
  rows.reserve(headers.rows().size() + 3);
  rows.emplace_back(":status", fmt::format("{}", status));
  for (const auto& [name, value] : headers.rows()) {
    std::string small = lower(name);
    if (!skipped(small) && valid_header(small, value)) rows.emplace_back(std::move(small), value);
  }
  rows.emplace_back("date", http_date(c_.server().clock));
  if (length && status_has_body(status))
    rows.emplace_back("content-length", fmt::format("{}", *length));
  std::vector<nghttp2_nv> fields;
  fields.reserve(rows.size());
  for (auto& [name, value] : rows)
    fields.push_back({reinterpret_cast<uint8_t*>(name.data()),
                      reinterpret_cast<uint8_t*>(value.data()), name.size(), value.size(),
                      NGHTTP2_NV_FLAG_NONE});
  nghttp2_data_provider provider{};
  provider.source.ptr = this;
  provider.read_callback = [](nghttp2_session*, int32_t, uint8_t*, size_t length, uint32_t* flags,
                              nghttp2_data_source* source, void*) {
    return static_cast<Http2Stream*>(source->ptr)->give(length, flags);
  };
  nghttp2_submit_response(c_.session(), id_, fields.data(), fields.size(),
                          with_body ? &provider : nullptr);
}

void Http2Stream::enqueue(std::span<const Bytes> pieces) {
  for (const auto& piece : pieces) {
    if (piece.empty()) continue;
    out_bytes_ += piece.size();
    out_.push_back(piece);
  }
}

Task<Result<void>> Http2Stream::wait_until_sent() {
  if (deferred_ && (out_bytes_ > 0 || out_end_)) {
    deferred_ = false;
    nghttp2_session_resume_data(c_.session(), id_);
  }
  c_.pump();
  while (out_bytes_ > 0 && !closed_ && !c_.lost()) {
    watch_writing();
    co_await sent_.wait();
  }
  write_timer_.clear();
  if (c_.lost() || (closed_ && !response_sent_)) co_return kGone;
  co_return Result<void>();
}

Task<Result<void>> Http2Stream::respond(int status, Headers headers, std::vector<Bytes> body) {
  if (state_ != State::open) co_return kAnswered;
  if (closed_) co_return kGone;
  state_ = State::done;
  size_t length = 0;
  for (const auto& piece : body) length += piece.size();
  const bool with_body = request_.method != "HEAD" && status_has_body(status) && length > 0;
  if (with_body) enqueue(body);
  out_end_ = true;
  submit(status, headers, length, with_body);
  co_return co_await wait_until_sent();
}

Task<Result<void>> Http2Stream::start(int status, Headers headers) {
  if (state_ != State::open) co_return kAnswered;
  if (closed_) co_return kGone;
  state_ = State::streaming;
  body_suppressed_ = request_.method == "HEAD" || !status_has_body(status);
  submit(status, headers, std::nullopt, !body_suppressed_);
  co_return co_await wait_until_sent();
}

Task<Result<void>> Http2Stream::write(std::span<const Bytes> pieces) {
  if (state_ != State::streaming) co_return Error(Code::internal, "write without start");
  if (closed_) co_return kGone;
  if (body_suppressed_) co_return Result<void>();
  enqueue(pieces);
  co_return co_await wait_until_sent();
}

Task<Result<void>> Http2Stream::finish() {
  if (state_ != State::streaming) co_return Error(Code::internal, "finish without start");
  state_ = State::done;
  if (closed_) co_return kGone;
  out_end_ = true;
  co_return co_await wait_until_sent();
}

Task<Result<std::unique_ptr<WebSocket>>> Http2Stream::accept_websocket(std::string subprotocol) {
  if (state_ != State::open) co_return kAnswered;
  if (protocol_ != "websocket") co_return Error(Code::bad_request, "not a WebSocket request");
  KL_CHECK(check_websocket_request(request_));
  Headers headers;
  if (!subprotocol.empty()) headers.add("sec-websocket-protocol", subprotocol);
  KL_CHECK(co_await start(200, std::move(headers)));
  auto stream = make_pipe_stream(*this);
  co_return make_websocket(std::move(stream), std::move(subprotocol));
}

// RFC 8441: an extended CONNECT is HTTP/2's upgrade, and 200 its "101".
Task<Result<std::unique_ptr<Stream>>> Http2Stream::upgrade(Headers headers) {
  if (state_ != State::open) co_return kAnswered;
  if (protocol_.empty() || protocol_ == "websocket")
    co_return Error(Code::bad_request, "not a request for an upgrade");
  KL_CHECK(co_await start(200, std::move(headers)));
  patient_ = true;
  co_return make_pipe_stream(*this);
}

Task<Result<size_t>> Http2Stream::pipe_read(std::span<char> out) {
  while (!body_ready()) {
    if (body_end_) co_return size_t{0};
    if (closed_ || body_error_) co_return kGone;
    co_await arrived_.wait();  // an open session may be silent for hours
  }
  co_return co_await read_some(out);
}

Task<Result<void>> Http2Stream::pipe_write(std::string_view bytes) {
  std::vector<Bytes> pieces;
  pieces.emplace_back(bytes);
  co_return co_await write(pieces);
}

}  // namespace kinglet::net

#include "net/internal/http2.h"

#include "net/internal/h2_frames.h"
#include "net/internal/http1_parser.h"

namespace kinglet::net {
namespace {
constexpr uint32_t kConnectionWindowBytes = 1 << 20;
// Resets, pings, settings and empty frames: a burst, and so many per second. A client that cancels
// a thousand watches at once is within it; a rapid-reset attack (CVE-2023-44487) is not.
constexpr int kTokensMax = 2000;
constexpr int kTokensPerSecond = 200;

}  // namespace

struct Http2Callbacks {
  static Http2Connection& self(void* data) { return *static_cast<Http2Connection*>(data); }

  static ssize_t send(nghttp2_session*, const uint8_t* bytes, size_t size, int, void* data) {
    auto& c = self(data);
    return put_bytes(c.transport_, bytes, size, c.out_of_room_);
  }

  static int send_data(nghttp2_session*, nghttp2_frame*, const uint8_t* head, size_t length,
                       nghttp2_data_source* source, void* data) {
    auto& c = self(data);
    if (!put_frame_head(c.transport_, head, length, c.out_of_room_)) return NGHTTP2_ERR_WOULDBLOCK;
    static_cast<Http2Stream*>(source->ptr)->take_out(c.transport_, length);
    return 0;
  }

  static int begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* data) {
    auto& c = self(data);
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    const int32_t id = frame->hd.stream_id;
    // Handlers of streams that were reset may still be unwinding.
    if (c.handlers_ >= 2 * c.server_.limits.streams_per_connection_max) {
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
      return 0;
    }
    c.streams_[id] = std::make_shared<Http2Stream>(c, id, c.peer_);
    c.idle_timer_.set(c.server_.limits.header_timeout);  // until the headers are complete
    return 0;
  }

  static int header(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                    size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                    void* data) {
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    if (auto* stream = self(data).find(frame->hd.stream_id))
      stream->on_header(text(name, name_size), text(value, value_size));
    return 0;
  }

  static int begin_frame(nghttp2_session* session, const nghttp2_frame_hd* head, void* data) {
    const bool cheap_for_the_peer =
        head->type == NGHTTP2_RST_STREAM || head->type == NGHTTP2_PING ||
        head->type == NGHTTP2_SETTINGS || head->type == NGHTTP2_PRIORITY ||
        (head->length == 0 && (head->type == NGHTTP2_DATA || head->type == NGHTTP2_HEADERS ||
                               head->type == NGHTTP2_CONTINUATION));
    if (!cheap_for_the_peer || self(data).spend(1)) return 0;
    nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
    return 0;
  }

  static int frame_received(nghttp2_session*, const nghttp2_frame* frame, void* data) {
    auto& c = self(data);
    const bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (frame->hd.type == NGHTTP2_HEADERS) {
      const auto found = c.streams_.find(frame->hd.stream_id);
      if (found == c.streams_.end()) return 0;
      if (end) found->second->on_body_end();
      if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        c.ready_.push_back(found->second);
        c.idle_timer_.clear();
      }
    } else if (frame->hd.type == NGHTTP2_SETTINGS) {
      c.watch_idle();  // it speaks HTTP/2: from now on it may be quiet
    } else if (frame->hd.type == NGHTTP2_DATA && end) {
      if (auto* stream = c.find(frame->hd.stream_id)) stream->on_body_end();
    }
    return 0;
  }

  static int data_chunk(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* bytes,
                        size_t size, void* data) {
    auto& c = self(data);
    auto* stream = c.find(id);
    if (stream && !stream->handler_done_) {
      stream->on_body(text(bytes, size));
      if (c.separate_windows_) nghttp2_session_consume_connection(session, size);
    } else
      nghttp2_session_consume(session, id, size);
    return 0;
  }

  static int frame_sent(nghttp2_session*, const nghttp2_frame* frame, void* data) {
    const bool carries = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
    if (!carries || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
    if (auto* stream = self(data).find(frame->hd.stream_id)) {
      stream->response_sent_ = true;
      stream->reset_if_body_is_left();
    }
    return 0;
  }

  static int stream_closed(nghttp2_session* session, int32_t id, uint32_t error, void* data) {
    auto& c = self(data);
    const auto found = c.streams_.find(id);
    if (found == c.streams_.end()) return 0;
    const auto stream = found->second;
    c.streams_.erase(found);
    // What the handler did not read must not count against the connection for ever.
    if (!c.separate_windows_)
      nghttp2_session_consume_connection(session, stream->body_.size() - stream->body_at_);
    stream->on_closed(error);
    c.watch_idle();
    return 0;
  }

  static nghttp2_session_callbacks* table() {
    static nghttp2_session_callbacks* const made = [] {
      nghttp2_session_callbacks* t = nullptr;
      nghttp2_session_callbacks_new(&t);
      nghttp2_session_callbacks_set_send_callback(t, send);
      nghttp2_session_callbacks_set_send_data_callback(t, send_data);
      nghttp2_session_callbacks_set_data_source_read_length_callback(t, data_length);
      nghttp2_session_callbacks_set_on_begin_headers_callback(t, begin_headers);
      nghttp2_session_callbacks_set_on_header_callback(t, header);
      nghttp2_session_callbacks_set_on_begin_frame_callback(t, begin_frame);
      nghttp2_session_callbacks_set_on_frame_recv_callback(t, frame_received);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(t, data_chunk);
      nghttp2_session_callbacks_set_on_frame_send_callback(t, frame_sent);
      nghttp2_session_callbacks_set_on_stream_close_callback(t, stream_closed);
      return t;
    }();
    return made;
  }

  static nghttp2_option* options() {
    static nghttp2_option* const made = [] {
      nghttp2_option* o = nullptr;
      nghttp2_option_new(&o);
      nghttp2_option_set_no_auto_window_update(o, 1);
      nghttp2_option_set_no_closed_streams(o, 1);
      nghttp2_option_set_max_outbound_ack(o, kOutboundAcksMax);
      // Our answers' headers are few: no table for compressing them, 4 KiB less per connection.
      nghttp2_option_set_max_deflate_dynamic_table_size(o, 0);
      return o;
    }();
    return made;
  }
};

Http2Connection::Http2Connection(ServerContext& server, Transport& transport, Peer peer)
    : server_(server),
      transport_(transport),
      peer_(std::move(peer)),
      idle_timer_(server.deadlines, [this] { idle_expired(); }),
      write_timer_(
          server.deadlines,
          [this] { transport_.abort(Error(Code::unavailable, "the peer takes no data")); }),
      separate_windows_(peer_.certificate_verified),
      tokens_(kTokensMax),
      refilled_(server.clock.now()) {
  const int made = nghttp2_session_server_new2(&session_, Http2Callbacks::table(), this,
                                               Http2Callbacks::options());
  KL_ASSERT(made == 0, "nghttp2 session");
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
       static_cast<uint32_t>(server.limits.streams_per_connection_max)},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindowBytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
       static_cast<uint32_t>(server.limits.header_bytes_max)},
      {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
  };
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindowBytes);
}

Http2Connection::~Http2Connection() {
  if (!lost()) {
    // Whatever is the reason that we stop: a GOAWAY tells the client that it may retry elsewhere.
    nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
    pump();
    transport_.shutdown_write();
  }
  lost_ = true;  // closing the session calls back
  nghttp2_session_del(session_);
}

Http2Stream* Http2Connection::find(int32_t id) {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second.get();
}

bool Http2Connection::spend(int tokens) {
  const TimePoint now = server_.clock.now();
  const auto refill =
      std::chrono::duration_cast<std::chrono::milliseconds>(now - refilled_).count() *
      kTokensPerSecond / 1000;
  if (refill > 0) {
    tokens_ = static_cast<int>(std::min<int64_t>(kTokensMax, tokens_ + refill));
    refilled_ = now;
  }
  tokens_ -= tokens;
  return tokens_ >= 0;
}

void Http2Connection::consumed(int32_t stream, size_t bytes) {
  if (separate_windows_)
    nghttp2_session_consume_stream(session_, stream, bytes);
  else
    nghttp2_session_consume(session_, stream, bytes);
  pump();
}

void Http2Connection::pump() {
  if (pumping_ || receiving_ || blocked_ || lost()) return;
  pumping_ = true;
  do {
    out_of_room_ = false;
    if (nghttp2_session_send(session_) != 0) {
      lost_ = true;
      break;
    }
    const auto state = transport_.flush();
    if (state == Transport::Io::blocked) {
      blocked_ = true;
      write_timer_.set(server_.limits.write_timeout);
      writable_wanted_.notify_all();
      break;
    }
    if (state != Transport::Io::ok) lost_ = true;
  } while (out_of_room_ && !lost_);
  pumping_ = false;
  if (lost_) group_.cancel();
}

bool Http2Connection::take(std::string_view bytes) {
  receiving_ = true;  // callbacks must not send
  const ssize_t used = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  receiving_ = false;
  start_ready();
  pump();
  return used >= 0 && !lost() &&
         (nghttp2_session_want_read(session_) || nghttp2_session_want_write(session_));
}

void Http2Connection::start_ready() {
  const auto ready = std::exchange(ready_, {});
  for (const auto& stream : ready) {
    ++handlers_;
    group_.add("http2 stream", serve_stream(stream));
  }
}

Task<void> Http2Connection::serve_stream(std::shared_ptr<Http2Stream> stream) {
  struct Leave {
    Http2Connection& c;
    ~Leave() { --c.handlers_; }
  } leave{*this};
  if (!stream->closed_) {
    stream->group_.add("http2 handler", stream->serve());
    const auto ended = co_await stream->group_.run();
    (void)ended;  // a handler returns nothing
  }
  stream->handler_done_ = true;
  stream->read_timer_.clear();
  stream->write_timer_.clear();
  if (stream->closed_) co_return;
  if (stream->state_ != Http2Stream::State::done)
    stream->reset(NGHTTP2_INTERNAL_ERROR);  // a streamed answer without an end
  else
    stream->reset_if_body_is_left();
  pump();
}

void Http2Connection::watch_idle() {
  if (streams_.empty()) idle_timer_.set(server_.limits.idle_timeout);
}

void Http2Connection::idle_expired() {
  nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
  pump();
  transport_.abort(Error(Code::timeout, "idle"));
}

Task<Result<void>> Http2Connection::read_loop() {
  for (;;) {
    const auto buffer = scratch();
    const auto read = transport_.read_now(buffer);
    if (read.state == Transport::Io::ok) {
      if (!take({buffer.data(), read.bytes}))
        co_return Error(Code::unavailable, "the connection is over");
    } else if (read.state == Transport::Io::blocked) {
      KL_CHECK(co_await transport_.wait(Transport::Direction::read));
    } else {
      lost_ = true;
      co_return Error(Code::unavailable, "the peer has gone");
    }
  }
}

Task<Result<void>> Http2Connection::write_loop() {
  for (;;) {
    while (!blocked_) co_await writable_wanted_.wait();
    KL_CHECK(co_await transport_.wait(Transport::Direction::write));
    write_timer_.clear();
    blocked_ = false;
    pump();
  }
}

Task<void> Http2Connection::run() {
  idle_timer_.set(server_.limits.header_timeout);
  pump();
  group_.add("http2 reader", read_loop());
  group_.add("http2 writer", write_loop());
  const auto ended = co_await group_.run();
  if (!ended)
    server_.log.debug("connection ended", kv("peer", peer_.address), kv("error", ended.error()));
}

Task<void> serve_http2(ServerContext& server, Transport& transport, Peer peer) {
  Http2Connection connection(server, transport, std::move(peer));
  co_await connection.run();
}

}  // namespace kinglet::net

#include "net/h2_client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cstring>

#include "base/deadline.h"
#include "net/internal/connect_proxy.h"
#include "net/internal/connection.h"
#include "net/internal/h2_client_connection.h"
#include "net/internal/h2_frames.h"
#include "net/internal/http1_parser.h"
#include "net/internal/tls.h"

namespace kinglet::net {
namespace {
// Only paces the peer: bytes are taken off it as they arrive.
constexpr int32_t kConnectionWindowBytes = 4 << 20;
constexpr size_t kHeaderBytesMax = 64 << 10;  // of one answer

Error gone() { return Error(Code::unavailable, "the connection to the server is lost"); }

std::string local_host_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  boost::asio::ip::tcp::endpoint endpoint;
  if ((address.ss_family != AF_INET && address.ss_family != AF_INET6) || size > endpoint.capacity())
    return {};
  std::memcpy(endpoint.data(), &address, size);
  endpoint.resize(size);
  auto host = endpoint.address();
  if (host.is_v6() && host.to_v6().is_v4_mapped())
    host = boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, host.to_v6());
  return host.to_string();
}

bool forbidden_header(std::string_view name) {
  return name == "connection" || name == "keep-alive" || name == "transfer-encoding" ||
         name == "upgrade" || name == "host" || name == "proxy-connection";
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

// Hands the front of the stream's pieces to the transport.
void take_out(H2Stream& stream, Transport& transport, size_t bytes) {
  stream.out_bytes -= bytes;
  while (bytes > 0) {
    const std::string_view rest = stream.out.front().view().substr(stream.out_at);
    const size_t taken = std::min(bytes, rest.size());
    transport.put(rest.substr(0, taken));
    bytes -= taken;
    stream.out_at += taken;
    if (taken < rest.size()) continue;
    stream.out.pop_front();
    stream.out_at = 0;
  }
  if (stream.out_bytes == 0) stream.sent.notify_all();
}

ssize_t give(nghttp2_session*, int32_t, uint8_t*, size_t length, uint32_t* flags,
             nghttp2_data_source* source, void*) {
  auto& stream = *static_cast<H2Stream*>(source->ptr);
  if (stream.out_bytes == 0 && !stream.out_end) {
    stream.deferred = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  const size_t taken = std::min(length, stream.out_bytes);
  if (taken > 0) *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (stream.out_end && taken == stream.out_bytes) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return static_cast<ssize_t>(taken);
}

class Call final : public H2Call {
 public:
  explicit Call(std::shared_ptr<H2Stream> stream) : stream_(std::move(stream)) {}
  ~Call() override {
    if (stream_->connection) stream_->connection->abandon(*stream_);
  }

  Task<Result<int>> status() override {
    const auto stream = stream_;
    while (!stream->head_done) {
      if (stream->over()) co_return stream->error.value_or(gone());
      co_await stream->arrived.wait();
    }
    co_return stream->status;
  }

  const Headers& headers() const override { return stream_->headers; }

  Task<void> wait_ended() override {
    const auto stream = stream_;
    while (!stream->over() && !stream->body_end) co_await stream->arrived.wait();
  }

  Task<Result<size_t>> read(std::span<char> out) override {
    const auto stream = stream_;
    while (stream->body.size() == stream->body_at) {
      if (stream->body_end) co_return size_t{0};
      if (stream->over()) co_return stream->error.value_or(gone());
      co_await stream->arrived.wait();
    }
    const size_t taken = std::min(out.size(), stream->body.size() - stream->body_at);
    std::memcpy(out.data(), stream->body.data() + stream->body_at, taken);
    stream->body_at += taken;
    if (stream->body_at == stream->body.size()) {
      std::string().swap(stream->body);  // an idle stream owns no buffer
      stream->body_at = 0;
    }
    if (stream->connection) stream->connection->consumed(*stream, taken);
    co_return taken;
  }

  Task<Result<void>> write(std::string_view bytes) override {
    if (stream_->out_end) co_return Error(Code::internal, "write after the end");
    co_return co_await send(stream_, bytes, false);
  }

  Task<Result<void>> close_write() override {
    if (stream_->out_end) co_return Result<void>();
    co_return co_await send(stream_, {}, true);
  }

 private:
  static Task<Result<void>> send(std::shared_ptr<H2Stream> stream, std::string_view bytes,
                                 bool end) {
    if (stream->over()) co_return stream->error.value_or(gone());
    stream->connection->write(*stream, bytes, end);
    while (stream->out_bytes > 0 && !stream->over()) co_await stream->sent.wait();
    if (stream->over() && stream->error) co_return *stream->error;
    co_return Result<void>();
  }

  std::shared_ptr<H2Stream> stream_;
};
}  // namespace

struct H2Callbacks {
  static H2Connection& self(void* data) { return *static_cast<H2Connection*>(data); }

  static ssize_t send(nghttp2_session*, const uint8_t* bytes, size_t size, int, void* data) {
    auto& c = self(data);
    return put_bytes(*c.transport_, bytes, size, c.out_of_room_);
  }

  static int send_data(nghttp2_session*, nghttp2_frame*, const uint8_t* head, size_t length,
                       nghttp2_data_source* source, void* data) {
    auto& c = self(data);
    if (!put_frame_head(*c.transport_, head, length, c.out_of_room_)) return NGHTTP2_ERR_WOULDBLOCK;
    take_out(*static_cast<H2Stream*>(source->ptr), *c.transport_, length);
    return 0;
  }

  static int header(nghttp2_session* session, const nghttp2_frame* frame, const uint8_t* name,
                    size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                    void* data) {
    const auto stream = self(data).find(frame->hd.stream_id);
    if (frame->hd.type != NGHTTP2_HEADERS || !stream || stream->head_done)
      return 0;  // trailers say nothing to us
    const auto key = text(name, name_size);
    if (key == ":status") {
      stream->headers = Headers();  // of an interim answer
      stream->status = std::atoi(std::string(text(value, value_size)).c_str());
    } else if (stream->headers.rows().size() < kHeadersMax) {
      stream->headers.add(std::string(key), std::string(text(value, value_size)));
    } else {
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_ENHANCE_YOUR_CALM);
    }
    return 0;
  }

  static int frame_received(nghttp2_session*, const nghttp2_frame* frame, void* data) {
    auto& c = self(data);
    if (frame->hd.type == NGHTTP2_GOAWAY) c.going_away_ = true;
    const auto stream = c.find(frame->hd.stream_id);
    if (!stream) return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && stream->status >= 200) stream->head_done = true;
    const bool carries = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (carries && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) stream->body_end = true;
    stream->arrived.notify_all();
    return 0;
  }

  static int data_chunk(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* bytes,
                        size_t size, void* data) {
    const auto stream = self(data).find(id);
    nghttp2_session_consume_connection(session, size);
    if (!stream || stream->abandoned) {
      nghttp2_session_consume_stream(session, id, size);
      return 0;
    }
    if (stream->body_at > 0 && stream->body_at == stream->body.size()) {
      stream->body.clear();
      stream->body_at = 0;
    }
    stream->body.append(text(bytes, size));  // the stream's window bounds it
    stream->arrived.notify_all();
    return 0;
  }

  static int stream_closed(nghttp2_session*, int32_t id, uint32_t error, void* data) {
    auto& c = self(data);
    const auto stream = c.find(id);
    if (!stream) return 0;
    std::optional<Error> why;
    if (error != NGHTTP2_NO_ERROR)
      why = Error(Code::unavailable, "the peer has reset the stream ({})",
                  nghttp2_http2_strerror(error));
    c.streams_.erase(id);
    c.end(*stream, why);
    return 0;
  }

  static nghttp2_session_callbacks* table() {
    static nghttp2_session_callbacks* const made = [] {
      nghttp2_session_callbacks* t = nullptr;
      nghttp2_session_callbacks_new(&t);
      nghttp2_session_callbacks_set_send_callback(t, send);
      nghttp2_session_callbacks_set_send_data_callback(t, send_data);
      nghttp2_session_callbacks_set_data_source_read_length_callback(t, data_length);
      nghttp2_session_callbacks_set_on_header_callback(t, header);
      nghttp2_session_callbacks_set_on_frame_recv_callback(t, frame_received);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(t, data_chunk);
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
      nghttp2_option_set_max_outbound_ack(o, kOutboundAcksMax);
      return o;
    }();
    return made;
  }
};

H2Connection::H2Connection(Clock& clock, std::unique_ptr<Transport> transport,
                           std::string authority, bool tls)
    : clock_(clock),
      transport_(std::move(transport)),
      authority_(std::move(authority)),
      scheme_(tls ? "https" : "http"),
      local_host_(local_host_of(transport_->fd())),
      peer_host_(transport_->peer_host()),
      heard_(clock.now()) {
  const int made =
      nghttp2_session_client_new2(&session_, H2Callbacks::table(), this, H2Callbacks::options());
  KL_ASSERT(made == 0, "nghttp2 session");
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindowBytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, kHeaderBytesMax},
  };
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindowBytes);
}

H2Connection::~H2Connection() {
  if (!lost_) {
    nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
    pump();
    transport_->shutdown_write();
  }
  lose(gone());
  nghttp2_session_del(session_);
}

std::shared_ptr<H2Stream> H2Connection::find(int32_t id) const {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second;
}

void H2Connection::end(H2Stream& stream, std::optional<Error> error) {
  stream.connection = nullptr;
  if (!stream.body_end || !stream.out_end) stream.error = error;
  stream.out.clear();
  stream.out_bytes = stream.out_at = 0;
  stream.arrived.notify_all();
  stream.sent.notify_all();
}

// Every request learns it at once, also when run() is not on its turn.
void H2Connection::lose(const Error& why) {
  if (!lost_) lost_ = why;
  for (const auto& [id, stream] : std::exchange(streams_, {})) end(*stream, why);
  group_.cancel();
}

void H2Connection::pump() {
  if (pumping_ || receiving_ || blocked_ || lost_) return;
  pumping_ = true;
  bool failed = false;
  do {
    out_of_room_ = false;
    failed = nghttp2_session_send(session_) != 0;
    if (failed) break;
    const auto state = transport_->flush();
    if (state == Transport::Io::blocked) {
      blocked_ = true;
      writable_wanted_.notify_all();
      break;
    }
    failed = state != Transport::Io::ok;
  } while (out_of_room_ && !failed);
  pumping_ = false;
  if (failed) lose(gone());
}

bool H2Connection::take(std::string_view bytes) {
  receiving_ = true;  // callbacks must not send
  const ssize_t used = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  receiving_ = false;
  pump();
  return used >= 0 && !lost_ &&
         (nghttp2_session_want_read(session_) || nghttp2_session_want_write(session_));
}

Task<Result<void>> H2Connection::read_loop() {
  for (;;) {
    const auto buffer = scratch();
    const auto read = transport_->read_now(buffer);
    if (read.state == Transport::Io::ok) {
      heard_ = clock_.now();
      if (!take({buffer.data(), read.bytes}))
        co_return Error(Code::unavailable, "the server has ended the connection");
    } else if (read.state == Transport::Io::blocked) {
      KL_CHECK(co_await transport_->wait(Transport::Direction::read));
    } else {
      co_return Error(Code::unavailable, "the server has gone");
    }
  }
}

Task<Result<void>> H2Connection::write_loop() {
  for (;;) {
    while (!blocked_) co_await writable_wanted_.wait();
    KL_CHECK(co_await transport_->wait(Transport::Direction::write));
    blocked_ = false;
    pump();
  }
}

Task<Result<void>> H2Connection::run() {
  pump();
  group_.add("http2 client reader", read_loop());
  group_.add("http2 client writer", write_loop());
  const auto ended = co_await group_.run();
  const Error why = !ended ? ended.error() : lost_.value_or(gone());
  lose(why);
  co_return why;
}

Result<std::unique_ptr<H2Call>> H2Connection::open(H2Request request) {
  if (lost_) return *lost_;
  if (going_away_) return Error(Code::unavailable, "the server is closing the connection");
  const bool upgrade = !request.protocol.empty();
  std::vector<std::pair<std::string, std::string>> rows;
  rows.emplace_back(":method", upgrade ? "CONNECT" : request.method);
  if (upgrade) rows.emplace_back(":protocol", request.protocol);
  rows.emplace_back(":scheme", scheme_);
  rows.emplace_back(":authority", authority_);
  rows.emplace_back(":path", request.target);
  for (const auto& [name, value] : request.headers.rows()) {
    std::string small = lower(name);
    if (!valid_header(small, value)) return Error(Code::bad_request, "header \"{}\"", small);
    if (!forbidden_header(small)) rows.emplace_back(std::move(small), value);
  }
  std::vector<nghttp2_nv> fields;
  for (auto& [name, value] : rows)
    fields.push_back({reinterpret_cast<uint8_t*>(name.data()),
                      reinterpret_cast<uint8_t*>(value.data()), name.size(), value.size(),
                      NGHTTP2_NV_FLAG_NONE});
  auto stream = std::make_shared<H2Stream>();
  const bool body = upgrade || request.has_body;
  stream->out_end = !body;
  nghttp2_data_provider provider{};
  provider.source.ptr = stream.get();
  provider.read_callback = give;
  const int32_t id = nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(),
                                            body ? &provider : nullptr, nullptr);
  if (id < 0)
    return Error(Code::unavailable, "no more requests on this connection: {}",
                 nghttp2_strerror(id));
  stream->connection = this;
  stream->id = id;
  streams_[id] = stream;
  pump();
  return std::unique_ptr<H2Call>(std::make_unique<Call>(std::move(stream)));
}

void H2Connection::write(H2Stream& stream, std::string_view bytes, bool end) {
  if (!bytes.empty()) {
    stream.out.emplace_back(bytes);
    stream.out_bytes += bytes.size();
  }
  stream.out_end = stream.out_end || end;
  if (stream.deferred) {
    stream.deferred = false;
    nghttp2_session_resume_data(session_, stream.id);
  }
  pump();
}

void H2Connection::consumed(H2Stream& stream, size_t bytes) {
  nghttp2_session_consume_stream(session_, stream.id, bytes);
  pump();
}

void H2Connection::abandon(H2Stream& stream) {
  stream.abandoned = true;
  if (!(stream.body_end && stream.out_end)) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id, NGHTTP2_CANCEL);
    pump();
  }
}

namespace {
Task<Result<std::unique_ptr<H2Client>>> connect_now(Clock& clock, H2Options options) {
  KL_TRY(url, parse_url(options.url));
  SslPtr ssl;
  if (url.tls) {
    KL_TRY(context, make_client_context(clock, options.tls, "h2"));
    KL_TRY(session, make_client_session(context.get(), options.tls, url.host));
    ssl = std::move(session);
  }
  std::optional<ProxyAddress> proxy;
  if (!options.proxy.empty()) {
    KL_TRY(parsed, parse_proxy(options.proxy));
    proxy = std::move(parsed);
  }
  KL_TRY(socket,
         co_await connect_tcp(proxy ? proxy->host : url.host, proxy ? proxy->port : url.port));
  if (proxy) {
    auto through = connect_through(socket, *proxy, url.host, url.port);
    KL_CHECK(co_await std::move(through));
  }
  // A few small packets in flight, as with heartbeats: retransmissions do not back off, so that one
  // lost packet is no silence of seconds.
  const int on = 1;
  ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, &on, sizeof on);
  auto transport = std::make_unique<Transport>(std::move(socket), std::move(ssl));
  KL_CHECK(co_await transport->handshake());
  if (url.tls && alpn_of(transport->ssl()) != "h2")
    co_return Error(Code::unavailable,
                    "{} speaks no HTTP/2: something between may be changing the connection",
                    url.host);
  co_return std::unique_ptr<H2Client>(
      std::make_unique<H2Connection>(clock, std::move(transport), host_header(url), url.tls));
}
}  // namespace

Task<Result<std::unique_ptr<H2Client>>> connect_h2(Clock& clock, H2Options options) {
  const Duration limit = options.connect_timeout;
  auto work = connect_now(clock, std::move(options));
  co_return co_await with_deadline(clock, limit, std::move(work));
}

Task<Result<std::string>> read_all(Stream& stream, size_t bytes_max) {
  std::string out;
  std::string buffer(16 << 10, '\0');
  for (;;) {
    KL_TRY(got, co_await stream.read(std::span<char>(buffer)));
    if (got == 0) co_return out;
    if (out.size() + got > bytes_max)
      co_return Error(Code::too_large, "answer larger than {} bytes", bytes_max);
    out.append(buffer, 0, got);
  }
}

}  // namespace kinglet::net

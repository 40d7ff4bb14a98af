#include "net/internal/http2.h"

#include <nghttp2/nghttp2.h>

#include "net/internal/test_server.h"

namespace kinglet::net::testing {
namespace {

class Http2 : public ServerTest {
 public:
  Task<void> simple_requests();
  Task<void> bodies();
  Task<void> large_stream();
  Task<void> peer_leaves();
  Task<void> reset_flood();
  Task<void> websocket();
  Task<void> prior_knowledge();
};

// A small HTTP/2 client: one session on one connection, everything it hears is kept.
struct TestClient {
  nghttp2_session* session = nullptr;
  std::unique_ptr<Transport> transport;
  std::map<int32_t, std::string> body;
  std::map<int32_t, std::string> status;
  std::map<int32_t, uint32_t> closed;
  std::optional<uint32_t> goaway;

  explicit TestClient(std::unique_ptr<Transport> t) : transport(std::move(t)) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks,
        [](nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size, void* self) {
          static_cast<TestClient*>(self)->body[id].append(reinterpret_cast<const char*>(data),
                                                          size);
          return 0;
        });
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t n,
                      const uint8_t* value, size_t v, uint8_t, void* self) {
          if (std::string_view(reinterpret_cast<const char*>(name), n) == ":status")
            static_cast<TestClient*>(self)->status[frame->hd.stream_id].assign(
                reinterpret_cast<const char*>(value), v);
          return 0;
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        callbacks, [](nghttp2_session*, int32_t id, uint32_t error, void* self) {
          static_cast<TestClient*>(self)->closed[id] = error;
          return 0;
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* self) {
          if (frame->hd.type == NGHTTP2_GOAWAY)
            static_cast<TestClient*>(self)->goaway = frame->goaway.error_code;
          return 0;
        });
    nghttp2_session_client_new(&session, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, nullptr, 0);
  }
  ~TestClient() { nghttp2_session_del(session); }

  int32_t request(std::vector<std::pair<std::string, std::string>> rows,
                  nghttp2_data_provider* provider = nullptr) {
    std::vector<nghttp2_nv> fields;
    for (auto& [name, value] : rows)
      fields.push_back({reinterpret_cast<uint8_t*>(name.data()),
                        reinterpret_cast<uint8_t*>(value.data()), name.size(), value.size(), 0});
    return nghttp2_submit_request(session, nullptr, fields.data(), fields.size(), provider,
                                  nullptr);
  }
  int32_t get(const std::string& path) {
    return request(
        {{":method", "GET"}, {":scheme", "https"}, {":authority", "x"}, {":path", path}});
  }
  Task<bool> send() {
    for (;;) {
      const uint8_t* data = nullptr;
      const ssize_t size = nghttp2_session_mem_send(session, &data);
      if (size <= 0) co_return size == 0;
      const std::string bytes(reinterpret_cast<const char*>(data), static_cast<size_t>(size));
      const auto sent = co_await transport->write_all(bytes);
      if (!sent) co_return false;
    }
  }
  // Reads what is there, or waits for something. False: the connection is closed.
  Task<bool> step() {
    if (!co_await send()) co_return false;
    char buffer[8192];
    const auto read = transport->read_now(buffer);
    if (read.state == Transport::Io::blocked) {
      const auto readable = co_await transport->wait(Transport::Direction::read);
      co_return readable.has_value();
    }
    if (read.state != Transport::Io::ok) co_return false;
    co_return nghttp2_session_mem_recv(session, reinterpret_cast<const uint8_t*>(buffer),
                                       read.bytes) >= 0;
  }
};

const std::vector<std::string> kCurl2 = {"--http2", "-w", " %{http_version} %{http_code}"};

Task<void> Http2::simple_requests() {
  std::vector<std::string> args = kCurl2;
  std::string out = co_await curl(args, "/hello");
  EXPECT_EQ(out, "hello\n 2 200");
  out = co_await curl(args, "/nothing");
  EXPECT_EQ(out, "no such page\n 2 404");
  out = co_await curl(args, "/empty");
  EXPECT_EQ(out, " 2 204");
  out = co_await curl(args, "/silent");
  EXPECT_EQ(out, "internal error\n 2 500");
  args.push_back("-I");
  out = co_await curl(args, "/hello");
  EXPECT_NE(out.find("content-length: 6"), out.npos) << out;
  args = {"--http1.1", "-w", " %{http_version} %{http_code}"};
  out = co_await curl(args, "/hello");
  EXPECT_EQ(out, "hello\n 1.1 200");
}
TEST_F(Http2, serves_curl_over_tls) {
  use_tls();
  run(simple_requests());
}

Task<void> Http2::prior_knowledge() {
  std::vector<std::string> args = kCurl2;
  args[0] = "--http2-prior-knowledge";
  std::string out = co_await curl(args, "/hello");
  EXPECT_EQ(out, "hello\n 2 200");
  args[0] = "--http2";  // offers "Upgrade: h2c", which we need not take
  out = co_await curl(args, "/hello");
  EXPECT_EQ(out, "hello\n 1.1 200");
}
TEST_F(Http2, serves_plain_by_prior_knowledge) { run(prior_knowledge()); }

Task<void> Http2::bodies() {
  std::vector<std::string> args = kCurl2;
  args.insert(args.end(), {"-d", "some body"});
  std::string out = co_await curl(args, "/echo");
  EXPECT_EQ(out, "some body 2 200");
  // Several windows' worth, from a file that is surely there.
  args = kCurl2;
  args.insert(args.end(), {"-X", "POST", "-T", "/usr/bin/curl"});
  out = co_await curl(args, "/count");
  EXPECT_TRUE(out.ends_with(" 2 200")) << out;
  EXPECT_GT(std::stoul(out), 100000u);
  args = kCurl2;
  args.insert(args.end(), {"-d", "x=y"});
  out = co_await curl(args, "/too-large");
  EXPECT_EQ(out, "too large\n 2 413");
}
TEST_F(Http2, reads_bodies) {
  use_tls();
  run(bodies());
}

Task<void> Http2::large_stream() {
  std::string out = co_await curl(kCurl2, "/stream?n=160");
  EXPECT_EQ(out.size(), 160u * 64 * 1024 + 6);
  out = co_await curl(kCurl2, "/pieces?n=10000");
  EXPECT_EQ(out.size(), 10000u * 1024 + 6);
  out = co_await curl(kCurl2, "/stream?n=3&unfinished=1");
  EXPECT_NE(out.find("INTERNAL_ERROR"), out.npos);
}
TEST_F(Http2, streams_large_answers) {
  use_tls();
  run(large_stream());
}

Task<void> Http2::peer_leaves() {
  {
    TestClient client(co_await connect("h2"));
    const int32_t first = client.get("/watch");
    const int32_t second = client.get("/watch");
    while (client.body[first].empty() || client.body[second].empty())
      if (!co_await client.step()) break;
    EXPECT_EQ(handler_.watching, 2);
    nghttp2_submit_rst_stream(client.session, 0, first, NGHTTP2_CANCEL);
    EXPECT_TRUE(co_await client.send());
    while (handler_.watching > 1) co_await handler_.changed.wait();
    const int32_t third = client.get("/hello");
    while (!client.closed.contains(third))
      if (!co_await client.step()) break;
    EXPECT_EQ(client.body[third], "hello\n");
    EXPECT_EQ(handler_.watching, 1);
  }
  while (handler_.watching > 0) co_await handler_.changed.wait();
}
TEST_F(Http2, a_watch_ends_when_its_stream_is_reset_or_its_client_leaves) {
  use_tls();
  run(peer_leaves());
}

Task<void> Http2::reset_flood() {
  TestClient client(co_await connect("h2"));
  for (int i = 0; i < 5000 && !client.goaway; ++i) {
    const int32_t id = client.get("/watch");
    if (!co_await client.send()) break;
    nghttp2_submit_rst_stream(client.session, 0, id, NGHTTP2_CANCEL);
    if (i % 50 == 0 && !co_await client.step()) break;
  }
  while (co_await client.step()) {
  }
  // ENHANCE_YOUR_CALM from our own count, or INTERNAL_ERROR from nghttp2's, whichever is first.
  EXPECT_NE(client.goaway.value_or(0), 0u);
  while (handler_.watching > 0) co_await handler_.changed.wait();
  const auto still = co_await get("/hello");
  EXPECT_TRUE(still);
}
TEST_F(Http2, a_rapid_reset_attack_is_cut) {
  use_tls();
  run(reset_flood());
}

struct Outgoing {
  std::string bytes;
};

Task<void> Http2::websocket() {
  TestClient client(co_await connect("h2"));
  Outgoing out{std::string("\x81\x82\x00\x00\x00\x00hi", 8)};  // a masked text message
  nghttp2_data_provider provider{};
  provider.source.ptr = &out;
  provider.read_callback = [](nghttp2_session*, int32_t, uint8_t* to, size_t size, uint32_t*,
                              nghttp2_data_source* source, void*) -> ssize_t {
    auto& bytes = static_cast<Outgoing*>(source->ptr)->bytes;
    if (bytes.empty()) return NGHTTP2_ERR_DEFERRED;
    const size_t taken = std::min(size, bytes.size());
    std::copy_n(bytes.data(), taken, to);
    bytes.erase(0, taken);
    return static_cast<ssize_t>(taken);
  };
  while (nghttp2_session_get_remote_settings(client.session,
                                             NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 0)
    if (!co_await client.step()) break;
  const int32_t id = client.request({{":method", "CONNECT"},
                                     {":protocol", "websocket"},
                                     {":scheme", "https"},
                                     {":authority", "x"},
                                     {":path", "/ws?protocol=p1"},
                                     {"sec-websocket-version", "13"},
                                     {"sec-websocket-protocol", "p1"}},
                                    &provider);
  while (client.body[id].size() < 4)
    if (!co_await client.step()) break;
  out.bytes = std::string("\x88\x82\x00\x00\x00\x00\x03\xe8", 8);  // close, 1000
  nghttp2_session_resume_data(client.session, id);
  while (!client.closed.contains(id))
    if (!co_await client.step()) break;
  EXPECT_EQ(client.closed[id], static_cast<uint32_t>(NGHTTP2_NO_ERROR));
  EXPECT_EQ(client.status[id], "200");
  EXPECT_EQ(client.body[id], std::string("\x81\x02hi\x88\x02\x03\xe8", 8));
  EXPECT_EQ(handler_.last_request.method, "GET");
}
TEST_F(Http2, websocket_by_extended_connect) {
  use_tls();
  run(websocket());
}

}  // namespace
}  // namespace kinglet::net::testing

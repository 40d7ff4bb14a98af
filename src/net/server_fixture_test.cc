// The server and the handler that the tests of this module share.
#include "base/deadline.h"
#include "base/process.h"
#include "net/internal/test_server.h"

namespace kinglet::net::testing {

namespace {
Headers text_headers() {
  Headers headers;
  headers.add("Content-Type", "text/plain");
  return headers;
}
int number(const Request& request, const char* name) {
  const auto* value = request.query_value(name);
  return value ? std::atoi(value->c_str()) : 0;
}
}  // namespace

Task<void> TestHandler::serve(Exchange& exchange) {
  ++served;
  last_peer = exchange.request().peer;
  last_request = exchange.request();
  const auto done = co_await route(exchange);
  if (!done) last_error = done.error().message();
  changed.notify_all();
}

Task<Result<void>> TestHandler::route(Exchange& exchange) {
  const std::string path = exchange.request().path;
  if (path == "/hello") co_return co_await respond_text(exchange, 200, "hello\n");
  if (path == "/empty") co_return co_await exchange.respond(204, Headers(), {});
  if (path == "/silent") co_return Result<void>();
  if (path == "/throw") throw std::runtime_error("a bug");
  if (path == "/too-large") co_return co_await respond_text(exchange, 413, "too large\n");
  if (path == "/echo") {
    auto body = co_await exchange.read_body(8 << 20);
    if (!body) {
      const int status = http_status_of(body.error().code());
      const std::string text = body.error().message();
      co_await respond_text(exchange, status, text);
      co_return body.error();
    }
    std::vector<Bytes> pieces;
    pieces.emplace_back(*body);
    co_return co_await exchange.respond(200, text_headers(), std::move(pieces));
  }
  if (path == "/count") {
    size_t total = 0;
    std::string buffer(10000, '\0');
    for (;;) {
      KL_TRY(got, co_await exchange.read_some(std::span<char>(buffer)));
      if (got == 0) break;
      total += got;
    }
    const std::string answer = fmt::format("{}", total);
    co_return co_await respond_text(exchange, 200, answer);
  }
  if (path == "/pieces") {
    std::vector<Bytes> pieces(static_cast<size_t>(number(exchange.request(), "n")),
                              Bytes(std::string(1024, 'p')));
    co_return co_await exchange.respond(200, text_headers(), std::move(pieces));
  }
  if (path == "/stream") co_return co_await stream(exchange);
  if (path == "/watch") co_return co_await watch(exchange);
  if (path == "/ws") co_return co_await websocket(exchange);
  if (path == "/upgrade") co_return co_await upgrade(exchange);
  co_return co_await respond_text(exchange, 404, "no such page\n");
}

// n batches of 64 pieces of 1 KiB.
Task<Result<void>> TestHandler::stream(Exchange& exchange) {
  const int n = number(exchange.request(), "n");
  const bool unfinished = exchange.request().query_value("unfinished") != nullptr;
  KL_CHECK(co_await exchange.start(200, text_headers()));
  const std::vector<Bytes> batch(64, Bytes(std::string(1024, 's')));
  for (int i = 0; i < n; ++i) KL_CHECK(co_await exchange.write(batch));
  if (unfinished) co_return Result<void>();
  co_return co_await exchange.finish();
}

// Says "event" once, and then stays until the peer leaves.
Task<Result<void>> TestHandler::watch(Exchange& exchange) {
  struct Watching {
    TestHandler& handler;
    ~Watching() {
      --handler.watching;
      handler.changed.notify_all();
    }
  } here{*this};
  ++watching;
  KL_CHECK(co_await exchange.start(200, text_headers()));
  const std::vector<Bytes> event(1, Bytes("event\n"));
  KL_CHECK(co_await exchange.write(event));
  changed.notify_all();
  Signal never;
  for (;;) co_await never.wait();
}

// Sends back every message; "close" ends it.
Task<Result<void>> TestHandler::websocket(Exchange& exchange) {
  const auto* wanted = exchange.request().query_value("protocol");
  const std::string protocol = wanted ? *wanted : "";
  auto socket = co_await exchange.accept_websocket(protocol);
  if (!socket) {
    const std::string text = socket.error().message();
    co_return co_await respond_text(exchange, 400, text);
  }
  for (;;) {
    auto message = co_await (*socket)->read();
    if (!message) co_return message.error();
    if (!*message) co_return Result<void>();
    const std::string data = (*message)->data;
    if (data == "close") {
      const std::string reason = "bye";
      KL_CHECK(co_await (*socket)->close(1000, reason));
      continue;
    }
    KL_CHECK(co_await (*socket)->write(data, (*message)->binary));
  }
}

// Sends back every byte after the upgrade.
Task<Result<void>> TestHandler::upgrade(Exchange& exchange) {
  Headers headers;
  headers.add("Upgrade", "echo");
  auto stream = co_await exchange.upgrade(std::move(headers));
  if (!stream) {
    const std::string text = stream.error().message();
    co_return co_await respond_text(exchange, 400, text);
  }
  std::string buffer(4096, '\0');
  for (;;) {
    KL_TRY(got, co_await (*stream)->read(std::span<char>(buffer)));
    if (got == 0) break;
    const std::string bytes = buffer.substr(0, got);
    KL_CHECK(co_await (*stream)->write(bytes));
  }
  const std::string bye = "bye";
  KL_CHECK(co_await (*stream)->write(bye));
  co_return co_await (*stream)->close_write();
}

TestPki TestPki::make(WallTime now) {
  using std::chrono::hours;
  const WallTime from{now.since_epoch - hours(1)}, to{now.since_epoch + hours(24)};
  TestPki pki;
  pki.ca = *make_ca("test-ca", from, to);
  CertificateRequest server;
  server.common_name = "server";
  server.dns_names = {"localhost"};
  server.addresses = {"127.0.0.1"};
  server.server = true;
  server.not_before = from;
  server.not_after = to;
  pki.server = *issue(pki.ca, server);
  CertificateRequest client;
  client.common_name = "alice";
  client.organizations = {"system:masters", "b"};
  client.client = true;
  client.not_before = from;
  client.not_after = to;
  pki.client = *issue(pki.ca, client);
  return pki;
}

void ServerTest::use_tls() {
  pki_ = TestPki::make(clock().wall());
  options_.key_pair = pki_->server;
  options_.client_ca_pem = pki_->ca.certificate_pem;
}

Task<void> ServerTest::serve_while(Task<void> body) {
  auto server = listen(clock(), *metrics_, handler_, options_);
  EXPECT_TRUE(server) << server.error().message();
  server_ = std::move(*server);
  TaskGroup group;
  struct Then {
    static Task<void> cancel(TaskGroup& group, Task<void> first) {
      co_await std::move(first);
      group.cancel();
    }
  };
  group.add("server", server_->run());
  group.add("test", Then::cancel(group, std::move(body)));
  const auto ended = co_await group.run();
  EXPECT_TRUE(ended) << ended.error().message();
}

void ServerTest::run(Task<void> body) {
  auto whole = serve_while(std::move(body));
  kinglet::testing::run_task<void>(loop_, std::move(whole));
}

void ServerTest::run_in_virtual_time(Task<void> body, Duration limit) {
  auto whole = serve_while(std::move(body));
  kinglet::testing::run_task<void>(loop_, *sim_clock_, std::move(whole), limit);
}

std::string ServerTest::url(const std::string& path) const {
  return fmt::format("{}://127.0.0.1:{}{}", pki_ ? "https" : "http", server_->port(), path);
}

ClientTls ServerTest::client_tls() const {
  ClientTls tls;
  if (pki_) tls.ca_pem = pki_->ca.certificate_pem;
  return tls;
}

Task<Result<ClientResponse>> ServerTest::get(std::string path) {
  ClientRequest request;
  request.url = url(path);
  request.tls = client_tls();
  co_return co_await send(request);
}

Task<Result<ClientResponse>> ServerTest::send(const ClientRequest& request) {
  auto task = fetch(clock(), request);  // a statement of its own: see docs/architecture.md, g++ 12
  co_return co_await std::move(task);
}

Task<std::string> ServerTest::curl(std::vector<std::string> args, std::string path) {
  Command command;
  command.argv = {"curl", "-sS", "-k", "--max-time", "20"};
  for (auto& arg : args) command.argv.push_back(std::move(arg));
  command.argv.push_back(url(path));
  command.output_bytes_max = 64 << 20;
  auto task = run_process(std::move(command));
  const auto exit = co_await std::move(task);
  if (!exit) co_return exit.error().message();
  co_return exit->out + exit->err;
}

Task<std::unique_ptr<Transport>> ServerTest::connect(std::string alpn) {
  const ClientTls tls = client_tls();
  const std::string host = "127.0.0.1";
  auto transport =
      co_await dial(clock(), host, server_->port(), pki_ ? &tls : nullptr, std::move(alpn));
  EXPECT_TRUE(transport) << transport.error().message();
  co_return std::move(*transport);
}

Task<std::string> ServerTest::read_until(Transport& transport, std::string end) {
  std::string all;
  while (end.empty() || all.find(end) == all.npos) {
    char buffer[4096];
    const auto read = transport.read_now(buffer);
    if (read.state == Transport::Io::blocked) {
      const auto readable = co_await transport.wait(Transport::Direction::read);
      if (readable) continue;
    }
    if (read.state != Transport::Io::ok) break;
    all.append(buffer, read.bytes);
  }
  co_return all;
}

}  // namespace kinglet::net::testing

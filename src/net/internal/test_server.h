// For tests of this module: a server on a loopback port with a handler that does what its path
// says.
#pragma once
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "base/signal.h"
#include "base/task_group.h"
#include "base/testing.h"
#include "net/internal/dial.h"
#include "net/server.h"

namespace kinglet::net::testing {

class TestHandler final : public Handler {
 public:
  Task<void> serve(Exchange& exchange) override;

  int watching = 0;  // streams that run now
  int served = 0;
  std::string last_error;  // of the last write, read or accept
  Peer last_peer;
  Request last_request;
  Signal changed;

 private:
  Task<Result<void>> route(Exchange& exchange);
  Task<Result<void>> stream(Exchange& exchange);
  Task<Result<void>> watch(Exchange& exchange);
  Task<Result<void>> websocket(Exchange& exchange);
  Task<Result<void>> upgrade(Exchange& exchange);
};

// Certificates of a test: a CA, a server for localhost, a client.
struct TestPki {
  KeyPair ca, server, client;
  static TestPki make(WallTime now);
};

class ServerTest : public ::testing::Test {
 protected:
  // Runs `body` beside the server and ends both. Options as set in `options`.
  void run(Task<void> body);
  void run_in_virtual_time(Task<void> body, Duration limit);
  void use_tls();

  std::string url(const std::string& path) const;
  ClientTls client_tls() const;
  Task<Result<ClientResponse>> get(std::string path);
  Task<Result<ClientResponse>> send(const ClientRequest& request);
  // What `curl ARGS... URL` prints.
  Task<std::string> curl(std::vector<std::string> args, std::string path);
  // A plain or TLS connection to the server.
  Task<std::unique_ptr<Transport>> connect(std::string alpn = "http/1.1");
  // Reads until `end` appears, the peer closes or ten seconds have passed.
  Task<std::string> read_until(Transport& transport, std::string end);

  boost::asio::io_context loop_;
  std::unique_ptr<Clock> system_clock_ = make_system_clock();
  std::unique_ptr<SimClock> sim_clock_;
  std::unique_ptr<Metrics> metrics_ = make_metrics();
  TestHandler handler_;
  ServerOptions options_{.address = "127.0.0.1", .port = 0};
  std::optional<TestPki> pki_;
  std::unique_ptr<Server> server_;

 private:
  Clock& clock() { return sim_clock_ ? static_cast<Clock&>(*sim_clock_) : *system_clock_; }
  Task<void> serve_while(Task<void> body);
};

}  // namespace kinglet::net::testing

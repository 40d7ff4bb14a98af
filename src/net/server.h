// The HTTPS server: HTTP/1.1 and HTTP/2 by ALPN on one port.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/result.h"
#include "base/task_fwd.h"
#include "net/http.h"
#include "net/x509.h"

namespace kinglet::net {

struct ServerLimits {
  size_t connections_max = 4096;  // beyond: accepted and closed at once
  size_t connections_per_address_max = 1024;
  size_t header_bytes_max = 64 << 10;  // request line and headers; 431 beyond
  size_t streams_per_connection_max = 250;
  Duration handshake_timeout = std::chrono::seconds(10);
  Duration header_timeout = std::chrono::seconds(10);  // slow-loris
  Duration body_timeout = std::chrono::seconds(30);    // no byte of a body for so long
  Duration write_timeout = std::chrono::seconds(30);   // a reader that takes nothing for so long
  Duration idle_timeout = std::chrono::minutes(5);     // kept-alive without a request
};

class Server {
 public:
  virtual ~Server() = default;
  virtual uint16_t port() const = 0;  // the bound one, when 0 was asked for
  // New connections get this certificate from now on (rotation, new addresses).
  virtual Result<void> set_certificate(const KeyPair& key_pair) = 0;
  // Accepts and serves until cancelled; then lets running requests unwind.
  virtual Task<Result<void>> run() = 0;
};

struct ServerOptions {
  std::string address = "::";  // dual stack; an IPv4-only kernel falls back to 0.0.0.0
  uint16_t port = 6443;
  KeyPair key_pair;           // empty: plain HTTP (tests, probes)
  std::string client_ca_pem;  // client certificates are optional, and verified against this
  ServerLimits limits;
};
// Binds at once. Errors: io (address in use: says by whom to look), invalid (key does not fit).
Result<std::unique_ptr<Server>> listen(Clock& clock, Metrics& metrics, Handler& handler,
                                       ServerOptions options);

}  // namespace kinglet::net

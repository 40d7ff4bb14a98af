// A small HTTP/1.1 client: probes, the CLI, webhooks. One request, one connection.
#pragma once
#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "base/task_fwd.h"
#include "net/http.h"
#include "net/x509.h"

namespace kinglet::net {

struct ClientTls {
  std::string ca_pem;  // empty with verify: the system's
  bool verify = true;
  std::string server_name;  // empty: the host
  KeyPair key_pair;         // client certificate; empty: none
};
struct ClientRequest {
  std::string method = "GET";
  std::string url;  // http:// or https://, IPv6 in brackets
  Headers headers;
  std::string body;
  ClientTls tls;
  Duration timeout = std::chrono::seconds(10);
  size_t body_bytes_max = 16 << 20;
  bool follow_redirects = false;  // same host only
};
struct ClientResponse {
  int status = 0;
  Headers headers;
  std::string body;
};
// Errors: unavailable (cannot connect), timeout, too_large, bad_request (URL), unauthorized
// (certificate).
Task<Result<ClientResponse>> fetch(Clock& clock, ClientRequest request);

// Connects and closes: the TCP probe.
Task<Result<void>> probe_tcp(Clock& clock, std::string host, uint16_t port, Duration timeout);

}  // namespace kinglet::net

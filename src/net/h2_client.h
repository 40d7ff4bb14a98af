// An HTTP/2 client: one connection that carries many requests at once, the bodies streamed both
// ways.
//
// Each request has a window of its own, and what has arrived for one is taken off the connection's
// window at once, so a request whose answer nobody reads stalls no other. Loop only.
#pragma once
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "base/task_fwd.h"
#include "net/client.h"
#include "net/http.h"

namespace kinglet::net {

struct H2Options {
  std::string url;  // https://host:port, or http:// for HTTP/2 without TLS (tests)
  ClientTls tls;
  std::string proxy;  // http://[user:password@]host:port of an HTTP CONNECT proxy; empty: none
  Duration connect_timeout = std::chrono::seconds(5);  // TCP, proxy and TLS together
};

struct H2Request {
  std::string method = "GET";
  std::string target = "/";
  Headers headers;
  // Not empty: an upgrade to that protocol (RFC 8441); both directions stay open as a byte stream.
  std::string protocol;
  // A body follows by write(), until close_write(). An upgrade always has one.
  bool has_body = false;
};

// One request. Destroying it before both directions have ended resets it, and the peer is told. It
// may outlive its connection: every call then answers `unavailable`.
class H2Call : public Stream {
 public:
  // The status of the answer, when its head has arrived. Errors: unavailable.
  virtual Task<Result<int>> status() = 0;
  virtual const Headers& headers() const = 0;  // after status()
  // Returns when the peer has ended or reset its direction, or the connection is lost.
  virtual Task<void> wait_ended() = 0;
};

class H2Client {
 public:
  virtual ~H2Client() = default;
  // Moves bytes until the connection is lost (the error says why) or the task is cancelled. Nothing
  // moves before.
  virtual Task<Result<void>> run() = 0;
  // Sends the head of a request. Errors: unavailable (the connection is over, or the peer is about
  // to close it).
  virtual Result<std::unique_ptr<H2Call>> open(H2Request request) = 0;
  // When the last byte came from the peer.
  virtual TimePoint last_heard() const = 0;
  virtual const std::string& local_host()
      const = 0;                                     // our address on this connection, without port
  virtual const std::string& peer_host() const = 0;  // the peer's, or the proxy's
};

// Connects and ends the handshake. Errors: unavailable (nobody there, no HTTP/2), timeout,
// unauthorized (the certificate, or the proxy's user and password), bad_request (URL).
Task<Result<std::unique_ptr<H2Client>>> connect_h2(Clock& clock, H2Options options);

// The whole body of an answer. Errors: too_large, unavailable.
Task<Result<std::string>> read_all(Stream& stream, size_t bytes_max);

}  // namespace kinglet::net

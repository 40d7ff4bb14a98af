// One request and its answer, whatever carried it: HTTP/1.1, HTTP/2, a tunnel, or a call in the
// same process.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/task_fwd.h"

namespace kinglet::net {

class Headers {
 public:
  void add(std::string name, std::string value) {
    rows_.emplace_back(std::move(name), std::move(value));
  }
  void set(std::string_view name, std::string value);    // replaces all of that name
  const std::string* find(std::string_view name) const;  // first; names compare without case
  std::string_view get(std::string_view name) const;     // "" when absent
  std::vector<std::string> all(std::string_view name) const;
  void remove(std::string_view name);
  const std::vector<std::pair<std::string, std::string>>& rows() const { return rows_; }

 private:
  std::vector<std::pair<std::string, std::string>> rows_;
};

// Who is at the other end, as far as TLS has proven it.
struct Peer {
  std::string address;                // "10.0.0.7:51234"
  bool certificate_verified = false;  // a client certificate signed by the configured CA
  std::string common_name;
  std::vector<std::string> organizations;
  std::string public_key_sha256;  // of the certificate's key, lower-case hex
};

struct Request {
  std::string method;                                      // upper case
  std::string target;                                      // as sent: path and query
  std::string path;                                        // percent-decoded, no query
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
  Headers headers;
  Peer peer;
  int http_major = 1;
  const std::string* query_value(std::string_view name) const;  // first; null when absent
  std::vector<std::string> query_values(std::string_view name) const;
};
// Undoes percent-encoding (RFC 3986, 2.1). Errors: bad_request (no two hex digits, a control
// character or a space in the text).
enum class Plus : uint8_t { itself, space };  // what "+" stands for: a form's query means a space
Result<std::string> percent_decode(std::string_view text, Plus plus = Plus::itself);
// Fills path and query from target. Errors: bad_request (percent-encoding, control characters).
Result<void> split_target(Request& request);

// A byte stream after an upgrade, or a plain connection.
class Stream {
 public:
  virtual ~Stream() = default;                                 // closes
  virtual Task<Result<size_t>> read(std::span<char> out) = 0;  // 0: the peer has finished
  virtual Task<Result<void>> write(std::string_view bytes) = 0;
  virtual Task<Result<void>> close_write() = 0;  // half close where the carrier can
};

class WebSocket {
 public:
  struct Message {
    bool binary = true;
    std::string data;
  };
  virtual ~WebSocket() = default;  // drops the connection without a close frame
  virtual const std::string& subprotocol() const = 0;
  // nullopt: closed by the peer. Errors: too_large, unavailable. Pings are answered inside.
  virtual Task<Result<std::optional<Message>>> read() = 0;
  // May be called from several coroutines; messages are not mixed. Waits while the peer is slow.
  virtual Task<Result<void>> write(std::string_view data, bool binary = true) = 0;
  virtual Task<Result<void>> close(uint16_t code, std::string reason) = 0;
};

// The server's side of one request. Exactly one of respond(), start()...finish(),
// accept_websocket(), upgrade(). Lives until Handler::serve returns; a peer that goes away cancels
// serve().
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual Request& request() = 0;

  // The whole body. Errors: too_large (more than limit), timeout (slow sender), unavailable (peer
  // gone).
  virtual Task<Result<std::string>> read_body(size_t limit) = 0;
  // A part of the body; 0: its end.
  virtual Task<Result<size_t>> read_some(std::span<char> out) = 0;

  // A complete answer; content-length is added. Pieces are sent as they are, without being joined.
  virtual Task<Result<void>> respond(int status, Headers headers, std::vector<Bytes> body) = 0;
  // A streamed answer (chunked on HTTP/1.1). write() returns when the peer's window has room again:
  // a slow reader slows the writer, and one that takes nothing for kSlowPeerTimeout is cut.
  virtual Task<Result<void>> start(int status, Headers headers) = 0;
  virtual Task<Result<void>> write(std::span<const Bytes> pieces) = 0;
  virtual Task<Result<void>> finish() = 0;
  virtual bool started() const = 0;  // an answer has begun

  // WebSocket (RFC 6455; on HTTP/2 RFC 8441). `subprotocol` is one the client offered, or empty.
  virtual Task<Result<std::unique_ptr<WebSocket>>> accept_websocket(std::string subprotocol) = 0;
  // 101 with `headers` (HTTP/1.1 only; bad_request otherwise): the raw stream is the caller's.
  virtual Task<Result<std::unique_ptr<Stream>>> upgrade(Headers headers) = 0;
};

class Handler {
 public:
  virtual ~Handler() = default;
  // Answers one request. If it returns without having answered, the server answers 500. Runs on the
  // loop, many at once.
  virtual Task<void> serve(Exchange& exchange) = 0;
};

// Shorthands.
Task<Result<void>> respond_text(Exchange& exchange, int status, std::string text,
                                std::string content_type = "text/plain; charset=utf-8");

}  // namespace kinglet::net

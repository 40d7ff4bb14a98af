// HTTP/1.x messages out of bytes (http-parser), for the server (requests) and the client
// (responses). Pure: no I/O.
#pragma once
#include <http_parser.h>

#include <optional>
#include <string>

#include "net/http.h"

namespace kinglet::net {

constexpr size_t kHeadersMax = 200;           // rows
constexpr size_t kTrailerBytesMax = 8 << 10;  // trailers and chunk extensions are read and dropped

class Http1Parser {
 public:
  enum class Kind { request, response };
  Http1Parser(Kind kind, size_t header_bytes_max);
  Http1Parser(const Http1Parser&) = delete;
  Http1Parser& operator=(const Http1Parser&) = delete;

  // Consumes at most to the end of one message and says how many bytes that was; body bytes are
  // appended to body(). Errors: bad_request (malformed), too_large (headers). After an error the
  // connection is of no more use.
  Result<size_t> feed(std::string_view bytes);
  // The peer has closed: a response without a length ends here. Errors: bad_request (in the
  // middle).
  Result<void> feed_end();

  bool begun() const { return begun_; }  // a first byte of the message is here
  bool headers_done() const { return headers_done_; }
  bool message_done() const { return message_done_; }
  // Makes ready for the next message on the same connection.
  void next();

  // Valid from headers_done() on.
  const std::string& method() const { return method_; }
  std::string& target() { return target_; }
  int status() const { return static_cast<int>(parser_.status_code); }
  int minor_version() const { return parser_.http_minor; }
  Headers& headers() { return headers_; }
  bool keep_alive() const { return keep_alive_; }
  bool upgrade() const { return upgrade_; }  // "Connection: upgrade" with an "Upgrade" header
  std::optional<uint64_t> content_length() const { return content_length_; }
  bool has_body() const { return content_length_.value_or(0) > 0 || chunked_; }
  std::string& body() { return body_; }
  size_t body_size() const { return body_.size(); }
  // The response to a HEAD or CONNECT request has no body whatever its headers say. Set before
  // feed().
  void expect_no_body() { no_body_ = true; }

 private:
  static const http_parser_settings& settings();
  static Http1Parser& self(http_parser* parser) { return *static_cast<Http1Parser*>(parser->data); }
  int on_field(std::string_view part);
  int on_value(std::string_view part);
  int on_headers_complete();
  bool too_large(size_t more);

  http_parser parser_;
  const size_t header_bytes_max_;
  const Kind kind_;
  size_t header_bytes_ = 0;
  std::string method_, target_, field_, value_, body_;
  Headers headers_;
  std::optional<uint64_t> content_length_;
  enum class Last : uint8_t { none, field, value } last_ = Last::none;
  bool begun_ = false, headers_done_ = false, message_done_ = false;
  bool keep_alive_ = false, upgrade_ = false, chunked_ = false, no_body_ = false;
  bool overflow_ = false;
};

}  // namespace kinglet::net

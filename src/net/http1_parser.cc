#include "net/internal/http1_parser.h"

namespace kinglet::net {

Http1Parser::Http1Parser(Kind kind, size_t header_bytes_max)
    : header_bytes_max_(header_bytes_max), kind_(kind) {
  http_parser_init(&parser_, kind == Kind::request ? HTTP_REQUEST : HTTP_RESPONSE);
  parser_.data = this;
}

const http_parser_settings& Http1Parser::settings() {
  static const http_parser_settings made = [] {
    http_parser_settings s;
    http_parser_settings_init(&s);
    s.on_message_begin = [](http_parser* p) {
      self(p).begun_ = true;
      return 0;
    };
    s.on_url = [](http_parser* p, const char* at, size_t size) {
      if (self(p).too_large(size)) return 1;
      self(p).target_.append(at, size);
      return 0;
    };
    s.on_header_field = [](http_parser* p, const char* at, size_t size) {
      return self(p).on_field({at, size});
    };
    s.on_header_value = [](http_parser* p, const char* at, size_t size) {
      return self(p).on_value({at, size});
    };
    s.on_headers_complete = [](http_parser* p) { return self(p).on_headers_complete(); };
    s.on_body = [](http_parser* p, const char* at, size_t size) {
      self(p).body_.append(at, size);
      return 0;
    };
    s.on_message_complete = [](http_parser* p) {
      self(p).message_done_ = true;
      http_parser_pause(p, 1);  // what follows belongs to the next message
      return 0;
    };
    return s;
  }();
  return made;
}

bool Http1Parser::too_large(size_t more) {
  header_bytes_ += more;
  const size_t limit = headers_done_ ? kTrailerBytesMax : header_bytes_max_;
  overflow_ = overflow_ || header_bytes_ > limit || headers_.rows().size() >= kHeadersMax;
  return overflow_;
}

// http-parser hands out names and values in pieces, wherever the reads happened to end.
int Http1Parser::on_field(std::string_view part) {
  if (too_large(part.size() + 4)) return 1;
  // http-parser lets spaces through; a proxy in front may read "Content-Length : 5" as another
  // name.
  if (part.find(' ') != part.npos) return 1;
  if (headers_done_) return 0;  // trailers: nobody here uses them
  if (last_ == Last::value) {
    headers_.add(std::move(field_), std::move(value_));
    field_.clear();
    value_.clear();
  }
  field_.append(part);
  last_ = Last::field;
  return 0;
}

int Http1Parser::on_value(std::string_view part) {
  if (too_large(part.size())) return 1;
  if (headers_done_) return 0;
  value_.append(part);
  last_ = Last::value;
  return 0;
}

int Http1Parser::on_headers_complete() {
  if (last_ != Last::none) headers_.add(std::move(field_), std::move(value_));
  field_.clear();
  value_.clear();
  last_ = Last::none;
  headers_done_ = true;
  header_bytes_ = 0;
  if (kind_ == Kind::request) method_ = http_method_str(static_cast<http_method>(parser_.method));
  keep_alive_ = http_should_keep_alive(&parser_) != 0;
  upgrade_ = parser_.upgrade != 0;
  chunked_ = (parser_.flags & F_CHUNKED) != 0;
  if (parser_.flags & F_CONTENTLENGTH) content_length_ = parser_.content_length;
  return no_body_ ? 1 : 0;
}

Result<size_t> Http1Parser::feed(std::string_view bytes) {
  if (bytes.empty() || message_done_) return size_t{0};
  const size_t used = http_parser_execute(&parser_, &settings(), bytes.data(), bytes.size());
  const auto error = HTTP_PARSER_ERRNO(&parser_);
  if (error == HPE_PAUSED) {
    http_parser_pause(&parser_, 0);
    return used;
  }
  if (overflow_ || error == HPE_HEADER_OVERFLOW)
    return Error(Code::too_large, "request headers larger than {} bytes", header_bytes_max_);
  if (error != HPE_OK)
    return Error(Code::bad_request, "malformed HTTP message: {}", http_errno_description(error));
  return used;
}

Result<void> Http1Parser::feed_end() {
  if (message_done_) return {};
  const char nothing = 0;
  http_parser_execute(&parser_, &settings(), &nothing, 0);
  if (message_done_) {
    http_parser_pause(&parser_, 0);
    return {};
  }
  return Error(Code::bad_request, "the message ends in the middle");
}

void Http1Parser::next() {
  header_bytes_ = 0;
  method_.clear();
  target_.clear();
  body_.clear();
  headers_ = {};
  content_length_.reset();
  last_ = Last::none;
  begun_ = headers_done_ = message_done_ = false;
  keep_alive_ = upgrade_ = chunked_ = no_body_ = false;
  // A fresh state: http-parser refuses a message after one that said "close", and we decide that
  // ourselves.
  http_parser_init(&parser_, kind_ == Kind::request ? HTTP_REQUEST : HTTP_RESPONSE);
  parser_.data = this;
}

}  // namespace kinglet::net

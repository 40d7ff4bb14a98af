#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>
#include <charconv>
#include <cmath>
#include <set>

#include "json/json.h"

namespace kinglet::json {
namespace {

namespace bj = boost::json;
using ErrorCode = bj::error_code;

// Where the parser is, for the path of a duplicate key. Kept only when somebody asked for
// duplicates.
class KeyTracker {
 public:
  explicit KeyTracker(std::vector<std::string>* duplicates) : duplicates_(duplicates) {}

  void open(bool is_object) {
    if (duplicates_ == nullptr) return;
    frames_.emplace_back();
    frames_.back().is_object = is_object;
  }
  void close() {
    if (duplicates_ != nullptr) frames_.pop_back();
  }
  void key(std::string_view key) {
    if (duplicates_ == nullptr) return;
    Frame& frame = frames_.back();
    frame.key = key;
    // The limit keeps a hostile body from turning into a list of millions of warnings.
    if (!frame.seen.emplace(key).second && duplicates_->size() < kDuplicatesMax)
      duplicates_->push_back(path());
  }
  // Before each value: arrays count their elements.
  void value() {
    if (duplicates_ != nullptr && !frames_.empty()) ++frames_.back().values;
  }

 private:
  static constexpr size_t kDuplicatesMax = 64;
  struct Frame {
    bool is_object = false;
    size_t values = 0;
    std::string key;
    std::set<std::string, std::less<>> seen;
  };
  std::string path() const {
    std::string path;
    for (const Frame& frame : frames_) {
      if (!frame.is_object) {
        path += fmt::format("[{}]", frame.values - 1);
        continue;
      }
      if (!path.empty()) path += '.';
      path += frame.key;
    }
    return path;
  }
  std::vector<std::string>* duplicates_;
  std::vector<Frame> frames_;
};

// Feeds Boost's value_stack. Returning false with `ec` set stops the parser.
struct Handler {
  static constexpr size_t max_object_size = static_cast<size_t>(-1);
  static constexpr size_t max_array_size = static_cast<size_t>(-1);
  static constexpr size_t max_key_size = static_cast<size_t>(-1);
  static constexpr size_t max_string_size = static_cast<size_t>(-1);

  explicit Handler(std::vector<std::string>* duplicates) : keys(duplicates) {}

  bool on_document_begin(ErrorCode&) { return true; }
  bool on_document_end(ErrorCode&) { return true; }
  bool on_object_begin(ErrorCode&) {
    keys.value();
    keys.open(true);
    return true;
  }
  bool on_object_end(size_t n, ErrorCode&) {
    keys.close();
    stack.push_object(n);
    return true;
  }
  bool on_array_begin(ErrorCode&) {
    keys.value();
    keys.open(false);
    return true;
  }
  bool on_array_end(size_t n, ErrorCode&) {
    keys.close();
    stack.push_array(n);
    return true;
  }
  bool on_key_part(bj::string_view text, size_t, ErrorCode&) {
    key += std::string_view(text.data(), text.size());
    stack.push_chars(text);
    return true;
  }
  bool on_key(bj::string_view text, size_t, ErrorCode&) {
    key += std::string_view(text.data(), text.size());
    keys.key(key);
    key.clear();
    stack.push_key(text);
    return true;
  }
  bool on_string_part(bj::string_view text, size_t, ErrorCode&) {
    stack.push_chars(text);
    return true;
  }
  bool on_string(bj::string_view text, size_t, ErrorCode&) {
    keys.value();
    stack.push_string(text);
    return true;
  }
  bool on_number_part(bj::string_view text, ErrorCode&) {
    number.append(text.data(), text.size());
    return true;
  }
  bool on_int64(int64_t value, bj::string_view, ErrorCode&) {
    keys.value();
    number.clear();
    stack.push_int64(value);
    return true;
  }
  bool on_uint64(uint64_t value, bj::string_view, ErrorCode&) {
    keys.value();
    number.clear();
    stack.push_uint64(value);
    return true;
  }
  bool on_double(double approximate, bj::string_view text, ErrorCode& ec) {
    keys.value();
    number.append(text.data(), text.size());
    double value = approximate;
    // Boost 1.81 does not always round to the nearest double; the standard library does.
    const auto [end, failed] = std::from_chars(number.data(), number.data() + number.size(), value);
    // Too small is zero; too large has no value.
    if (failed == std::errc::result_out_of_range)
      value = std::abs(approximate) < 1 ? 0.0 : HUGE_VAL;
    number.clear();
    if (!std::isfinite(value)) {
      ec = bj::error::exponent_overflow;
      return false;
    }
    stack.push_double(value);
    return true;
  }
  bool on_bool(bool value, ErrorCode&) {
    keys.value();
    stack.push_bool(value);
    return true;
  }
  bool on_null(ErrorCode&) {
    keys.value();
    stack.push_null();
    return true;
  }
  bool on_comment_part(bj::string_view, ErrorCode&) { return true; }
  bool on_comment(bj::string_view, ErrorCode&) { return true; }

  KeyTracker keys;
  bj::value_stack stack;
  std::string key;
  std::string number;
};

Error syntax_error(const ErrorCode& ec, std::string_view text, size_t offset) {
  if (ec == bj::error::incomplete) return Error(Code::bad_request, "unexpected end of JSON input");
  if (ec == bj::error::too_deep)
    return Error(Code::bad_request, "exceeded max depth of {} at offset {}", kDepthMax, offset);
  if (ec != bj::error::syntax && ec != bj::error::extra_data)
    return Error(Code::bad_request, "{} at offset {}", ec.message(), offset);
  if (offset >= text.size()) return Error(Code::bad_request, "unexpected end of JSON input");
  const unsigned char c = static_cast<unsigned char>(text[offset]);
  const std::string shown =
      c >= 0x20 && c < 0x7f ? std::string(1, text[offset]) : fmt::format("\\x{:02x}", c);
  const char* what = ec == bj::error::extra_data ? "after top-level value" : "in JSON";
  return Error(Code::bad_request, "invalid character '{}' {} at offset {}", shown, what, offset);
}

}  // namespace

Result<Value> parse(std::string_view text, std::vector<std::string>* duplicates) {
  bj::parse_options options;
  options.max_depth = kDepthMax;
  bj::basic_parser<Handler> parser(options, duplicates);
  parser.handler().stack.reset();
  ErrorCode ec;
  const size_t used = parser.write_some(false, text.data(), text.size(), ec);
  if (!ec && used < text.size()) ec = bj::error::extra_data;
  if (ec) return syntax_error(ec, text, used);
  return parser.handler().stack.release();
}

}  // namespace kinglet::json

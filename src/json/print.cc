#include <charconv>
#include <cmath>

#include "json/json.h"

namespace kinglet::json {
namespace {

constexpr char kHex[] = "0123456789abcdef";

void append_escaped(std::string& out, unsigned char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
  }
  out += "\\u00";
  out += kHex[c >> 4];
  out += kHex[c & 15];
}

bool is_plain(unsigned char c) {
  return c >= 0x20 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' && c != 0xe2;
}

// Go: plain notation between 1e-6 and 1e21, else an exponent without a leading zero; shortest
// digits.
void append_double(std::string& out, double value) {
  if (value == 0 || !std::isfinite(value)) {  // neither infinity nor NaN can be parsed in
    out += '0';
    return;
  }
  char buffer[400];
  const double size = std::abs(value);
  const bool exponent = size < 1e-6 || size >= 1e21;
  const auto format = exponent ? std::chars_format::scientific : std::chars_format::fixed;
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, value, format);
  std::string_view text(buffer, static_cast<size_t>(result.ptr - buffer));
  const size_t e = exponent ? text.find('e') : std::string_view::npos;
  if (e != std::string_view::npos && e + 2 < text.size() && text[e + 2] == '0' &&
      text[e + 1] == '-') {
    out += text.substr(0, e + 2);
    out += text.substr(e + 3);
    return;
  }
  out += text;
}

class Printer {
 public:
  // indent < 0: one line.
  Printer(std::string& out, int indent) : out_(out), indent_(indent) {}

  void value(const Value& v) {
    switch (v.kind()) {
      case boost::json::kind::null:
        out_ += "null";
        break;
      case boost::json::kind::bool_:
        out_ += v.get_bool() ? "true" : "false";
        break;
      case boost::json::kind::int64:
        integer(v.get_int64());
        break;
      case boost::json::kind::uint64:
        integer(v.get_uint64());
        break;
      case boost::json::kind::double_:
        append_double(out_, v.get_double());
        break;
      case boost::json::kind::string:
        print_string(out_, {v.get_string().data(), v.get_string().size()});
        break;
      case boost::json::kind::array:
        array(v.get_array());
        break;
      case boost::json::kind::object:
        object(v.get_object());
        break;
    }
  }

 private:
  template <class T>
  void integer(T number) {
    char buffer[24];
    const auto result = std::to_chars(buffer, buffer + sizeof buffer, number);
    out_.append(buffer, result.ptr);
  }
  void line() {
    if (indent_ < 0) return;
    out_ += '\n';
    out_.append(static_cast<size_t>(indent_ * depth_), ' ');
  }
  void array(const Array& items) {
    if (items.empty()) {
      out_ += "[]";
      return;
    }
    out_ += '[';
    ++depth_;
    bool first = true;
    for (const Value& item : items) {
      if (!first) out_ += ',';
      first = false;
      line();
      value(item);
    }
    --depth_;
    line();
    out_ += ']';
  }
  void object(const Object& members) {
    if (members.empty()) {
      out_ += "{}";
      return;
    }
    out_ += '{';
    ++depth_;
    bool first = true;
    for (const auto& member : members) {
      if (!first) out_ += ',';
      first = false;
      line();
      print_string(out_, {member.key().data(), member.key().size()});
      out_ += indent_ < 0 ? ":" : ": ";
      value(member.value());
    }
    --depth_;
    line();
    out_ += '}';
  }

  std::string& out_;
  int indent_;
  int depth_ = 0;
};

}  // namespace

void print_string(std::string& out, std::string_view text) {
  out += '"';
  size_t start = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (is_plain(c)) continue;
    if (c == 0xe2) {
      // U+2028 and U+2029 end a line in JavaScript: Go escapes them.
      if (i + 2 >= text.size() || text[i + 1] != '\x80' ||
          (text[i + 2] != '\xa8' && text[i + 2] != '\xa9'))
        continue;
      out += text.substr(start, i - start);
      out += text[i + 2] == '\xa8' ? "\\u2028" : "\\u2029";
      i += 2;
      start = i + 1;
      continue;
    }
    out += text.substr(start, i - start);
    append_escaped(out, c);
    start = i + 1;
  }
  out += text.substr(start);
  out += '"';
}

void print_to(std::string& out, const Value& value) { Printer(out, -1).value(value); }

std::string print(const Value& value) {
  std::string out;
  print_to(out, value);
  return out;
}

std::string print_pretty(const Value& value, int indent) {
  std::string out;
  Printer(out, indent).value(value);
  return out;
}

}  // namespace kinglet::json

#include "json/internal/yaml_scalar.h"

namespace kinglet::json {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) {
  const char lower = static_cast<char>(c | 0x20);
  return (lower >= 'a' && lower <= 'z') || static_cast<unsigned char>(c) >= 0x80;
}

// kubectl's order of keys: letters after everything else, runs of digits by their number.
bool key_before(std::string_view a, std::string_view b) {
  size_t i = 0;
  while (i < a.size() && i < b.size() && a[i] == b[i]) ++i;
  if (i == a.size() || i == b.size()) return a.size() < b.size();
  const bool letter_a = is_letter(a[i]);
  const bool letter_b = is_letter(b[i]);
  if (letter_a || letter_b) {
    if (letter_a != letter_b) return letter_b;
    return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[i]);
  }
  if (is_digit(a[i]) && is_digit(b[i])) {
    size_t end_a = i, end_b = i;
    while (end_a < a.size() && is_digit(a[end_a])) ++end_a;
    while (end_b < b.size() && is_digit(b[end_b])) ++end_b;
    if (end_a != end_b) return end_a < end_b;  // more digits: a larger number
  }
  return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[i]);
}

// Readable by every YAML parser as this very text, without quotes.
bool is_plain(std::string_view text) {
  if (text.empty() || text.front() == ' ' || text.back() == ' ') return false;
  if (std::string_view("-?:,[]{}#&*!|>'\"%@`=<").find(text.front()) != std::string_view::npos) {
    const bool dash =
        (text.front() == '-' || text.front() == '?') && text.size() > 1 && text[1] != ' ';
    if (!dash || text.starts_with("---")) return false;
  }
  if (text.starts_with("...")) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 || c >= 0x7f) return false;
    if (c == ':' && (i + 1 == text.size() || text[i + 1] == ' ')) return false;
    if (c == '#' && text[i - 1] == ' ') return false;
  }
  const auto resolved = resolve_plain_scalar(text);
  return resolved && resolved->is_string();
}

// Several lines of printable text: shown as a block.
bool is_block(std::string_view text) {
  if (text.find('\n') == std::string_view::npos || text.front() == '\n' || text.front() == ' ')
    return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if ((c < 0x20 && c != '\n') || c >= 0x7f) return false;
    if (c == ' ' && (i + 1 == text.size() || text[i + 1] == '\n')) return false;
  }
  return !text.ends_with("\n\n");
}

class YamlPrinter {
 public:
  explicit YamlPrinter(std::string& out) : out_(out) {}

  void document(const Value& value) {
    if (value.is_object() && !value.get_object().empty()) {
      object(value.get_object(), 0, false);
    } else if (value.is_array() && !value.get_array().empty()) {
      array(value.get_array(), 0, false);
    } else {
      scalar(value, 0);
    }
  }

 private:
  void indent(int depth) { out_.append(static_cast<size_t>(2 * depth), ' '); }

  // `inline_first`: the first member continues the line ("- name: x").
  void object(const Object& members, int depth, bool inline_first) {
    std::vector<const boost::json::key_value_pair*> sorted;
    for (const auto& member : members) sorted.push_back(&member);
    std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) {
      return key_before({a->key().data(), a->key().size()}, {b->key().data(), b->key().size()});
    });
    for (const auto* member : sorted) {
      if (!std::exchange(inline_first, false)) indent(depth);
      text({member->key().data(), member->key().size()}, -1);
      out_ += ':';
      member_value(member->value(), depth);
    }
  }
  void member_value(const Value& value, int depth) {
    if (value.is_object() && !value.get_object().empty()) {
      out_ += '\n';
      object(value.get_object(), depth + 1, false);
    } else if (value.is_array() && !value.get_array().empty()) {
      out_ += '\n';
      array(value.get_array(), depth, false);  // the dash stands below the key
    } else {
      out_ += ' ';
      scalar(value, depth + 1);
    }
  }
  void array(const Array& items, int depth, bool inline_first) {
    for (const Value& item : items) {
      if (!std::exchange(inline_first, false)) indent(depth);
      out_ += "- ";
      if (item.is_object() && !item.get_object().empty()) {
        object(item.get_object(), depth + 1, true);
      } else if (item.is_array() && !item.get_array().empty()) {
        array(item.get_array(), depth + 1, true);
      } else {
        scalar(item, depth + 1);
      }
    }
  }
  // A scalar or an empty container, and the end of the line.
  void scalar(const Value& value, int depth) {
    if (value.is_string()) {
      text({value.get_string().data(), value.get_string().size()}, depth);
    } else {
      out_ += print(value);
    }
    out_ += '\n';
  }
  // `depth` < 0: a key, which has to stay on its line.
  void text(std::string_view text, int depth) {
    if (is_plain(text)) {
      out_ += text;
    } else if (depth >= 0 && is_block(text)) {
      block(text, std::max(depth, 1));
    } else if (can_single_quote(text)) {
      out_ += '\'';
      for (const char c : text)
        out_ += c == '\'' ? std::string_view("''") : std::string_view(&c, 1);
      out_ += '\'';
    } else {
      print_string(out_, text);
    }
  }
  // Text that would be read as another type gets double quotes, as kubectl prints it; the rest
  // single ones.
  static bool can_single_quote(std::string_view text) {
    for (const char c : text)
      if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f)
        return false;
    const auto resolved = resolve_plain_scalar(text);
    return !text.empty() && resolved && resolved->is_string();
  }
  void block(std::string_view text, int depth) {
    const bool ends_line = text.ends_with('\n');
    out_ += ends_line ? "|" : "|-";
    if (ends_line) text.remove_suffix(1);
    for (size_t at = 0; at <= text.size();) {
      const size_t end = std::min(text.find('\n', at), text.size());
      out_ += '\n';
      if (end > at) indent(depth);
      out_ += text.substr(at, end - at);
      at = end + 1;
    }
  }

  std::string& out_;
};

}  // namespace

std::string print_yaml(const Value& value) {
  std::string out;
  YamlPrinter(out).document(value);
  return out;
}

}  // namespace kinglet::json

// Name syntax with upstream's messages (k8s.io/apimachinery util/validation). Written by hand
// instead of with regular expressions: every write checks every label.
#include "schema/names.h"

#include <algorithm>

#include "schema/values.h"

namespace kinglet::schema {
namespace {

constexpr size_t kLabelMax = 63;
constexpr size_t kSubdomainMax = 253;

constexpr std::string_view kLabelFormat = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
constexpr std::string_view kSubdomainFormat =
    R"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)";
constexpr std::string_view kLabel1035Format = "[a-z]([-a-z0-9]*[a-z0-9])?";
constexpr std::string_view kQualifiedFormat = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

bool lower(char c) { return c >= 'a' && c <= 'z'; }
bool digit(char c) { return c >= '0' && c <= '9'; }
bool lower_alnum(char c) { return lower(c) || digit(c); }
bool alnum(char c) { return lower_alnum(c) || (c >= 'A' && c <= 'Z'); }

// The form `msg (e.g. 'a',  or 'b', regex used for validation is 'r')`, double space included.
std::string pattern_error(std::string_view message, std::string_view format,
                          std::initializer_list<std::string_view> examples) {
  std::string out(message);
  out += " (e.g. ";
  bool first = true;
  for (const auto example : examples) {
    if (!first) out += " or ";
    first = false;
    out += fmt::format("'{}', ", example);
  }
  return out + fmt::format("regex used for validation is '{}')", format);
}

bool is_label(std::string_view text) {
  return !text.empty() && lower_alnum(text.front()) && lower_alnum(text.back()) &&
         std::all_of(text.begin(), text.end(), [](char c) { return lower_alnum(c) || c == '-'; });
}

bool is_subdomain(std::string_view text) {
  for (;;) {
    const size_t dot = text.find('.');
    if (!is_label(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

bool is_qualified_part(std::string_view text) {
  return !text.empty() && alnum(text.front()) && alnum(text.back()) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return alnum(c) || c == '-' || c == '_' || c == '.'; });
}

std::string max_length(size_t length) {
  return fmt::format("must be no more than {} bytes", length);
}

std::string qualified_error() {
  return pattern_error(
      "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
      "alphanumeric "
      "character",
      kQualifiedFormat, {"MyName", "my.name", "123-abc"});
}

}  // namespace

std::vector<std::string> dns1123_label_errors(std::string_view text) {
  std::vector<std::string> errors;
  if (text.size() > kLabelMax) errors.push_back(max_length(kLabelMax));
  if (is_label(text)) return errors;
  if (is_subdomain(text)) {
    errors.push_back("must not contain dots");
  } else {
    errors.push_back(
        pattern_error("a lowercase RFC 1123 label must consist of lower case alphanumeric "
                      "characters or '-', and must start and "
                      "end with an alphanumeric character",
                      kLabelFormat, {"my-name", "123-abc"}));
  }
  return errors;
}

std::vector<std::string> dns1123_subdomain_errors(std::string_view text) {
  std::vector<std::string> errors;
  if (text.size() > kSubdomainMax) errors.push_back(max_length(kSubdomainMax));
  if (!is_subdomain(text))
    errors.push_back(
        pattern_error("a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
                      "characters, '-' or '.', and must "
                      "start and end with an alphanumeric character",
                      kSubdomainFormat, {"example.com"}));
  return errors;
}

std::vector<std::string> dns1035_label_errors(std::string_view text) {
  std::vector<std::string> errors;
  if (text.size() > kLabelMax) errors.push_back(max_length(kLabelMax));
  if (!is_label(text) || !lower(text.front()))
    errors.push_back(
        pattern_error("a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
                      "start with an alphabetic "
                      "character, and end with an alphanumeric character",
                      kLabel1035Format, {"my-name", "abc-123"}));
  return errors;
}

std::vector<std::string> label_key_errors(std::string_view text) {
  std::vector<std::string> errors;
  std::string_view name = text;
  const size_t slash = text.find('/');
  if (slash != std::string_view::npos) {
    const auto prefix = text.substr(0, slash);
    name = text.substr(slash + 1);
    if (name.find('/') != std::string_view::npos) {
      errors.push_back(
          "a qualified name " + qualified_error() +
          " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')");
      return errors;
    }
    if (prefix.empty()) {
      errors.push_back("prefix part must be non-empty");
    } else {
      for (const auto& error : dns1123_subdomain_errors(prefix))
        errors.push_back("prefix part " + error);
    }
  }
  if (name.empty()) {
    errors.push_back("name part must be non-empty");
  } else if (name.size() > kLabelMax) {
    errors.push_back("name part " + max_length(kLabelMax));
  }
  if (!is_qualified_part(name)) errors.push_back("name part " + qualified_error());
  return errors;
}

std::vector<std::string> label_value_errors(std::string_view text) {
  std::vector<std::string> errors;
  if (text.size() > kLabelMax) errors.push_back(max_length(kLabelMax));
  if (!text.empty() && !is_qualified_part(text))
    errors.push_back(pattern_error(
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
        "'.', and must "
        "start and end with an alphanumeric character",
        "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?", {"MyValue", "my_value", "12345"}));
  return errors;
}

std::vector<std::string> dns1123_wildcard_errors(std::string_view text) {
  std::vector<std::string> errors;
  if (text.size() > kSubdomainMax) errors.push_back(max_length(kSubdomainMax));
  if (!text.starts_with("*.") || !is_subdomain(text.substr(2)))
    errors.push_back(pattern_error(
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, "
        "which must consist of "
        "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
        std::string(R"(\*\.)") + std::string(kSubdomainFormat), {"*.example.com"}));
  return errors;
}

std::vector<std::string> config_key_errors(std::string_view text) {
  std::vector<std::string> errors;
  if (text.size() > kSubdomainMax) errors.push_back(max_length(kSubdomainMax));
  const bool characters_ok = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return alnum(c) || c == '-' || c == '_' || c == '.';
  });
  if (!characters_ok)
    errors.push_back(
        pattern_error("a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
                      "[-._a-zA-Z0-9]+", {"key.name", "KEY_NAME", "key-name"}));
  if (text == ".") {
    errors.push_back("must not be '.'");
  } else if (text == "..") {
    errors.push_back("must not be '..'");
  } else if (text.starts_with("..")) {
    errors.push_back("must not start with '..'");
  }
  return errors;
}

std::vector<std::string> env_name_errors(std::string_view text) {
  if (text.empty()) return {"must be non-empty"};
  const bool ok = std::all_of(text.begin(), text.end(),
                              [](char c) { return c >= ' ' && c <= '~' && c != '='; });
  if (ok) return {};
  return {
      "a valid environment variable name must consist only of printable ASCII characters other "
      "than '='"};
}

std::vector<std::string> port_name_errors(std::string_view text) {
  std::vector<std::string> errors;
  if (text.size() > kPortNameMax)
    errors.push_back(fmt::format("must be no more than {} characters", kPortNameMax));
  if (!std::all_of(text.begin(), text.end(), [](char c) { return lower_alnum(c) || c == '-'; }))
    errors.push_back("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  if (std::none_of(text.begin(), text.end(), lower))
    errors.push_back("must contain at least one letter (a-z)");
  if (text.find("--") != std::string_view::npos)
    errors.push_back("must not contain consecutive hyphens");
  if (!text.empty() && (text.front() == '-' || text.back() == '-'))
    errors.push_back("must not begin or end with a hyphen");
  return errors;
}

std::vector<std::string> port_number_errors(int64_t port) {
  if (port >= 1 && port <= 65535) return {};
  return {"must be between 1 and 65535, inclusive"};
}

std::vector<std::string> path_segment_errors(std::string_view text) {
  if (text == "." || text == "..") return {fmt::format("may not be '{}'", text)};
  std::vector<std::string> errors;
  for (const char c : {'/', '%'})
    if (text.find(c) != std::string_view::npos)
      errors.push_back(fmt::format("may not contain '{}'", c));
  return errors;
}

std::vector<std::string> percent_errors(std::string_view text) {
  const bool ok =
      text.size() >= 2 && text.back() == '%' && std::all_of(text.begin(), text.end() - 1, digit);
  if (ok) return {};
  return {pattern_error("a valid percent string must be a numeric string followed by an ending '%'",
                        "[0-9]+%", {"1%", "93%"})};
}

}  // namespace kinglet::schema

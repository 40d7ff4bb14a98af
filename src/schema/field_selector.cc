#include "schema/field_selector.h"

#include "schema/values.h"

namespace kinglet::schema {
namespace {

// Terms between commas that no backslash guards.
std::vector<std::string_view> split_terms(std::string_view text) {
  std::vector<std::string_view> out;
  size_t start = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == ',') {
      out.push_back(text.substr(start, i - start));
      start = i + 1;
    }
  }
  out.push_back(text.substr(start));
  return out;
}

Result<std::string> unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\') {
      if (i + 1 == text.size() ||
          std::string_view("\\,=").find(text[i + 1]) == std::string_view::npos)
        return Error(Code::bad_request, "invalid field selector: invalid escape sequence in {}",
                     text);
      out += text[++i];
    } else if (c == ',' || c == '=') {
      return Error(Code::bad_request, "invalid field selector: unescaped character in value: {}",
                   c);
    } else {
      out += c;
    }
  }
  return out;
}

Result<FieldRequirement> parse_term(std::string_view term) {
  const size_t at = term.find_first_of("=!");
  if (at == std::string_view::npos || (term[at] == '!' && term.substr(at, 2) != "!="))
    return Error(Code::bad_request, "invalid selector: '{}'; can't understand '{}'", term, term);
  const bool equal = term[at] == '=';
  const size_t length = term.substr(at, 2) == "==" || !equal ? 2 : 1;
  KL_TRY_FN(value, unescape(term.substr(at + length)));
  return FieldRequirement{std::string(term.substr(0, at)), value, equal};
}

}  // namespace

Result<std::vector<FieldRequirement>> parse_field_selector(std::string_view text) {
  if (text.size() > kSelectorBytesMax)
    return Error(Code::bad_request, "a field selector may not be longer than {} bytes",
                 kSelectorBytesMax);
  std::vector<FieldRequirement> out;
  for (const auto term : split_terms(text)) {
    if (term.empty()) continue;
    KL_TRY_FN(requirement, parse_term(term));
    out.push_back(std::move(requirement));
  }
  return out;
}

}  // namespace kinglet::schema

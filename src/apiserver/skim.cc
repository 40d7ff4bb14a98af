#include "apiserver/internal/skim.h"

#include "json/json.h"

namespace kinglet::apiserver {
namespace {

constexpr size_t kNone = std::string_view::npos;

size_t skip_space(std::string_view text, size_t at) {
  while (at < text.size() &&
         (text[at] == ' ' || text[at] == '\n' || text[at] == '\t' || text[at] == '\r'))
    ++at;
  return at;
}

// `at` is an opening quote; returns the index behind the closing one.
size_t skip_string(std::string_view text, size_t at) {
  for (++at; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '"') {
      return at + 1;
    }
  }
  return kNone;
}

// The index behind the value that begins at `at`. Brackets are counted, not matched: enough for
// text that a printer made.
size_t skip_value(std::string_view text, size_t at) {
  if (at >= text.size()) return kNone;
  if (text[at] == '"') return skip_string(text, at);
  if (text[at] != '{' && text[at] != '[') {
    const size_t end = text.find_first_of(",]} \n\r\t", at);
    return end == kNone ? text.size() : end;
  }
  size_t depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at = skip_string(text, at);
      if (at == kNone) return kNone;
      continue;
    }
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) return at + 1;
    ++at;
  }
  return kNone;
}

}  // namespace

void skim_members(
    std::string_view text,
    const std::function<bool(std::string_view name, std::string_view value)>& member) {
  size_t at = skip_space(text, 0);
  if (at >= text.size() || text[at] != '{') return;
  ++at;
  for (;;) {
    at = skip_space(text, at);
    if (at >= text.size() || text[at] != '"') return;
    const size_t name_end = skip_string(text, at);
    if (name_end == kNone) return;
    const auto name = text.substr(at + 1, name_end - at - 2);
    at = skip_space(text, name_end);
    if (at >= text.size() || text[at] != ':') return;
    at = skip_space(text, at + 1);
    const size_t end = skip_value(text, at);
    if (end == kNone) return;
    if (!member(name, text.substr(at, end - at))) return;
    at = skip_space(text, end);
    if (at >= text.size() || text[at] != ',') return;
    ++at;
  }
}

std::optional<std::string_view> skim(std::string_view text,
                                     std::initializer_list<std::string_view> path) {
  for (const auto step : path) {
    std::optional<std::string_view> found;
    skim_members(text, [&](std::string_view name, std::string_view value) {
      if (name != step) return true;
      found = value;
      return false;
    });
    if (!found) return std::nullopt;
    text = *found;
  }
  return text;
}

std::string scalar_text(std::string_view raw) {
  if (raw.empty() || raw == "null") return {};
  if (raw.front() != '"') return std::string(raw);
  if (raw.find('\\') == kNone && raw.size() >= 2) return std::string(raw.substr(1, raw.size() - 2));
  const auto value = json::parse(raw);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::string skim_text(std::string_view text, std::initializer_list<std::string_view> path) {
  const auto raw = skim(text, path);
  return raw ? scalar_text(*raw) : std::string();
}

// Only name, generateName, namespace, selfLink and uid stand before it, all strings, in which
// quotes are escaped: the first occurrence is the member.
std::optional<Span> revision_digits(std::string_view text) {
  constexpr std::string_view kMember = "\"resourceVersion\":\"";
  constexpr std::string_view kMetadata = "\"metadata\":{";
  const size_t metadata = text.find(kMetadata);
  if (metadata == kNone) return std::nullopt;
  const size_t member = text.find(kMember, metadata);
  if (member == kNone) return std::nullopt;
  const size_t begin = member + kMember.size();
  const size_t end = text.find('"', begin);
  if (end == kNone) return std::nullopt;
  return Span{begin, end};
}

}  // namespace kinglet::apiserver

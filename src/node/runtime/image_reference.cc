#include "node/runtime/image_reference.h"

#include "node/runtime/images.h"

namespace kinglet::runtime {
namespace {
constexpr size_t kReferenceBytesMax = 512;
constexpr size_t kRepositoryBytesMax = 255;
constexpr size_t kTagBytesMax = 128;

bool is_lower_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_alnum(char c) { return is_lower_alnum(c) || (c >= 'A' && c <= 'Z'); }

// Letters and digits, with ".", "_", "__" or any number of "-" between them.
bool is_path_component(std::string_view text) {
  if (text.empty() || !is_lower_alnum(text.front()) || !is_lower_alnum(text.back())) return false;
  for (size_t at = 0; at < text.size();) {
    if (is_lower_alnum(text[at])) {
      ++at;
      continue;
    }
    const size_t end = text.find_first_not_of(text[at], at);
    const size_t run = end - at;
    const char c = text[at];
    const bool allowed = c == '-' || (c == '_' && run <= 2) || (c == '.' && run == 1);
    if (!allowed || !is_lower_alnum(text[end])) return false;
    at = end;
  }
  return true;
}

bool is_path(std::string_view path) {
  for (;;) {
    const size_t slash = path.find('/');
    if (!is_path_component(path.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

// "registry.test", "10.0.0.1:5000", "[fd00::1]:5000".
bool is_domain(std::string_view text) {
  if (text.starts_with('[')) {
    const size_t close = text.find(']');
    if (close == std::string_view::npos || close == 1) return false;
    for (const char c : text.substr(1, close - 1))
      if (!is_alnum(c) && c != ':') return false;
    text.remove_prefix(close + 1);
    if (text.empty()) return true;
    text = text.starts_with(':') ? text.substr(1) : std::string_view("x");
  } else {
    const size_t colon = text.find(':');
    const auto host = text.substr(0, colon);
    if (host.empty() || !is_alnum(host.front()) || !is_alnum(host.back())) return false;
    for (const char c : host)
      if (!is_alnum(c) && c != '.' && c != '-') return false;
    if (colon == std::string_view::npos) return true;
    text.remove_prefix(colon + 1);
  }
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

bool is_tag(std::string_view text) {
  if (text.empty() || text.size() > kTagBytesMax || text[0] == '.' || text[0] == '-') return false;
  for (const char c : text)
    if (!is_alnum(c) && c != '_' && c != '.' && c != '-') return false;
  return true;
}

bool names_registry(std::string_view first) {
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  return first == "localhost" || first.find_first_of(".:") != std::string_view::npos ||
         std::any_of(first.begin(), first.end(), is_upper);
}
}  // namespace

bool is_sha256_digest(std::string_view text) {
  constexpr std::string_view kPrefix = "sha256:";
  return text.starts_with(kPrefix) && text.size() == kPrefix.size() + 64 &&
         text.substr(kPrefix.size()).find_first_not_of("0123456789abcdef") ==
             std::string_view::npos;
}

std::string_view hex_of(std::string_view digest) { return digest.substr(digest.find(':') + 1); }

Result<ImageReference> parse_reference(std::string_view text) {
  const auto bad = [&](const char* why) {
    return Error(Code::bad_request, "invalid reference format: \"{}\": {}",
                 text.substr(0, kReferenceBytesMax), why);
  };
  if (text.size() > kReferenceBytesMax) return bad("it is too long");
  ImageReference out;
  std::string_view rest = text;
  if (const size_t at = rest.find('@'); at != std::string_view::npos) {
    out.digest = rest.substr(at + 1);
    if (!is_sha256_digest(out.digest)) return bad("the digest is not sha256 and 64 hex digits");
    rest = rest.substr(0, at);
  }
  const size_t last_slash = rest.rfind('/');
  const size_t colon = rest.find(':', last_slash == std::string_view::npos ? 0 : last_slash);
  if (colon != std::string_view::npos) {
    out.tag = rest.substr(colon + 1);
    if (!is_tag(out.tag)) return bad("the tag has characters that a tag may not have");
    rest = rest.substr(0, colon);
  }
  std::string_view domain = "docker.io";
  std::string_view path = rest;
  const size_t slash = rest.find('/');
  if (slash != std::string_view::npos && names_registry(rest.substr(0, slash))) {
    domain = rest.substr(0, slash);
    path = rest.substr(slash + 1);
    if (!is_domain(domain)) return bad("the registry's name is not valid");
    if (domain == "index.docker.io") domain = "docker.io";
  }
  if (!is_path(path)) return bad("a repository name is lower-case letters, digits and separators");
  const bool official = domain == "docker.io" && path.find('/') == std::string_view::npos;
  out.repository = fmt::format("{}/{}{}", domain, official ? "library/" : "", path);
  if (out.repository.size() > kRepositoryBytesMax) return bad("the repository name is too long");
  if (out.tag.empty() && out.digest.empty()) out.tag = "latest";
  return out;
}

Result<std::string> normalize_reference(const std::string& reference) {
  KL_TRY_FN(parsed, parse_reference(reference));
  return parsed.text();
}

}  // namespace kinglet::runtime

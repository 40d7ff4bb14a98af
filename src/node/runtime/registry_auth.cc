#include "node/runtime/registry_auth.h"

#include "json/json.h"
#include "net/crypto.h"

namespace kinglet::runtime {
namespace {
constexpr size_t kHeaderBytesMax = 8 << 10;
constexpr size_t kChallengesMax = 8, kParametersMax = 16;
constexpr size_t kTokenBytesMax = 64 << 10;

bool is_token_char(char c) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kOthers.find(c) != std::string_view::npos;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}
  bool at_end() const { return at_ >= text_.size(); }
  void skip(std::string_view characters) {
    while (!at_end() && characters.find(text_[at_]) != std::string_view::npos) ++at_;
  }
  bool take(char c) {
    if (at_end() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::string_view token() {
    const size_t start = at_;
    while (!at_end() && is_token_char(text_[at_])) ++at_;
    return text_.substr(start, at_ - start);
  }
  // "..." with backslashes, or a token.
  std::string value() {
    if (!take('"')) return std::string(token());
    std::string out;
    while (!at_end() && text_[at_] != '"') {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      out += text_[at_++];
    }
    take('"');
    return out;
  }
  size_t position() const { return at_; }
  void go_to(size_t position) { at_ = position; }

 private:
  std::string_view text_;
  size_t at_ = 0;
};

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", u);
  }
  return out;
}

std::string parameter(const AuthChallenge& challenge, const char* name) {
  const auto found = challenge.parameters.find(name);
  return found == challenge.parameters.end() ? "" : found->second;
}

// "repository:a:pull repository:b:pull" -> its words.
std::vector<std::string> scopes_of(const std::string& scope) {
  std::vector<std::string> out;
  for (size_t at = 0; at < scope.size();) {
    const size_t end = std::min(scope.find(' ', at), scope.size());
    if (end > at) out.push_back(scope.substr(at, end - at));
    at = end + 1;
  }
  return out;
}
}  // namespace

std::vector<AuthChallenge> parse_challenges(std::string_view header) {
  std::vector<AuthChallenge> out;
  Scanner scan(header.substr(0, kHeaderBytesMax));
  while (!scan.at_end() && out.size() < kChallengesMax) {
    scan.skip(" \t,");
    AuthChallenge challenge;
    challenge.scheme = lower(scan.token());
    if (challenge.scheme.empty()) break;
    while (challenge.parameters.size() < kParametersMax) {
      scan.skip(" \t,");
      const size_t before = scan.position();
      const std::string name = lower(scan.token());
      scan.skip(" \t");
      // A word without "=" is the next challenge.
      if (name.empty() || !scan.take('=')) {
        scan.go_to(before);
        break;
      }
      scan.skip(" \t");
      challenge.parameters[name] = scan.value();
    }
    out.push_back(std::move(challenge));
  }
  return out;
}

std::string basic_authorization(const RegistryCredential& credential) {
  return "Basic " + net::base64(credential.username + ":" + credential.password);
}

Result<TokenRequest> token_request(const AuthChallenge& challenge,
                                   const RegistryCredential& credential) {
  const std::string realm = parameter(challenge, "realm");
  if (!realm.starts_with("https://") && !realm.starts_with("http://"))
    return Error(Code::invalid, "the registry names no place to get a token from");
  const std::string service = parameter(challenge, "service");
  const auto scopes = scopes_of(parameter(challenge, "scope"));
  TokenRequest out;
  if (!credential.identity_token.empty()) {
    out.method = "POST";
    out.url = realm;
    out.body = fmt::format("grant_type=refresh_token&client_id=kinglet&service={}&refresh_token={}",
                           escaped(service), escaped(credential.identity_token));
    if (!scopes.empty()) out.body += "&scope=" + escaped(parameter(challenge, "scope"));
    return out;
  }
  out.method = "GET";
  out.url = realm;
  char joint = realm.find('?') == std::string::npos ? '?' : '&';
  const auto add = [&](const char* name, const std::string& value) {
    out.url += fmt::format("{}{}={}", joint, name, escaped(value));
    joint = '&';
  };
  if (!service.empty()) add("service", service);
  for (const auto& scope : scopes) add("scope", scope);
  if (!credential.empty()) out.authorization = basic_authorization(credential);
  return out;
}

Result<std::string> parse_token(std::string_view answer) {
  const auto root = json::parse(answer);
  std::string token;
  if (root) token = json::text_at(*root, {"token"});
  if (root && token.empty()) token = json::text_at(*root, {"access_token"});
  const bool sound =
      !token.empty() && token.size() <= kTokenBytesMax &&
      std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 127; });
  if (!sound) return Error(Code::unauthorized, "the token server's answer holds no token");
  return token;
}

}  // namespace kinglet::runtime

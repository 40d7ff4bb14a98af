#include "cluster/join_token.h"

#include "net/crypto.h"

namespace kinglet::cluster {
namespace {

constexpr std::string_view kPrefix = "K10";
constexpr size_t kHashLength = 64;
constexpr size_t kSecretBytes = 16;

bool lower_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const auto first = text.find_first_not_of(kBlanks);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// "abcdef.0123456789abcdef": a bootstrap token, which has no user.
bool bootstrap_form(std::string_view text) {
  constexpr size_t kId = 6, kSecret = 16;
  const auto plain = [](std::string_view part) {
    return std::all_of(part.begin(), part.end(),
                       [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'); });
  };
  return text.size() == kId + 1 + kSecret && text[kId] == '.' && plain(text.substr(0, kId)) &&
         plain(text.substr(kId + 1));
}

Result<JoinToken> stored(Files& files, const std::string& path) {
  KL_TRY_FN(text, read_file(files, path, kJoinTokenBytesMax));
  return parse_join_token(text);
}

Result<void> write_if_changed(Files& files, const std::string& path, const std::string& text) {
  if (const auto old = read_file(files, path, kJoinTokenBytesMax); old && *old == text) return {};
  return write_file(files, path, text, 0600);
}

// The secret that was given, else the stored one, else a new one.
Result<std::string> choose(Files& files, Random& random, std::string_view ca_pem,
                           const std::string& given, const std::string& path,
                           const std::string& otherwise) {
  if (!given.empty()) {
    KL_TRY_FN(token, parse_join_token(given));
    if (!fits_ca(token, ca_pem))
      return Error(Code::invalid,
                   "the token belongs to another cluster: its CA is {}, this cluster's is {}",
                   token.ca_hash, ca_hash(ca_pem));
    return std::move(token.secret);
  }
  if (files.exists(path)) {
    auto token = stored(files, path);
    if (!token) return std::move(token.error()).with_context(path);
    return std::move(token->secret);
  }
  return otherwise.empty() ? random.hex(kSecretBytes) : otherwise;
}

}  // namespace

Result<JoinToken> parse_join_token(std::string_view text) {
  text = trim(text);
  if (text.empty()) return Error(Code::bad_request, "the token is empty");
  if (text.size() > kJoinTokenBytesMax)
    return Error(Code::bad_request, "the token is longer than {} bytes", kJoinTokenBytesMax);
  if (!printable(text))
    return Error(Code::bad_request, "the token has blanks or unprintable characters");
  if (!text.starts_with(kPrefix) || text.find("::") == text.npos)
    return JoinToken{"", "", std::string(text)};

  const auto rest = text.substr(kPrefix.size());
  const auto hash_end = rest.find("::");
  const auto hash = rest.substr(0, hash_end);
  if (hash.size() != kHashLength || !lower_hex(hash))
    return Error(
        Code::bad_request,
        "the token's CA fingerprint is damaged: expected K10<64 hex digits>::<user>:<secret>");
  const auto credentials = rest.substr(hash_end + 2);
  const auto colon = credentials.find(':');
  if (bootstrap_form(credentials)) return JoinToken{std::string(hash), "", std::string(credentials)};
  if (colon == credentials.npos || colon == 0 || colon + 1 == credentials.size())
    return Error(Code::bad_request,
                 "the token is cut short: expected K10<64 hex digits>::<user>:<secret>");
  return JoinToken{std::string(hash), std::string(credentials.substr(0, colon)),
                   std::string(credentials.substr(colon + 1))};
}

std::string format_join_token(const JoinToken& token) {
  if (token.ca_hash.empty()) return token.secret;
  if (token.user.empty()) return fmt::format("{}{}::{}", kPrefix, token.ca_hash, token.secret);
  return fmt::format("{}{}::{}:{}", kPrefix, token.ca_hash, token.user, token.secret);
}

std::string ca_hash(std::string_view ca_pem) { return net::to_hex(net::sha256(ca_pem)); }

bool fits_ca(const JoinToken& token, std::string_view ca_pem) {
  return token.ca_hash.empty() || net::equal_constant_time(token.ca_hash, ca_hash(ca_pem));
}

Result<JoinTokens> ensure_join_tokens(Files& files, Random& random, std::string_view ca_pem,
                                      const JoinTokenOptions& options) {
  const std::string dir = options.data_dir + "/server";
  KL_CHECK_FN(files.make_dirs(dir, 0700));
  JoinTokens out;
  KL_TRY_FN(server, choose(files, random, ca_pem, options.server_token, dir + "/token", ""));
  out.server_secret = std::move(server);
  KL_TRY_FN(agent, choose(files, random, ca_pem, options.agent_token, dir + "/agent-token",
                          out.server_secret));
  out.agent_secret = std::move(agent);

  const auto hash = ca_hash(ca_pem);
  const auto server_text = format_join_token({hash, "server", out.server_secret}) + "\n";
  KL_CHECK_FN(write_if_changed(files, dir + "/token", server_text));
  KL_CHECK_FN(write_if_changed(files, dir + "/node-token", server_text));
  // Only an own agent token is kept: without one it follows the server's.
  if (out.agent_secret != out.server_secret) {
    KL_CHECK_FN(write_if_changed(files, dir + "/agent-token",
                                 format_join_token({hash, "node", out.agent_secret}) + "\n"));
  }
  return out;
}

}  // namespace kinglet::cluster

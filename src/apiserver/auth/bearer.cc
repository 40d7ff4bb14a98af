#include "apiserver/auth/bearer.h"

#include "net/crypto.h"

namespace kinglet::apiserver {
namespace {

constexpr std::string_view kTokenProtocol = "base64url.bearer.authorization.k8s.io.";
constexpr std::string_view kExtraPrefix = "impersonate-extra-";
constexpr size_t kImpersonationHeadersMax =
    256;  // groups and extras of one user; real ones have a dozen
constexpr size_t kBootstrapIdLength = 6, kBootstrapSecretLength = 16;

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

Result<std::string> checked(std::string_view token) {
  if (token.empty()) return Error(Code::unauthorized, "the bearer token is empty");
  if (token.size() > kTokenBytesMax)
    return Error(Code::unauthorized, "the bearer token is longer than {} bytes", kTokenBytesMax);
  if (!printable(token))
    return Error(Code::unauthorized, "the bearer token has unprintable characters");
  return std::string(token);
}

Result<std::optional<std::string>> from_protocols(const net::Request& request) {
  std::optional<std::string> found;
  for (const auto& header : request.headers.all("sec-websocket-protocol")) {
    std::string_view rest = header;
    while (!rest.empty()) {
      const auto comma = rest.find(',');
      const auto protocol = trim(rest.substr(0, comma));
      rest = comma == rest.npos ? std::string_view() : rest.substr(comma + 1);
      if (!carries_token(protocol)) continue;
      if (found) return Error(Code::unauthorized, "several tokens in Sec-WebSocket-Protocol");
      const auto text = net::from_base64url(protocol.substr(kTokenProtocol.size()));
      if (!text)
        return Error(Code::unauthorized, "the token in Sec-WebSocket-Protocol is not base64url");
      KL_TRY_FN(token, checked(*text));
      found = std::move(token);
    }
  }
  return found;
}

bool base36(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
}

}  // namespace

bool carries_token(std::string_view subprotocol) { return subprotocol.starts_with(kTokenProtocol); }

Result<std::optional<std::string>> bearer_token(const net::Request& request) {
  const auto headers = request.headers.all("authorization");
  // Two headers are two opinions about who this is: a proxy in front may have looked at the other
  // one.
  if (headers.size() > 1) return Error(Code::unauthorized, "several Authorization headers");
  if (!headers.empty()) {
    const auto text = trim(headers.front());
    const auto space = text.find(' ');
    if (lower(text.substr(0, space)) == "bearer") {
      KL_TRY_FN(token,
                checked(space == text.npos ? std::string_view() : trim(text.substr(space + 1))));
      return std::optional<std::string>(std::move(token));
    }
  }
  if (lower(request.headers.get("upgrade")) != "websocket" && request.method != "CONNECT")
    return std::optional<std::string>();
  return from_protocols(request);
}

std::string_view join_secret(std::string_view token) {
  if (!token.starts_with("K10")) return token;
  const auto hash_end = token.find("::");
  if (hash_end == token.npos) return token;
  const auto credentials = token.substr(hash_end + 2);
  const auto colon = credentials.find(':');
  return colon == credentials.npos ? credentials : credentials.substr(colon + 1);
}

Result<BootstrapToken> parse_bootstrap_token(std::string_view token) {
  const bool fits = token.size() == kBootstrapIdLength + 1 + kBootstrapSecretLength &&
                    token[kBootstrapIdLength] == '.' &&
                    base36(token.substr(0, kBootstrapIdLength)) &&
                    base36(token.substr(kBootstrapIdLength + 1));
  if (!fits) return Error(Code::bad_request, "not a bootstrap token ([a-z0-9]{6}.[a-z0-9]{16})");
  return BootstrapToken{std::string(token.substr(0, kBootstrapIdLength)),
                        std::string(token.substr(kBootstrapIdLength + 1))};
}

Result<std::optional<Impersonation>> impersonation(const net::Request& request) {
  Impersonation out;
  size_t seen = 0;
  bool has_user = false, has_uid = false;
  for (const auto& [raw_name, value] : request.headers.rows()) {
    const auto name = lower(raw_name);
    if (!name.starts_with("impersonate-")) continue;
    if (++seen > kImpersonationHeadersMax)
      return Error(Code::bad_request, "too many Impersonate- headers");
    if (name == "impersonate-user") {
      if (has_user) return Error(Code::bad_request, "several Impersonate-User headers");
      has_user = true;
      out.user = value;
    } else if (name == "impersonate-uid") {
      if (has_uid) return Error(Code::bad_request, "several Impersonate-Uid headers");
      has_uid = true;
      out.uid = value;
    } else if (name == "impersonate-group") {
      out.groups.push_back(value);
    } else if (name.starts_with(kExtraPrefix) && name.size() > kExtraPrefix.size()) {
      // Encoded, because header names cannot hold every character.
      KL_TRY_FN(key, net::percent_decode(std::string_view(name).substr(kExtraPrefix.size())),
                "Impersonate-Extra- header");
      out.extra[lower(key)].push_back(value);
    } else {
      // An unknown one would otherwise be dropped, and the request run as somebody else than its
      // sender believes.
      return Error(Code::bad_request, "unknown header {}", raw_name);
    }
  }
  if (seen == 0) return std::optional<Impersonation>();
  if (out.user.empty())
    return Error(Code::bad_request, "Impersonate- headers without impersonating a user");
  return std::optional<Impersonation>(std::move(out));
}

}  // namespace kinglet::apiserver

#include "node/pull_secrets.h"

#include "json/json.h"
#include "net/crypto.h"

namespace kinglet::node {
namespace {
constexpr size_t kPlacesMax = 1000;

// "https://index.docker.io/v1/" -> "index.docker.io".
std::string place_of(std::string key) {
  if (const size_t scheme = key.find("://"); scheme != std::string::npos) key.erase(0, scheme + 3);
  for (const char* version : {"/v1", "/v2"}) {
    while (key.ends_with('/')) key.pop_back();
    if (key.ends_with(version)) key.resize(key.size() - 3);
  }
  while (key.ends_with('/')) key.pop_back();
  // Docker's own names for its registry.
  const size_t slash = std::min(key.find('/'), key.size());
  const std::string host = key.substr(0, slash);
  if (host == "index.docker.io" || host == "registry-1.docker.io")
    key = "docker.io" + key.substr(slash);
  return key;
}

std::vector<std::string> split(const std::string& text, char by) {
  std::vector<std::string> out;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(by, at), text.size());
    out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

// "*" is any number of characters. Linear but for one step back per star.
bool matches(std::string_view pattern, std::string_view text) {
  size_t p = 0, t = 0, star = std::string_view::npos, from = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      from = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++from;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

struct Place {
  std::string host, port, path;
};
Place take_apart(const std::string& text) {
  Place out;
  const size_t slash = std::min(text.find('/'), text.size());
  out.host = text.substr(0, slash);
  if (slash < text.size()) out.path = text.substr(slash + 1);
  if (const size_t colon = out.host.rfind(':');
      colon != std::string::npos && !out.host.ends_with(']')) {
    out.port = out.host.substr(colon + 1);
    out.host.resize(colon);
  }
  return out;
}

Result<runtime::RegistryCredential> credential_of(const json::Value& entry,
                                                  const std::string& place) {
  runtime::RegistryCredential out;
  out.username = json::text_at(entry, {"username"});
  out.password = json::text_at(entry, {"password"});
  out.identity_token = json::text_at(entry, {"identitytoken"});
  if (const auto both = json::text_at(entry, {"auth"}); !both.empty()) {
    const auto decoded = net::from_base64(both);
    const size_t colon = decoded ? decoded->find(':') : std::string::npos;
    if (colon == std::string::npos)
      return Error(Code::invalid, "{}: \"auth\" is not base64 of user:password", place);
    out.username = decoded->substr(0, colon);
    out.password = decoded->substr(colon + 1);
  }
  return out;
}

}  // namespace

Result<std::vector<PullSecret>> parse_docker_config(std::string_view text, bool legacy) {
  KL_TRY_FN(root, json::parse(text));
  const json::Value* auths = legacy ? &root : json::find(root, {"auths"});
  std::vector<PullSecret> out;
  if (auths == nullptr) return out;
  if (!auths->is_object() || auths->get_object().size() > kPlacesMax)
    return Error(Code::invalid, "an object with at most {} registries is expected", kPlacesMax);
  for (const auto& item : auths->get_object()) {
    PullSecret secret;
    secret.place = place_of(std::string(item.key()));
    if (secret.place.empty() || !item.value().is_object()) continue;
    KL_TRY_FN(credential, credential_of(item.value(), secret.place));
    secret.credential = std::move(credential);
    if (!secret.credential.empty()) out.push_back(std::move(secret));
  }
  return out;
}

Result<std::vector<PullSecret>> pull_secrets_of(const api::Secret& secret) {
  if (const auto found = secret.data.find(".dockerconfigjson"); found != secret.data.end())
    return parse_docker_config(found->second, false);
  if (const auto found = secret.data.find(".dockercfg"); found != secret.data.end())
    return parse_docker_config(found->second, true);
  return std::vector<PullSecret>();
}

bool covers(const std::string& place, const std::string& repository) {
  const Place wanted = take_apart(place), have = take_apart(repository);
  if (!wanted.port.empty() && wanted.port != have.port) return false;
  const auto wanted_parts = split(wanted.host, '.'), parts = split(have.host, '.');
  if (wanted_parts.size() != parts.size()) return false;
  for (size_t i = 0; i < parts.size(); ++i)
    if (!matches(wanted_parts[i], parts[i])) return false;
  return have.path.starts_with(wanted.path);
}

std::vector<runtime::RegistryCredential> credentials_for(std::vector<PullSecret> secrets,
                                                         const std::string& repository) {
  std::stable_sort(secrets.begin(), secrets.end(),
                   [](const PullSecret& a, const PullSecret& b) { return a.place > b.place; });
  std::vector<runtime::RegistryCredential> out;
  for (auto& secret : secrets)
    if (covers(secret.place, repository) &&
        std::find(out.begin(), out.end(), secret.credential) == out.end())
      out.push_back(std::move(secret.credential));
  return out;
}

}  // namespace kinglet::node

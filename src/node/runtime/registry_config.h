// Where images of a registry come from: /etc/kinglet/registries.yaml as k3s has it, and the
// defaults. Pure. Source: https://docs.k3s.io/installation/private-registry; containerd's defaults
// for registries on localhost.
#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace kinglet::runtime {

// What a registry may ask for. A refresh (identity) token replaces user name and password.
struct RegistryCredential {
  std::string username, password, identity_token;
  bool empty() const { return username.empty() && password.empty() && identity_token.empty(); }
  bool operator==(const RegistryCredential&) const = default;
};

struct RegistryTls {
  std::string ca_file, cert_file, key_file;
  bool skip_verify = false;
};

struct RegistryMirror {
  std::vector<std::string> endpoints;
  std::vector<std::pair<std::string, std::string>> rewrites;  // pattern (RE2), replacement ("$1")
};
struct RegistryAccess {
  RegistryCredential credential;
  RegistryTls tls;
};
struct RegistriesConfig {
  std::map<std::string, RegistryMirror> mirrors;  // by registry ("docker.io"), or "*"
  std::map<std::string, RegistryAccess> configs;  // by host, with its port if it has one
};
constexpr size_t kMirrorsMax = 64;  // of one registry; also of its rewrites
// Errors: invalid, with the place. An empty text is an empty configuration.
Result<RegistriesConfig> parse_registries(const std::string& yaml);

struct RegistryEndpoint {
  std::string url;  // "https://mirror.test:5000/v2"; no slash at the end
  std::string ns;   // for mirrors: the registry that is asked for ("?ns=docker.io"); empty: it is
                    // that registry
  std::vector<std::pair<std::string, std::string>> rewrites;
  RegistryAccess access;
};
// In the order in which they are tried: mirrors, then the registry itself. On localhost plain HTTP
// comes first, then HTTPS whose certificate nobody checks.
std::vector<RegistryEndpoint> endpoints_for(const RegistriesConfig& config,
                                            const std::string& registry);
// The repository's name at that endpoint: the first rewrite that changes it counts. Errors: invalid
// (the pattern).
Result<std::string> rewritten(const RegistryEndpoint& endpoint, const std::string& repository);

// "docker.io/library/busybox" -> "docker.io", "library/busybox".
std::pair<std::string, std::string> split_repository(const std::string& repository);

}  // namespace kinglet::runtime

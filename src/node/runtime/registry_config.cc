#include "node/runtime/registry_config.h"

#include <re2/re2.h>

#include "json/json.h"
#include "net/crypto.h"

namespace kinglet::runtime {
namespace {
constexpr size_t kPatternBytesMax = 1 << 10;
constexpr int64_t kPatternMemoryMax = 1 << 20;
constexpr const char* kFile = "registries.yaml";

using json::text_at;
using json::Value;

Error bad(std::string_view where, std::string_view why) {
  return Error(Code::invalid, "{}: {}: {}", kFile, where, why);
}

// Go's "$1" and "${1}" as RE2 has it; "$$" is a dollar.
std::string replacement_of(const std::string& go) {
  std::string out;
  for (size_t i = 0; i < go.size(); ++i) {
    if (go[i] == '\\') out += '\\';
    if (go[i] != '$' || i + 1 == go.size()) {
      out += go[i];
      continue;
    }
    const bool braces = go[i + 1] == '{';
    const size_t digit = i + 1 + (braces ? 1 : 0);
    const bool group = digit < go.size() && go[digit] >= '0' && go[digit] <= '9';
    if (group && (!braces || (digit + 1 < go.size() && go[digit + 1] == '}'))) {
      out += '\\';
      out += go[digit];
      i = digit + (braces ? 1 : 0);
    } else if (go[i + 1] == '$') {
      out += '$';
      ++i;
    } else {
      out += '$';
    }
  }
  return out;
}

bool compiles(const std::string& pattern) {
  if (pattern.size() > kPatternBytesMax) return false;
  RE2::Options options(RE2::Quiet);
  options.set_max_mem(kPatternMemoryMax);
  return RE2(pattern, options).ok();
}

Result<RegistryMirror> parse_mirror(const std::string& name, const Value& value) {
  RegistryMirror out;
  if (const Value* endpoints = json::find(value, {"endpoint"});
      endpoints != nullptr && !endpoints->is_null()) {
    if (!endpoints->is_array() || endpoints->get_array().size() > kMirrorsMax)
      return bad(name, "endpoint: a list of at most 64 URLs is expected");
    for (const auto& item : endpoints->get_array()) {
      if (!item.is_string()) return bad(name, "endpoint: a URL is expected");
      out.endpoints.emplace_back(item.get_string());
    }
  }
  if (const Value* rewrites = json::find(value, {"rewrite"});
      rewrites != nullptr && !rewrites->is_null()) {
    if (!rewrites->is_object() || rewrites->get_object().size() > kMirrorsMax)
      return bad(name, "rewrite: at most 64 patterns with their replacements are expected");
    for (const auto& rule : rewrites->get_object()) {
      const std::string pattern(rule.key());
      if (!rule.value().is_string()) return bad(name, "rewrite: a replacement is expected");
      if (!compiles(pattern))
        return bad(name, "rewrite: \"" + pattern.substr(0, 100) + "\" is no regular expression");
      out.rewrites.emplace_back(pattern, std::string(rule.value().get_string()));
    }
  }
  return out;
}

Result<RegistryAccess> parse_access(const std::string& name, const Value& value) {
  RegistryAccess out;
  auto& credential = out.credential;
  credential.username = text_at(value, {"auth", "username"});
  credential.password = text_at(value, {"auth", "password"});
  credential.identity_token = text_at(value, {"auth", "identity_token"});
  if (const auto both = text_at(value, {"auth", "auth"}); !both.empty()) {
    const auto decoded = net::from_base64(both);
    const size_t colon = decoded ? decoded->find(':') : std::string::npos;
    if (colon == std::string::npos) return bad(name, "auth: base64 of user:password is expected");
    credential.username = decoded->substr(0, colon);
    credential.password = decoded->substr(colon + 1);
  }
  out.tls.ca_file = text_at(value, {"tls", "ca_file"});
  out.tls.cert_file = text_at(value, {"tls", "cert_file"});
  out.tls.key_file = text_at(value, {"tls", "key_file"});
  out.tls.skip_verify = json::bool_at(value, {"tls", "insecure_skip_verify"});
  return out;
}

// Without scheme and path: "mirror.test:5000".
std::string host_of(const std::string& url) {
  const size_t scheme = url.find("://");
  const size_t start = scheme == std::string::npos ? 0 : scheme + 3;
  return url.substr(start, url.find('/', start) - start);
}

bool is_local(const std::string& host) {
  return host == "localhost" || host.starts_with("localhost:") || host.starts_with("127.") ||
         host.starts_with("[::1]");
}

std::string base_of(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url.ends_with("/v2") ? url : url + "/v2";
}

RegistryAccess access_of(const RegistriesConfig& config, const std::string& host,
                         const std::string& registry) {
  for (const auto& name : {host, registry})
    if (const auto found = config.configs.find(name); found != config.configs.end())
      return found->second;
  return {};
}

void add_endpoint(const RegistriesConfig& config, const std::string& place,
                  const std::string& registry, const RegistryMirror* mirror,
                  std::vector<RegistryEndpoint>& out) {
  const std::string host = host_of(place);
  RegistryEndpoint endpoint;
  // A registry's own entry counts for the registry, not for its mirrors.
  endpoint.access = access_of(config, host, mirror == nullptr ? registry : host);
  if (mirror != nullptr) {
    endpoint.rewrites = mirror->rewrites;
    if (host != registry) endpoint.ns = registry;
  }
  if (place.find("://") != std::string::npos) {
    endpoint.url = base_of(place);
    out.push_back(std::move(endpoint));
    return;
  }
  if (is_local(host) && !host.ends_with(":443")) {
    endpoint.url = base_of("http://" + place);
    out.push_back(endpoint);
    endpoint.access.tls.skip_verify = true;
  }
  endpoint.url = base_of("https://" + place);
  out.push_back(std::move(endpoint));
}

}  // namespace

Result<RegistriesConfig> parse_registries(const std::string& yaml) {
  RegistriesConfig out;
  if (yaml.find_first_not_of(" \t\r\n") == std::string::npos) return out;
  const auto root = json::parse_yaml(yaml);
  if (!root) return Error(Code::invalid, "{}: {}", kFile, root.error().message());
  if (root->is_null()) return out;
  if (!root->is_object()) return bad("top", "mirrors and configs are expected");
  if (const Value* mirrors = json::find(*root, {"mirrors"});
      mirrors != nullptr && mirrors->is_object())
    for (const auto& item : mirrors->get_object()) {
      const std::string name(item.key());
      KL_TRY_FN(mirror, parse_mirror(name, item.value()));
      out.mirrors[name] = std::move(mirror);
    }
  if (const Value* configs = json::find(*root, {"configs"});
      configs != nullptr && configs->is_object())
    for (const auto& item : configs->get_object()) {
      const std::string name(item.key());
      KL_TRY_FN(access, parse_access(name, item.value()));
      out.configs[host_of(name)] = std::move(access);
    }
  return out;
}

std::vector<RegistryEndpoint> endpoints_for(const RegistriesConfig& config,
                                            const std::string& registry) {
  std::vector<RegistryEndpoint> out;
  auto mirror = config.mirrors.find(registry);
  if (mirror == config.mirrors.end()) mirror = config.mirrors.find("*");
  if (mirror != config.mirrors.end())
    for (const auto& place : mirror->second.endpoints)
      add_endpoint(config, place, registry, &mirror->second, out);
  // What people call docker.io answers at another name.
  add_endpoint(config, registry == "docker.io" ? "registry-1.docker.io" : registry, registry,
               nullptr, out);
  return out;
}

Result<std::string> rewritten(const RegistryEndpoint& endpoint, const std::string& repository) {
  RE2::Options options(RE2::Quiet);
  options.set_max_mem(kPatternMemoryMax);
  for (const auto& [pattern, replacement] : endpoint.rewrites) {
    const RE2 expression(pattern, options);
    if (!expression.ok()) return bad("rewrite", expression.error());
    std::string name = repository;
    if (RE2::GlobalReplace(&name, expression, replacement_of(replacement)) > 0 &&
        name != repository)
      return name;
  }
  return repository;
}

std::pair<std::string, std::string> split_repository(const std::string& repository) {
  const size_t slash = repository.find('/');
  if (slash == std::string::npos) return {repository, ""};
  return {repository.substr(0, slash), repository.substr(slash + 1)};
}

}  // namespace kinglet::runtime

// Credentials for registries out of a pod's imagePullSecrets. Pure.
// Source: kubelet's credential provider: the keys of a Docker configuration, and how they match an
// image.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "api/core.h"
#include "base/result.h"
#include "node/runtime/registry_config.h"

namespace kinglet::node {

struct PullSecret {
  std::string
      place;  // "registry.test:5000/team", "*.registry.test"; without scheme and API version
  runtime::RegistryCredential credential;
};

// The contents of a Secret of type kubernetes.io/dockerconfigjson or dockercfg; other Secrets hold
// none. Errors: invalid.
Result<std::vector<PullSecret>> pull_secrets_of(const api::Secret& secret);
// A whole configuration: {"auths": {...}} or, `legacy`, only what is in there.
Result<std::vector<PullSecret>> parse_docker_config(std::string_view text, bool legacy);

// Whether a place covers a repository ("registry.test:5000/team/app"): each part of the host name
// may hold "*".
bool covers(const std::string& place, const std::string& repository);
// Those that cover the repository, the most exact place first.
std::vector<runtime::RegistryCredential> credentials_for(std::vector<PullSecret> secrets,
                                                         const std::string& repository);

}  // namespace kinglet::node

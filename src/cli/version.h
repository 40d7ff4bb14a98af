// The version that --version, /version and the Node's status tell.
#pragma once

namespace kinglet {
// The Kubernetes version whose API this is, and ours behind the plus.
inline constexpr const char* kVersion = "v1.34.1+kinglet1";
}  // namespace kinglet

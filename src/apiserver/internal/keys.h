// The parts of a store key: "<group>/<plural>/<ns>/<name>", without <ns>/ for cluster-scoped kinds.
// The core group is written "core", so that no part is empty.
#pragma once
#include <string_view>

namespace kinglet::apiserver {

std::string_view key_name(std::string_view key);
std::string_view key_namespace(std::string_view key);  // "" for cluster-scoped kinds
std::string_view key_group(std::string_view key);      // "" for core
std::string_view key_plural(std::string_view key);

}  // namespace kinglet::apiserver

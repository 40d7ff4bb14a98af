// What configMap, secret, downwardAPI and projected volumes hold. Pure.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/core.h"
#include "base/result.h"

namespace kinglet::node {

struct VolumeFile {
  std::string bytes;
  uint32_t mode = 0644;
  bool operator==(const VolumeFile&) const = default;
};
using VolumeFiles = std::map<std::string, VolumeFile>;  // by path below the volume

using KeyToPaths = std::vector<api::KeyToPath>;

// The keys of an object as files: all of them, or those that `items` names.
// Errors: invalid ("references non-existent config key: k"); `optional` skips what is missing.
Result<void> add_keys(VolumeFiles& files, const std::map<std::string, std::string>& data, const KeyToPaths& items,
                      uint32_t default_mode, bool optional);
// Fields of the pod and resources of its containers.
Result<void> add_downward(VolumeFiles& files, const api::Pod& pod,
                          const std::vector<api::DownwardAPIVolumeFile>& items, uint32_t default_mode);

// A path that stays below the volume: relative, without "..". Errors: invalid.
Result<void> check_volume_path(const std::string& path);

}  // namespace kinglet::node

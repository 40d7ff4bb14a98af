#include "node/volumes/volume_files.h"

#include "node/container_env.h"

namespace kinglet::node {
namespace {

// Limits that are not set read as the node's: a downward volume does not know those, and shows 0.
class NoConfig final : public ConfigSource {
 public:
  const api::ConfigMap* config_map(const std::string&) const override { return nullptr; }
  const api::Secret* secret(const std::string&) const override { return nullptr; }
};

Result<std::string> downward_value(const api::Pod& pod, const api::DownwardAPIVolumeFile& item) {
  if (item.fieldRef) return field_value(pod, item.fieldRef->fieldPath);
  if (!item.resourceFieldRef) return Error(Code::invalid, "{}: neither fieldRef nor resourceFieldRef", item.path);
  static const NoConfig config;
  static const std::vector<const api::Service*> services;
  for (const auto* list : {&pod.spec.containers, &pod.spec.initContainers})
    for (const auto& container : *list)
      if (container.name == item.resourceFieldRef->containerName)
        return resource_value({pod, container, config, services, "", "", 0, 0}, container,
                              item.resourceFieldRef->resource, item.resourceFieldRef->divisor);
  return Error(Code::invalid, "container {} not found", item.resourceFieldRef->containerName);
}

}  // namespace

Result<void> check_volume_path(const std::string& path) {
  if (path.empty() || path.front() == '/') return Error(Code::invalid, "path \"{}\" must be relative", path);
  for (size_t at = 0; at <= path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    if (path.compare(at, end - at, "..") == 0) return Error(Code::invalid, "path \"{}\" must not contain '..'", path);
    at = end + 1;
  }
  return {};
}

Result<void> add_keys(VolumeFiles& files, const std::map<std::string, std::string>& data, const KeyToPaths& items,
                      uint32_t default_mode, bool optional) {
  if (items.empty()) {
    for (const auto& [key, value] : data) files[key] = {value, default_mode};
    return {};
  }
  for (const auto& item : items) {
    KL_CHECK_FN(check_volume_path(item.path));
    const auto found = data.find(item.key);
    if (found == data.end()) {
      if (optional) continue;
      return Error(Code::invalid, "references non-existent config key: {}", item.key);
    }
    files[item.path] = {found->second, item.mode ? static_cast<uint32_t>(*item.mode) : default_mode};
  }
  return {};
}

Result<void> add_downward(VolumeFiles& files, const api::Pod& pod,
                          const std::vector<api::DownwardAPIVolumeFile>& items, uint32_t default_mode) {
  for (const auto& item : items) {
    KL_CHECK_FN(check_volume_path(item.path));
    KL_TRY_FN(value, downward_value(pod, item));
    files[item.path] = {value, item.mode ? static_cast<uint32_t>(*item.mode) : default_mode};
  }
  return {};
}

}  // namespace kinglet::node

#include "node/volumes/claim_volumes.h"

#include <sys/stat.h>

#include <filesystem>

#include "base/task.h"
#include "client/volumes.h"
#include "client/write.h"

namespace kinglet::node {
namespace {
namespace fs = std::filesystem;
constexpr char kProvisionedByAnnotation[] = "pv.kubernetes.io/provisioned-by";
constexpr char kLocalPathProvisioner[] = "rancher.io/local-path";

Result<void> make_volume_folder(const std::string& path, bool ours) {
  std::error_code bad;
  if (fs::exists(path, bad)) return {};
  fs::create_directories(path, bad);
  if (bad) return Error(Code::io, "{}: {}", path, bad.message());
  // chmod and not mkdir's mode: the umask would take bits away.
  if (ours && ::chmod(path.c_str(), 0777) != 0) return errno_error(errno, path);
  return {};
}
}  // namespace

Result<std::string> prepare_volume(const json::Value& volume) {
  const bool ours =
      json::text_at(volume, {"metadata", "annotations", kProvisionedByAnnotation}) == kLocalPathProvisioner;
  if (json::find(volume, {"spec", "hostPath"})) {
    const std::string path(json::text_at(volume, {"spec", "hostPath", "path"}));
    const auto type = json::text_at(volume, {"spec", "hostPath", "type"});
    if (type.empty() || type == "DirectoryOrCreate") KL_CHECK_FN(make_volume_folder(path, ours));
    return path;
  }
  if (json::find(volume, {"spec", "local"})) {
    const std::string path(json::text_at(volume, {"spec", "local", "path"}));
    std::error_code bad;
    if (!fs::is_directory(path, bad)) return Error(Code::not_found, "path \"{}\" does not exist", path);
    return path;
  }
  return Error(Code::invalid, "this version of kinglet mounts hostPath and local persistent volumes only");
}

Task<Result<std::string>> claim_folder(client::Api& api, const std::string& ns, const std::string& name) {
  const client::ObjectKey key{ns, name};
  const auto claim_bytes = co_await client::get(api, client::Claim::resource(), key);
  if (claim_bytes.is(Code::not_found)) co_return Error(Code::not_found, "persistentvolumeclaim \"{}\" not found", name);
  if (!claim_bytes) co_return claim_bytes.error();
  KL_TRY(claim, json::parse(claim_bytes->view()));
  const std::string volume_name(json::text_at(claim, {"spec", "volumeName"}));
  if (volume_name.empty() || json::text_at(claim, {"status", "phase"}) != "Bound")
    co_return Error(Code::unavailable, "PVC is not bound");
  const client::ObjectKey volume_key{"", volume_name};
  KL_TRY(volume_bytes, co_await client::get(api, client::Volume::resource(), volume_key));
  KL_TRY(volume, json::parse(volume_bytes.view()));
  if (json::text_at(volume, {"spec", "claimRef", "uid"}) != json::text_at(claim, {"metadata", "uid"}))
    co_return Error(Code::unavailable, "persistentvolume \"{}\" is bound to another claim", volume_name);
  co_return prepare_volume(volume);
}

Result<void> remove_volume_folder(const std::string& storage_dir, const std::string& path) {
  const fs::path folder(path);
  if (folder.lexically_normal() != folder || folder.parent_path() != fs::path(storage_dir) ||
      !folder.filename().string().starts_with("pvc-"))
    return Error(Code::invalid, "{} is not the folder of a local-path volume", path);
  std::error_code bad;
  fs::remove_all(folder, bad);  // follows no links
  if (bad) return Error(Code::io, "{}: {}", path, bad.message());
  return {};
}

}  // namespace kinglet::node

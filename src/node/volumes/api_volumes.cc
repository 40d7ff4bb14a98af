#include "node/volumes/api_volumes.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/task.h"
#include "node/volumes/atomic_writer.h"
#include "node/volumes/claim_volumes.h"
#include "node/volumes/mount_points.h"
#include "node/volumes/volume_files.h"
#include "schema/structs.h"

namespace kinglet::node {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kDefaultFileMode = 0644;
constexpr int64_t kTokenSecondsDefault = 3600;
constexpr uint64_t kApiVolumeBytesMax = 64 << 20;  // of tmpfs; objects are at most 1 MiB each

template <class T>
uint32_t mode_of(const T& source) {
  return source.defaultMode ? static_cast<uint32_t>(*source.defaultMode) : kDefaultFileMode;
}

std::optional<int64_t> fs_group(const api::Pod& pod) {
  return pod.spec.securityContext ? pod.spec.securityContext->fsGroup : std::nullopt;
}

Error about(const api::Volume& volume, const Error& error) {
  return Error(Code::unavailable, "MountVolume.SetUp failed for volume \"{}\" : {}", volume.name, error.message());
}

struct HostPathType {
  const char* name;
  mode_t kind;      // 0: anything
  const char* what; // for people
};
constexpr HostPathType kHostPathTypes[] = {
    {"Directory", S_IFDIR, "a directory"},       {"DirectoryOrCreate", S_IFDIR, "a directory"},
    {"File", S_IFREG, "a file"},                 {"FileOrCreate", S_IFREG, "a file"},
    {"Socket", S_IFSOCK, "a socket"},            {"CharDevice", S_IFCHR, "a character device"},
    {"BlockDevice", S_IFBLK, "a block device"},
};

// Source: core/v1 HostPathType.
Result<void> prepare_host_path(const api::HostPathVolumeSource& source) {
  const std::string type = source.type.value_or("");
  std::error_code bad;
  if (type == "DirectoryOrCreate" || (type.empty() && !fs::exists(source.path, bad))) {
    fs::create_directories(source.path, bad);
    if (bad) return Error(Code::io, "{}: {}", source.path, bad.message());
  }
  if (type == "FileOrCreate" && !fs::exists(source.path, bad)) {
    FILE* file = std::fopen(source.path.c_str(), "ae");
    if (file == nullptr) return errno_error(errno, source.path);
    std::fclose(file);
  }
  struct stat info {};
  if (::stat(source.path.c_str(), &info) != 0)
    return Error(Code::not_found, "hostPath type check failed: {} does not exist", source.path);
  for (const auto& row : kHostPathTypes)
    if (type == row.name && (info.st_mode & S_IFMT) != row.kind)
      return Error(Code::invalid, "hostPath type check failed: {} is not {}", source.path, row.what);
  return {};
}

class ApiVolumes final : public PodVolumes {
 public:
  ApiVolumes(std::string dir, PodConfig& config, client::Api& api, Clock& clock)
      : dir_(std::move(dir)), config_(config), api_(api), clock_(clock) {}

  Task<Result<void>> prepare(api::Pod pod) override {
    std::error_code bad;
    fs::create_directories(dir_, bad);
    ::chmod(dir_.c_str(), 0700);
    KL_CHECK(co_await find_claims(pod, true));
    for (const api::Volume& volume : pod.spec.volumes) {
      if (!claim_of(pod, volume).empty()) continue;
      const auto made = co_await prepare_one(pod, volume);
      if (!made) co_return about(volume, made.error());
    }
    co_return Result<void>();
  }

  Task<Result<std::vector<runtime::Mount>>> mounts(api::Pod pod, std::string name) override {
    std::vector<runtime::Mount> out;
    const api::Container* container = nullptr;
    for (const auto* list : {&pod.spec.containers, &pod.spec.initContainers})
      for (const auto& candidate : *list)
        if (candidate.name == name) container = &candidate;
    if (container == nullptr) co_return out;
    KL_CHECK(co_await find_claims(pod, false));  // an adopted pod's are not known yet
    int index = 0;
    for (const auto& wanted : container->volumeMounts) {
      KL_TRY(mount, mount_of(pod, *container, wanted, index++));
      out.push_back(std::move(mount));
    }
    co_return out;
  }

  bool refreshes(const api::Pod& pod) const override {
    return std::any_of(pod.spec.volumes.begin(), pod.spec.volumes.end(), [](const api::Volume& volume) {
      return volume.configMap || volume.secret || volume.downwardAPI || volume.projected;
    });
  }

  Task<Result<void>> remove(std::string pod_uid) override {
    tokens_.erase(pod_uid);
    claims_.erase(pod_uid);
    const std::string dir = dir_ + "/" + pod_uid;
    KL_CHECK(unmount_below(dir));
    std::error_code bad;
    fs::remove_all(dir, bad);
    if (bad) co_return Error(Code::io, "{}: {}", dir, bad.message());
    co_return Result<void>();
  }

 private:
  struct Token {
    std::string text;
    TimePoint renew_at{};
  };

  std::string volume_dir(const api::Pod& pod, const std::string& volume) const {
    return dir_ + "/" + pod.metadata.uid + "/volumes/" + volume;
  }

  // The claim behind a volume; empty: none. A generic ephemeral volume's claim is named for the pod.
  static std::string claim_of(const api::Pod& pod, const api::Volume& volume) {
    if (volume.persistentVolumeClaim) return volume.persistentVolumeClaim->claimName;
    if (volume.ephemeral) return pod.metadata.name + "-" + volume.name;
    return {};
  }

  Task<Result<void>> find_claims(const api::Pod& pod, bool again) {
    for (const auto& volume : pod.spec.volumes) {
      const std::string claim = claim_of(pod, volume);
      if (claim.empty() || (!again && claims_[pod.metadata.uid].contains(volume.name))) continue;
      auto folder = co_await claim_folder(api_, pod.metadata.namespace_, claim);
      if (!folder) co_return about(volume, folder.error());
      claims_[pod.metadata.uid][volume.name] = std::move(*folder);
    }
    co_return Result<void>();
  }

  Task<Result<void>> prepare_one(const api::Pod& pod, const api::Volume& volume) {
    const std::string dir = volume_dir(pod, volume.name);
    if (volume.hostPath) co_return prepare_host_path(*volume.hostPath);
    if (volume.emptyDir) co_return prepare_empty_dir(pod, *volume.emptyDir, dir);
    VolumeFiles files;
    if (volume.configMap) {
      const auto& source = *volume.configMap;
      KL_CHECK(co_await add_config_map(files, pod, source.name, source.items, mode_of(source),
                                       source.optional.value_or(false)));
    } else if (volume.secret) {
      const auto& source = *volume.secret;
      KL_CHECK(co_await add_secret(files, pod, source.secretName, source.items, mode_of(source),
                                   source.optional.value_or(false)));
    } else if (volume.downwardAPI) {
      KL_CHECK(add_downward(files, pod, volume.downwardAPI->items, mode_of(*volume.downwardAPI)));
    } else if (volume.projected) {
      KL_CHECK(co_await add_projected(files, pod, *volume.projected));
    } else {
      co_return Error(Code::invalid,
                      "this version of kinglet mounts emptyDir, hostPath, configMap, secret, downwardAPI, projected and "
                      "persistentVolumeClaim volumes only");
    }
    // In memory: Secrets never reach the disk, and a flash card is not written for what the API can give again.
    KL_CHECK(mount_tmpfs(dir, kApiVolumeBytesMax, 0755, std::nullopt));
    co_return write_volume(dir, files, fs_group(pod), clock_.wall());
  }

  Result<void> prepare_empty_dir(const api::Pod& pod, const api::EmptyDirVolumeSource& source, const std::string& dir) {
    const auto group = fs_group(pod);
    const uint32_t mode = group ? 02777 : 0777;
    if (source.medium == "Memory") {
      const int64_t limit = source.sizeLimit ? source.sizeLimit->value() : 0;
      return mount_tmpfs(dir, static_cast<uint64_t>(std::max<int64_t>(limit, 0)), mode, group);
    }
    if (!source.medium.empty())
      return Error(Code::invalid, "emptyDir medium \"{}\" is not supported by this version of kinglet", source.medium);
    // Once only: later it belongs to the containers, who may have changed its mode. It gets its name last, so that one
    // without its owner is never taken for finished.
    std::error_code bad;
    if (fs::exists(dir, bad)) return {};
    const std::string fresh = dir + ".new";
    fs::create_directories(fresh, bad);
    if (bad) return Error(Code::io, "{}: {}", fresh, bad.message());
    if (group && ::chown(fresh.c_str(), static_cast<uid_t>(-1), static_cast<gid_t>(*group)) != 0)
      return errno_error(errno, fresh);
    if (::chmod(fresh.c_str(), mode) != 0 || ::rename(fresh.c_str(), dir.c_str()) != 0) return errno_error(errno, dir);
    return {};
  }

  Task<Result<void>> add_config_map(VolumeFiles& files, const api::Pod& pod, std::string name, KeyToPaths items,
                                    uint32_t mode, bool optional) {
    auto map = co_await config_.config_map(pod.metadata.namespace_, name);
    if (!map && map.is(Code::not_found) && optional) co_return Result<void>();
    if (!map && map.is(Code::not_found)) co_return Error(Code::not_found, "configmap \"{}\" not found", name);
    if (!map) co_return map.error();
    auto data = map->data;
    data.insert(map->binaryData.begin(), map->binaryData.end());
    co_return add_keys(files, data, items, mode, optional);
  }

  Task<Result<void>> add_secret(VolumeFiles& files, const api::Pod& pod, std::string name, KeyToPaths items,
                                uint32_t mode, bool optional) {
    auto secret = co_await config_.secret(pod.metadata.namespace_, name);
    if (!secret && secret.is(Code::not_found) && optional) co_return Result<void>();
    if (!secret && secret.is(Code::not_found)) co_return Error(Code::not_found, "secret \"{}\" not found", name);
    if (!secret) co_return secret.error();
    co_return add_keys(files, secret->data, items, mode, optional);
  }

  Task<Result<void>> add_projected(VolumeFiles& files, const api::Pod& pod, const api::ProjectedVolumeSource& projected) {
    const uint32_t mode = mode_of(projected);
    for (const auto& source : projected.sources) {
      if (source.configMap)
        KL_CHECK(co_await add_config_map(files, pod, source.configMap->name, source.configMap->items, mode,
                                         source.configMap->optional.value_or(false)));
      if (source.secret)
        KL_CHECK(co_await add_secret(files, pod, source.secret->name, source.secret->items, mode,
                                     source.secret->optional.value_or(false)));
      if (source.downwardAPI) KL_CHECK(add_downward(files, pod, source.downwardAPI->items, mode));
      if (source.serviceAccountToken) {
        const auto& wanted = *source.serviceAccountToken;
        KL_CHECK(check_volume_path(wanted.path));
        KL_TRY(token, co_await token_for(pod, wanted.audience, wanted.expirationSeconds.value_or(kTokenSecondsDefault)));
        files[wanted.path] = {token, mode};
      }
      if (source.clusterTrustBundle)
        co_return Error(Code::invalid, "clusterTrustBundle is not supported by this version of kinglet");
    }
    co_return Result<void>();
  }

  // Tokens are kept until four fifths of their life are over; so a volume that is brought up to date each minute does
  // not change each minute.
  Task<Result<std::string>> token_for(const api::Pod& pod, std::string audience, int64_t seconds) {
    const std::string uid = pod.metadata.uid, key = fmt::format("{}\n{}", audience, seconds);
    if (const auto found = tokens_[uid].find(key); found != tokens_[uid].end() && clock_.now() < found->second.renew_at)
      co_return found->second.text;
    json::Object bound, spec, request;
    bound["kind"] = "Pod";
    bound["apiVersion"] = "v1";
    bound["name"] = pod.metadata.name;
    bound["uid"] = uid;
    if (!audience.empty()) spec["audiences"] = json::Array{json::Value(audience)};
    spec["expirationSeconds"] = seconds;
    spec["boundObjectRef"] = std::move(bound);
    request["kind"] = "TokenRequest";
    request["apiVersion"] = "authentication.k8s.io/v1";
    request["spec"] = std::move(spec);
    std::string text = json::print(json::Value(std::move(request)));
    std::string account = pod.spec.serviceAccountName.empty() ? "default" : pod.spec.serviceAccountName;
    const client::WriteOptions plain;
    auto answer_task = api_.create(schema::resource_of<api::ServiceAccount>(), pod.metadata.namespace_,
                                             std::move(text), plain, std::move(account), "token");
    const auto answer = co_await std::move(answer_task);
    if (!answer) co_return answer.error();
    KL_TRY(issued, json::parse(answer->view()));
    const std::string token(json::text_at(issued, {"status", "token"}));
    if (token.empty()) co_return Error(Code::internal, "the API server gave no token");
    const auto life = std::chrono::seconds(seconds);
    tokens_[uid][key] = {token, clock_.now() + life * 4 / 5};
    co_return token;
  }

  Result<runtime::Mount> mount_of(const api::Pod& pod, const api::Container& container, const api::VolumeMount& wanted,
                                  int index) {
    const auto volume = std::find_if(pod.spec.volumes.begin(), pod.spec.volumes.end(),
                                     [&](const api::Volume& v) { return v.name == wanted.name; });
    if (volume == pod.spec.volumes.end()) return Error(Code::invalid, "no volume \"{}\"", wanted.name);
    runtime::Mount mount;
    mount.container_path = wanted.mountPath;
    mount.host_path = volume->hostPath ? volume->hostPath->path : volume_dir(pod, wanted.name);
    const bool claimed = !claim_of(pod, *volume).empty();
    if (claimed) mount.host_path = claims_[pod.metadata.uid][wanted.name];
    const bool from_api = volume->configMap || volume->secret || volume->downwardAPI || volume->projected;
    const bool claim_readonly = volume->persistentVolumeClaim && volume->persistentVolumeClaim->readOnly;
    mount.readonly = wanted.readOnly || from_api || claim_readonly;  // what the API gives is not for writing, as upstream has it
    const std::string propagation = wanted.mountPropagation.value_or("");
    if (propagation == "HostToContainer") mount.propagation = runtime::Mount::Propagation::host_to_container;
    if (propagation == "Bidirectional") mount.propagation = runtime::Mount::Propagation::bidirectional;
    if (!wanted.subPathExpr.empty())
      return Error(Code::invalid, "subPathExpr is not supported by this version of kinglet");
    if (wanted.subPath.empty()) return mount;
    const std::string target =
        fmt::format("{}/{}/subpaths/{}/{}", dir_, pod.metadata.uid, container.name, index);
    KL_CHECK_FN(bind_sub_path(mount.host_path, wanted.subPath, target));
    mount.host_path = target;
    return mount;
  }

  std::string dir_;
  PodConfig& config_;
  client::Api& api_;
  Clock& clock_;
  std::map<std::string, std::map<std::string, std::string>> claims_;  // folders, by pod uid and volume
  std::map<std::string, std::map<std::string, Token>> tokens_;  // by pod uid, then by audience and life
};

}  // namespace

std::unique_ptr<PodVolumes> make_api_volumes(std::string dir, PodConfig& config, client::Api& api, Clock& clock) {
  return std::make_unique<ApiVolumes>(std::move(dir), config, api, clock);
}

}  // namespace kinglet::node

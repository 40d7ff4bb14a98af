#include "cli/local_storage.h"

#include <cstdio>

#include "base/task.h"
#include "base/worker.h"
#include "node/volumes/claim_volumes.h"

namespace kinglet::cli {
namespace {
constexpr char kZones[] = "/usr/share/zoneinfo/";
constexpr size_t kZoneBytesMax = 256 << 10;
}  // namespace

Result<std::string> read_time_zone(const std::string& name) {
  const auto path = kZones + name;
  FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return errno_error(errno, path);
  std::string bytes(kZoneBytesMax, '\0');
  bytes.resize(std::fread(bytes.data(), 1, bytes.size(), file));
  const bool bad = std::ferror(file) != 0;
  std::fclose(file);
  if (bad) return Error(Code::io, "cannot read {}", path);
  return bytes;
}

LocalStorage::LocalStorage(std::string node, std::string dir) : node_(std::move(node)), dir_(std::move(dir)) {}
LocalStorage::~LocalStorage() = default;

Task<Result<void>> LocalStorage::remove(std::string node, std::string path) {
  if (node.empty() || node != node_)
    co_return Error(Code::unavailable, "the folder {} is on node \"{}\", which this server cannot reach into", path, node);
  if (!worker_) worker_ = std::make_unique<Worker>("kl-storage");
  std::function<Result<void>()> job = [dir = dir_, path] { return node::remove_volume_folder(dir, path); };
  auto removal = worker_->run<Result<void>>(std::move(job));
  co_return co_await std::move(removal);
}

}  // namespace kinglet::cli

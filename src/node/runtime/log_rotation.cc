#include "node/runtime/log_rotation.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "node/runtime/builtin_runtime.h"
#include "node/runtime/conmon.h"

namespace kinglet::runtime {
namespace fs = std::filesystem;

std::string rotated_name(const std::string& path, WallTime now) {
  std::string stamp = rfc3339(now);  // 2006-01-02T15:04:05Z
  std::erase_if(stamp, [](char c) { return c == '-' || c == ':' || c == 'Z'; });
  std::replace(stamp.begin(), stamp.end(), 'T', '-');
  return path + "." + stamp;
}

std::vector<std::string> surplus_logs(const std::string& log_name, std::vector<std::string> names, int files_max) {
  const std::string prefix = log_name + ".";
  std::erase_if(names, [&](const std::string& name) { return !name.starts_with(prefix); });
  std::sort(names.begin(), names.end());  // the time is in the name
  const auto keep = static_cast<size_t>(std::max(0, files_max - 1));
  if (names.size() <= keep) return {};
  names.resize(names.size() - keep);
  return names;
}

Task<Result<void>> BuiltinRuntime::rotate_logs() {
  std::optional<Error> failure;
  for (const auto& [id, container] : containers_) {
    const std::string& path = container->record.log_path;
    struct stat info {};
    if (container->record.phase != Phase::running || path.empty() || ::stat(path.c_str(), &info) != 0 ||
        static_cast<uint64_t>(info.st_size) <= options_.log_bytes_max)
      continue;
    const std::string aside = rotated_name(path, clock_.wall());
    if (fs::exists(aside)) continue;  // twice in a second: the next pass will do
    // First the name, then conmon: it goes on writing into the old file until it opens the new one, so no line is lost.
    if (::rename(path.c_str(), aside.c_str()) != 0) {
      failure = errno_error(errno, path);
      continue;
    }
    if (auto reopened = conmon_reopen_log(paths_, id); !reopened) failure = reopened.error();
    std::vector<std::string> names;
    std::error_code ignored;
    const fs::path dir = fs::path(path).parent_path();
    for (const auto& entry : fs::directory_iterator(dir, ignored)) names.push_back(entry.path().filename());
    for (const auto& name : surplus_logs(fs::path(path).filename(), std::move(names), options_.log_files_max))
      ::unlink((dir / name).c_str());
  }
  if (failure) co_return *failure;
  co_return Result<void>();
}

}  // namespace kinglet::runtime

#include "node/network/sysctl.h"

#include <algorithm>

#include "base/files.h"

namespace kinglet::network {

Result<void> set_sysctl(const std::string& name, const std::string& value) {
  const auto files = make_system_files();
  const std::string path = "/proc/sys/" + name;
  auto now = read_file(*files, path);
  if (now && std::string_view(*now).substr(0, now->find_last_not_of(" \n") + 1) == value) return {};
  std::string dotted = name;
  std::replace(dotted.begin(), dotted.end(), '/', '.');
  auto file = files->open(path, OpenMode::read_write);
  auto written = file ? (*file)->write_at(0, value) : Result<void>(std::move(file.error()));
  if (!written)
    return Error(Code::unavailable,
                 "the pod network needs {}={} and cannot set it ({}): set it with sysctl", dotted,
                 value, written.error().message());
  return {};
}

}  // namespace kinglet::network

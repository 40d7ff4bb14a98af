// Which logs to move aside and which old ones to drop. Pure.
#pragma once
#include <string>
#include <vector>

#include "base/clock.h"

namespace kinglet::runtime {

// "<path>.20060102-150405", as kubelet names them.
std::string rotated_name(const std::string& path, WallTime now);
// Of the names in the log's directory, the rotated files of `path` to remove so that `files_max - 1` stay.
std::vector<std::string> surplus_logs(const std::string& log_name, std::vector<std::string> names, int files_max);

}  // namespace kinglet::runtime

// The number of a signal by its name in an image ("SIGTERM", "TERM", "15"); SIGTERM when it is empty or unknown.
#pragma once
#include <string_view>

namespace kinglet::runtime {
int signal_number(std::string_view name);
}  // namespace kinglet::runtime

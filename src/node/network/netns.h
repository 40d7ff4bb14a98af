// Network namespaces that outlive the processes in them: pinned by a bind mount. Blocking; they switch the calling
// thread's namespace and back, so they run on a thread of their own.
#pragma once
#include <functional>
#include <string>

#include "base/result.h"
#include "node/runtime/unique_fd.h"

namespace kinglet::network {

// Makes a namespace at `path`, unless one is pinned there. A left-over file of before a reboot is replaced.
Result<void> make_netns(const std::string& path);
bool is_netns(const std::string& path);
Result<runtime::UniqueFd> open_netns(const std::string& path);
// Calls `work` on this thread, inside the namespace.
Result<void> in_netns(int netns, const std::function<Result<void>()>& work);
Result<void> remove_netns(const std::string& path);  // idempotent

}  // namespace kinglet::network

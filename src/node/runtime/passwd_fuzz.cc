// An image's /etc/passwd and /etc/group, and names of images. Properties: ids stay in range and groups are sorted and
// hold the primary one; a reference in full stays as it is.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "node/runtime/image_reference.h"
#include "node/runtime/images.h"
#include "node/runtime/passwd.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kinglet;
  using namespace kinglet::runtime;
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const size_t first = all.find('\0');
  if (first == std::string_view::npos) return 0;
  const size_t second = std::min(all.find('\0', first + 1), size);
  const std::string name(all.substr(0, first));
  const auto passwd = all.substr(first + 1, second - first - 1);
  const auto group = all.substr(std::min(second + 1, size));
  const auto user = resolve_user({}, name, passwd, group);
  if (user) {
    KL_ASSERT(user->uid <= 0x7fffffff && user->gid <= 0x7fffffff, "an id out of range");
    KL_ASSERT(std::is_sorted(user->groups.begin(), user->groups.end()), "groups are not sorted");
    KL_ASSERT(std::binary_search(user->groups.begin(), user->groups.end(), user->gid), "no primary group");
  }
  const auto full = normalize_reference(name);
  if (full) {
    const auto again = normalize_reference(*full);
    KL_ASSERT(again && *again == *full, "a full reference changes");
  }
  return 0;
}

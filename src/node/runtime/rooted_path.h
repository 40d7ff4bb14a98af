// RootedDir: paths inside a directory that belongs to somebody else (an image, a volume), resolved as if that directory
// were "/". Neither "..", nor an absolute symlink, nor a symlink that is swapped meanwhile leads outside: every step is
// taken from a descriptor that an earlier step opened, and ".." goes back to such a descriptor, never to the parent
// that the file system names just then. (openat2's RESOLVE_IN_ROOT does the same, where it exists.)
#pragma once
#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/result.h"
#include "node/runtime/unique_fd.h"

namespace kinglet::runtime {

class RootedDir {
 public:
  // Errors: not_found, io.
  static Result<RootedDir> open(const std::string& directory);

  enum class Last : uint8_t { follow, keep };  // a symlink as the last step
  // An O_PATH descriptor of what `path` names. Errors: not_found; invalid (too many symlinks, too deep); io.
  Result<UniqueFd> find(std::string_view path, Last last = Last::follow) const;
  // The directory `path`; what is missing is made with `mode` (and `owner`, unless -1).
  Result<UniqueFd> make_dirs(std::string_view path, mode_t mode = 0755, uid_t owner = -1, gid_t group = -1) const;
  // The whole of a regular file. Errors: as find; invalid (no regular file); too_large.
  Result<std::string> read_file(std::string_view path, size_t bytes_max) const;
  int fd() const { return root_.get(); }

 private:
  struct Missing {
    bool make = false;
    mode_t mode = 0755;
    uid_t owner = -1;
    gid_t group = -1;
  };
  explicit RootedDir(UniqueFd root) : root_(std::move(root)) {}
  Result<UniqueFd> walk(std::string_view path, Last last, const Missing& missing) const;
  UniqueFd root_;
};

// Opens an O_PATH descriptor anew for real use: a path that names exactly that file.
std::string fd_path(int fd);  // "/proc/self/fd/7"

}  // namespace kinglet::runtime

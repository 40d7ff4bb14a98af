// Replaces all files of a volume at once: readers see the old set or the new one, never a mixture.
// The layout is upstream's: <dir>/..data -> ..<time>.<n>, and <dir>/<name> -> ..data/<name>.
#pragma once
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "node/volumes/volume_files.h"

namespace kinglet::node {

// Does nothing when the volume holds these files already. `group`: owner group of everything (fsGroup), which may
// read all of it. Errors: io.
Result<void> write_volume(const std::string& dir, const VolumeFiles& wanted, std::optional<int64_t> group,
                          WallTime now);

}  // namespace kinglet::node

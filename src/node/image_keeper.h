// The images of this node without anybody asking: archives that lie in <data>/agent/images are
// imported when the node starts, and images that nothing uses go when the disk fills.
#pragma once
#include <string>

#include "base/clock.h"
#include "base/task_fwd.h"
#include "node/host_usage.h"
#include "node/runtime/images.h"

namespace kinglet::node {

// Source: kubelet's imageGCHighThresholdPercent and imageGCLowThresholdPercent.
constexpr int kImageGcHighPercent = 85, kImageGcLowPercent = 80;
constexpr Duration kImageGcEvery = std::chrono::minutes(5);

// How much has to go; 0: nothing. Pure.
uint64_t image_bytes_to_free(const DiskUsage& disk);

// "app.tar", "app.tar.gz", "app.tgz", "app.tar.zst", "app.tar.xz"...
bool is_image_archive(const std::string& name);

// Imports every archive of the directory that is not imported yet as it is
// (<directory>/imported.json remembers). One that is damaged is logged and left alone.
Task<void> import_archives(runtime::Images& images, std::string directory);

// Until cancelled: looks at the disk now and then.
Task<void> keep_disk_free(runtime::Images& images, Clock& clock, std::string directory);

}  // namespace kinglet::node

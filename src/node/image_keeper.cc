#include "node/image_keeper.h"

#include <sys/stat.h>

#include "base/files.h"
#include "base/log.h"
#include "base/task.h"
#include "json/json.h"

namespace kinglet::node {
namespace {
constexpr size_t kArchivesMax = 256;
constexpr size_t kMemoryBytesMax = 1 << 20;

const Log& log() {
  static const Log made("images");
  return made;
}

// Size and time of change: a file that is written anew under its old name is another one. Empty: it
// is no file.
std::string mark_of(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return "";
  return fmt::format("{} {}.{:09}", info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
}

// What was imported, by file name. A damaged memory only costs work.
json::Object read_memory(Files& files, const std::string& path) {
  const auto text = files.exists(path) ? read_file(files, path, kMemoryBytesMax)
                                       : Result<std::string>(std::string());
  const auto root = text ? json::parse(*text) : Result<json::Value>(text.error());
  const json::Value* found = root ? json::find(*root, {"archives"}) : nullptr;
  return found != nullptr && found->is_object() ? found->get_object() : json::Object();
}

bool has_all(const runtime::Images& images, const json::Value* ids) {
  if (ids == nullptr || !ids->is_array()) return false;
  for (const auto& id : ids->get_array())
    if (!id.is_string() || !images.find(std::string(id.get_string()))) return false;
  return true;
}
}  // namespace

uint64_t image_bytes_to_free(const DiskUsage& disk) {
  if (disk.capacity_bytes == 0) return 0;
  const uint64_t percent = disk.capacity_bytes / 100;
  const uint64_t in_use = disk.capacity_bytes - std::min(disk.capacity_bytes, disk.available_bytes);
  if (in_use < percent * kImageGcHighPercent) return 0;
  return in_use - percent * kImageGcLowPercent;
}

bool is_image_archive(const std::string& name) {
  for (const char* end :
       {".tar", ".tar.gz", ".tgz", ".tar.zst", ".tzst", ".tar.xz", ".txz", ".tar.bz2", ".tbz"})
    if (name.size() > std::string_view(end).size() && name.ends_with(end) && name[0] != '.')
      return true;
  return false;
}

Task<void> import_archives(runtime::Images& images, std::string directory) {
  const auto files = make_system_files();
  const auto names = files->list(directory);
  if (!names) co_return;
  const std::string memory_path = directory + "/imported.json";
  const json::Object before = read_memory(*files, memory_path);
  json::Object after;
  for (const auto& name : *names) {
    const std::string path = directory + "/" + name,
                      mark = is_image_archive(name) ? mark_of(path) : "";
    if (mark.empty() || after.size() >= kArchivesMax) continue;
    const auto known = before.find(name);
    if (known != before.end() && json::text_at(known->value(), {"mark"}) == mark &&
        has_all(images, json::find(known->value(), {"images"}))) {
      after[name] = known->value();
      continue;
    }
    auto importing = images.import_archive(path);
    const auto imported = co_await std::move(importing);
    if (!imported) {
      log().warn("image archive not imported", kv("error", imported.error()));
      continue;
    }
    json::Array ids;
    for (const auto& image : *imported) ids.emplace_back(image.id);
    after[name] = json::Object{{"mark", mark}, {"images", std::move(ids)}};
    log().info("image archive imported", kv("file", name), kv("images", imported->size()));
  }
  if (after == before) co_return;
  const auto written =
      write_file(*files, memory_path,
                 json::print(json::Object{{"version", 1}, {"archives", std::move(after)}}));
  if (!written) log().warn("what was imported is not remembered", kv("error", written.error()));
}

Task<void> keep_disk_free(runtime::Images& images, Clock& clock, std::string directory) {
  for (;;) {
    co_await clock.sleep(kImageGcEvery);
    const uint64_t wanted = image_bytes_to_free(read_disk_usage(directory));
    if (wanted == 0) continue;
    const auto freed = co_await images.free_space(wanted);
    if (!freed)
      log().warn("disk is filling, and unused images could not be removed",
                 kv("error", freed.error()));
    else
      log().info("disk is filling: unused images removed", kv("images", freed->images),
                 kv("layers", freed->layers));
  }
}

}  // namespace kinglet::node

#include "node/runtime/builtin_runtime.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/files.h"
#include "base/process.h"
#include "node/runtime/container_prepare.h"

namespace kinglet::runtime {
namespace fs = std::filesystem;
namespace {
Result<std::string> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    if (::access(name.c_str(), X_OK) == 0) return name;
    return Error(Code::not_found, "{} is not there or not executable", name);
  }
  const char* path = std::getenv("PATH");
  const std::string places = fmt::format("{}:/usr/bin:/usr/sbin:/bin:/sbin", path == nullptr ? "" : path);
  for (size_t at = 0; at <= places.size();) {
    const size_t end = std::min(places.find(':', at), places.size());
    const std::string file = places.substr(at, end - at) + "/" + name;
    if (file[0] == '/' && ::access(file.c_str(), X_OK) == 0) return file;
    at = end + 1;
  }
  return Error(Code::not_found, "the program {0} is missing: install Debian's package {0}", name);
}

// "<boot id> <random>": lost with the run directory, and void when the machine has booted since.
Result<std::string> read_epoch(const StatePaths& paths, Random& random) {
  KL_TRY_FN(boot, read_text_file("/proc/sys/kernel/random/boot_id", 100));
  while (!boot.empty() && boot.back() == '\n') boot.pop_back();
  const auto known = read_text_file(paths.epoch(), 200);
  if (known && known->starts_with(boot + " ")) return *known;
  const std::string fresh = boot + " " + random.hex(8);
  KL_CHECK_FN(write_record(paths.epoch(), fresh));
  return fresh;
}
}  // namespace

Result<std::unique_ptr<Runtime>> make_builtin_runtime(RuntimeOptions options, Clock& clock, Random& random) {
  KL_TRY_FN(crun, find_program(options.crun));
  KL_TRY_FN(conmon, find_program(options.conmon));
  options.crun = std::move(crun);
  options.conmon = std::move(conmon);
  KL_TRY_FN(cgroups, Cgroups::open());
  auto out = std::make_unique<BuiltinRuntime>(std::move(options), std::move(cgroups), clock, random);
  KL_CHECK_FN(out->open());
  return std::unique_ptr<Runtime>(std::move(out));
}

BuiltinRuntime::BuiltinRuntime(RuntimeOptions options, std::unique_ptr<Cgroups> cgroups, Clock& clock, Random& random)
    : options_(std::move(options)), clock_(clock), random_(random), cgroups_(std::move(cgroups)) {
  paths_.data = options_.data_dir;
  paths_.run = options_.run_dir;
  capabilities_ = own_capabilities();
  oom_score_adj_min_ = lowest_oom_score_adj();
  ImageStoreOptions images;
  images.directory = paths_.images();
  images.unpack_command = options_.unpack_command;
  images.fetch_command = options_.fetch_command;
  images.registries_file = options_.registries_file;
  images.used_images = [this] {
    std::set<std::string> used;
    for (const auto& [id, container] : containers_)
      if (!container->record.cleaned) used.insert(container->record.image_id);
    return used;
  };
  images_ = make_image_store(std::move(images));
}

Result<void> BuiltinRuntime::open() {
  const auto files = make_system_files();
  // Others (a web server's user, in a container without user namespaces) walk through to their root file systems;
  // the names below are secrets to nobody, and the files have modes of their own.
  for (const auto& dir : {paths_.run, paths_.bundles(), paths_.sandboxes_run()}) KL_CHECK_FN(files->make_dirs(dir, 0711));
  for (const auto& dir : {paths_.exits(), paths_.crun_root(), paths_.exec(), paths_.containers(), paths_.sandbox_records(),
                          paths_.images(), paths_.trash()})
    KL_CHECK_FN(files->make_dirs(dir));
  KL_TRY_FN(epoch, read_epoch(paths_, random_));
  epoch_ = std::move(epoch);
  KL_CHECK_FN(images_->open(), "image store");
  KL_CHECK_FN(cgroups_->make(options_.cgroup_root, {}), "cgroups");
  KL_CHECK_FN(cgroups_->make(options_.conmon_cgroup, {}), "cgroups");
  mounts_.post([cgroups = cgroups_, path = options_.conmon_cgroup] {
    if (auto moved = cgroups->move_this_thread(path); !moved)
      Log("runtime").warn("monitors stay in kinglet's cgroup", kv("error", moved.error()));
  });
  return {};
}

Task<Result<void>> BuiltinRuntime::crun(std::vector<std::string> arguments) {
  Command command;
  command.argv = {options_.crun, "--root=" + paths_.crun_root(), "--cgroup-manager=cgroupfs"};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.env = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
  command.directory = "/";
  auto running = run_process(std::move(command));
  auto ended = co_await std::move(running);
  if (!ended) co_return ended.error();
  if (ended->code == 0) co_return Result<void>();
  std::string why = ended->err.substr(0, ended->err.find('\n'));
  if (why.empty()) why = fmt::format("crun {} ended with {}", arguments.front(), ended->code);
  co_return Error(Code::unavailable, "{}", why);
}

Task<Result<void>> BuiltinRuntime::on_worker(std::function<Result<void>()> job) {
  co_return co_await mounts_.run(std::move(job));
}

// In the background: nobody waits for it, and what is left when we end is emptied by the next start.
void BuiltinRuntime::empty_trash() {
  trash_.post([trash = paths_.trash()] {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(trash, ignored)) fs::remove_all(entry.path(), ignored);
  });
}

Task<ContainerEvent> BuiltinRuntime::next_event() {
  while (events_.empty()) co_await event_.wait();
  ContainerEvent event = std::move(events_.front());
  events_.pop_front();
  co_return event;
}

Result<ContainerStats> BuiltinRuntime::stats(const std::string& id) const {
  KL_TRY_FN(container, find_running(id));
  return cgroups_->stats(container->record.cgroup_path);
}

Result<ContainerStats> BuiltinRuntime::sandbox_stats(const std::string& id) const {
  const auto found = sandboxes_.find(id);
  if (found == sandboxes_.end()) return Error(Code::not_found, "sandbox {} does not exist", id);
  return cgroups_->stats(found->second.record.config.cgroup_parent);
}

Result<void> BuiltinRuntime::set_cgroup(const std::string& path, const Resources& resources) {
  return cgroups_->make(path, resources);
}

Task<Result<uint64_t>> BuiltinRuntime::writable_layer_bytes(std::string id) {
  KL_TRY(container, find(id));
  std::function<Result<uint64_t>()> job = [upper = paths_.upper(container->record.id)]() -> Result<uint64_t> {
    uint64_t bytes = 0;
    std::error_code ignored;
    for (fs::recursive_directory_iterator it(upper, ignored), end; it != end; it.increment(ignored)) {
      struct stat info {};
      if (::lstat(it->path().c_str(), &info) == 0) bytes += static_cast<uint64_t>(info.st_blocks) * 512;
    }
    return bytes;
  };
  co_return co_await trash_.run(std::move(job));
}

}  // namespace kinglet::runtime

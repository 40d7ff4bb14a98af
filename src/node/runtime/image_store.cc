#include "node/runtime/image_store.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/files.h"
#include "base/log.h"
#include "base/process.h"
#include "base/signal.h"
#include "base/task.h"
#include "base/worker.h"
#include "net/crypto.h"
#include "node/runtime/image_fetch.h"
#include "node/runtime/image_import.h"
#include "node/runtime/image_record.h"
#include "node/runtime/image_reference.h"

namespace kinglet::runtime {
namespace fs = std::filesystem;

std::vector<Image> merge_images(std::vector<Image> images, const std::vector<Image>& added) {
  for (const auto& image : added) {
    for (auto& other : images)
      if (other.id != image.id)
        std::erase_if(other.tags, [&](const std::string& tag) {
          return std::find(image.tags.begin(), image.tags.end(), tag) != image.tags.end();
        });
    const auto same = std::find_if(images.begin(), images.end(),
                                   [&](const Image& other) { return other.id == image.id; });
    if (same == images.end()) {
      images.push_back(image);
      continue;
    }
    const auto join = [](std::vector<std::string>& into, const std::vector<std::string>& from) {
      for (const auto& text : from)
        if (std::find(into.begin(), into.end(), text) == into.end()) into.push_back(text);
    };
    join(same->tags, image.tags);
    join(same->digests, image.digests);
    same->pinned = same->pinned || image.pinned;
  }
  return images;
}

std::vector<Image> sweep_images(std::vector<Image> images, const std::set<std::string>& used,
                                bool unused) {
  std::erase_if(images, [&](const Image& image) {
    const bool named = !image.tags.empty() || !image.digests.empty();
    return !used.contains(image.id) && (unused || !named);
  });
  return images;
}

std::vector<Image> without_oldest_unused(std::vector<Image> images, const std::set<std::string>& used, uint64_t bytes) {
  uint64_t freed = 0;
  std::erase_if(images, [&](const Image& image) {
    if (freed >= bytes || image.pinned || used.contains(image.id)) return false;
    freed += image.size_bytes;
    return true;
  });
  return images;
}

Result<std::string> short_layer_name(const std::string& images_dir, const std::string& diff_id) {
  constexpr size_t kDigits = 16;
  const std::string name(hex_of(diff_id).substr(0, kDigits));
  const std::string link = images_dir + "/l/" + name;
  const std::string target = fmt::format("../layers/{}/fs", hex_of(diff_id));
  std::error_code failed;
  if (fs::read_symlink(link, failed) == target) return name;
  fs::create_directories(images_dir + "/l", failed);
  if (::symlink(target.c_str(), link.c_str()) != 0) {
    if (errno == EEXIST)
      return Error(Code::internal, "two layers share the first {} digits of their digest", kDigits);
    return errno_error(errno, link);
  }
  return name;
}

namespace {
constexpr size_t kPullsAtOnce = 3;
constexpr auto kDownloadKept = std::chrono::hours(72);

// Who comes second waits. Cancelling a waiter or a holder lets the next one in.
class Turn {
 public:
  class Held {
   public:
    explicit Held(Turn& turn) : turn_(&turn) { turn.taken_ = true; }
    Held(Held&& other) noexcept : turn_(std::exchange(other.turn_, nullptr)) {}
    ~Held() {
      if (turn_ == nullptr) return;
      turn_->taken_ = false;
      turn_->free_.notify_all();
    }

   private:
    Turn* turn_;
  };
  Task<Held> take() {
    while (taken_) co_await free_.wait();
    co_return Held(*this);
  }

 private:
  bool taken_ = false;
  Signal free_;
};

class Store final : public ImageStore {
 public:
  explicit Store(ImageStoreOptions options)
      : options_(std::move(options)), files_(make_system_files()) {}

  Result<void> open() override {
    KL_CHECK_FN(files_->make_dirs(options_.directory + "/layers"));
    KL_CHECK_FN(files_->make_dirs(options_.directory + "/l"));
    if (files_->exists(index_path())) {
      KL_TRY_FN(text, read_file(*files_, index_path()));
      KL_TRY_FN(images, parse_images(text), "{}", index_path());
      images_ = std::move(images);
    }
    // Of an import that was killed: nothing else makes such names, and no import runs yet.
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(options_.directory + "/layers", ignored))
      if (entry.path().filename().string().starts_with(kUnfinishedPrefix))
        fs::remove_all(entry.path(), ignored);
    return remove_old_downloads();
  }

  Task<Result<std::vector<Image>>> import_archive(std::string path) override {
    auto importing = import_from(std::move(path), true);
    co_return co_await std::move(importing);
  }

  Task<Result<std::vector<Image>>> import_from(std::string path, bool pinned) {
    const auto turn = co_await turn_.take();
    if (!files_->exists(path)) co_return Error(Code::not_found, "{}: no such file", path);
    auto unpacked = co_await unpack(path);
    if (!unpacked) co_return std::move(unpacked.error()).with_context(fmt::format("import {}", path));
    for (auto& image : *unpacked) image.pinned = pinned;
    KL_CHECK(save(merge_images(images_, *unpacked)), "import {}", path);
    std::vector<Image> out;
    for (const auto& image : *unpacked) {
      KL_TRY(found, find(image.id));
      out.push_back(std::move(found));
    }
    co_return std::move(out);
  }

  Task<Result<Pulled>> pull(PullRequest request) override {
    KL_TRY(reference, normalize_reference(request.reference));
    if (options_.fetch_command.empty()) co_return Error(Code::unavailable, "this store does not pull");
    auto queueing = pull_turn(reference);
    const auto turn = co_await std::move(queueing);
    FetchRequest fetch;
    fetch.reference = reference;
    fetch.credentials = std::move(request.credentials);
    fetch.registries_file = options_.registries_file;
    fetch.directory = download_dir(reference);
    fetch.images_dir = options_.directory;
    if (const auto here = find(reference); here && request.only_if_changed)
      for (const auto& name : here->digests) fetch.known_digests.push_back(name.substr(name.find('@') + 1));
    auto fetching = run_fetch(std::move(fetch));
    KL_TRY(fetched, co_await std::move(fetching));
    Pulled out;
    out.unchanged = fetched.unchanged;
    out.bytes_received = fetched.bytes;
    if (!fetched.unchanged) {
      std::string layout = download_dir(reference);
      auto importing = import_from(layout, false);
      KL_CHECK(co_await std::move(importing));
      std::function<Result<void>()> job = [layout] {
        std::error_code ignored;  // what stays is taken up by the next pull, or swept away at the next start
        fs::remove_all(layout, ignored);
        return Result<void>();
      };
      auto removing = worker().run(std::move(job));
      KL_CHECK(co_await std::move(removing));
    }
    KL_TRY(image, find(reference));
    out.image = std::move(image);
    co_return out;
  }

  std::vector<Image> list() const override { return images_; }

  Result<Image> find(const std::string& reference) const override {
    KL_TRY_FN(found, position(reference));
    return images_[found];
  }

  Task<Result<void>> remove(std::string reference) override {
    const auto turn = co_await turn_.take();
    KL_TRY(at, position(reference));
    auto images = images_;
    Image& image = images[at];
    // By name: only that name goes, unless it was the last.
    const auto named = normalize_reference(reference);
    if (named && !by_id(reference)) {
      std::erase(image.tags, *named);
      std::erase(image.digests, *named);
      if (image.tags.empty()) image.digests.clear();
    } else {
      image.tags.clear();
      image.digests.clear();
    }
    const bool gone = image.tags.empty() && image.digests.empty();
    if (gone && options_.used_images().contains(image.id))
      co_return Error(Code::conflict, "image {} is used by a container", reference);
    if (gone) images.erase(images.begin() + static_cast<std::ptrdiff_t>(at));
    co_return save(std::move(images));
  }

  Task<Result<ImageGc>> collect(bool unused_images) override {
    const auto turn = co_await turn_.take();
    auto kept = sweep_images(images_, options_.used_images(), unused_images);
    auto keeping = keep_only(std::move(kept));
    co_return co_await std::move(keeping);
  }

  Task<Result<ImageGc>> free_space(uint64_t bytes) override {
    const auto turn = co_await turn_.take();
    auto kept = without_oldest_unused(images_, options_.used_images(), bytes);
    auto keeping = keep_only(std::move(kept));
    co_return co_await std::move(keeping);
  }

  Task<Result<ImageGc>> keep_only(std::vector<Image> kept) {
    ImageGc out;
    out.images = static_cast<int>(images_.size() - kept.size());
    // First the index, then the files: what the index names is always there.
    if (out.images > 0) KL_CHECK(save(std::move(kept)));
    std::set<std::string> layers;
    for (const auto& image : images_)
      for (const auto& layer : image.layers) layers.insert(std::string(hex_of(layer)));
    std::function<Result<int>()> job = [dir = options_.directory, layers] {
      return remove_layers(dir, layers);
    };
    KL_TRY(removed, co_await worker().run(std::move(job)));
    out.layers = removed;
    co_return out;
  }

 private:
  // Pulls that nobody has taken up for a while: the image is not wanted any more.
  Result<void> remove_old_downloads() {
    const std::string dir = options_.directory + "/downloads";
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(dir, ignored)) {
      const auto age = fs::file_time_type::clock::now() - fs::last_write_time(entry.path(), ignored);
      if (age > kDownloadKept) fs::remove_all(entry.path(), ignored);
    }
    return {};
  }

  std::string index_path() const { return options_.directory + "/index.json"; }

  Result<void> save(std::vector<Image> images) {
    KL_CHECK_FN(write_file(*files_, index_path(), print_images(images)));
    images_ = std::move(images);
    return {};
  }

  // "sha256:<hex>", or the first hex digits of an id when no image has that name.
  bool by_id(const std::string& reference) const {
    if (reference.starts_with("sha256:")) return true;
    const auto named = normalize_reference(reference);
    if (named)
      for (const auto& image : images_)
        if (has_name(image, *named)) return false;
    return reference.size() >= 4 &&
           reference.find_first_not_of("0123456789abcdef") == std::string::npos;
  }
  static bool has_name(const Image& image, const std::string& name) {
    return std::find(image.tags.begin(), image.tags.end(), name) != image.tags.end() ||
           std::find(image.digests.begin(), image.digests.end(), name) != image.digests.end();
  }

  Result<size_t> position(const std::string& reference) const {
    const bool id = by_id(reference);
    std::string wanted(id ? hex_of(reference) : std::string_view());
    if (!id) {
      KL_TRY_FN(name, normalize_reference(reference));
      wanted = std::move(name);
    }
    std::optional<size_t> found;
    for (size_t i = 0; i < images_.size(); ++i) {
      const bool match = id ? hex_of(images_[i].id).starts_with(wanted) : has_name(images_[i], wanted);
      if (!match) continue;
      if (found) return Error(Code::bad_request, "\"{}\" begins the id of several images", reference);
      found = i;
    }
    if (!found) return Error(Code::not_found, "image \"{}\" is not on this machine", reference);
    return *found;
  }

  Task<Result<std::vector<Image>>> unpack(std::string path) {
    if (options_.unpack_command.empty()) {
      std::function<Result<std::vector<Image>>()> job = [dir = options_.directory, path] {
        return runtime::import_archive(dir, path);
      };
      co_return co_await worker().run(std::move(job));
    }
    Command command;
    command.argv = options_.unpack_command;
    command.argv.insert(command.argv.end(), {options_.directory, path});
    command.output_bytes_max = 16 << 20;
    auto running = run_process(std::move(command));
    auto exit = co_await std::move(running);
    if (!exit) co_return std::move(exit.error());
    if (exit->code != 0) {
      std::string why = exit->err.substr(0, exit->err.find('\n'));
      if (why.empty()) why = fmt::format("the unpacking process ended with {}", exit->code);
      co_return Error(Code::invalid, "{}", why);
    }
    co_return parse_images(exit->out);
  }

  // The same image is pulled by one at a time, and only a few at once.
  class PullTurn {
   public:
    PullTurn(Store& store, std::string reference) : store_(&store), reference_(std::move(reference)) {
      store_->pulling_.insert(reference_);
    }
    PullTurn(PullTurn&& other) noexcept
        : store_(std::exchange(other.store_, nullptr)), reference_(std::move(other.reference_)) {}
    ~PullTurn() {
      if (store_ == nullptr) return;
      store_->pulling_.erase(reference_);
      store_->pull_ended_.notify_all();
    }

   private:
    Store* store_;
    std::string reference_;
  };
  Task<PullTurn> pull_turn(std::string reference) {
    while (pulling_.size() >= kPullsAtOnce || pulling_.contains(reference)) co_await pull_ended_.wait();
    co_return PullTurn(*this, std::move(reference));
  }

  std::string download_dir(const std::string& reference) const {
    return fmt::format("{}/downloads/{}", options_.directory, net::to_hex(net::sha256(reference)).substr(0, 16));
  }

  Task<Result<Fetched>> run_fetch(FetchRequest request) {
    Command command;
    command.argv = options_.fetch_command;
    command.input = print_fetch(request);  // not an argument: everybody may read those
    auto running = run_process(std::move(command));
    auto exit = co_await std::move(running);
    if (!exit) co_return std::move(exit.error());
    if (exit->code == 0) co_return parse_fetched(exit->out);
    // "<reason>\t<message>"
    const std::string line = exit->err.substr(0, exit->err.find('\n'));
    const size_t tab = line.find('\t');
    if (tab == std::string::npos) co_return Error(Code::unavailable, "the fetching process ended with {}", exit->code);
    co_return Error(code_of_reason(line.substr(0, tab)), line.substr(tab + 1));
  }

  static Code code_of_reason(const std::string& reason) {
    for (const Code code : {Code::not_found, Code::unauthorized, Code::invalid, Code::io, Code::bad_request, Code::too_large})
      if (reason == reason_of(code)) return code;
    return Code::unavailable;
  }

  static Result<int> remove_layers(const std::string& dir, const std::set<std::string>& keep) {
    int removed = 0;
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator(dir + "/layers", failed)) {
      const std::string name = entry.path().filename().string();
      if (keep.contains(name)) continue;
      fs::remove(dir + "/l/" + name.substr(0, 16), failed);
      // Renamed first: a layer that is half gone must not look like a layer.
      const std::string doomed = fmt::format("{}/layers/{}{}", dir, kUnfinishedPrefix, name);
      if (!name.starts_with(kUnfinishedPrefix)) fs::rename(entry.path(), doomed, failed);
      fs::remove_all(name.starts_with(kUnfinishedPrefix) ? entry.path().string() : doomed, failed);
      if (failed) return errno_error(failed.value(), entry.path().string());
      ++removed;
    }
    return removed;
  }

  // Only when something blocks: most runs of kinglet import nothing.
  Worker& worker() {
    if (!worker_) worker_ = std::make_unique<Worker>("images");
    return *worker_;
  }

  ImageStoreOptions options_;
  std::unique_ptr<Files> files_;
  std::vector<Image> images_;
  Turn turn_;
  std::set<std::string> pulling_;
  Signal pull_ended_;
  std::unique_ptr<Worker> worker_;
};
}  // namespace

std::unique_ptr<ImageStore> make_image_store(ImageStoreOptions options) {
  return std::make_unique<Store>(std::move(options));
}

}  // namespace kinglet::runtime

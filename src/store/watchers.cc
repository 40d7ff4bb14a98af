#include "store/internal/watchers.h"

#include "base/signal.h"
#include "base/task.h"

namespace kinglet::store {
namespace {

// Beyond this a reader is too slow: it would keep dead values in memory.
constexpr size_t kWatchBacklogBytesMax = 32 << 20;
// A drained queue larger than this gives its memory back.
constexpr size_t kKeptCapacityMax = 64;

size_t bytes_of(const Event& event) { return event.entry->value.size() + sizeof(Event); }

struct Watcher {
  std::string prefix;
  Revision after = 0;
  std::vector<EventRef> queue;
  size_t head = 0;  // of the queue: what is before it has been read
  size_t bytes = 0;
  std::optional<Error> ended;
  Signal wake;

  void end(Error error) {
    ended = std::move(error);
    queue = {};
    head = bytes = 0;
    wake.notify_all();
  }
  void push(const EventRef& event) {
    if (ended || event->revision <= after) return;
    if (queue.size() - head >= kWatchBacklogMax || bytes > kWatchBacklogBytesMax)
      return end(Error(Code::expired, "the watch of {} fell too far behind", prefix));
    bytes += bytes_of(*event);
    queue.push_back(event);
    wake.notify_all();
  }
  Result<std::optional<Event>> pop() {
    if (ended) return *ended;
    if (head == queue.size()) return std::optional<Event>();
    Event event = *queue[head];
    bytes -= bytes_of(event);
    queue[head++].reset();
    if (head == queue.size()) {
      head = 0;
      queue.clear();
      if (queue.capacity() > kKeptCapacityMax) queue = {};
    }
    return std::optional<Event>(std::move(event));
  }
};

struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
}  // namespace

struct Watchers::Registry {
  std::unordered_map<std::string, std::vector<Watcher*>, TextHash, std::equal_to<>> by_prefix;
  // How many prefixes of each length there are: an event looks up only these.
  std::map<size_t, size_t> lengths;
  size_t count = 0;

  void add(Watcher& watcher) {
    auto& group = by_prefix[watcher.prefix];
    if (group.empty()) ++lengths[watcher.prefix.size()];
    group.push_back(&watcher);
    ++count;
  }
  void remove(Watcher& watcher) {
    const auto group = by_prefix.find(watcher.prefix);
    std::erase(group->second, &watcher);
    --count;
    if (!group->second.empty()) return;
    by_prefix.erase(group);
    const auto length = lengths.find(watcher.prefix.size());
    if (--length->second == 0) lengths.erase(length);
  }
};

class Watchers::Handle final : public Watch {
 public:
  explicit Handle(std::weak_ptr<Registry> registry) : registry_(std::move(registry)) {}
  ~Handle() override {
    if (const auto registry = registry_.lock()) registry->remove(watcher);
  }
  Task<Result<Event>> next() override {
    for (;;) {
      KL_TRY(event, watcher.pop());
      if (event) co_return std::move(*event);
      co_await watcher.wake.wait();
    }
  }
  Result<std::optional<Event>> poll() override { return watcher.pop(); }

  Watcher watcher;

 private:
  std::weak_ptr<Registry> registry_;
};

Watchers::Watchers() : registry_(std::make_shared<Registry>()) {}

Watchers::~Watchers() {
  for (auto& [prefix, group] : registry_->by_prefix)
    for (auto* watcher : group) watcher->end(Error(Code::unavailable, "the store is closed"));
}

std::unique_ptr<Watch> Watchers::add(std::string prefix, Revision after,
                                     std::vector<EventRef> backlog) {
  auto handle = std::make_unique<Handle>(registry_);
  handle->watcher.prefix = std::move(prefix);
  handle->watcher.after = after;
  for (const auto& event : backlog) handle->watcher.push(event);
  registry_->add(handle->watcher);
  return handle;
}

void Watchers::deliver(const EventRef& event) {
  const std::string_view key = event->entry->key;
  for (const auto& [length, prefixes] : registry_->lengths) {
    if (length > key.size()) break;
    const auto group = registry_->by_prefix.find(key.substr(0, length));
    if (group == registry_->by_prefix.end()) continue;
    for (auto* watcher : group->second) watcher->push(event);
  }
}

size_t Watchers::size() const { return registry_->count; }

}  // namespace kinglet::store

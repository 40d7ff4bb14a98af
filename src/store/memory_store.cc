// The store without a disk: every write is visible, and "durable", at once.
#include "base/task.h"
#include "store/internal/index.h"
#include "store/store.h"

namespace kinglet::store {
namespace {

class MemoryStore final : public Store {
 public:
  MemoryStore(Clock& clock, Indexer indexer)
      : clock_(clock), index_(clock, std::move(indexer), HistoryLimits{}) {}

  Task<Result<EntryRef>> put(std::string key, Value value, Revision expected, Durability) override {
    if (value.text.size() > kValueBytesMax)
      co_return Error(Code::too_large, "{}: {} bytes are more than {}", key, value.text.size(),
                      kValueBytesMax);
    KL_TRY(previous, index_.check_put(key, expected));
    EntryRef entry = index_.make_entry(std::move(key), value, index_.current() + 1, previous);
    index_.publish_put(entry, std::move(previous));
    co_return entry;
  }
  Task<Result<Revision>> remove(std::string key, Revision expected, Value last) override {
    KL_TRY(previous, index_.check_remove(key, expected));
    EntryRef entry = index_.make_entry(std::move(key), last, index_.current() + 1, previous);
    index_.publish_remove(std::move(entry), std::move(previous));
    co_return index_.current();
  }
  EntryRef find(std::string_view key) const override { return index_.find(key); }
  Page list(std::string_view prefix, const ListOptions& options) const override {
    return index_.list(prefix, options);
  }
  size_t count(std::string_view prefix) const override { return index_.count(prefix); }
  Task<Result<Page>> list_at(std::string prefix, ListOptions options) override {
    co_return index_.list_at(prefix, options);
  }
  Result<std::unique_ptr<Watch>> watch(std::string prefix, Revision after) override {
    return index_.watch(std::move(prefix), after);
  }
  Revision current() const override { return index_.current(); }
  Revision compacted() const override { return index_.compacted(); }
  Task<Result<void>> barrier() override { co_return Result<void>(); }
  Task<Result<void>> compact(Revision through) override { co_return index_.compact(through); }
  Result<void> healthy() const override { return {}; }
  Task<Result<void>> run() override {
    for (;;) {
      index_.forget_old();
      co_await clock_.sleep(std::chrono::minutes(1));
    }
  }

 private:
  Clock& clock_;
  Index index_;
};
}  // namespace

std::unique_ptr<Store> make_memory_store(
    Clock& clock, std::function<Tags(std::string_view, std::string_view)> indexer) {
  return std::make_unique<MemoryStore>(clock, std::move(indexer));
}

}  // namespace kinglet::store

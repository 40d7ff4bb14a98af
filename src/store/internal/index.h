// Index: what every store shares: the newest entry of each key, the recent history, the watches.
// Loop only. A backend decides when a write is safe and calls publish_*() in the order of the
// revisions.
#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "store/internal/sorted_entries.h"
#include "store/internal/watchers.h"
#include "store/store.h"

namespace kinglet::store {

using Indexer = std::function<Tags(std::string_view key, std::string_view value)>;

// History beyond any of these is forgotten, the oldest first.
struct HistoryLimits {
  Duration age_max = std::chrono::minutes(5);
  size_t events_max = 100'000;
  size_t bytes_max = 8 << 20;  // of what only the history still holds
};

class Index {
 public:
  Index(Clock& clock, Indexer indexer, HistoryLimits limits);

  // What a write to `key` would replace (null: nothing), or why it may not.
  Result<EntryRef> check_put(const std::string& key, Revision expected) const;
  Result<EntryRef> check_remove(const std::string& key, Revision expected) const;
  // The entry that a write makes; not yet visible.
  EntryRef make_entry(std::string key, const Value& value, Revision revision,
                      const EntryRef& previous) const;

  // The same for one that is read from disk, stamped already.
  EntryRef stored_entry(std::string_view key, std::string_view value, Revision revision,
                        Revision created) const;

  void publish_put(EntryRef entry, EntryRef previous);
  void publish_remove(EntryRef last, EntryRef previous);
  // Start-up: an entry from disk, and then the revision at which it all stood; no events, no
  // history.
  void load(EntryRef entry) { entries_.put(std::move(entry)); }
  void start_at(Revision revision) { current_ = compacted_ = revision; }

  EntryRef find(std::string_view key) const { return entries_.find(key); }
  Page list(std::string_view prefix, const ListOptions& options) const;
  Result<Page> list_at(std::string_view prefix, const ListOptions& options) const;
  size_t count(std::string_view prefix) const;
  size_t size() const { return entries_.size(); }
  Result<std::unique_ptr<Watch>> watch(std::string prefix, Revision after);

  Revision current() const { return current_; }
  Revision compacted() const { return compacted_; }
  Result<void> compact(Revision through);
  // Forgets what is older than the limits allow; returns when the next event will be (nullopt:
  // history is empty).
  std::optional<TimePoint> forget_old();
  size_t history_events() const { return history_.size(); }
  size_t watch_count() const { return watchers_.size(); }

 private:
  struct Past {
    EventRef event;
    TimePoint at;
    size_t bytes;
  };
  void publish(Event event);
  void drop_oldest();

  Clock& clock_;
  Indexer indexer_;
  HistoryLimits limits_;
  SortedEntries entries_;
  std::deque<Past> history_;
  size_t history_bytes_ = 0;
  Revision current_ = 1;  // as in etcd, so that an empty list has a resourceVersion that is not "0"
  Revision compacted_ = 1;
  Watchers watchers_;
};

}  // namespace kinglet::store

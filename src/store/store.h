// The store: an ordered log of revisions, an index of the newest, the watches that follow it.
//
// Threads: called on the loop only; fsync happens on the store's own thread.
// Durability: once a durable write has returned, it survives kill -9 and power loss. Volatile writes (leases,
// events) live in memory and are flushed rarely; revisions never go back nor repeat either way.
// Visibility: a write appears in find(), list() and watches when it is durable, in revision order.
// Source: etcd v3 MVCC (revision, compaction, watch), as the Kubernetes API server uses it.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/metrics.h"
#include "base/result.h"
#include "base/task_fwd.h"

namespace kinglet::store {

using Revision = uint64_t;  // 0: none

enum class Durability : uint8_t { durable, volatile_ };

// What a caller stores. The store writes the revision in decimal at `stamp_at` (a byte offset into `text`), so that
// readers get bytes that already name their own resourceVersion. npos: no stamp.
struct Value {
  std::string text;
  size_t stamp_at = std::string::npos;
};

// Names and values by which lists and watches are filtered without decoding; made from the bytes by the Indexer.
// Sorted by name. By convention labels are "l:<key>" and selectable fields "f:<path>".
using Tags = std::vector<std::pair<std::string, std::string>>;

struct Entry {
  std::string key;
  Revision revision = 0;  // of the newest write
  Revision created = 0;   // of the write that made the key
  Bytes value;            // stamped
  std::shared_ptr<const Tags> tags;
};
using EntryRef = std::shared_ptr<const Entry>;

struct Event {
  enum class Type : uint8_t { put, remove, progress };
  Type type = Type::put;
  Revision revision = 0;
  EntryRef entry;     // put: the new one; remove: the last state, stamped with the revision of the removal
  EntryRef previous;  // what was there before; null for a creation
};

class Watch {
 public:
  virtual ~Watch() = default;
  // The next event; one caller at a time. Errors: expired (the reader fell more than kWatchBacklogMax events
  // or 32 MiB of values behind): list again; unavailable (the store is closed).
  virtual Task<Result<Event>> next() = 0;
  // An event that is already here, without waiting; nullopt: none, which says that everything up to
  // Store::current() has been delivered. Same errors.
  virtual Result<std::optional<Event>> poll() = 0;
};
constexpr size_t kWatchBacklogMax = 100'000;

struct ListOptions {
  Revision at = 0;       // 0: now
  size_t limit = 0;      // 0: all
  std::string after;     // only keys beyond this one
};
struct Page {
  std::vector<EntryRef> entries;  // in key order
  Revision revision = 0;          // the snapshot's
  bool more = false;
  size_t remaining = 0;           // beyond this page
};

class Store {
 public:
  virtual ~Store() = default;

  // Writes if `key` is still at `expected` (0: absent). Returns the new entry.
  // Errors: already_exists (expected 0, key is there), not_found, conflict (somebody else wrote), too_large
  // (> kValueBytesMax), unavailable (disk full or failing: the write is not acknowledged and not visible).
  // A caller that is cancelled must read again: the write may have happened.
  virtual Task<Result<EntryRef>> put(std::string key, Value value, Revision expected,
                                     Durability durability = Durability::durable) = 0;
  // Removes the key at `expected`. `last`: the state that watchers see, stamped with the removal's revision.
  virtual Task<Result<Revision>> remove(std::string key, Revision expected, Value last) = 0;

  // Reads the index; never waits.
  virtual EntryRef find(std::string_view key) const = 0;
  virtual Page list(std::string_view prefix, const ListOptions& options) const = 0;  // options.at == 0
  virtual size_t count(std::string_view prefix) const = 0;
  // Reads a past revision. Errors: expired (compacted), timeout (beyond the current revision).
  virtual Task<Result<Page>> list_at(std::string prefix, ListOptions options) = 0;

  // Events of keys under `prefix` with a revision beyond `after`. Errors: expired.
  virtual Result<std::unique_ptr<Watch>> watch(std::string prefix, Revision after) = 0;

  virtual Revision current() const = 0;    // newest visible revision
  virtual Revision compacted() const = 0;  // history at or below is gone
  // Returns when everything that was acknowledged anywhere before the call is visible here (etcd: a quorum read).
  virtual Task<Result<void>> barrier() = 0;
  virtual Task<Result<void>> compact(Revision through) = 0;
  virtual Result<void> healthy() const = 0;

  // Flushes volatile writes, forgets old history and recovers from a failed disk, from time to time, until cancelled.
  // Writes work without it. The destructor flushes a last time and blocks for that; the loop must outlive the store.
  virtual Task<Result<void>> run() = 0;
};
constexpr size_t kValueBytesMax = 3 << 20;

struct SqliteOptions {
  std::string path;                         // the database file; its directory must exist
  std::function<Tags(std::string_view key, std::string_view value)> indexer;
  uint64_t size_bytes_max = 2ull << 30;     // of the file: beyond it writes that grow it are refused (unavailable)
  Duration history = std::chrono::minutes(5);  // how long old revisions are kept for lists and watches
  size_t history_events_max = 100'000;
  size_t history_bytes_max = 8 << 20;  // of values that only the history still holds
};
// Errors: unavailable (another process has it open; damaged: says what to do), invalid (written by a newer version).
// Recovery reads the whole database: blocking, at start only.
Result<std::unique_ptr<Store>> open_sqlite(Files& files, Clock& clock, Metrics& metrics, SqliteOptions options);
// The same semantics without a disk: for simulation and tests.
std::unique_ptr<Store> make_memory_store(Clock& clock, std::function<Tags(std::string_view, std::string_view)> indexer);

}  // namespace kinglet::store

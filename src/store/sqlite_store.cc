// The store on SQLite: the loop decides, numbers and publishes; a thread of its own writes and
// syncs.
//
// A write goes: check -> revision -> queue -> batch on the thread -> published in revision order ->
// acknowledged. While one batch is being synced the next one gathers: that is the group commit.
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <deque>
#include <map>
#include <set>
#include <unordered_map>

#include "base/log.h"
#include "base/signal.h"
#include "base/task.h"
#include "base/task_group.h"
#include "base/worker.h"
#include "store/internal/index.h"
#include "store/internal/sqlite_database.h"
#include "store/store.h"

namespace kinglet::store {
namespace {
namespace asio = boost::asio;

// Revisions are reserved on disk in blocks, so that volatile writes need no disk and yet no
// revision comes twice.
constexpr Revision kReserveBlock = 10'000;
constexpr Revision kReserveLow = 2'000;  // a new block is fetched when fewer are left
constexpr size_t kBatchWritesMax = 4096;
constexpr size_t kBatchBytesMax = 8 << 20;  // longer batches would make their first write wait
constexpr Duration kFlushEvery = std::chrono::minutes(10);
constexpr Duration kForgetEvery = std::chrono::minutes(1);
constexpr Duration kProbeEvery = std::chrono::seconds(5);

// A write between its revision and its publication.
struct Pending {
  EntryRef entry;     // a removal: the last state
  EntryRef previous;  // null: a creation
  bool removal = false;
  Durability durability = Durability::durable;
  bool decided = false;          // the disk has answered, or need not be asked
  std::optional<Error> refused;  // by the disk
  bool done = false;             // published, or dropped
  Signal wake;

  const std::string& key() const { return entry->key; }
  size_t bytes() const { return entry->value.size() + entry->key.size(); }
};
using PendingRef = std::shared_ptr<Pending>;

// What travels to the thread and back.
struct Job {
  Batch batch;
  std::vector<PendingRef> writes;  // batch.rows begins with theirs, in order, where they have one
  std::map<Revision, std::string> flushed;    // to be flushed again if this fails
  std::vector<std::optional<Error>> refused;  // per write, filled in by the thread
  std::optional<Error> failed;                // of what is not a write's
  uint64_t size_bytes = 0;
};

struct Meters {
  explicit Meters(Metrics& metrics)
      : commits(metrics.histogram("kinglet_store_commit_seconds", "Time to write and sync a batch.",
                                  {.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 5})),
        writes(metrics.counter("kinglet_store_writes_total", "Acknowledged durable writes.")),
        failures(
            metrics.counter("kinglet_store_commit_failures_total", "Batches the disk refused.")),
        entries(metrics.gauge("kinglet_store_entries", "Keys in the store.")),
        size(metrics.gauge("kinglet_store_size_bytes", "Size of the database file.")) {}
  Histogram& commits;
  Counter& writes;
  Counter& failures;
  Gauge& entries;
  Gauge& size;
};

class SqliteStore final : public Store {
 public:
  SqliteStore(Clock& clock, Metrics& metrics, SqliteOptions options,
              std::unique_ptr<SqliteDatabase> database)
      : clock_(clock),
        meters_(metrics),
        database_(std::move(database)),
        index_(clock, std::move(options.indexer),
               {options.history, options.history_events_max, options.history_bytes_max}) {}
  ~SqliteStore() override;
  Result<void> load();

  Task<Result<EntryRef>> put(std::string key, Value value, Revision expected,
                             Durability durability) override;
  Task<Result<Revision>> remove(std::string key, Revision expected, Value last) override;
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
  // One process writes, and what it acknowledged is visible.
  Task<Result<void>> barrier() override { co_return Result<void>(); }
  Task<Result<void>> compact(Revision through) override { co_return index_.compact(through); }
  Result<void> healthy() const override {
    if (sick_) return *sick_;
    return {};
  }
  Task<Result<void>> run() override;

 private:
  Task<void> free_key(const std::string& key);
  Task<Result<void>> submit(PendingRef pending);
  void start_soon();
  void start_batch();
  std::unique_ptr<Job> next_job();
  void add_flush(Job& job);
  static void execute(SqliteDatabase& database, Job& job);
  void finish_batch(Job& job, Duration took);
  void publish_ready();
  void publish(Pending& pending);
  Task<void> forget_history();
  Task<void> flush_often();
  Task<void> probe_when_sick();

  Clock& clock_;
  Meters meters_;
  Log log_{"store"};
  std::unique_ptr<SqliteDatabase> database_;  // the thread's, while it exists
  Index index_;
  Revision next_ = 2;
  Revision reserved_ = 1;
  std::unordered_map<std::string, PendingRef> busy_;  // one write per key at a time
  std::deque<PendingRef> order_;                      // all pending writes by revision
  std::vector<PendingRef> queue_;                     // those that wait for the disk
  bool flush_wanted_ = false, reserve_wanted_ = false;
  bool running_ = false;  // a batch is on the thread
  bool start_posted_ = false;
  // By the revision that created them: lives of keys that were never written durably, and those
  // whose row on disk (or its absence) is older than the index.
  std::set<Revision> volatile_lives_;
  std::map<Revision, std::string> unflushed_;
  std::optional<Error> sick_;
  Signal became_sick_;
  std::optional<asio::any_io_executor> executor_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::optional<Worker> worker_;
};

Result<void> SqliteStore::load() {
  Revision newest = std::max<Revision>(database_->reserved(), 1);
  const auto take = [&](const StoredRow& row) {
    newest = std::max({newest, row.revision, row.created});
    const EntryRef other = index_.find(row.key);
    if (other && other->revision > row.revision) {
      unflushed_[row.created] = row.key;
      return;
    }
    // An older life of the key was removed volatilely: its row is a leftover.
    if (other) {
      unflushed_[other->created] = other->key;
      volatile_lives_.erase(other->created);
    }
    if (row.durability == Durability::volatile_) volatile_lives_.insert(row.created);
    index_.load(index_.stored_entry(row.key, row.value, row.revision, row.created));
  };
  KL_CHECK_FN(database_->read_all(take));
  reserved_ = newest;
  next_ = newest + 1;
  index_.start_at(newest);
  meters_.entries.set(static_cast<double>(index_.size()));
  meters_.size.set(static_cast<double>(database_->size_bytes()));
  worker_.emplace("kl-store");
  return {};
}

SqliteStore::~SqliteStore() {
  if (!worker_) return;  // load() failed
  worker_.reset();       // waits for the running batch; the queue was never acknowledged
  Job job;
  add_flush(job);
  // Exactly what was used: after a clean end the revisions go on without a gap.
  job.batch.reserve = next_ - 1;
  const auto flushed = database_->commit(job.batch);
  if (!flushed) log_.warn("the last flush failed", kv("error", flushed.error()));
}

// Waits until no write to `key` is on its way.
Task<void> SqliteStore::free_key(const std::string& key) {
  for (;;) {
    const auto found = busy_.find(key);
    if (found == busy_.end()) co_return;
    const PendingRef other = found->second;
    co_await other->wake.wait();
  }
}

Task<Result<EntryRef>> SqliteStore::put(std::string key, Value value, Revision expected,
                                        Durability durability) {
  if (value.text.size() > kValueBytesMax)
    co_return Error(Code::too_large, "{}: {} bytes are more than {}", key, value.text.size(),
                    kValueBytesMax);
  co_await free_key(key);
  KL_TRY(previous, index_.check_put(key, expected));
  const auto pending = std::make_shared<Pending>();
  pending->previous = std::move(previous);
  pending->durability = durability;
  pending->entry = index_.make_entry(std::move(key), value, next_++, pending->previous);
  KL_CHECK(co_await submit(pending));
  co_return pending->entry;
}

Task<Result<Revision>> SqliteStore::remove(std::string key, Revision expected, Value last) {
  co_await free_key(key);
  KL_TRY(previous, index_.check_remove(key, expected));
  const auto pending = std::make_shared<Pending>();
  pending->removal = true;
  pending->previous = std::move(previous);
  if (volatile_lives_.contains(pending->previous->created))
    pending->durability = Durability::volatile_;
  pending->entry = index_.make_entry(std::move(key), last, next_++, pending->previous);
  KL_CHECK(co_await submit(pending));
  co_return pending->entry->revision;
}

// From here on the write happens, whether its caller stays or not.
Task<Result<void>> SqliteStore::submit(PendingRef pending) {
  if (!executor_) executor_ = co_await asio::this_coro::executor;
  busy_[pending->key()] = pending;
  order_.push_back(pending);
  if (pending->durability == Durability::durable || pending->entry->revision > reserved_)
    queue_.push_back(pending);
  else
    pending->decided = true;
  if (next_ + kReserveLow > reserved_) reserve_wanted_ = true;
  start_soon();
  publish_ready();
  while (!pending->done) co_await pending->wake.wait();
  if (pending->refused) co_return *pending->refused;
  co_return Result<void>();
}

// Not at once: writers that are ready in this turn of the loop go into the same batch.
void SqliteStore::start_soon() {
  if (running_ || start_posted_ || !executor_) return;
  if (queue_.empty() && !flush_wanted_ && !reserve_wanted_) return;
  start_posted_ = true;
  asio::post(*executor_, [this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired()) return;
    start_posted_ = false;
    if (!running_) start_batch();
  });
}

void SqliteStore::start_batch() {
  running_ = true;
  // The guard keeps the loop running until the answer has arrived.
  auto run = [this, alive = std::weak_ptr<bool>(alive_), database = database_.get(),
              job = std::shared_ptr<Job>(next_job()), executor = *executor_, began = clock_.now(),
              guard = asio::make_work_guard(*executor_)]() mutable {
    execute(*database, *job);
    asio::post(executor, [this, alive, job, began] {
      if (!alive.expired()) finish_batch(*job, clock_.now() - began);
    });
    job.reset();
    guard.reset();
  };
  worker_->post(std::move(run));
}

std::unique_ptr<Job> SqliteStore::next_job() {
  auto job = std::make_unique<Job>();
  size_t bytes = 0, taken = 0;
  for (; taken < queue_.size() && taken < kBatchWritesMax && bytes < kBatchBytesMax; ++taken) {
    Pending& write = *queue_[taken];
    bytes += write.bytes();
    job->writes.push_back(queue_[taken]);
    // A volatile write is here only because its revision was not reserved yet: it has no row.
    if (write.durability == Durability::volatile_) continue;
    const Revision created = write.entry->created;
    job->batch.rows.push_back({created, write.removal ? nullptr : write.entry});
  }
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(taken));
  if (flush_wanted_) add_flush(*job);
  if (next_ + kReserveLow > reserved_) job->batch.reserve = next_ + kReserveBlock;
  flush_wanted_ = reserve_wanted_ = false;
  return job;
}

void SqliteStore::add_flush(Job& job) {
  for (auto it = unflushed_.begin(); it != unflushed_.end();) {
    const auto& [created, key] = *it;
    // A write that is on its way decides the row itself; the flush must not come after it with an
    // older state.
    if (busy_.contains(key)) {
      ++it;
      continue;
    }
    const EntryRef entry = index_.find(key);
    const bool lives = entry && entry->created == created;
    const auto durability =
        volatile_lives_.contains(created) ? Durability::volatile_ : Durability::durable;
    job.batch.rows.push_back({created, lives ? entry : nullptr, durability});
    job.flushed.insert(*it);
    it = unflushed_.erase(it);
  }
}

// On the thread.
void SqliteStore::execute(SqliteDatabase& database, Job& job) {
  job.refused.resize(job.writes.size());
  auto all = database.commit(job.batch);
  if (all.is(Code::too_large) && job.batch.rows.size() > 1) {
    // The file has reached its limit: those who fit, or make room, shall not suffer with the
    // others.
    Batch rest{{}, job.batch.reserve};
    size_t row = 0;
    for (size_t i = 0; i < job.writes.size(); ++i) {
      if (job.writes[i]->durability == Durability::volatile_) continue;
      auto one = database.commit(Batch{{job.batch.rows[row++]}, job.batch.reserve});
      if (!one) job.refused[i] = std::move(one.error());
    }
    rest.rows.assign(job.batch.rows.begin() + static_cast<ptrdiff_t>(row), job.batch.rows.end());
    all = database.commit(rest);
    if (!all) job.failed = std::move(all.error());
  } else if (!all) {
    job.failed = all.error();
    for (auto& refused : job.refused) refused = all.error();
  }
  if (database.needs_tidy()) {
    // The batch is safe already; if this fails, the log merely grows until a later attempt
    // succeeds.
    const auto tidied = database.tidy();
    if (!tidied && !job.failed) job.failed = tidied.error();
  }
  job.size_bytes = database.size_bytes();
}

void SqliteStore::finish_batch(Job& job, Duration took) {
  running_ = false;
  meters_.commits.observe(std::chrono::duration<double>(took).count());
  meters_.size.set(static_cast<double>(job.size_bytes));
  size_t accepted = 0;
  for (size_t i = 0; i < job.writes.size(); ++i) {
    Pending& write = *job.writes[i];
    write.decided = true;
    if (job.refused[i])
      write.refused =
          Error(Code::unavailable, "the write is not stored: {}", job.refused[i]->message());
    else
      ++accepted;
  }
  meters_.writes.add(static_cast<double>(accepted));
  if (job.failed) {
    meters_.failures.add();
    unflushed_.merge(job.flushed);
    if (!sick_) log_.error("the disk refuses writes", kv("error", *job.failed));
    sick_ = job.failed;
    became_sick_.notify_all();
  } else {
    if (job.batch.reserve != 0) reserved_ = std::max(reserved_, job.batch.reserve);
    if (sick_) log_.info("the disk takes writes again");
    sick_.reset();
  }
  publish_ready();
  start_soon();
}

void SqliteStore::publish_ready() {
  while (!order_.empty() && order_.front()->decided) {
    const PendingRef pending = std::move(order_.front());
    order_.pop_front();
    busy_.erase(pending->key());
    if (!pending->refused) publish(*pending);
    pending->done = true;
    pending->wake.notify_all();
  }
  meters_.entries.set(static_cast<double>(index_.size()));
}

void SqliteStore::publish(Pending& pending) {
  const Revision created = pending.entry->created;
  if (pending.durability == Durability::durable) {
    volatile_lives_.erase(created);
    unflushed_.erase(created);
  } else {
    unflushed_[created] = pending.key();
    if (!pending.previous) volatile_lives_.insert(created);
    if (pending.removal) volatile_lives_.erase(created);
  }
  if (pending.removal)
    index_.publish_remove(pending.entry, std::move(pending.previous));
  else
    index_.publish_put(pending.entry, std::move(pending.previous));
}

Task<void> SqliteStore::forget_history() {
  for (;;) {
    index_.forget_old();
    co_await clock_.sleep(kForgetEvery);
  }
}

Task<void> SqliteStore::flush_often() {
  for (;;) {
    co_await clock_.sleep(kFlushEvery);
    if (unflushed_.empty()) continue;
    flush_wanted_ = true;
    start_soon();
  }
}

// Without this a store that nobody writes to would stay sick after the disk has recovered.
Task<void> SqliteStore::probe_when_sick() {
  for (;;) {
    while (!sick_) co_await became_sick_.wait();
    co_await clock_.sleep(kProbeEvery);
    if (!sick_) continue;
    reserve_wanted_ = true;
    start_soon();
  }
}

Task<Result<void>> SqliteStore::run() {
  executor_ = co_await asio::this_coro::executor;
  TaskGroup parts;
  parts.add("history", forget_history());
  parts.add("flush", flush_often());
  parts.add("probe", probe_when_sick());
  co_return co_await parts.run();
}

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite(Files& files, Clock& clock, Metrics& metrics,
                                           SqliteOptions options) {
  KL_TRY_FN(database, open_database(files, options.path, options.size_bytes_max));
  auto store =
      std::make_unique<SqliteStore>(clock, metrics, std::move(options), std::move(database));
  KL_CHECK_FN(store->load());
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace kinglet::store

// What only a store on a disk can get wrong: power cuts, full and slow disks, damaged and foreign
// files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <set>

#include "base/log.h"
#include "base/task_group.h"
#include "base/testing.h"
#include "store/internal/sqlite_vfs.h"
#include "store/store.h"

namespace kinglet::store {
namespace {
namespace asio = boost::asio;
using ::testing::HasSubstr;
constexpr const char* kPath = "/data/state.db";

class OnDisk : public ::testing::Test {
 protected:
  void SetUp() override {
    Log::set_sink([](LogLevel, std::string_view) {});  // the disks here fail by the hundred
    ASSERT_TRUE(disk_->make_dirs("/data"));
  }
  void TearDown() override {
    store_.reset();
    Log::set_sink({});
  }
  Result<std::unique_ptr<Store>> try_open(Files& files) {
    return open_sqlite(files, *clock_, *metrics_, options_);
  }
  void open() { open_over(*disk_); }
  void open_over(Files& files) {
    auto store = try_open(files);
    ASSERT_TRUE(store) << store.error().message();
    store_ = std::move(*store);
  }
  void cut_power() {
    // The destructor must not flush: the disk is gone first.
    disk_->fail_after(0, EIO);
    store_.reset();
    disk_->work_again();
    disk_->crash();
  }
  template <class T>
  T run(Task<T> task) {
    return testing::run_task(loop_, std::move(task));
  }
  Result<EntryRef> put(std::string key, std::string text, Revision expected = 0,
                       Durability durability = Durability::durable) {
    return run(store_->put(std::move(key), Value{std::move(text)}, expected, durability));
  }
  Revision must_put(std::string key, std::string text, Revision expected = 0,
                    Durability durability = Durability::durable) {
    auto entry = put(std::move(key), std::move(text), expected, durability);
    EXPECT_TRUE(entry) << (entry ? "" : entry.error().message());
    return entry ? (*entry)->revision : 0;
  }
  Result<Revision> remove(std::string key, Revision expected) {
    return run(store_->remove(std::move(key), expected, Value{"gone"}));
  }
  std::string text_at(std::string_view key) {
    const auto entry = store_->find(key);
    return entry ? std::string(entry->value.view()) : "-";
  }

  asio::io_context loop_;
  std::unique_ptr<SimClock> clock_ = make_sim_clock(WallTime{});
  std::unique_ptr<FakeDisk> disk_ = make_fake_disk();
  std::unique_ptr<Metrics> metrics_ = make_metrics();
  SqliteOptions options_{.path = kPath};
  std::unique_ptr<Store> store_;
};

TEST_F(OnDisk, a_clean_end_keeps_everything_and_the_revision) {
  open();
  const Revision a = must_put("/a", "1");
  must_put("/lease", "2", 0, Durability::volatile_);
  must_put("/a", "3", a);
  const Revision last = store_->current();
  store_.reset();
  open();
  EXPECT_EQ(store_->current(), last);
  EXPECT_EQ(text_at("/a"), "3");
  EXPECT_EQ(store_->find("/a")->created, a);
  EXPECT_EQ(text_at("/lease"), "2");
  EXPECT_TRUE(store_->watch("/", last));
  EXPECT_TRUE(store_->watch("/", last - 1).is(Code::expired));
  EXPECT_EQ(must_put("/b", "4"), last + 1);
}

TEST_F(OnDisk, a_power_cut_keeps_what_was_acknowledged_and_never_repeats_a_revision) {
  open();
  must_put("/a", "1");
  must_put("/lease", "2", 0, Durability::volatile_);
  const Revision last = store_->current();
  cut_power();
  open();
  EXPECT_EQ(text_at("/a"), "1");
  EXPECT_EQ(text_at("/lease"), "-") << "volatile writes are not on disk";
  EXPECT_GE(store_->current(), last);
  EXPECT_GT(must_put("/b", "3", 0, Durability::volatile_), last);
}

TEST_F(OnDisk, revisions_of_lost_volatile_writes_are_not_used_again) {
  Revision last = 0;
  for (int life = 0; life < 4; ++life) {
    open();
    Revision lease = 0;
    for (int i = 0; i < 9000; ++i) {
      lease = must_put("/lease", "x", lease, Durability::volatile_);
      ASSERT_GT(lease, last);
      last = lease;
    }
    cut_power();
  }
}

TEST_F(OnDisk, volatile_removals_leave_nothing_behind) {
  open();
  const Revision old = must_put("/event", "old", 0, Durability::volatile_);
  const Revision other = must_put("/other", "x", 0, Durability::volatile_);
  store_.reset();
  open();
  ASSERT_TRUE(remove("/event", old));
  ASSERT_TRUE(remove("/other", other));
  must_put("/event", "durable now");
  cut_power();
  open();
  EXPECT_EQ(text_at("/event"), "durable now") << "the row of the older life must lose";
  EXPECT_EQ(text_at("/other"), "x") << "the removal was volatile";
  store_.reset();
  open();
  EXPECT_EQ(store_->count("/"), 2u);
}

TEST_F(OnDisk, what_was_once_durable_is_removed_durably) {
  open();
  const Revision created = must_put("/node", "1");
  const Revision updated = must_put("/node", "2", created, Durability::volatile_);
  ASSERT_TRUE(remove("/node", updated));
  cut_power();
  open();
  EXPECT_EQ(text_at("/node"), "-");
}

Task<Result<void>> run_store(Store& store) { co_return co_await store.run(); }
TEST_F(OnDisk, volatile_writes_are_flushed_after_a_while_and_an_idle_store_writes_nothing) {
  open();
  must_put("/lease", "1", 0, Durability::volatile_);
  TaskGroup group;
  group.add("store", run_store(*store_));
  auto run_group = [](TaskGroup& g) -> Task<void> { (void)co_await g.run(); };
  bool ended = false;
  asio::co_spawn(loop_, run_group(group), [&](std::exception_ptr) { ended = true; });
  clock_->run_until(loop_, clock_->now() + 11min);
  must_put("/a", "waits for the flush, which was earlier");
  disk_->fail_after(1, EIO);
  clock_->run_until(loop_, clock_->now() + std::chrono::hours(5));
  EXPECT_TRUE(store_->healthy()) << "nothing has changed, so nothing was written";
  group.cancel();
  while (!ended) clock_->run_until(loop_, clock_->now());
  cut_power();
  open();
  EXPECT_EQ(text_at("/lease"), "1");
}

TEST_F(OnDisk, a_disk_that_refuses_writes_refuses_ours_and_may_recover) {
  open();
  const Revision a = must_put("/a", "1");
  must_put("/lease", "1", 0, Durability::volatile_);
  auto watch = store_->watch("/", store_->current());
  ASSERT_TRUE(watch);
  for (const int number : {ENOSPC, EIO}) {
    disk_->fail_after(1, number);
    EXPECT_TRUE(put("/a", "2", a).is(Code::unavailable));
    EXPECT_TRUE(put("/b", "2").is(Code::unavailable));
    EXPECT_TRUE(remove("/a", a).is(Code::unavailable));
    EXPECT_FALSE(store_->healthy());
    EXPECT_EQ(text_at("/a"), "1");
    EXPECT_EQ(text_at("/b"), "-");
    EXPECT_FALSE(*(*watch)->poll());
    const Revision lease = store_->find("/lease")->revision;
    EXPECT_GT(must_put("/lease", "2", lease, Durability::volatile_), lease);
    EXPECT_TRUE(*(*watch)->poll());
    disk_->work_again();
    const Revision b = must_put("/b", "3");
    EXPECT_TRUE(store_->healthy());
    EXPECT_TRUE(remove("/b", b));
    while (*(*watch)->poll()) {
    }
  }
  cut_power();
  open();
  EXPECT_EQ(text_at("/a"), "1");
  EXPECT_EQ(text_at("/b"), "-");
}

TEST_F(OnDisk, the_store_recovers_by_itself_when_nobody_writes) {
  open();
  disk_->fail_after(1, ENOSPC);
  EXPECT_TRUE(put("/a", "1").is(Code::unavailable));
  disk_->work_again();
  TaskGroup group;
  group.add("store", run_store(*store_));
  auto run_group = [](TaskGroup& g) -> Task<void> { (void)co_await g.run(); };
  bool ended = false;
  asio::co_spawn(loop_, run_group(group), [&](std::exception_ptr) { ended = true; });
  while (!store_->healthy()) clock_->run_until(loop_, clock_->now() + 1s);
  group.cancel();
  while (!ended) clock_->run_until(loop_, clock_->now());
}

TEST_F(OnDisk, beyond_the_size_limit_only_growth_is_refused) {
  options_.size_bytes_max = 1 << 20;
  open();
  std::vector<std::pair<std::string, Revision>> there;
  for (int i = 0; i < 100; ++i) {
    const std::string key = fmt::format("/{}", i);
    const auto entry = put(key, std::string(64 << 10, 'x'));
    if (!entry) {
      EXPECT_TRUE(entry.is(Code::unavailable));
      EXPECT_THAT(entry.error().message(), HasSubstr("size limit"));
      break;
    }
    there.emplace_back(key, (*entry)->revision);
  }
  EXPECT_GT(there.size(), 8u);
  EXPECT_LT(there.size(), 17u);
  EXPECT_TRUE(remove(there[0].first, there[0].second));
  EXPECT_TRUE(put("/again", std::string(60 << 10, 'y')));
  store_.reset();
  open();
  EXPECT_EQ(store_->count("/"), there.size());
}

TEST_F(OnDisk, a_second_instance_is_refused) {
  open();
  const auto second = try_open(*disk_);
  ASSERT_TRUE(second.is(Code::unavailable));
  EXPECT_THAT(second.error().message(), HasSubstr("another kinglet is using"));
}

// Changes the database behind the store's back.
void change(Files& files, const std::string& sql) {
  const SqliteVfs vfs(files);
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open_v2(kPath, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs.name()),
            SQLITE_OK);
  char* error = nullptr;
  EXPECT_EQ(
      sqlite3_exec(db, ("PRAGMA locking_mode=EXCLUSIVE;" + sql).c_str(), nullptr, nullptr, &error),
      SQLITE_OK)
      << error;
  sqlite3_close(db);
}

TEST_F(OnDisk, a_newer_foreign_or_damaged_file_is_refused_in_plain_words) {
  open();
  must_put("/a", "1");
  store_.reset();
  change(*disk_, "PRAGMA user_version=99");
  auto opened = try_open(*disk_);
  ASSERT_TRUE(opened.is(Code::invalid));
  EXPECT_THAT(opened.error().message(), HasSubstr("newer kinglet (schema 99"));

  change(*disk_, "PRAGMA user_version=1; UPDATE entry SET value='2'");
  opened = try_open(*disk_);
  ASSERT_TRUE(opened.is(Code::unavailable));
  EXPECT_THAT(opened.error().message(), HasSubstr("is damaged"));
  EXPECT_THAT(opened.error().message(), HasSubstr("checksum"));

  change(*disk_, "PRAGMA application_id=1");
  opened = try_open(*disk_);
  ASSERT_TRUE(opened.is(Code::invalid));
  EXPECT_THAT(opened.error().message(), HasSubstr("not a database of kinglet"));

  ASSERT_TRUE(write_file(*disk_, kPath, std::string(20000, 'z')));
  opened = try_open(*disk_);
  ASSERT_TRUE(opened.is(Code::unavailable));
  EXPECT_THAT(opened.error().message(), HasSubstr("is damaged"));
}

TEST_F(OnDisk, flipped_bits_are_found_or_harmless) {
  open();
  std::map<std::string, std::string> model;
  for (int i = 0; i < 50; ++i) {
    const std::string key = fmt::format("/{}", i);
    model[key] = std::string(static_cast<size_t>(600 + i), 'v');
    must_put(key, model[key]);
  }
  store_.reset();
  const std::string good = *read_file(*disk_, kPath);
  const auto random = make_seeded_random(9);
  int found = 0;
  for (int i = 0; i < 60; ++i) {
    std::string bad = good;
    bad[random->below(bad.size())] ^= static_cast<char>(1u << random->below(8));
    ASSERT_TRUE(write_file(*disk_, kPath, bad));
    auto opened = try_open(*disk_);
    if (!opened) {
      ++found;
      continue;
    }
    for (const auto& [key, value] : model) {
      const auto entry = (*opened)->find(key);
      ASSERT_TRUE(entry) << key;
      ASSERT_EQ(entry->value.view(), value);
    }
  }
  EXPECT_GT(found, 20);
}

// Lets a test hold back every sync.
class SlowFiles final : public Files {
 public:
  explicit SlowFiles(Files& inner) : inner_(inner) {}
  void hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  void let_go() {
    {
      const std::lock_guard lock(mutex_);
      held_ = false;
    }
    changed_.notify_all();
  }
  int syncs() {
    const std::lock_guard lock(mutex_);
    return syncs_;
  }
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode,
                                     uint32_t permissions) override {
    KL_TRY_FN(file, inner_.open(path, mode, permissions));
    return std::unique_ptr<File>(std::make_unique<Slow>(*this, std::move(file)));
  }
  Result<void> rename(const std::string& a, const std::string& b) override {
    return inner_.rename(a, b);
  }
  Result<void> remove(const std::string& path) override { return inner_.remove(path); }
  Result<void> make_dirs(const std::string& path, uint32_t permissions) override {
    return inner_.make_dirs(path, permissions);
  }
  Result<void> sync_dir(const std::string& path) override { return inner_.sync_dir(path); }
  Result<std::vector<std::string>> list(const std::string& dir) override {
    return inner_.list(dir);
  }
  bool exists(const std::string& path) override { return inner_.exists(path); }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override {
    return inner_.lock(path);
  }

 private:
  struct Slow final : File {
    Slow(SlowFiles& d, std::unique_ptr<File> f) : disk(d), file(std::move(f)) {}
    Result<size_t> read_at(uint64_t offset, std::span<char> out) override {
      return file->read_at(offset, out);
    }
    Result<void> write_at(uint64_t offset, std::string_view bytes) override {
      return file->write_at(offset, bytes);
    }
    Result<void> truncate(uint64_t size) override { return file->truncate(size); }
    Result<void> sync() override {
      std::unique_lock lock(disk.mutex_);
      ++disk.syncs_;
      disk.changed_.wait(lock, [this] { return !disk.held_; });
      return file->sync();
    }
    Result<uint64_t> size() override { return file->size(); }
    SlowFiles& disk;
    std::unique_ptr<File> file;
  };
  Files& inner_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
  int syncs_ = 0;
};

Task<void> put_and_count(Store& store, std::string key, int& done) {
  Value value{"x"};
  const auto entry = co_await store.put(std::move(key), std::move(value), 0);
  EXPECT_TRUE(entry);
  ++done;
}
TEST_F(OnDisk, while_the_disk_is_slow_reads_go_on_and_writes_gather_in_one_batch) {
  SlowFiles slow(*disk_);
  open_over(slow);
  must_put("/a", "1");
  slow.hold();
  int done = 0;
  const auto write = [&](std::string key) {
    asio::co_spawn(loop_, put_and_count(*store_, std::move(key), done), [](std::exception_ptr) {});
  };
  write("/first");
  loop_.restart();
  loop_.poll();
  const int before = slow.syncs();
  for (int i = 0; i < 100; ++i) write(fmt::format("/{}", i));
  loop_.poll();
  EXPECT_EQ(done, 0);
  EXPECT_EQ(text_at("/a"), "1");
  EXPECT_EQ(text_at("/first"), "-") << "not visible before it is safe";
  slow.let_go();
  while (done < 101) loop_.run_one();
  EXPECT_EQ(text_at("/first"), "x");
  EXPECT_LE(slow.syncs() - before, 3);
  store_.reset();
}

// Random writers, a disk that dies at a random write, a power cut that keeps a random part of what
// was not synced.
struct Trial {
  struct Key {
    std::optional<std::string> sure = std::nullopt;  // acknowledged
    std::vector<std::optional<std::string>> maybe;   // attempted since, never acknowledged
  };
  std::map<std::string, Key> keys;
  Revision newest = 0;  // that anybody has seen
  uint64_t number = 0;
};

Task<Result<void>> write_randomly(Store& store, Random& random, Trial& trial, int id) {
  for (int i = 0; i < 12; ++i) {
    const std::string key = fmt::format("/{}/{}", id, random.below(4));
    const auto here = store.find(key);
    const Revision expected = here ? here->revision : 0;
    Trial::Key& known = trial.keys[key];
    if (expected != 0 && random.below(3) == 0) {
      Value last{"gone"};
      const auto removed = co_await store.remove(key, expected, std::move(last));
      if (removed) trial.newest = std::max(trial.newest, *removed);
      if (removed)
        known = Trial::Key{};
      else
        known.maybe.emplace_back(std::nullopt);
      continue;
    }
    const std::string text =
        fmt::format("{}{}", ++trial.number, std::string(random.below(9000), 'x'));
    Value value{text};
    const auto entry = co_await store.put(key, std::move(value), expected, Durability::durable);
    if (entry) trial.newest = std::max(trial.newest, (*entry)->revision);
    if (entry)
      known = Trial::Key{text, {}};
    else
      known.maybe.emplace_back(text);
    const std::string lease = fmt::format("/lease/{}", id);
    const auto old = store.find(lease);
    Value beat{text};
    const auto renewed =
        co_await store.put(lease, std::move(beat), old ? old->revision : 0, Durability::volatile_);
    if (renewed) trial.newest = std::max(trial.newest, (*renewed)->revision);
  }
  co_return Result<void>();
}

TEST_F(OnDisk, no_acknowledged_write_is_lost_and_no_revision_repeated_through_random_power_cuts) {
  for (uint64_t seed = 0; seed < 25; ++seed) {
    disk_ = make_fake_disk();
    ASSERT_TRUE(disk_->make_dirs("/data"));
    const auto random = make_seeded_random(seed);
    Trial trial;
    for (int life = 0; life < 6; ++life) {
      SCOPED_TRACE(fmt::format("seed {} life {}", seed, life));
      open();
      ASSERT_TRUE(store_);
      ASSERT_GE(store_->current(), trial.newest);
      for (auto& [key, known] : trial.keys) {
        const auto entry = store_->find(key);
        std::optional<std::string> now;
        if (entry) now = entry->value.view();
        ASSERT_TRUE(now == known.sure ||
                    std::find(known.maybe.begin(), known.maybe.end(), now) != known.maybe.end())
            << key;
        known = Trial::Key{now, {}};
      }
      disk_->fail_after(static_cast<int>(random->below(120)), EIO);
      TaskGroup group;
      for (int id = 0; id < 4; ++id)
        group.add("writer", write_randomly(*store_, *random, trial, id));
      auto run_group = [](TaskGroup& g) -> Task<Result<void>> { co_return co_await g.run(); };
      ASSERT_TRUE(run(run_group(group)));
      disk_->fail_after(0, EIO);
      store_.reset();
      disk_->work_again();
      disk_->crash_keeping_some(*random);
    }
  }
}

}  // namespace
}  // namespace kinglet::store

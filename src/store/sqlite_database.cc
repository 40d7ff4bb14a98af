#include "store/internal/sqlite_database.h"

#include <sqlite3.h>
#include <zlib.h>

#include "base/log.h"
#include "store/internal/sqlite_vfs.h"

namespace kinglet::store {
namespace {

constexpr int kApplicationId = 0x6b676c74;  // "kglt": tells our file from somebody else's database
constexpr int kSchemaVersion = 1;
constexpr uint64_t kPageBytes = 4096;
constexpr int kCacheKib = 512;       // we read from our own index; this is for the inner pages
constexpr int kLogPagesMax = 1000;   // 4 MB of log before it is moved into the database
constexpr int kFreePagesMin = 1024;  // fewer free pages are not worth the writes to give them back
constexpr int kVacuumPagesStep = 512;  // at once: other writes wait meanwhile

uint32_t checksum(Revision created, Revision revision, std::string_view key,
                  std::string_view value) {
  unsigned char numbers[16];
  for (int i = 0; i < 8; ++i) {
    numbers[i] = static_cast<unsigned char>(created >> (8 * i));
    numbers[8 + i] = static_cast<unsigned char>(revision >> (8 * i));
  }
  const auto add = [](uLong crc, const void* bytes, size_t size) {
    return crc32_z(crc, static_cast<const Bytef*>(bytes), size);
  };
  uLong crc = add(0, numbers, sizeof numbers);
  crc = add(crc, key.data(), key.size());
  crc = add(crc, "", 1);  // a border: a byte cannot move from key to value
  return static_cast<uint32_t>(add(crc, value.data(), value.size()));
}

struct CloseConnection {
  void operator()(sqlite3* db) const { sqlite3_close(db); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Connection = std::unique_ptr<sqlite3, CloseConnection>;
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

class Database final : public SqliteDatabase {
 public:
  Database(Files& files, std::string path, uint64_t size_bytes_max)
      : files_(files), path_(std::move(path)), size_bytes_max_(size_bytes_max), vfs_(files) {}
  ~Database() override {
    insert_.reset();
    erase_.reset();
    reserve_.reset();
    if (!db_) return;
    // Closing moves the log into the database and removes it, if the disk lets it.
    const int closed = sqlite3_close(db_.release());
    if (closed != SQLITE_OK) log_.warn("close", kv("error", sqlite3_errstr(closed)));
  }

  Result<void> open();
  Result<void> read_all(const std::function<void(const StoredRow&)>& take) override;
  Revision reserved() const override { return reserved_at_open_; }
  Result<void> commit(const Batch& batch) override;
  Result<void> tidy() override;
  bool needs_tidy() const override { return log_pages_ >= kLogPagesMax; }
  uint64_t size_bytes() override {
    return static_cast<uint64_t>(number("PRAGMA page_count").value_or(0)) * kPageBytes;
  }

 private:
  Error failure(const std::string& what) const {
    const int code = sqlite3_errcode(db_.get());
    const char* text = sqlite3_errmsg(db_.get());
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) return damaged(text);
    if (!vfs_.last_error().empty())
      return Error(Code::unavailable, "{}: {}", what, vfs_.last_error());
    if (code == SQLITE_FULL)
      return Error(Code::too_large, "{}: {} has reached its size limit of {} bytes", what, path_,
                   size_bytes_max_);
    return Error(Code::unavailable, "{} {}: {}", what, path_, text);
  }
  Error damaged(std::string_view why) const {
    return Error(Code::unavailable,
                 "the database {} is damaged ({}): move it away and restore a snapshot", path_,
                 why);
  }
  Result<void> run(const std::string& sql) {
    if (sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
      return failure(sql);
    return {};
  }
  Statement prepare(const char* sql) {
    sqlite3_stmt* statement = nullptr;
    sqlite3_prepare_v3(db_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    return Statement(statement);
  }
  std::optional<int64_t> number(const char* sql) {
    const Statement statement = prepare(sql);
    if (!statement || sqlite3_step(statement.get()) != SQLITE_ROW) return std::nullopt;
    return sqlite3_column_int64(statement.get(), 0);
  }
  Result<void> step(sqlite3_stmt* statement, const char* what) {
    const int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    if (code != SQLITE_DONE) return failure(what);
    return {};
  }
  Result<void> check_version();
  Result<void> check_integrity();
  Result<void> create_tables();
  Result<void> write_batch(const Batch& batch);

  Files& files_;
  std::string path_;
  uint64_t size_bytes_max_;
  std::unique_ptr<FileLock> lock_;
  SqliteVfs vfs_;
  Connection db_;
  Statement insert_, erase_, reserve_;
  Revision reserved_at_open_ = 0;
  int log_pages_ = 0;
  Log log_{"store"};
};

Result<void> Database::open() {
  auto lock = files_.lock(path_ + ".lock");
  if (lock.is(Code::unavailable))
    return Error(Code::unavailable,
                 "another kinglet is using {}: stop it, or choose another data directory", path_);
  if (!lock) return std::move(lock.error());
  lock_ = std::move(*lock);

  sqlite3* db = nullptr;
  const int opened = sqlite3_open_v2(
      path_.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
      vfs_.name());
  db_.reset(db);
  if (opened != SQLITE_OK) return failure("open " + path_);
  // Exclusive before anything is read: there is no shared memory for the log's index.
  KL_CHECK_FN(run("PRAGMA locking_mode=EXCLUSIVE"));
  KL_CHECK_FN(check_version());
  KL_CHECK_FN(run(fmt::format("PRAGMA page_size={}; PRAGMA auto_vacuum=INCREMENTAL", kPageBytes)));
  KL_CHECK_FN(run("PRAGMA journal_mode=WAL"));
  KL_CHECK_FN(
      run(fmt::format("PRAGMA synchronous=FULL; PRAGMA cache_size=-{}; PRAGMA temp_store=MEMORY;"
                      "PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit={};"
                      "PRAGMA max_page_count={}",
                      kCacheKib, kLogPagesMax * kPageBytes, size_bytes_max_ / kPageBytes)));
  KL_CHECK_FN(check_integrity());
  KL_CHECK_FN(create_tables());
  insert_ = prepare(
      "INSERT OR REPLACE INTO entry(created, revision, durable, checksum, key, value) "
      "VALUES(?,?,?,?,?,?)");
  erase_ = prepare("DELETE FROM entry WHERE created=?");
  reserve_ = prepare("UPDATE meta SET value=? WHERE name='reserved'");
  if (!insert_ || !erase_ || !reserve_) return failure("prepare");
  reserved_at_open_ =
      static_cast<Revision>(number("SELECT value FROM meta WHERE name='reserved'").value_or(0));
  return {};
}

Result<void> Database::check_version() {
  const auto version = number("PRAGMA user_version");
  if (!version) return failure("open " + path_);
  const int64_t application = number("PRAGMA application_id").value_or(0);
  const bool empty = number("SELECT count(*) FROM sqlite_schema").value_or(0) == 0;
  if (empty && *version == 0) return {};
  if (application != kApplicationId)
    return Error(Code::invalid, "{} is not a database of kinglet", path_);
  if (*version > kSchemaVersion)
    return Error(Code::invalid,
                 "{} was written by a newer kinglet (schema {}, this one knows {}): use that one",
                 path_, *version, kSchemaVersion);
  return {};
}

Result<void> Database::check_integrity() {
  const Statement check = prepare("PRAGMA quick_check(1)");
  if (!check || sqlite3_step(check.get()) != SQLITE_ROW) return failure("check " + path_);
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(check.get(), 0));
  if (text == nullptr || std::string_view(text) != "ok") return damaged(text ? text : "no memory");
  return {};
}

Result<void> Database::create_tables() {
  if (number("PRAGMA user_version").value_or(0) == kSchemaVersion) return {};
  return run(
      fmt::format("BEGIN IMMEDIATE;"
                  "CREATE TABLE entry(created INTEGER PRIMARY KEY, revision INTEGER NOT NULL,"
                  " durable INTEGER NOT NULL, checksum INTEGER NOT NULL, key BLOB NOT NULL, value "
                  "BLOB NOT NULL);"
                  "CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
                  "INSERT INTO meta VALUES('reserved', 0);"
                  "PRAGMA application_id={}; PRAGMA user_version={};"
                  "COMMIT",
                  kApplicationId, kSchemaVersion));
}

Result<void> Database::read_all(const std::function<void(const StoredRow&)>& take) {
  const Statement rows =
      prepare("SELECT created, revision, durable, checksum, key, value FROM entry");
  if (!rows) return failure("read " + path_);
  const auto blob = [&](int column) {
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(rows.get(), column));
    return std::string_view(bytes ? bytes : "",
                            static_cast<size_t>(sqlite3_column_bytes(rows.get(), column)));
  };
  int code = SQLITE_ROW;
  while ((code = sqlite3_step(rows.get())) == SQLITE_ROW) {
    StoredRow row;
    row.created = static_cast<Revision>(sqlite3_column_int64(rows.get(), 0));
    row.revision = static_cast<Revision>(sqlite3_column_int64(rows.get(), 1));
    row.durability =
        sqlite3_column_int(rows.get(), 2) != 0 ? Durability::durable : Durability::volatile_;
    row.key = blob(4);
    row.value = blob(5);
    const auto stored = static_cast<uint32_t>(sqlite3_column_int64(rows.get(), 3));
    if (checksum(row.created, row.revision, row.key, row.value) != stored)
      return damaged(fmt::format("row {} does not match its checksum", row.created));
    take(row);
  }
  if (code != SQLITE_DONE) return failure("read " + path_);
  return {};
}

Result<void> Database::commit(const Batch& batch) {
  vfs_.forget_error();
  KL_CHECK_FN(run("BEGIN IMMEDIATE"));
  auto written = write_batch(batch);
  if (written) written = run("COMMIT");
  if (!written && sqlite3_get_autocommit(db_.get()) == 0)
    sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  if (!written) return written;
  // The log cannot be asked for its length without work; one page per row and a few more are near
  // enough.
  for (const auto& row : batch.rows)
    log_pages_ += 1 + static_cast<int>((row.entry ? row.entry->value.size() : 0) / kPageBytes);
  log_pages_ += 2;
  return {};
}

Result<void> Database::write_batch(const Batch& batch) {
  for (const auto& row : batch.rows) {
    if (!row.entry) {
      sqlite3_bind_int64(erase_.get(), 1, static_cast<sqlite3_int64>(row.created));
      KL_CHECK_FN(step(erase_.get(), "remove"));
      continue;
    }
    const std::string& key = row.entry->key;
    const std::string_view value = row.entry->value.view();
    sqlite3_stmt* s = insert_.get();
    sqlite3_bind_int64(s, 1, static_cast<sqlite3_int64>(row.created));
    sqlite3_bind_int64(s, 2, static_cast<sqlite3_int64>(row.entry->revision));
    sqlite3_bind_int(s, 3, row.durability == Durability::durable ? 1 : 0);
    sqlite3_bind_int64(s, 4, checksum(row.created, row.entry->revision, key, value));
    sqlite3_bind_blob64(s, 5, key.data(), key.size(), SQLITE_STATIC);
    // A null pointer would be NULL, which the column refuses.
    sqlite3_bind_blob64(s, 6, value.empty() ? "" : value.data(), value.size(), SQLITE_STATIC);
    KL_CHECK_FN(step(s, "write"));
  }
  if (batch.reserve == 0) return {};
  sqlite3_bind_int64(reserve_.get(), 1, static_cast<sqlite3_int64>(batch.reserve));
  return step(reserve_.get(), "reserve revisions");
}

Result<void> Database::tidy() {
  vfs_.forget_error();
  if (needs_tidy()) {
    if (sqlite3_wal_checkpoint_v2(db_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr,
                                  nullptr) != SQLITE_OK)
      return failure("checkpoint");
    log_pages_ = 0;
  }
  const int64_t free = number("PRAGMA freelist_count").value_or(0);
  const int64_t all = number("PRAGMA page_count").value_or(0);
  if (free > kFreePagesMin && free > all / 4) {
    KL_CHECK_FN(run(fmt::format("PRAGMA incremental_vacuum({})", kVacuumPagesStep)));
    log_pages_ += kVacuumPagesStep;
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<SqliteDatabase>> open_database(Files& files, const std::string& path,
                                                      uint64_t size_bytes_max) {
  auto database = std::make_unique<Database>(files, path, size_bytes_max);
  KL_CHECK_FN(database->open());
  return std::unique_ptr<SqliteDatabase>(std::move(database));
}

}  // namespace kinglet::store

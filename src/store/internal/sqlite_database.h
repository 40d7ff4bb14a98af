// SqliteDatabase: the rows on disk. Blocking; one thread at a time, but not always the same one.
// Layout: docs/formats.md, "state.db".
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/files.h"
#include "store/store.h"

namespace kinglet::store {

// A row is one life of a key: it is numbered by the revision that created the key.
struct RowChange {
  Revision created = 0;
  EntryRef entry;  // null: the row goes
  Durability durability = Durability::durable;
};

struct Batch {
  std::vector<RowChange> rows;
  Revision reserve = 0;  // all revisions up to here may be used without another write; 0: as it was
};

struct StoredRow {
  std::string_view key, value;
  Revision created = 0, revision = 0;
  Durability durability = Durability::durable;
};

class SqliteDatabase {
 public:
  virtual ~SqliteDatabase() = default;
  // All rows; each is checked against its checksum. Errors: unavailable (damaged).
  virtual Result<void> read_all(const std::function<void(const StoredRow&)>& take) = 0;
  virtual Revision reserved() const = 0;  // as it was when the database was opened

  // All or nothing, and synced. Errors: unavailable (the disk), too_large (the size limit is
  // reached: parts of the batch may still succeed).
  virtual Result<void> commit(const Batch& batch) = 0;
  // Moves the log into the database when it is long, gives free pages back when they are many.
  virtual Result<void> tidy() = 0;
  virtual bool needs_tidy() const = 0;
  virtual uint64_t size_bytes() = 0;
};

// Locks, checks, and creates what is not there. Errors: unavailable (in use; damaged), invalid
// (newer).
Result<std::unique_ptr<SqliteDatabase>> open_database(Files& files, const std::string& path,
                                                      uint64_t size_bytes_max);

}  // namespace kinglet::store

// SqliteVfs: SQLite's view of the file system, over Files, so that tests can cut the power under
// it. For a database that one process owns: locks are not taken here, and there is no shared memory
// (WAL works because the connection is in exclusive locking mode).
#pragma once
#include <sqlite3.h>

#include <string>

#include "base/files.h"

namespace kinglet::store {

class SqliteVfs {
 public:
  explicit SqliteVfs(Files& files);  // registers itself; `files` outlives it
  ~SqliteVfs();
  SqliteVfs(const SqliteVfs&) = delete;
  SqliteVfs& operator=(const SqliteVfs&) = delete;

  const char* name() const { return name_.c_str(); }
  // What Files last refused: SQLite's own code ("disk I/O error") does not say why.
  const std::string& last_error() const { return last_error_; }
  void forget_error() { last_error_.clear(); }

 private:
  struct Calls;
  Files& files_;
  std::string name_;
  std::string last_error_;
  sqlite3_vfs vfs_{};
};

}  // namespace kinglet::store

#include "store/internal/sqlite_vfs.h"

#include <atomic>
#include <cstring>

namespace kinglet::store {
namespace {
std::string parent_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}
}  // namespace

// SQLite's C callbacks. Source: sqlite.org/vfs.html and the comments of sqlite3.h.
struct SqliteVfs::Calls {
  struct Open {
    sqlite3_file base;  // first: SQLite casts
    SqliteVfs* vfs;
    File* file;
    std::string* path;
    bool sync_name;  // the file is new: its name must become as safe as its bytes
    bool delete_on_close;
  };
  static SqliteVfs& self(sqlite3_vfs* vfs) { return *static_cast<SqliteVfs*>(vfs->pAppData); }
  static Open& as_open(sqlite3_file* file) { return *reinterpret_cast<Open*>(file); }

  template <class R>
  static int code(SqliteVfs& self, const R& result, int failure) {
    if (result) return SQLITE_OK;
    self.last_error_ = result.error().message();
    return failure;
  }

  static int close(sqlite3_file* f) {
    Open& open = as_open(f);
    delete open.file;
    if (open.delete_on_close) (void)open.vfs->files_.remove(*open.path);
    delete open.path;
    return SQLITE_OK;
  }
  static int read(sqlite3_file* f, void* out, int amount, sqlite3_int64 offset) {
    Open& open = as_open(f);
    const auto size = static_cast<size_t>(amount);
    char* const to = static_cast<char*>(out);
    const auto got = open.file->read_at(static_cast<uint64_t>(offset), std::span(to, size));
    if (!got) return code(*open.vfs, got, SQLITE_IOERR_READ);
    if (*got == size) return SQLITE_OK;
    std::memset(to + *got, 0, size - *got);
    return SQLITE_IOERR_SHORT_READ;
  }
  static int write(sqlite3_file* f, const void* bytes, int amount, sqlite3_int64 offset) {
    Open& open = as_open(f);
    const std::string_view text(static_cast<const char*>(bytes), static_cast<size_t>(amount));
    return code(*open.vfs, open.file->write_at(static_cast<uint64_t>(offset), text),
                SQLITE_IOERR_WRITE);
  }
  static int truncate(sqlite3_file* f, sqlite3_int64 size) {
    Open& open = as_open(f);
    return code(*open.vfs, open.file->truncate(static_cast<uint64_t>(size)), SQLITE_IOERR_TRUNCATE);
  }
  static int sync(sqlite3_file* f, int) {
    Open& open = as_open(f);
    const int synced = code(*open.vfs, open.file->sync(), SQLITE_IOERR_FSYNC);
    if (synced != SQLITE_OK || !open.sync_name) return synced;
    const auto named = open.vfs->files_.sync_dir(parent_of(*open.path));
    if (named) open.sync_name = false;
    return code(*open.vfs, named, SQLITE_IOERR_DIR_FSYNC);
  }
  static int file_size(sqlite3_file* f, sqlite3_int64* size) {
    Open& open = as_open(f);
    const auto now = open.file->size();
    if (now) *size = static_cast<sqlite3_int64>(*now);
    return code(*open.vfs, now, SQLITE_IOERR_FSTAT);
  }
  static int lock(sqlite3_file*, int) { return SQLITE_OK; }
  static int check_reserved_lock(sqlite3_file*, int* held) {
    *held = 0;
    return SQLITE_OK;
  }
  static int file_control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
  static int sector_size(sqlite3_file*) { return 4096; }
  // As SQLite's own Unix VFS assumes: a torn write does not hurt the bytes beside it.
  static int device_characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* f, int flags, int* flags_out) {
    SqliteVfs& me = self(vfs);
    f->pMethods = nullptr;
    if (name == nullptr) return SQLITE_CANTOPEN;  // temporary files: they are kept in memory
    const OpenMode mode = (flags & SQLITE_OPEN_CREATE) != 0      ? OpenMode::create
                          : (flags & SQLITE_OPEN_READWRITE) != 0 ? OpenMode::read_write
                                                                 : OpenMode::read;
    const bool is_new = !me.files_.exists(name);
    auto file = me.files_.open(name, mode);
    if (!file) return code(me, file, SQLITE_CANTOPEN);
    Open& open = as_open(f);
    open.vfs = &me;
    open.file = file->release();
    open.path = new std::string(name);
    open.sync_name = is_new;
    open.delete_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
    f->pMethods = methods();
    if (flags_out != nullptr) *flags_out = flags;
    return SQLITE_OK;
  }
  static int remove(sqlite3_vfs* vfs, const char* name, int sync_dir) {
    SqliteVfs& me = self(vfs);
    const auto removed = me.files_.remove(name);
    if (removed.is(Code::not_found)) return SQLITE_IOERR_DELETE_NOENT;
    if (!removed) return code(me, removed, SQLITE_IOERR_DELETE);
    if (sync_dir == 0) return SQLITE_OK;
    return code(me, me.files_.sync_dir(parent_of(name)), SQLITE_IOERR_DIR_FSYNC);
  }
  static int access(sqlite3_vfs* vfs, const char* name, int, int* out) {
    *out = self(vfs).files_.exists(name) ? 1 : 0;
    return SQLITE_OK;
  }
  static int full_path(sqlite3_vfs*, const char* name, int size, char* out) {
    sqlite3_snprintf(size, out, "%s", name);
    return SQLITE_OK;
  }
  static int randomness(sqlite3_vfs*, int size, char* out) {
    sqlite3_vfs* os = sqlite3_vfs_find(nullptr);
    return os->xRandomness(os, size, out);
  }
  static int sleep(sqlite3_vfs*, int micros) {
    sqlite3_vfs* os = sqlite3_vfs_find(nullptr);
    return os->xSleep(os, micros);
  }
  static int current_time(sqlite3_vfs*, sqlite3_int64* out) {
    sqlite3_vfs* os = sqlite3_vfs_find(nullptr);
    return os->xCurrentTimeInt64(os, out);
  }
  static int current_time_old(sqlite3_vfs*, double* out) {
    sqlite3_vfs* os = sqlite3_vfs_find(nullptr);
    return os->xCurrentTime(os, out);
  }
  static int no_error(sqlite3_vfs*, int, char*) { return 0; }

  static const sqlite3_io_methods* methods() {
    static const sqlite3_io_methods table = [] {
      sqlite3_io_methods m{};
      m.iVersion = 1;
      m.xClose = close;
      m.xRead = read;
      m.xWrite = write;
      m.xTruncate = truncate;
      m.xSync = sync;
      m.xFileSize = file_size;
      m.xLock = lock;
      m.xUnlock = lock;
      m.xCheckReservedLock = check_reserved_lock;
      m.xFileControl = file_control;
      m.xSectorSize = sector_size;
      m.xDeviceCharacteristics = device_characteristics;
      return m;
    }();
    return &table;
  }
};

SqliteVfs::SqliteVfs(Files& files) : files_(files) {
  static std::atomic<uint32_t> number{0};
  name_ = fmt::format("kinglet-{}", number.fetch_add(1));
  vfs_.iVersion = 2;
  vfs_.szOsFile = sizeof(Calls::Open);
  vfs_.mxPathname = 1024;
  vfs_.zName = name_.c_str();
  vfs_.pAppData = this;
  vfs_.xOpen = Calls::open;
  vfs_.xDelete = Calls::remove;
  vfs_.xAccess = Calls::access;
  vfs_.xFullPathname = Calls::full_path;
  vfs_.xRandomness = Calls::randomness;
  vfs_.xSleep = Calls::sleep;
  vfs_.xCurrentTime = Calls::current_time_old;
  vfs_.xCurrentTimeInt64 = Calls::current_time;
  vfs_.xGetLastError = Calls::no_error;
  KL_ASSERT(sqlite3_vfs_register(&vfs_, 0) == SQLITE_OK, "SQLite refuses its file system");
}

SqliteVfs::~SqliteVfs() { sqlite3_vfs_unregister(&vfs_); }

}  // namespace kinglet::store

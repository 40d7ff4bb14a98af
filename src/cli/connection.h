// How a command reaches the server that runs on a data directory, or finds that none runs.
#pragma once
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/files.h"
#include "base/result.h"
#include "client/http_api.h"

namespace kinglet::cli {

// Held by whoever works on a data directory: one server, or one command while no server runs.
class DataDirLock {
 public:
  // Errors: conflict (somebody else has it: names the process), io.
  static Result<DataDirLock> take(const std::string& data_dir);
  DataDirLock(DataDirLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  DataDirLock& operator=(DataDirLock&&) = delete;
  ~DataDirLock();

 private:
  explicit DataDirLock(int fd) : fd_(fd) {}
  int fd_;
};

// The administrator's kubeconfig that a server leaves in its data directory.
std::string admin_kubeconfig_path(const std::string& data_dir);

// Where the server of this data directory answers, and with which credentials.
// Errors: not_found (never started here), io, invalid (a damaged kubeconfig).
Result<client::HttpApiOptions> admin_connection(Files& files, const std::string& data_dir);

// Runs one task on a loop of its own until it ends.
template <class T>
T run_to_end(Task<T> task);

}  // namespace kinglet::cli

#include "cli/internal/run_to_end.h"

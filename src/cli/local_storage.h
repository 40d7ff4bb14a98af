// What controllers need of this machine: its time zones, and the folders of its local-path volumes.
#pragma once
#include <memory>
#include <string>

#include "base/result.h"
#include "base/task_fwd.h"

namespace kinglet {
class Worker;
}

namespace kinglet::cli {

// The file of a time zone below /usr/share/zoneinfo. `name` has been checked (controllers' is_zone_name). Errors: io.
Result<std::string> read_time_zone(const std::string& name);

class LocalStorage {
 public:
  // `node`: this machine's name; empty: it is no node.
  LocalStorage(std::string node, std::string dir);
  ~LocalStorage();
  // Removes a folder of this machine's, on a thread that exists only once this was called. Errors: unavailable (it is
  // on another node), invalid, io.
  Task<Result<void>> remove(std::string node, std::string path);

 private:
  std::string node_, dir_;
  std::unique_ptr<Worker> worker_;
};

}  // namespace kinglet::cli

// Where the cluster's servers are, as far as this agent knows: those it was given, and every one
// that was ever heard of. Kept in a file, so that an agent finds its cluster again after the given
// address is gone.
#pragma once
#include <string>
#include <vector>

#include "base/files.h"

namespace kinglet::tunnel {

class ServerList {
 public:
  // `given` stay for ever; `path` holds the rest. A file that cannot be read counts as empty: the
  // given ones remain.
  ServerList(Files& files, std::string path, std::vector<std::string> given);

  // In the order to try them: where it worked last, then the given ones, then the others, newest
  // first.
  std::vector<std::string> in_order() const;
  // This one worked.
  void worked(const std::string& url);
  // The cluster says that its servers are there.
  void learned(const std::vector<std::string>& urls);

 private:
  void save() const;

  Files& files_;
  std::string path_;
  std::vector<std::string> given_, known_;  // known_: newest first
  std::string last_;
};

}  // namespace kinglet::tunnel

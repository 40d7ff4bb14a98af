// Watchers: hands each event to the watches whose prefix its key has. An event is one object,
// whoever waits for it.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "store/store.h"

namespace kinglet::store {

using EventRef = std::shared_ptr<const Event>;

class Watchers {
 public:
  Watchers();
  ~Watchers();  // open watches end with `unavailable`
  Watchers(const Watchers&) = delete;
  Watchers& operator=(const Watchers&) = delete;

  // `backlog`: what the watch shall see first, already chosen by prefix and revision.
  std::unique_ptr<Watch> add(std::string prefix, Revision after, std::vector<EventRef> backlog);
  void deliver(const EventRef& event);
  size_t size() const;

 private:
  struct Registry;
  class Handle;
  std::shared_ptr<Registry> registry_;
};

}  // namespace kinglet::store

// Reflector: keeps a sink in step with one resource: a paged list, then a watch, again and again.
//
// A watch that ends is resumed from the last revision; one whose history is gone (expired) starts over with a list.
// Pauses between failures grow and are jittered. Nothing runs while the watch is silent.
#pragma once
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/task_fwd.h"
#include "client/api.h"

namespace kinglet::client {

// Called on the loop between two co_awaits; must not block.
class ReflectorSink {
 public:
  virtual ~ReflectorSink() = default;
  // A list: begin, every object, end. Objects not named between begin and end are gone. A list that fails half way
  // begins again.
  virtual void list_begin() = 0;
  virtual void list_item(const Bytes& object) = 0;
  virtual void list_end(uint64_t revision) = 0;
  virtual void event(const WatchEvent& event) = 0;  // bookmarks included
};

struct ReflectorOptions {
  const schema::Resource* resource = nullptr;
  std::string ns, label_selector, field_selector;
};

class Reflector {
 public:
  // All references outlive the reflector.
  Reflector(Api& api, Clock& clock, Random& random, ReflectorSink& sink, ReflectorOptions options);
  Task<void> run();  // until cancelled

 private:
  Task<Result<uint64_t>> list_all();
  Task<void> follow(uint64_t revision);  // returns when a list is needed
  Task<Result<void>> watch_from(uint64_t& revision, bool& progressed);

  Api& api_;
  Clock& clock_;
  Random& random_;
  ReflectorSink& sink_;
  ReflectorOptions options_;
  Log log_{"reflector"};
};

}  // namespace kinglet::client

// EventRecorder: tells people what happened, as Event objects, without ever holding up who tells.
//
// event() only queues; run() writes. The same event again becomes a higher count on the first one; many similar ones
// (all but the message the same) become one "(combined from similar events): ..."; an object that chatters is cut off
// until its budget refills. What does not fit in the queue is dropped and counted.
// Source: client-go's EventCorrelator: 10 similar in 10 minutes; 25 per source and object, one more each 5 minutes.
#pragma once
#include <deque>
#include <map>
#include <string>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/signal.h"
#include "client/api.h"
#include "client/object.h"

namespace kinglet::client {

enum class EventType : uint8_t { normal, warning };

class EventRecorder {
 public:
  // `component` is source.component ("kubelet"), `host` source.host ("" for what is not a node).
  EventRecorder(Api& api, Clock& clock, Random& random, Metrics& metrics, std::string component, std::string host = {});

  // `as`: another component than the recorder's own, for the many controllers that share one.
  void event(const ObjectReference& about, EventType type, std::string reason, std::string message, std::string as = {});
  Task<void> run();  // until cancelled; what is queued then is lost

  static constexpr size_t kQueuedMax = 1000;
  static constexpr size_t kRememberedMax = 1024;  // events and objects that aggregation remembers

 private:
  struct Told {
    ObjectReference about;
    EventType type;
    std::string reason, message, component;
    WallTime when;
  };
  struct Written {  // an Event object that a repetition adds to
    std::string ns, name;
    int count = 0;
    TimePoint last{};
  };
  struct Similar {
    std::map<std::string, int> messages;
    TimePoint since{};
  };
  struct Budget {
    double tokens = 0;
    TimePoint refilled{};
  };

  bool within_budget(const Told& told);
  // The key under which repetitions are counted; rewrites the message of combined events.
  std::string correlate(Told& told);
  Task<Result<void>> write(Told told);
  Task<Result<void>> create(Told told, std::string key);
  json::Value object_of(const Told& told, const std::string& name) const;
  template <class T>
  void bound(std::map<std::string, T>& remembered);

  Api& api_;
  Clock& clock_;
  Random& random_;
  std::string component_, host_;
  std::deque<Told> queue_;
  Signal queued_;
  std::map<std::string, Written> written_;
  std::map<std::string, Similar> similar_;
  std::map<std::string, Budget> budgets_;
  Counter& dropped_;
};

}  // namespace kinglet::client

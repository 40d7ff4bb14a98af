// The scheduler: gives every pod without a node the best node that takes it.
//
// One pod at a time is decided over a snapshot that already counts the pods whose binding is still being written; the
// writes overlap. What fits nowhere waits until an event could help it. The caller runs `informers` (after this call).
#pragma once
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/result.h"
#include "base/task_fwd.h"
#include "client/api.h"

namespace kinglet::client {
class Informers;
}

namespace kinglet::scheduler {

struct Options {
  std::string name = "default-scheduler";  // pods that ask for another one are left alone
};

class Scheduler {
 public:
  virtual ~Scheduler() = default;
  virtual Task<Result<void>> run() = 0;  // until cancelled
  // No pod waits to be tried or is being bound.
  virtual bool idle() const = 0;
};
// All references outlive the result.
std::unique_ptr<Scheduler> make_scheduler(client::Api& api, Clock& clock, Random& random, Metrics& metrics,
                                          client::Informers& informers, Options options = {});

}  // namespace kinglet::scheduler

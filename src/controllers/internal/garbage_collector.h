// The garbage collector: deletes what no owner holds any more, in the background, in the foreground, or sets it free.
#pragma once
#include "controllers/internal/owner_graph.h"
#include "controllers/internal/parts.h"

namespace kinglet::controllers {

class GarbageCollector {
 public:
  virtual ~GarbageCollector() = default;
  virtual Task<Result<void>> run() = 0;
  virtual bool idle() const = 0;
};
std::unique_ptr<GarbageCollector> make_garbage_collector(const Deps& deps);

}  // namespace kinglet::controllers

// Runs several writes at once, so that the store can commit them together.
#pragma once
#include <functional>
#include <vector>

#include "base/result.h"
#include "base/task_fwd.h"

namespace kinglet::controllers {

// Tasks [0, count) made by `make`, in batches of 1, 2, 4, ... up to kBatchMax: a wish that the server refuses is then
// refused once and not hundreds of times. Stops after a batch with an error and returns its first one.
using MakeTask = std::function<Task<Result<void>>(int index)>;
constexpr int kBatchMax = 64;
Task<Result<void>> slow_start(int count, MakeTask make);
// All of them, kBatchMax at a time; returns the first error after having tried all.
Task<Result<void>> all(int count, MakeTask make);

}  // namespace kinglet::controllers

#include "controllers/internal/batch.h"

#include "base/task.h"
#include "base/task_group.h"

namespace kinglet::controllers {
namespace {
Task<void> keep_first_error(Task<Result<void>> task, std::optional<Error>& first) {
  auto result = co_await std::move(task);
  if (!result && !first) first = std::move(result.error());
}

Task<Result<void>> batch(int begin, int end, const MakeTask& make) {
  if (end - begin == 1) co_return co_await make(begin);
  std::optional<Error> first;
  TaskGroup group;
  for (int i = begin; i < end; ++i) group.add("batch", keep_first_error(make(i), first));
  const auto ran = co_await group.run();
  if (!ran) co_return ran.error();
  if (first) co_return std::move(*first);
  co_return Result<void>();
}
}  // namespace

Task<Result<void>> slow_start(int count, MakeTask make) {
  int size = 1;
  for (int begin = 0; begin < count;) {
    const int end = std::min(count, begin + size);
    KL_CHECK(co_await batch(begin, end, make));
    begin = end;
    size = std::min(size * 2, kBatchMax);
  }
  co_return Result<void>();
}

Task<Result<void>> all(int count, MakeTask make) {
  std::optional<Error> first;
  for (int begin = 0; begin < count; begin += kBatchMax) {
    auto result = co_await batch(begin, std::min(count, begin + kBatchMax), make);
    if (!result && !first) first = std::move(result.error());
  }
  if (first) co_return std::move(*first);
  co_return Result<void>();
}

}  // namespace kinglet::controllers

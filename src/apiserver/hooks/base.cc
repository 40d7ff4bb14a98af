// What a kind without a special need does: nothing.
#include "apiserver/hooks.h"
#include "base/task.h"

namespace kinglet::apiserver {

void KindHooks::prepare(const WriteContext&, json::Value&, const json::Value*) const {}
void KindHooks::validate(const WriteContext&, const json::Value&, const json::Value*,
                         std::vector<Cause>&) const {}
Result<void> KindHooks::allocate(const WriteContext&, json::Value&, const json::Value*) {
  return {};
}
void KindHooks::release(const json::Value&, const json::Value*) {}
void KindHooks::restore(const Reader&) {}

Task<Result<void>> AdmissionPlugin::mutate(const WriteContext&, json::Value*, const json::Value*) {
  co_return Result<void>();
}
Task<Result<void>> AdmissionPlugin::validate(const WriteContext&, const json::Value*,
                                             const json::Value*) {
  co_return Result<void>();
}

}  // namespace kinglet::apiserver

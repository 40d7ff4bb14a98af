#include "client/reflector.h"

#include "base/task.h"
#include "client/backoff.h"

namespace kinglet::client {
namespace {
constexpr Duration kFirstPause = 100ms;
constexpr Duration kPauseMax = 30s;
// Bounds what a remote list holds in memory at once.
constexpr size_t kPageObjects = 500;
}  // namespace

Reflector::Reflector(Api& api, Clock& clock, Random& random, ReflectorSink& sink,
                     ReflectorOptions options)
    : api_(api), clock_(clock), random_(random), sink_(sink), options_(std::move(options)) {}

Task<void> Reflector::run() {
  Backoff backoff(random_, kFirstPause, kPauseMax);
  for (;;) {
    const auto listed = co_await list_all();
    if (listed) {
      backoff.reset();
      co_await follow(*listed);
      // The history is gone: everybody who watches this server lists again now. Spread them.
      co_await clock_.sleep(Backoff::jittered(random_, kFirstPause));
      continue;
    }
    const auto pause = backoff.next();
    log_.debug("list failed", kv("resource", options_.resource->plural), kv("error", listed.error()));
    co_await clock_.sleep(pause);
  }
}

Task<Result<uint64_t>> Reflector::list_all() {
  ListOptions options{.label_selector = options_.label_selector,
                      .field_selector = options_.field_selector,
                      .limit = kPageObjects};
  sink_.list_begin();
  for (;;) {
    auto listing = api_.list(*options_.resource, options_.ns, options);
    KL_TRY(page, co_await std::move(listing));
    for (const auto& item : page.items) sink_.list_item(item);
    options.continue_token = page.continue_token;
    if (options.continue_token.empty()) {
      sink_.list_end(page.revision);
      co_return page.revision;
    }
  }
}

Task<void> Reflector::follow(uint64_t revision) {
  Backoff backoff(random_, kFirstPause, kPauseMax);
  for (;;) {
    bool progressed = false;
    const auto ended = co_await watch_from(revision, progressed);
    if (ended.is(Code::expired)) co_return;
    if (progressed) backoff.reset();
    const auto pause = backoff.next();
    co_await clock_.sleep(pause);
  }
}

Task<Result<void>> Reflector::watch_from(uint64_t& revision, bool& progressed) {
  const ListOptions options{.label_selector = options_.label_selector,
                            .field_selector = options_.field_selector,
                            .revision = revision};
  auto watching = api_.watch(*options_.resource, options_.ns, options);
  KL_TRY(watch, co_await std::move(watching));
  for (;;) {
    KL_TRY(event, co_await watch->next());
    progressed = true;
    revision = std::max(revision, event.revision);
    sink_.event(event);
  }
}

}  // namespace kinglet::client

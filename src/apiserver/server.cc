#include "apiserver/server.h"

#include "apiserver/internal/request_metrics.h"
#include "apiserver/internal/resource_handler.h"
#include "apiserver/internal/tracked_exchange.h"
#include "base/log.h"

namespace kinglet::apiserver {
namespace {

// Counts a request from its arrival to whatever end it takes, cancellation included.
class Measured {
 public:
  Measured(RequestMetrics& metrics, Clock& clock, const RequestInfo& info,
           const TrackedExchange& exchange)
      : metrics_(metrics), clock_(clock), info_(info), exchange_(exchange), begun_(clock.now()) {
    metrics_.begin(info_);
  }
  ~Measured() { metrics_.end(info_, exchange_.status(), clock_.now() - begun_); }
  Measured(const Measured&) = delete;
  Measured& operator=(const Measured&) = delete;

 private:
  RequestMetrics& metrics_;
  Clock& clock_;
  const RequestInfo& info_;
  const TrackedExchange& exchange_;
  TimePoint begun_;
};

class ApiHandler final : public net::Handler {
 public:
  explicit ApiHandler(ServerParts parts)
      : parts_(std::move(parts)),
        metrics_(parts_.metrics),
        audit_prefix_(parts_.random.uuid().substr(0, 24)) {}

  Task<void> serve(net::Exchange& raw) override {
    TrackedExchange exchange(raw, audit_id(raw.request()));
    const RequestInfo info = request_info(raw.request());
    const Measured measured(metrics_, parts_.clock, info, exchange);
    auto done = co_await answer(exchange, info);
    if (!done && !exchange.started()) co_await respond_error(exchange, done.error());
    if (!done && exchange.started())
      log_.debug("answer broken off", kv("path", info.path), kv("error", done.error()));
  }

 private:
  std::string audit_id(const net::Request& request) {
    const auto* given = request.headers.find("audit-id");
    constexpr size_t kAuditIdMax = 64;
    if (given && !given->empty() && given->size() <= kAuditIdMax) return *given;
    // One random UUID for the process, counted up: unique, and no system call for each request.
    return fmt::format("{}{:012x}", audit_prefix_, ++requests_ & 0xffff'ffff'ffff);
  }

  Task<Result<void>> answer(net::Exchange& exchange, const RequestInfo& info) {
    auto user = co_await parts_.authenticator.authenticate(exchange.request());
    if (!user) co_return std::move(user.error());
    const auto attributes = info.attributes();
    const auto decision = parts_.authorizer.authorize(*user, attributes);
    if (!decision.allowed) co_return forbidden(*user, attributes, decision.reason);
    for (const auto& extension : parts_.extensions) {
      if (!extension->serves(info)) continue;
      co_await extension->serve(exchange, info, *user);
      co_return Result<void>();
    }
    if (!info.is_resource || !info.resource)
      co_return co_await net::respond_text(exchange, 404, "404 page not found\n");
    const Serving serving{parts_.registry, parts_.clock, parts_.random};
    co_return co_await serve_resource(serving, exchange, info, *user);
  }

  ServerParts parts_;
  RequestMetrics metrics_;
  std::string audit_prefix_;  // a UUID without its last group
  uint64_t requests_ = 0;
  Log log_{"apiserver"};
};

}  // namespace

std::unique_ptr<net::Handler> make_handler(ServerParts parts) {
  return std::make_unique<ApiHandler>(std::move(parts));
}

}  // namespace kinglet::apiserver

#include "node/internal/hooks.h"

#include "base/deadline.h"
#include "base/task.h"
#include "net/client.h"
#include "node/probe.h"

namespace kinglet::node {
namespace {
constexpr size_t kOutputShownMax = 500;
constexpr size_t kBodyBytesMax = 10 << 10;

Task<Result<void>> exec_hook(const PodParts& parts, std::string id,
                             std::vector<std::string> command, Duration limit) {
  auto running = parts.runtime.exec_sync(std::move(id), command, limit);
  const auto ended = co_await std::move(running);
  if (!ended) co_return ended.error();
  if (ended->code == 0) co_return Result<void>();
  co_return Error(Code::unavailable, "command exited with {}: {}{}", ended->code,
                  ended->out.substr(0, kOutputShownMax), ended->err.substr(0, kOutputShownMax));
}

Task<Result<void>> http_hook(const PodParts& parts, api::Container container,
                             api::HTTPGetAction action, std::string ip, Duration limit) {
  const int port = port_of(action.port, container);
  if (port == 0) co_return Error(Code::invalid, "the handler's port is not one of the container's");
  net::ClientRequest request = http_get_request(action, port, ip);
  request.timeout = limit;
  request.body_bytes_max = kBodyBytesMax;
  auto asking = net::fetch(parts.clock, std::move(request));
  const auto answer = co_await std::move(asking);
  // A long answer is an answer.
  if (!answer && !answer.is(Code::too_large)) co_return answer.error();
  co_return Result<void>();
}

Task<Result<void>> sleep_hook(Clock& clock, Duration wanted, Duration limit) {
  co_await clock.sleep(std::min(wanted, limit));
  co_return Result<void>();
}
}  // namespace

Task<Result<void>> run_hook(const PodParts& parts, std::string container_id,
                            api::Container container, api::LifecycleHandler handler,
                            std::string pod_ip, Duration limit) {
  if (handler.exec) {
    auto running = exec_hook(parts, std::move(container_id), handler.exec->command, limit);
    co_return co_await std::move(running);
  }
  if (handler.httpGet) {
    auto asking =
        http_hook(parts, std::move(container), *handler.httpGet, std::move(pod_ip), limit);
    co_return co_await std::move(asking);
  }
  if (handler.sleep) {
    auto sleeping = sleep_hook(parts.clock, std::chrono::seconds(handler.sleep->seconds), limit);
    co_return co_await std::move(sleeping);
  }
  co_return Error(Code::invalid, "a handler runs a command, asks by HTTP or sleeps");
}

}  // namespace kinglet::node

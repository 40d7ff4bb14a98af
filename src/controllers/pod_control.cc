#include "controllers/internal/pod_control.h"

#include "base/task.h"
#include "client/write.h"

namespace kinglet::controllers {
using client::EventType;

bool namespace_is_going(const Error& error) {
  return error.code() == Code::forbidden && error.message().find("because it is being terminated") != std::string::npos;
}

Task<Result<void>> PodControl::create(client::Api& api, const client::ObjectReference& owner, const json::Value& pod) const {
  const auto made = co_await client::create(api, Pod::resource(), owner.ns, pod);
  if (made) {
    const auto object = json::parse(made->view());
    event(owner, EventType::normal, "SuccessfulCreate",
          fmt::format("Created pod: {}", object ? json::text_at(*object, {"metadata", "name"}) : ""));
    co_return Result<void>();
  }
  if (!namespace_is_going(made.error()))
    event(owner, EventType::warning, "FailedCreate", fmt::format("Error creating: {}", made.error().message()));
  co_return made.error();
}

Task<Result<void>> PodControl::remove(client::Api& api, const client::ObjectReference& owner, Ref<const Pod> pod) const {
  const auto key = pod->meta.key();
  const auto removed = co_await client::remove(api, Pod::resource(), key, pod->meta.uid);
  if (removed)
    event(owner, EventType::normal, "SuccessfulDelete", "Deleted pod: " + pod->meta.name);
  else if (!removed.is(Code::not_found))
    event(owner, EventType::warning, "FailedDelete", fmt::format("Error deleting: {}", removed.error().message()));
  co_return client::unless(Code::not_found, removed);
}

}  // namespace kinglet::controllers

#include "node/container_lookup.h"

#include "base/task.h"
#include "node/container_build.h"
#include "node/pod_status.h"

namespace kinglet::node {
Result<ContainerView> ContainerLookup::find_container(const std::string& ns, const std::string& pod,
                                                      const std::string& container) const {
  const PodWorker* worker = agent_.find(ns, pod);
  if (worker == nullptr) return Error(Code::not_found, "pods \"{}\" not found", pod);
  const auto spec = node::find_container(worker->pod(), container);
  if (!spec)
    return Error(Code::not_found, "container {} is not valid for pod {}", container, pod);
  const ContainerState& state = worker->state().of(container);
  ContainerView view;
  view.tty = spec->tty;
  view.stdin_open = spec->stdin;
  view.id = state.attempt.id;
  const auto log_of = [&](int attempt) {
    return container_log_path(parts_.log_root, worker->pod(), container, attempt);
  };
  if (!view.id.empty()) view.log_path = log_of(state.restart_count);
  if (state.restart_count > 0) view.previous_log_path = log_of(state.restart_count - 1);
  if (state.running()) {
    view.state = ContainerView::State::running;
  } else if (state.exited()) {
    view.state = ContainerView::State::exited;
  } else {
    const bool init_first = !worker->pod().spec.initContainers.empty() && worker->state().sandbox_up;
    view.waiting_reason = !state.waiting_reason.empty() ? state.waiting_reason
                          : init_first                  ? "PodInitializing"
                                                        : "ContainerCreating";
  }
  return view;
}

Task<Result<std::unique_ptr<runtime::Session>>> ContainerLookup::exec(std::string id, runtime::ExecOptions options) {
  auto starting = parts_.runtime.exec(std::move(id), std::move(options));
  co_return co_await std::move(starting);
}

Task<Result<std::unique_ptr<runtime::Session>>> ContainerLookup::attach(std::string id) {
  co_return co_await parts_.runtime.attach(std::move(id));
}

Result<std::string> ContainerLookup::network_namespace(const std::string& ns, const std::string& pod) const {
  const PodWorker* worker = agent_.find(ns, pod);
  if (worker == nullptr || !worker->state().sandbox_up) return Error(Code::not_found, "pods \"{}\" not found", pod);
  if (worker->pod().spec.hostNetwork) return std::string();
  for (const auto& sandbox : parts_.runtime.sandboxes())
    if (sandbox.id == worker->sandbox_id()) return sandbox.config.netns_path;
  return Error(Code::not_found, "pods \"{}\" has no sandbox", pod);
}

}  // namespace kinglet::node

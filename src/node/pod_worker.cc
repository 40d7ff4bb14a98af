#include "node/pod_worker.h"

#include <deque>

#include "base/deadline.h"
#include "base/log.h"
#include "base/task.h"
#include "client/object.h"
#include "node/container_build.h"
#include "node/internal/container_start.h"
#include "node/internal/hooks.h"
#include "node/internal/image_step.h"
#include "node/pod_resources.h"
#include "node/pod_status.h"
#include "node/probe.h"
#include "node/static_pods.h"
#include "schema/structs.h"

namespace kinglet::node {
namespace {

constexpr Duration kRetryFirst = 500ms, kRetryMax = 2min;   // sandbox and volumes
constexpr Duration kEvictionGrace = 1s;  // the node has no time
constexpr Duration kPullErrorShown = 5s;
constexpr Duration kVolumeRefresh = 60s;                    // upstream: 60-90 s
constexpr Duration kStatusRetryFirst = 200ms, kStatusRetryMax = 10s;

const schema::Resource& pods() { return schema::resource_of<api::Pod>(); }

// Conditions that this node writes; all others belong to whoever wrote them.
bool is_own_condition(const std::string& type) {
  for (const char* own : {"PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready"})
    if (type == own) return true;
  return false;
}

}  // namespace

class PodWorker::Impl final : public ProbeTarget {
 public:
  Impl(const PodParts& parts, api::Pod pod)
      : parts_(parts), tasks_(TaskGroup::WhenEmpty::finish) {
    take_pod(std::move(pod));
  }

  void update(api::Pod pod) {
    take_pod(std::move(pod));
    changed();
  }
  void removed() {
    gone_ = true;
    if (!pod_.metadata.deletionTimestamp) pod_.metadata.deletionTimestamp = parts_.clock.wall();
    changed();
  }
  void evict(const std::string& message) {
    if (state_.end || pod_.metadata.deletionTimestamp) return;
    state_.end = PodEnd{"Evicted", message, kEvictionGrace};
    event(client::EventType::warning, "Evicted", message);
    changed();
  }
  void set_mirror(std::string uid) {
    if (mirror_uid_ == uid) return;
    mirror_uid_ = std::move(uid);
    written_.reset();
    status_changed();
  }
  void refresh_volumes() {
    if (!parts_.volumes.refreshes(pod_)) return;
    refresh_at_ = parts_.clock.now();
    changed();
  }
  void changed() {
    dirty_ = true;
    wake_.notify_all();
  }

  Task<Result<void>> run() {
    tasks_.add("pod " + pod_.metadata.name, loop());
    tasks_.add("status of " + pod_.metadata.name, write_statuses());
    co_return co_await tasks_.run();
  }

  const api::Pod& pod() const { return pod_; }
  const PodState& state() const { return state_; }
  const std::string& sandbox_id() const { return sandbox_id_; }

  // ProbeTarget
  std::string pod_ip() const override { return pod_.spec.hostNetwork ? parts_.node_ip : state_.ip; }
  Task<Result<ProbeAnswer>> exec(std::vector<std::string>, Duration) override {
    co_return Error(Code::internal, "no container");
  }

 private:
  // An exec probe runs in one attempt of one container; it ends with it.
  struct ExecTarget final : ProbeTarget {
    Impl& worker;
    std::string id;
    ExecTarget(Impl& w, std::string container_id) : worker(w), id(std::move(container_id)) {}
    std::string pod_ip() const override { return worker.pod_ip(); }
    Task<Result<ProbeAnswer>> exec(std::vector<std::string> command, Duration timeout) override {
      const auto result = co_await worker.parts_.runtime.exec_sync(id, std::move(command), timeout);
      if (!result) {
        if (result.is(Code::timeout))
          co_return ProbeAnswer{false, fmt::format("command timed out after {} s",
                                                   std::chrono::duration_cast<std::chrono::seconds>(timeout).count())};
        co_return result.error();
      }
      co_return ProbeAnswer{result->code == 0, result->out + result->err};
    }
  };

  void event(client::EventType type, const std::string& reason, const std::string& message,
             const std::string& container = "") {
    client::ObjectReference about;
    about.api_version = "v1";
    about.kind = "Pod";
    about.ns = pod_.metadata.namespace_;
    about.name = pod_.metadata.name;
    about.uid = pod_.metadata.uid;
    if (!container.empty()) about.field_path = "spec.containers{" + container + "}";
    parts_.events.event(about, type, reason, message);
  }

  const api::Container* find_container(const std::string& name) const {
    for (const auto* list : {&pod_.spec.containers, &pod_.spec.initContainers})
      for (const auto& container : *list)
        if (container.name == name) return &container;
    for (const auto& container : ephemeral_)
      if (container.name == name) return &container;
    return nullptr;
  }

  void take_pod(api::Pod pod) {
    pod_ = std::move(pod);
    ephemeral_.clear();
    for (const auto& container : pod_.spec.ephemeralContainers) ephemeral_.push_back(container_of(container));
  }

  Task<void> loop() {
    adopt_existing();
    for (const std::string& id : std::exchange(dead_sandboxes_, {})) co_await forget_sandbox(id);
    for (;;) {
      dirty_ = false;
      take_exits();
      settle_pulls();
      const PodPlan plan = plan_pod(pod_, state_, parts_.clock.now(), parts_.clock.wall());
      if (plan.end) {
        state_.end = plan.end;
        event(client::EventType::normal, plan.end->reason, plan.end->message);
        continue;
      }
      if (plan.forget) {
        if (co_await forget()) break;
        continue;
      }
      co_await execute(plan);
      status_changed();
      co_await sleep_until(next_wake(plan));
    }
    tasks_.cancel();
  }

  std::optional<TimePoint> next_wake(const PodPlan& plan) const {
    std::optional<TimePoint> wake = plan.wake;
    const bool refresh = state_.sandbox_up && parts_.volumes.refreshes(pod_);
    if (refresh && (!wake || refresh_at_ < *wake)) wake = refresh_at_;
    for (const auto& [name, container] : state_.containers)
      if (container.waiting_reason == kErrImagePull && (!wake || container.pull_settles_at < *wake))
        wake = container.pull_settles_at;
    return wake;
  }

  // A pull that has failed shows its error for a moment, and that it is waited for after that: as upstream.
  void settle_pulls() {
    for (auto& [name, container] : state_.containers) {
      if (container.waiting_reason != kErrImagePull || container.pull_settles_at > parts_.clock.now()) continue;
      const auto* spec = find_container(name);
      const std::string text = fmt::format("Back-off pulling image \"{}\"", spec == nullptr ? "" : spec->image);
      container.waiting_reason = kImagePullBackOff;
      container.waiting_message = text + ": ErrImagePull: " + container.waiting_message;
      event(client::EventType::normal, "BackOff", text, name);
      event(client::EventType::warning, "Failed", "Error: ImagePullBackOff", name);
    }
  }

  // Pulls for one container; a pod that is deleted does not wait for its image.
  struct Puller final : ImagePuller {
    Impl& worker;
    std::string container;
    Puller(Impl& w, std::string name) : worker(w), container(std::move(name)) {}
    void tell(client::EventType type, const std::string& reason, const std::string& message) override {
      worker.event(type, reason, message, container);
    }
    Task<Result<runtime::Pulled>> pull(runtime::PullRequest request) override {
      std::optional<Result<runtime::Pulled>> out;
      TaskGroup group;
      group.add("pull", keep(group, std::move(request), out));
      group.add("deletion", worker.cancel_when_deleted(group));
      const auto ended = co_await group.run();
      if (!out) co_return ended ? Error(Code::unavailable, "the pod is being deleted") : ended.error();
      co_return std::move(*out);
    }
    Task<void> keep(TaskGroup& group, runtime::PullRequest request, std::optional<Result<runtime::Pulled>>& out) {
      auto pulling = worker.parts_.runtime.images().pull(std::move(request));
      out.emplace(co_await std::move(pulling));
      group.cancel();
    }
  };

  Task<void> cancel_when_deleted(TaskGroup& group) {
    while (!pod_.metadata.deletionTimestamp) co_await wake_.wait();
    group.cancel();
  }

  Task<void> sleep_until(std::optional<TimePoint> wake) {
    while (!dirty_) {
      if (wake && *wake <= parts_.clock.now()) co_return;
      if (!wake) {
        co_await wake_.wait();
        continue;
      }
      const auto rang = co_await with_deadline(parts_.clock, *wake - parts_.clock.now(), woken());
      if (!rang) co_return;
    }
  }
  Task<Result<void>> woken() {
    co_await wake_.wait();
    co_return Result<void>();
  }

  void adopt_existing() {
    auto adopted = adopt(pod_, parts_.runtime.sandboxes(), parts_.runtime.containers());
    sandbox_id_ = std::move(adopted.sandbox_id);
    dead_sandboxes_ = std::move(adopted.dead_sandboxes);
    state_ = std::move(adopted.state);
    refresh_at_ = parts_.clock.now();
    for (auto& [name, container] : state_.containers) {
      const auto* spec = find_container(name);
      if (container.running() && spec != nullptr) begin_running(*spec, container, true);
    }
  }

  // What ended since the last look.
  void take_exits() {
    for (auto& [name, container] : state_.containers) {
      if (!container.running()) continue;
      const auto status = parts_.runtime.container(container.attempt.id);
      if (status && !take_status(container, *status)) continue;
      if (!status) {
        container.phase = ContainerState::Phase::exited;
        container.attempt.exit_code = 137;
        container.attempt.finished = parts_.clock.wall();
      }
      const auto* spec = find_container(name);
      if (spec != nullptr) container.attempt.message = termination_message(parts_, pod_, *spec, container);
      note_exit(container, parts_.clock.now());
      container.waiting_reason.clear();
      container.waiting_message.clear();
    }
  }

  Task<void> execute(const PodPlan& plan) {
    if (plan.drop_sandbox) co_await drop_sandbox();
    for (const auto& kill : plan.kill) begin_stop(kill);
    if (plan.make_sandbox && !co_await make_sandbox()) co_return;
    const bool due = state_.sandbox_up && parts_.volumes.refreshes(pod_) && refresh_at_ <= parts_.clock.now();
    if (due && !plan.make_sandbox) co_await refresh();
    for (const auto& name : plan.start) {
      const auto* spec = find_container(name);
      if (spec == nullptr) continue;
      const api::Container container = *spec;  // the object may be replaced while we wait
      auto starting = start(container);
      co_await std::move(starting);
      if (pod_.metadata.deletionTimestamp) co_return;
    }
    if (plan.make_sandbox) dirty_ = true;  // containers come next
  }

  void begin_stop(const Kill& kill) {
    auto& container = state_.containers[kill.container];
    container.stopping = true;
    event(client::EventType::normal, "Killing",
          kill.reason.empty() ? "Stopping container " + kill.container : kill.reason, kill.container);
    tasks_.add("stop " + kill.container, stop(container.attempt.id, kill.container, kill.grace));
  }

  static Task<void> keep_outcome(TaskGroup& group, Task<Result<void>> task, std::optional<Result<void>>& out) {
    out.emplace(co_await std::move(task));
    group.cancel();
  }
  Task<void> cancel_when_ended(TaskGroup& group, std::string id) {
    for (;;) {
      const auto status = parts_.runtime.container(id);
      if (!status || status->state != runtime::ContainerState::running) break;
      co_await wake_.wait();
    }
    group.cancel();
  }

  // The handler before the stop. What is left of the grace after it.
  Task<Duration> before_stop(std::string id, std::string name, Duration grace) {
    const auto* spec = find_container(name);
    if (spec == nullptr || !spec->lifecycle || !spec->lifecycle->preStop || grace <= Duration::zero()) co_return grace;
    const TimePoint begun = parts_.clock.now();
    std::optional<Result<void>> out;
    TaskGroup group;
    group.add("preStop", keep_outcome(group, run_hook(parts_, id, *spec, *spec->lifecycle->preStop, pod_ip(), grace), out));
    group.add("end", cancel_when_ended(group, id));  // one that ends by itself is not waited for
    const auto ended = co_await group.run();
    if (ended && out && !*out) {
      event(client::EventType::warning, "FailedPreStopHook", "PreStopHook failed", name);
      log_.warn("preStop failed", kv("pod", pod_.metadata.name), kv("container", name), kv("error", out->error()));
    }
    co_return std::max<Duration>(grace - (parts_.clock.now() - begun), kStopGraceMin);
  }

  // The handler after the start; the containers after this one wait for it, and some rely on that.
  Task<void> after_start(api::Container spec, std::string id) {
    std::optional<Result<void>> out;
    TaskGroup group;
    group.add("postStart", keep_outcome(group, run_hook(parts_, id, spec, *spec.lifecycle->postStart, pod_ip(), kPostStartMax), out));
    group.add("deletion", cancel_when_deleted(group));
    const auto ended = co_await group.run();
    if (!ended || !out || *out) co_return;
    event(client::EventType::warning, "FailedPostStartHook", "PostStartHook failed", spec.name);
    log_.warn("postStart failed", kv("pod", pod_.metadata.name), kv("container", spec.name), kv("error", out->error()));
    auto& container = state_.containers[spec.name];
    if (container.attempt.id != id || !container.running()) co_return;
    begin_stop({spec.name, std::chrono::seconds(pod_.spec.terminationGracePeriodSeconds.value_or(30)), "FailedPostStartHook"});
  }

  Task<void> stop(std::string id, std::string name, Duration grace) {
    auto preparing = before_stop(id, name, grace);
    grace = co_await std::move(preparing);
    const auto stopped = co_await parts_.runtime.stop_container(id, grace);
    auto& container = state_.containers[name];
    if (container.attempt.id == id) container.stopping = false;
    if (!stopped) {
      log_.warn("container not stopped", kv("pod", pod_.metadata.name), kv("container", name),
                kv("error", stopped.error()));
      co_await parts_.clock.sleep(kRetryFirst);
    }
    changed();
  }

  void retry_sandbox_later(const std::string& reason, const Error& error) {
    sandbox_pause_ = sandbox_pause_ == Duration::zero() ? kRetryFirst : std::min(sandbox_pause_ * 2, kRetryMax);
    state_.sandbox_retry_at = parts_.clock.now() + sandbox_pause_;
    state_.sandbox_message = error.message();
    event(client::EventType::warning, reason, error.message());
    dirty_ = false;
  }

  Task<bool> make_sandbox() {
    if (!state_.start_time) state_.start_time = parts_.clock.wall();
    auto filled_task = parts_.volumes.prepare(pod_);
    const auto filled = co_await std::move(filled_task);
    if (!filled) {
      retry_sandbox_later("FailedMount", filled.error());
      co_return false;
    }
    refresh_at_ = parts_.clock.now() + kVolumeRefresh;
    PodAddress address;
    if (!pod_.spec.hostNetwork) {
      auto attached = co_await parts_.network.attach(pod_.metadata.uid, hostname_of(pod_));
      if (!attached) {
        retry_sandbox_later("FailedCreatePodSandBox", attached.error());
        co_return false;
      }
      address = *std::move(attached);
    }
    runtime::SandboxConfig config = sandbox_config(address);
    auto made_task = parts_.runtime.create_sandbox(std::move(config));
    auto made = co_await std::move(made_task);
    if (!made) {
      retry_sandbox_later("FailedCreatePodSandBox", made.error());
      co_return false;
    }
    sandbox_id_ = *std::move(made);
    state_.sandbox_up = true;
    state_.ip = address.ip;
    state_.sandbox_message.clear();
    sandbox_pause_ = Duration::zero();
    co_return true;
  }

  runtime::SandboxConfig sandbox_config(const PodAddress& address) const {
    runtime::SandboxConfig config;
    config.pod_uid = pod_.metadata.uid;
    config.pod_namespace = pod_.metadata.namespace_;
    config.pod_name = pod_.metadata.name;
    config.hostname = sandbox_hostname_of(pod_, parts_.dns.cluster_domain);
    config.hosts = pod_.spec.hostNetwork ? "" : hosts_file_of(pod_, address.ip, parts_.dns.cluster_domain);
    config.resolv_conf = resolv_conf_of(pod_, parts_.dns);
    config.cgroup_parent = cgroup_parent_of(pod_);
    config.resources = pod_resources(pod_);
    config.netns_path = address.netns_path;
    config.host_network = pod_.spec.hostNetwork;
    config.host_pid = pod_.spec.hostPID;
    config.host_ipc = pod_.spec.hostIPC;
    config.share_processes = pod_.spec.shareProcessNamespace.value_or(false);
    if (pod_.spec.securityContext)
      for (const auto& sysctl : pod_.spec.securityContext->sysctls) config.sysctls[sysctl.name] = sysctl.value;
    config.labels["ip"] = address.ip;
    return config;
  }

  Task<void> refresh() {
    auto filled_task = parts_.volumes.prepare(pod_);
    const auto filled = co_await std::move(filled_task);
    if (!filled) event(client::EventType::warning, "FailedMount", filled.error().message());
    refresh_at_ = parts_.clock.now() + kVolumeRefresh + Duration(parts_.random.below(kVolumeRefresh.count() / 2));
  }

  Task<void> start(api::Container spec) {
    Puller puller(*this, spec.name);
    auto ensuring = ensure_image(parts_, pod_, spec, puller);
    const ImageStep image = co_await std::move(ensuring);
    auto& container = state_.containers[spec.name];
    if (!image.present) {
      note_failed_start(container, image.reason, image.message, parts_.clock.now());
      container.pull_settles_at = parts_.clock.now() + std::min(container.backoff / 2, kPullErrorShown);
      co_return;
    }
    if (pod_.metadata.deletionTimestamp) co_return;
    const int attempt = container.never_ran() ? 0 : container.restart_count + 1;
    auto started_task = start_container(parts_, pod_, spec, sandbox_id_, attempt);
    auto started = co_await std::move(started_task);
    auto& after = state_.containers[spec.name];
    for (const auto& told : started.events) event(told.type, told.reason, told.message, spec.name);
    if (!started.id) {
      note_failed_start(after, started.reason, started.message, parts_.clock.now());
      co_return;
    }
    if (!after.never_ran()) after.previous = after.attempt;
    const auto status = parts_.runtime.container(*started.id);
    if (!status) co_return;
    after.waiting_reason.clear();
    after.waiting_message.clear();
    take_status(after, *status);
    after.phase = ContainerState::Phase::running;  // one that has ended already is found so by take_exits()
    if (spec.lifecycle && spec.lifecycle->postStart && status->state == runtime::ContainerState::running) {
      auto hook = after_start(spec, *started.id);
      co_await std::move(hook);
    }
    begin_running(spec, state_.containers[spec.name], false);
    if (status->state == runtime::ContainerState::exited) dirty_ = true;
    co_await remove_old_attempts(spec.name, attempt);
  }

  // The newest and the one before it stay (kubectl logs --previous); older ones give their disk back.
  Task<void> remove_old_attempts(std::string name, int newest) {
    for (const auto& other : parts_.runtime.containers()) {
      if (other.sandbox_id != sandbox_id_ || other.name != name || other.attempt >= newest - 1) continue;
      const auto removed = co_await parts_.runtime.remove_container(other.id);
      if (!removed) log_.warn("old container not removed", kv("id", other.id), kv("error", removed.error()));
    }
  }

  void begin_running(const api::Container& spec, ContainerState& container, bool adopted) {
    container.running_since = parts_.clock.now();
    container.liveness_failed = false;
    if (adopted) container.stopping = false;
    // An adopted container keeps the verdicts that the API has of it: a restart of kinglet makes nothing unready.
    bool was_started = false, was_ready = false;
    for (const auto* list : {&pod_.status.containerStatuses, &pod_.status.initContainerStatuses})
      for (const auto& status : *list)
        if (adopted && status.name == spec.name && status.containerID == "kinglet://" + container.attempt.id) {
          was_started = status.started.value_or(false);
          was_ready = status.ready;
        }
    container.startup_passed = !spec.startupProbe || was_started;
    container.ready = !spec.readinessProbe || was_ready;
    if (spec.startupProbe && !was_started)
      add_probe(ProbeKind::startup, spec, *spec.startupProbe, container.attempt.id);
    else
      add_steady_probes(spec, container.attempt.id);
  }

  void add_steady_probes(const api::Container& spec, const std::string& id) {
    if (spec.readinessProbe) add_probe(ProbeKind::readiness, spec, *spec.readinessProbe, id);
    if (spec.livenessProbe) add_probe(ProbeKind::liveness, spec, *spec.livenessProbe, id);
  }

  void add_probe(ProbeKind kind, const api::Container& spec, const api::Probe& probe, const std::string& id) {
    tasks_.add("probe of " + spec.name, probe_loop(kind, spec, probe, id));
  }

  Task<void> probe_loop(ProbeKind kind, api::Container spec, api::Probe probe, std::string id) {
    ExecTarget target(*this, id);
    std::optional<Duration> grace;
    if (probe.terminationGracePeriodSeconds) grace = std::chrono::seconds(*probe.terminationGracePeriodSeconds);
    ProbeReport report = [this, kind, &spec, &id, grace](const ProbeAnswer& answer, std::optional<bool> verdict) {
      return take_answer(kind, spec, id, grace, answer, verdict);
    };
    auto asking = run_probe(parts_.clock, parts_.random, probe, spec, target, report);
    co_await std::move(asking);
  }

  // False: this probe has nothing more to ask.
  bool take_answer(ProbeKind kind, const api::Container& spec, const std::string& id, std::optional<Duration> grace,
                   const ProbeAnswer& answer, std::optional<bool> verdict) {
    auto& container = state_.containers[spec.name];
    if (container.attempt.id != id || !container.running()) return false;
    if (!answer.success && verdict.has_value())
      event(client::EventType::warning, "Unhealthy",
            fmt::format("{} probe failed: {}", text_of(kind), answer.message), spec.name);
    if (!verdict) return true;
    bool go_on = true;
    const bool ready = container.ready, started = container.startup_passed, failed = container.liveness_failed;
    if (kind == ProbeKind::readiness) {
      container.ready = *verdict;
    } else if (kind == ProbeKind::startup && *verdict) {
      container.startup_passed = true;
      add_steady_probes(spec, id);
      go_on = false;
    } else if (!*verdict && !container.stopping) {
      container.liveness_failed = true;
      container.kill_message = fmt::format("Container {} failed {} probe, will be restarted", spec.name,
                                           kind == ProbeKind::startup ? "startup" : "liveness");
      container.kill_grace = grace;
    }
    if (ready != container.ready || started != container.startup_passed || failed != container.liveness_failed)
      changed();
    return go_on;
  }

  Task<void> forget_sandbox(std::string id) {
    const auto removed = co_await parts_.runtime.remove_sandbox(id);
    if (!removed) log_.warn("sandbox not removed", kv("pod", pod_.metadata.name), kv("error", removed.error()));
  }

  // A finished pod gives back its network and its mounts; its containers' records and logs stay.
  Task<void> drop_sandbox() {
    const auto detached = co_await parts_.network.detach(pod_.metadata.uid);
    if (!detached) log_.warn("network not removed", kv("pod", pod_.metadata.name), kv("error", detached.error()));
    state_.sandbox_up = false;
  }

  // Removes every trace; true when it is done.
  Task<bool> forget() {
    status_changed();
    const auto failed = co_await remove_traces();
    if (!failed) {
      if (!gone_) co_await confirm_deletion();
      co_return true;
    }
    log_.warn("pod not removed yet", kv("pod", pod_.metadata.name), kv("error", *failed));
    co_await parts_.clock.sleep(kRetryFirst);
    co_return false;
  }

  Task<std::optional<Error>> remove_traces() {
    std::vector<std::string> ids;
    for (const auto& sandbox : parts_.runtime.sandboxes())
      if (sandbox.config.pod_uid == pod_.metadata.uid) ids.push_back(sandbox.id);
    for (const auto& id : ids) {
      auto removed = co_await parts_.runtime.remove_sandbox(id);
      if (!removed) co_return std::move(removed.error());
    }
    auto detached = co_await parts_.network.detach(pod_.metadata.uid);
    if (!detached) co_return std::move(detached.error());
    auto emptied = co_await parts_.volumes.remove(pod_.metadata.uid);
    if (!emptied) co_return std::move(emptied.error());
    remove_pod_files(parts_, pod_);
    co_return std::nullopt;
  }

  // What the API calls this pod; empty: it does not know it (a static pod without its mirror).
  std::string api_uid() const { return is_static(pod_) ? mirror_uid_ : pod_.metadata.uid; }

  Task<void> confirm_deletion() {
    Duration pause = kStatusRetryFirst;
    if (api_uid().empty()) co_return;
    for (;;) {
      client::DeleteOptions options;
      options.grace_seconds = 0;
      options.uid = api_uid();
      auto removed_task = parts_.api.remove(pods(), pod_.metadata.namespace_, pod_.metadata.name, options);
      const auto removed = co_await std::move(removed_task);
      if (removed || removed.is(Code::not_found) || removed.is(Code::conflict) || gone_) co_return;
      co_await parts_.clock.sleep(pause);
      pause = std::min(pause * 2, kStatusRetryMax);
    }
  }

  void status_changed() {
    status_dirty_ = true;
    status_wake_.notify_all();
  }

  Task<void> write_statuses() {
    Duration pause = kStatusRetryFirst;
    for (;;) {
      while (!status_dirty_) co_await status_wake_.wait();
      status_dirty_ = false;
      if (gone_) continue;
      const auto written = co_await write_status();
      if (written || written.is(Code::not_found) || written.is(Code::conflict)) {
        pause = kStatusRetryFirst;
        continue;
      }
      log_.warn("pod status not written", kv("pod", pod_.metadata.name), kv("error", written.error()));
      co_await parts_.clock.sleep(pause);
      pause = std::min(pause * 2, kStatusRetryMax);
      status_dirty_ = true;
    }
  }

  Task<Result<void>> write_status() {
    if (api_uid().empty()) co_return Result<void>();
    api::Pod base = pod_;
    if (written_) {
      // What we wrote last is newer than what the watch has brought; conditions of others are not ours to take back.
      auto conditions = written_->conditions;
      for (const auto& condition : pod_.status.conditions)
        if (!is_own_condition(condition.type)) {
          const auto same = std::find_if(conditions.begin(), conditions.end(),
                                         [&](const auto& have) { return have.type == condition.type; });
          if (same == conditions.end())
            conditions.push_back(condition);
          else
            *same = condition;
        }
      base.status = *written_;
      base.status.conditions = std::move(conditions);
    }
    api::PodStatus status = status_of({base, state_, parts_.node_ip, parts_.clock.wall()});
    if (written_ && status == *written_ && !overruled()) co_return Result<void>();
    json::Object metadata;
    metadata["uid"] = api_uid();
    json::Object patch;
    patch["metadata"] = std::move(metadata);
    patch["status"] = schema::to_json(status);
    std::string text = json::print(json::Value(std::move(patch)));
    const client::WriteOptions plain;
    auto patched_task = parts_.api.patch(pods(), pod_.metadata.namespace_, pod_.metadata.name,
                                                   client::PatchType::merge, std::move(text), plain, "status");
    const auto patched = co_await std::move(patched_task);
    if (!patched) co_return patched.error();
    written_ = std::move(status);
    const auto stored = json::parse(patched->view());
    if (stored) written_revision_ = client::revision_of(*stored);
    co_return Result<void>();
  }

  // Whether somebody has written over our conditions since: the server does, while it takes this node for lost.
  bool overruled() const {
    if (std::strtoull(pod_.metadata.resourceVersion.c_str(), nullptr, 10) <= written_revision_) return false;
    return std::any_of(written_->conditions.begin(), written_->conditions.end(), [this](const auto& ours) {
      const auto& all = pod_.status.conditions;
      const auto stored = std::find_if(all.begin(), all.end(), [&](const auto& c) { return c.type == ours.type; });
      return is_own_condition(ours.type) && (stored == all.end() || stored->status != ours.status);
    });
  }

  const PodParts& parts_;
  api::Pod pod_;
  std::vector<api::Container> ephemeral_;  // the pod's debugging containers, in the others' form
  TaskGroup tasks_;
  PodState state_;
  std::string sandbox_id_;
  std::vector<std::string> dead_sandboxes_;
  Duration sandbox_pause_{};
  TimePoint refresh_at_{};
  bool dirty_ = true, status_dirty_ = true, gone_ = false;
  std::string mirror_uid_;
  Signal wake_, status_wake_;
  std::optional<api::PodStatus> written_;
  uint64_t written_revision_ = 0;
  Log log_{"kubelet"};
};

PodWorker::PodWorker(const PodParts& parts, api::Pod pod) : impl_(std::make_unique<Impl>(parts, std::move(pod))) {}
PodWorker::~PodWorker() = default;
void PodWorker::update(api::Pod pod) { impl_->update(std::move(pod)); }
void PodWorker::removed() { impl_->removed(); }
void PodWorker::evict(const std::string& message) { impl_->evict(message); }
void PodWorker::set_mirror(std::string uid) { impl_->set_mirror(std::move(uid)); }
void PodWorker::container_ended() { impl_->changed(); }
void PodWorker::refresh_volumes() { impl_->refresh_volumes(); }
Task<Result<void>> PodWorker::run() { return impl_->run(); }
const api::Pod& PodWorker::pod() const { return impl_->pod(); }
const PodState& PodWorker::state() const { return impl_->state(); }
const std::string& PodWorker::sandbox_id() const { return impl_->sandbox_id(); }

}  // namespace kinglet::node

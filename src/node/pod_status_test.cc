#include "node/pod_status.h"

#include <gtest/gtest.h>

#include "schema/structs.h"

namespace kinglet::node {
namespace {

constexpr WallTime kWall{1'700'000'000s};

api::Pod pod_of(const std::string& policy, bool with_init = false) {
  auto pod = schema::parse<api::Pod>(fmt::format(
      R"({{"metadata":{{"name":"p","namespace":"ns","uid":"u"}},"spec":{{"restartPolicy":"{}",{}
          "containers":[{{"name":"a","image":"x"}},{{"name":"b","image":"x"}}]}}}})",
      policy, with_init ? R"("initContainers":[{"name":"i","image":"x"}],)" : ""));
  EXPECT_TRUE(pod);
  return *pod;
}

ContainerState state_of(ContainerState::Phase phase, int code = 0) {
  ContainerState state;
  state.phase = phase;
  state.attempt.id = "abc";
  state.attempt.exit_code = code;
  state.startup_passed = state.ready = true;
  return state;
}
const auto kRunning = state_of(ContainerState::Phase::running);
const auto kDone = state_of(ContainerState::Phase::exited, 0);
const auto kFailed = state_of(ContainerState::Phase::exited, 3);

std::string condition(const api::PodStatus& status, const std::string& type) {
  for (const auto& c : status.conditions)
    if (c.type == type) return c.status;
  return "none";
}

TEST(PodStatus, phase_follows_containers_and_policy) {
  struct Case {
    const char* name;
    const char* policy;
    std::map<std::string, ContainerState> containers;
    const char* phase;
  };
  const Case cases[] = {
      {"nothing has started", "Always", {}, "Pending"},
      {"one is still waiting", "Always", {{"a", kRunning}}, "Pending"},
      {"all run", "Always", {{"a", kRunning}, {"b", kRunning}}, "Running"},
      {"one has ended", "Never", {{"a", kRunning}, {"b", kDone}}, "Running"},
      {"all have ended well", "Never", {{"a", kDone}, {"b", kDone}}, "Succeeded"},
      {"one has failed", "Never", {{"a", kFailed}, {"b", kDone}}, "Failed"},
      {"all will be restarted", "Always", {{"a", kFailed}, {"b", kDone}}, "Running"},
      {"failures are retried", "OnFailure", {{"a", kFailed}, {"b", kDone}}, "Running"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const auto pod = pod_of(c.policy);
    PodState state;
    state.sandbox_up = true;
    state.containers = c.containers;
    EXPECT_EQ(status_of({pod, state, "10.0.0.1", kWall}).phase, c.phase);
  }
}

TEST(PodStatus, a_ready_pod_says_so_in_every_condition) {
  const auto pod = pod_of("Always");
  PodState state;
  state.sandbox_up = true;
  state.ip = "10.42.0.7";
  state.containers = {{"a", kRunning}, {"b", kRunning}};
  const auto status = status_of({pod, state, "10.0.0.1", kWall});
  for (const char* type : {"Initialized", "Ready", "ContainersReady", "PodScheduled", "PodReadyToStartContainers"})
    EXPECT_EQ(condition(status, type), "True") << type;
  EXPECT_EQ(status.podIP, "10.42.0.7");
  EXPECT_EQ(status.hostIP, "10.0.0.1");
  ASSERT_EQ(status.containerStatuses.size(), 2u);
  EXPECT_TRUE(status.containerStatuses[0].ready);
  EXPECT_EQ(status.containerStatuses[0].containerID, "kinglet://abc");
}

TEST(PodStatus, waiting_containers_say_why) {
  struct Case {
    const char* name;
    ContainerState state;
    const char* reason;
  };
  ContainerState missing;
  missing.waiting_reason = "ErrImageNeverPull";
  const Case cases[] = {
      {"nothing known yet", {}, "ContainerCreating"},
      {"the image is not here", missing, "ErrImageNeverPull"},
      {"it keeps failing", kFailed, "CrashLoopBackOff"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const auto pod = pod_of("Always");
    PodState state;
    state.sandbox_up = true;
    state.containers = {{"a", c.state}, {"b", kRunning}};
    const auto status = status_of({pod, state, "", kWall});
    ASSERT_TRUE(status.containerStatuses[0].state.waiting);
    EXPECT_EQ(status.containerStatuses[0].state.waiting->reason, c.reason);
    EXPECT_EQ(condition(status, "Ready"), "False");
  }
}

TEST(PodStatus, main_containers_wait_for_init_containers) {
  const auto pod = pod_of("Always", true);
  PodState state;
  state.sandbox_up = true;
  state.containers = {{"i", kRunning}};
  const auto status = status_of({pod, state, "", kWall});
  EXPECT_EQ(status.phase, "Pending");
  EXPECT_EQ(status.containerStatuses[0].state.waiting->reason, "PodInitializing");
  EXPECT_EQ(condition(status, "Initialized"), "False");
}

TEST(PodStatus, transition_times_move_only_when_the_status_does) {
  std::vector<api::PodCondition> conditions;
  set_condition(conditions, "Ready", false, "A", "", WallTime{1s});
  set_condition(conditions, "Ready", false, "B", "", WallTime{2s});
  ASSERT_EQ(conditions.size(), 1u);
  EXPECT_EQ(conditions[0].lastTransitionTime, WallTime{1s});
  EXPECT_EQ(conditions[0].reason, "B");
  set_condition(conditions, "Ready", true, "", "", WallTime{3s});
  EXPECT_EQ(conditions[0].lastTransitionTime, WallTime{3s});
}

TEST(PodStatus, an_ended_pod_is_failed_once_nothing_runs) {
  const auto pod = pod_of("Always");
  PodState state;
  state.sandbox_up = true;
  state.end = PodEnd{"Evicted", "The node was low on resource: memory."};
  state.containers = {{"a", kRunning}, {"b", kDone}};
  auto status = status_of({pod, state, "10.0.0.1", kWall});
  EXPECT_EQ(status.phase, "Running");
  EXPECT_EQ(condition(status, "DisruptionTarget"), "True");
  state.containers["a"] = kFailed;
  status = status_of({pod, state, "10.0.0.1", kWall});
  EXPECT_EQ(status.phase, "Failed");
  EXPECT_EQ(status.reason, "Evicted");
  EXPECT_EQ(status.message, "The node was low on resource: memory.");
}

TEST(PodStatus, debugging_containers_are_shown) {
  auto pod = pod_of("Always");
  for (const char* name : {"d", "e", "f"}) {
    pod.spec.ephemeralContainers.emplace_back();
    pod.spec.ephemeralContainers.back().name = name;
  }
  PodState state;
  state.sandbox_up = true;
  state.containers = {{"a", kRunning}, {"b", kRunning}, {"d", kRunning}, {"e", kFailed}};
  const auto status = status_of({pod, state, "10.0.0.1", kWall});
  ASSERT_EQ(status.ephemeralContainerStatuses.size(), 3u);
  EXPECT_TRUE(status.ephemeralContainerStatuses[0].state.running);
  EXPECT_TRUE(status.ephemeralContainerStatuses[1].state.terminated);
  EXPECT_TRUE(status.ephemeralContainerStatuses[2].state.waiting);
  EXPECT_EQ(condition(status, "Ready"), "True") << "they do not count";
}

TEST(PodStatus, an_oom_kill_is_named) {
  const auto pod = pod_of("Never");
  PodState state;
  ContainerState killed = state_of(ContainerState::Phase::exited, 137);
  killed.attempt.oom_killed = true;
  state.containers = {{"a", killed}, {"b", kDone}};
  const auto status = status_of({pod, state, "", kWall});
  EXPECT_EQ(status.containerStatuses[0].state.terminated->reason, "OOMKilled");
}

}  // namespace
}  // namespace kinglet::node

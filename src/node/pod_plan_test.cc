#include "node/pod_plan.h"

#include <gtest/gtest.h>

#include "schema/structs.h"

namespace kinglet::node {
namespace {

constexpr TimePoint kNow{1h};
constexpr WallTime kWall{1'000'000'000s};

api::Pod pod_of(const std::string& spec) {
  auto pod = schema::parse<api::Pod>(
      fmt::format(R"({{"metadata":{{"name":"p","namespace":"ns","uid":"u"}},"spec":{}}})", spec));
  EXPECT_TRUE(pod) << (pod ? "" : pod.error().message());
  return *pod;
}

ContainerState running() {
  ContainerState state;
  state.phase = ContainerState::Phase::running;
  state.attempt.id = "id";
  state.startup_passed = state.ready = true;
  return state;
}
ContainerState exited(int code) {
  ContainerState state = running();
  state.phase = ContainerState::Phase::exited;
  state.attempt.exit_code = code;
  return state;
}

constexpr const char* kTwo = R"({"restartPolicy":"Always","containers":[{"name":"a"},{"name":"b"}]})";
constexpr const char* kInit =
    R"({"restartPolicy":"Always","initContainers":[{"name":"i"},{"name":"j"}],"containers":[{"name":"a"}]})";
constexpr const char* kSidecar =
    R"({"restartPolicy":"Never","initContainers":[{"name":"s","restartPolicy":"Always"}],"containers":[{"name":"a"}]})";

using Starts = std::vector<std::string>;

TEST(PlanPod, starts_what_is_due) {
  struct Case {
    const char* name;
    const char* spec;
    std::map<std::string, ContainerState> containers;
    Starts start;
  };
  ContainerState backing_off = exited(1);
  backing_off.retry_at = kNow + 10s;
  ContainerState starting = running();
  starting.startup_passed = false;
  const Case cases[] = {
      {"a new pod starts all its containers", kTwo, {}, {"a", "b"}},
      {"what runs is left alone", kTwo, {{"a", running()}}, {"b"}},
      {"an exited container is started again", kTwo, {{"a", running()}, {"b", exited(0)}}, {"b"}},
      {"not before its back-off is over", kTwo, {{"a", running()}, {"b", backing_off}}, {}},
      {"init containers come first", kInit, {}, {"i"}},
      {"one after the other", kInit, {{"i", exited(0)}}, {"j"}},
      {"a failed one is tried again", kInit, {{"i", exited(1)}}, {"i"}},
      {"while one runs nothing else starts", kInit, {{"i", running()}}, {}},
      {"then the main ones", kInit, {{"i", exited(0)}, {"j", exited(0)}}, {"a"}},
      {"a sidecar must have started", kSidecar, {{"s", starting}}, {}},
      {"main beside the sidecar", kSidecar, {{"s", running()}}, {"a"}},
      {"a sidecar restarts even if the policy is Never", kSidecar, {{"s", exited(1)}, {"a", running()}}, {"s"}},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    PodState state;
    state.sandbox_up = true;
    state.containers = c.containers;
    EXPECT_EQ(plan_pod(pod_of(c.spec), state, kNow, kWall).start, c.start);
  }
}

TEST(PlanPod, wakes_when_a_back_off_is_over) {
  PodState state;
  state.sandbox_up = true;
  state.containers = {{"a", running()}, {"b", exited(1)}};
  state.containers["b"].retry_at = kNow + 20s;
  EXPECT_EQ(plan_pod(pod_of(kTwo), state, kNow, kWall).wake, kNow + 20s);
}

TEST(PlanPod, makes_a_sandbox_first_and_pauses_after_a_failure) {
  PodState state;
  EXPECT_TRUE(plan_pod(pod_of(kTwo), state, kNow, kWall).make_sandbox);
  state.sandbox_retry_at = kNow + 1s;
  const PodPlan plan = plan_pod(pod_of(kTwo), state, kNow, kWall);
  EXPECT_FALSE(plan.make_sandbox);
  EXPECT_EQ(plan.wake, kNow + 1s);
}

TEST(PlanPod, a_finished_pod_gives_its_sandbox_back) {
  const auto pod = pod_of(R"({"restartPolicy":"OnFailure","containers":[{"name":"a"}]})");
  PodState state;
  state.sandbox_up = true;
  state.containers = {{"a", exited(0)}};
  EXPECT_TRUE(plan_pod(pod, state, kNow, kWall).drop_sandbox);
  state.containers = {{"a", exited(2)}};
  EXPECT_EQ(plan_pod(pod, state, kNow, kWall).start, Starts{"a"});
}

TEST(PlanPod, a_deleted_pod_is_stopped_within_what_is_left_of_its_grace) {
  auto pod = pod_of(kTwo);
  pod.metadata.deletionTimestamp = WallTime{kWall.since_epoch + 12s};
  pod.metadata.deletionGracePeriodSeconds = 30;
  PodState state;
  state.sandbox_up = true;
  state.containers = {{"a", running()}, {"b", exited(1)}};
  PodPlan plan = plan_pod(pod, state, kNow, kWall);
  ASSERT_EQ(plan.kill.size(), 1u);
  EXPECT_EQ(plan.kill[0].container, "a");
  EXPECT_EQ(plan.kill[0].grace, Duration(12s));
  EXPECT_TRUE(plan.start.empty());
  EXPECT_FALSE(plan.forget);
  state.containers["a"] = exited(143);
  EXPECT_TRUE(plan_pod(pod, state, kNow, kWall).forget);
}

TEST(PlanPod, sidecars_are_stopped_after_the_main_containers) {
  auto pod = pod_of(kSidecar);
  pod.metadata.deletionTimestamp = kWall;
  PodState state;
  state.sandbox_up = true;
  state.containers = {{"s", running()}, {"a", running()}};
  const PodPlan first = plan_pod(pod, state, kNow, kWall);
  ASSERT_EQ(first.kill.size(), 1u);
  EXPECT_EQ(first.kill[0].container, "a");
  state.containers["a"] = exited(0);
  const PodPlan second = plan_pod(pod, state, kNow, kWall);
  ASSERT_EQ(second.kill.size(), 1u);
  EXPECT_EQ(second.kill[0].container, "s");
}

TEST(PlanPod, sidecars_are_stopped_in_reverse_order) {
  auto pod = pod_of(
      R"({"restartPolicy":"Never","initContainers":[{"name":"s","restartPolicy":"Always"},
          {"name":"t","restartPolicy":"Always"}],"containers":[{"name":"a"}]})");
  pod.metadata.deletionTimestamp = kWall;
  PodState state;
  state.sandbox_up = true;
  state.containers = {{"s", running()}, {"t", running()}, {"a", exited(0)}};
  PodPlan plan = plan_pod(pod, state, kNow, kWall);
  ASSERT_EQ(plan.kill.size(), 1u);
  EXPECT_EQ(plan.kill[0].container, "t");
  state.containers["t"].stopping = true;
  EXPECT_TRUE(plan_pod(pod, state, kNow, kWall).kill.empty()) << "the first waits for the second";
  state.containers["t"] = exited(0);
  plan = plan_pod(pod, state, kNow, kWall);
  ASSERT_EQ(plan.kill.size(), 1u);
  EXPECT_EQ(plan.kill[0].container, "s");
}

TEST(PlanPod, a_pod_that_is_active_for_too_long_ends) {
  auto pod = pod_of(kTwo);
  pod.spec.activeDeadlineSeconds = 60;
  PodState state;
  state.sandbox_up = true;
  state.containers = {{"a", running()}, {"b", running()}};
  state.start_time = WallTime{kWall.since_epoch - 50s};
  PodPlan plan = plan_pod(pod, state, kNow, kWall);
  EXPECT_FALSE(plan.end);
  EXPECT_EQ(plan.wake, kNow + 10s);
  state.start_time = WallTime{kWall.since_epoch - 60s};
  plan = plan_pod(pod, state, kNow, kWall);
  ASSERT_TRUE(plan.end);
  EXPECT_EQ(plan.end->reason, "DeadlineExceeded");
  state.end = plan.end;
  plan = plan_pod(pod, state, kNow, kWall);
  EXPECT_EQ(plan.kill.size(), 2u);
  EXPECT_TRUE(plan.start.empty());
  state.containers = {{"a", exited(137)}, {"b", exited(0)}};
  plan = plan_pod(pod, state, kNow, kWall);
  EXPECT_TRUE(plan.drop_sandbox && plan.start.empty() && plan.kill.empty());
}

TEST(PlanPod, debugging_containers_start_once_beside_the_others) {
  auto pod = pod_of(kInit);
  api::EphemeralContainer debug;
  debug.name = "d";
  pod.spec.ephemeralContainers.push_back(debug);
  PodState state;
  state.sandbox_up = true;
  state.containers = {{"i", running()}};
  EXPECT_EQ(plan_pod(pod, state, kNow, kWall).start, Starts{"d"});
  state.containers["d"] = exited(1);
  EXPECT_TRUE(plan_pod(pod, state, kNow, kWall).start.empty());
  state.containers = {{"i", exited(0)}, {"j", exited(0)}, {"a", exited(0)}, {"d", running()}};
  pod.spec.restartPolicy = "Never";
  const PodPlan plan = plan_pod(pod, state, kNow, kWall);
  ASSERT_EQ(plan.kill.size(), 1u) << "a finished pod takes them along";
  EXPECT_EQ(plan.kill[0].container, "d");
}

TEST(PlanPod, a_probe_may_have_a_grace_of_its_own) {
  PodState state;
  state.sandbox_up = true;
  state.containers = {{"a", running()}, {"b", running()}};
  state.containers["a"].liveness_failed = true;
  state.containers["a"].kill_grace = 3s;
  const auto plan = plan_pod(pod_of(kTwo), state, kNow, kWall);
  ASSERT_EQ(plan.kill.size(), 1u);
  EXPECT_EQ(plan.kill[0].grace, 3s);
}

TEST(PlanPod, a_container_that_failed_its_liveness_probe_is_killed_once) {
  PodState state;
  state.sandbox_up = true;
  state.containers = {{"a", running()}, {"b", running()}};
  state.containers["a"].liveness_failed = true;
  EXPECT_EQ(plan_pod(pod_of(kTwo), state, kNow, kWall).kill.size(), 1u);
  state.containers["a"].stopping = true;
  EXPECT_TRUE(plan_pod(pod_of(kTwo), state, kNow, kWall).kill.empty());
}

TEST(Backoff, begins_with_an_immediate_restart_and_doubles_to_five_minutes) {
  ContainerState state = exited(1);
  state.running_since = kNow;
  std::vector<int64_t> pauses;
  for (int restart = 0; restart < 8; ++restart) {
    state.restart_count = restart;
    note_exit(state, kNow);
    pauses.push_back(std::chrono::duration_cast<std::chrono::seconds>(state.backoff).count());
  }
  EXPECT_EQ(pauses, (std::vector<int64_t>{0, 10, 20, 40, 80, 160, 300, 300}));
  state.running_since = kNow - 11min;  // it ran well for long enough
  note_exit(state, kNow);
  EXPECT_EQ(state.backoff, Duration::zero());
}

TEST(IsFinished, follows_the_restart_policy) {
  struct Case {
    const char* policy;
    int code;
    bool finished;
  };
  for (const auto& c : {Case{"Always", 0, false}, {"OnFailure", 0, true}, {"OnFailure", 1, false}, {"Never", 1, true}}) {
    SCOPED_TRACE(c.policy);
    PodState state;
    state.containers = {{"a", exited(c.code)}};
    const auto pod =
        pod_of(fmt::format(R"({{"restartPolicy":"{}","containers":[{{"name":"a"}}]}})", c.policy));
    EXPECT_EQ(is_finished(pod, state), c.finished);
  }
}

}  // namespace
}  // namespace kinglet::node

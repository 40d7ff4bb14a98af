#include "client/event_recorder.h"

#include <gtest/gtest.h>

#include "client/testing/world.h"

namespace kinglet::client {
namespace {
using testing::World;

const schema::Resource& events() { return resource("", "v1", "events"); }
ObjectReference pod(std::string name) {
  return {.api_version = "v1", .kind = "Pod", .ns = "a", .name = name, .uid = "u-" + name};
}
struct Bench {
  World world;
  EventRecorder& recorder = world.events;
  Bench() { world.start("events", recorder.run()); }
  ~Bench() { world.stop(); }
};

TEST(EventRecorder, repetitions_raise_the_count_of_the_first_event) {
  Bench b;
  for (int i = 0; i < 3; ++i) {
    b.recorder.event(pod("x"), EventType::warning, "BackOff", "restarting failed container");
    b.world.run_for(10s);
  }
  const auto all = b.world.api.read_all(events(), "a");
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(json::int_at(all[0], {"count"}), 3);
  EXPECT_EQ(json::text_at(all[0], {"type"}), "Warning");
  EXPECT_EQ(json::text_at(all[0], {"involvedObject", "uid"}), "u-x");
  EXPECT_NE(json::text_at(all[0], {"firstTimestamp"}), json::text_at(all[0], {"lastTimestamp"}));
}

TEST(EventRecorder, many_similar_events_become_one) {
  Bench b;
  for (int i = 0; i < 20; ++i)
    b.recorder.event(pod("x"), EventType::normal, "Scheduled", fmt::format("message {}", i));
  b.world.run_for(1s);
  const auto all = b.world.api.read_all(events(), "a");
  EXPECT_EQ(all.size(), 11u) << "ten of their own, one for the rest";
  int combined = 0;
  for (const auto& event : all)
    if (json::text_at(event, {"message"}).starts_with("(combined from similar events): ")) {
      ++combined;
      EXPECT_EQ(json::int_at(event, {"count"}), 10);
    }
  EXPECT_EQ(combined, 1);
}

TEST(EventRecorder, an_object_that_chatters_is_cut_off_and_heard_again_later) {
  Bench b;
  for (int i = 0; i < 100; ++i) b.recorder.event(pod("x"), EventType::normal, fmt::format("R{}", i), "m");
  b.recorder.event(pod("y"), EventType::normal, "Other", "not affected");
  b.world.run_for(1s);
  EXPECT_EQ(b.world.api.read_all(events(), "a").size(), 26u);
  b.world.run_for(5min);
  b.recorder.event(pod("x"), EventType::normal, "Later", "m");
  b.world.run_for(1s);
  EXPECT_EQ(b.world.api.read_all(events(), "a").size(), 27u);
}

TEST(EventRecorder, drops_what_it_cannot_queue_or_write) {
  Bench b;
  b.world.api.set_trouble([](std::string_view, const schema::Resource&, const ObjectKey&) {
    return Result<void>(Error(Code::forbidden, "no"));
  });
  b.recorder.event(pod("x"), EventType::normal, "R", "m");
  b.world.run_for(1s);
  EXPECT_TRUE(b.world.api.read_all(events()).empty());
  EXPECT_NE(b.world.metrics->text().find("kinglet_client_events_dropped_total"), std::string::npos);
}

}  // namespace
}  // namespace kinglet::client

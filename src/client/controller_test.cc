#include "client/controller.h"

#include <gtest/gtest.h>

#include "client/testing/world.h"

namespace kinglet::client {
namespace {
using testing::World;

struct Config : Object {
  static const schema::Resource& resource() { return client::resource("", "v1", "configmaps"); }
  static std::shared_ptr<Object> decode(const json::Value&) { return std::make_shared<Config>(); }
};

using Body = std::function<Task<Result<Outcome>>(Api&, ObjectKey)>;
struct Scripted final : Reconciler {
  explicit Scripted(Body b) : body(std::move(b)) {}
  Task<Result<Outcome>> reconcile(Api& api, ObjectKey key) override { return body(api, std::move(key)); }
  Body body;
};

struct Bench {
  World world;
  Informer<Config> configs = world.informers.of<Config>();
  Runner runner{world.api, *world.clock, *world.random, *world.metrics, {.name = "test", .workers = 2}};
  explicit Bench(Body body) {
    runner.reads(configs);
    runner.use(std::make_unique<Scripted>(std::move(body)));
    world.start("informers", world.informers.run());
    world.start("runner", runner.run());
  }
  ~Bench() { world.stop(); }
};

TEST(Runner, retries_failures_until_one_run_succeeds) {
  static int runs;
  runs = 0;
  Bench b([](Api&, ObjectKey) -> Task<Result<Outcome>> {
    if (++runs < 5) co_return Error(Code::conflict, "not yet");
    co_return Outcome::done();
  });
  b.runner.add({"a", "x"});
  b.world.run_for(1min);
  EXPECT_EQ(runs, 5);
  EXPECT_TRUE(b.runner.idle());
  EXPECT_NE(b.world.metrics->text().find("workqueue_retries_total{name=\"test\"} 4"), std::string::npos);
}

TEST(Runner, runs_again_when_the_outcome_says_so) {
  static int runs;
  runs = 0;
  Bench b([](Api&, ObjectKey) -> Task<Result<Outcome>> {
    co_return ++runs < 3 ? Outcome::again(10s) : Outcome::done();
  });
  b.runner.add({"a", "x"});
  b.world.run_for(15s);
  EXPECT_EQ(runs, 2);
  b.world.run_for(60s);
  EXPECT_EQ(runs, 3);
}

// Without the rule a controller that is called between its write and the event would write twice.
TEST(Runner, calls_a_key_again_only_when_the_caches_have_seen_its_last_writes) {
  static Bench* bench;
  static size_t created;
  created = 0;
  Bench b([](Api& api, ObjectKey key) -> Task<Result<Outcome>> {
    if (bench->configs.size() < 3) {
      ++created;
      std::string body = R"({"metadata":{"generateName":"c-"}})";
      const auto made = co_await api.create(Config::resource(), key.ns, std::move(body));
      if (!made) co_return made.error();
      bench->runner.add(key);  // wanted again at once
    }
    co_return Outcome::done();
  });
  bench = &b;
  b.runner.add({"a", "x"});
  b.world.run_for(1min);
  EXPECT_EQ(created, 3u);
  EXPECT_EQ(b.configs.size(), 3u);
}

TEST(Runner, does_not_wait_for_ever_for_a_cache_that_lags) {
  static Bench* bench;
  static int runs;
  runs = 0;
  Bench b([](Api& api, ObjectKey key) -> Task<Result<Outcome>> {
    if (++runs > 1) co_return Outcome::done();
    // The write that the cache never hears of.
    bench->world.api.set_trouble([](std::string_view verb, const schema::Resource&, const ObjectKey&) {
      return verb == "watch" || verb == "list" ? Result<void>(Error(Code::unavailable, "cut")) : Result<void>();
    });
    bench->world.api.break_watches(Code::unavailable);
    std::string body = R"({"metadata":{"name":"c"}})";
    const auto made = co_await api.create(Config::resource(), key.ns, std::move(body));
    if (!made) co_return made.error();
    bench->runner.add(key);
    co_return Outcome::done();
  });
  bench = &b;
  b.runner.add({"a", "x"});
  b.world.run_for(5s);
  EXPECT_EQ(runs, 1);
  b.world.run_for(1min);
  EXPECT_EQ(runs, 2);
}

TEST(Runner, waits_for_removals_to_show) {
  static Bench* bench;
  static int removed;
  removed = 0;
  Bench b([](Api& api, ObjectKey) -> Task<Result<Outcome>> {
    for (const auto& config : bench->configs.list()) {
      const auto gone = co_await api.remove(Config::resource(), config->meta.ns, config->meta.name);
      if (!gone) co_return gone.error();
      ++removed;
      bench->runner.add({"a", "x"});
    }
    co_return Outcome::done();
  });
  bench = &b;
  for (const char* name : {"one", "two"})
    (void)b.world.api.put(Config::resource(),
                          json::Object{{"metadata", json::Object{{"namespace", "a"}, {"name", name}}}});
  b.runner.add({"a", "x"});
  b.world.run_for(1min);
  EXPECT_EQ(removed, 2);
}

}  // namespace
}  // namespace kinglet::client

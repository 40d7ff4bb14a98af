// The contract of store.h, on every backend.
#include "store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/task_group.h"
#include "base/testing.h"
#include "store/internal/sorted_entries.h"

namespace kinglet::store {
namespace {
namespace asio = boost::asio;
using ::testing::ElementsAre;

struct Backend {
  const char* name;
  std::function<std::unique_ptr<Store>(Files&, Clock&, Metrics&)> open;
};

Tags length_tag(std::string_view, std::string_view value) {
  return {{"f:length", std::to_string(value.size())}};
}

class StoreContract : public ::testing::TestWithParam<Backend> {
 protected:
  void SetUp() override { store_ = GetParam().open(*disk_, *clock_, *metrics_); }
  template <class T>
  T run(Task<T> task) {
    return testing::run_task(loop_, std::move(task));
  }
  Result<EntryRef> put(std::string key, std::string text, Revision expected = 0,
                       Durability durability = Durability::durable) {
    return run(store_->put(std::move(key), Value{std::move(text)}, expected, durability));
  }
  Revision must_put(std::string key, std::string text, Revision expected = 0,
                    Durability durability = Durability::durable) {
    auto entry = put(std::move(key), std::move(text), expected, durability);
    EXPECT_TRUE(entry) << (entry ? "" : entry.error().message());
    return entry ? (*entry)->revision : 0;
  }
  Result<Revision> remove(std::string key, Revision expected) {
    return run(store_->remove(std::move(key), expected, Value{"gone"}));
  }
  static std::string keys(const Page& page) {
    std::string out;
    for (const auto& entry : page.entries)
      out += fmt::format("{}={} ", entry->key, entry->value.view());
    return out;
  }
  static std::string text_of(const Event& event) {
    return fmt::format("{} {}={} was {}", event.type == Event::Type::put ? "put" : "remove",
                       event.entry->key, event.entry->value.view(),
                       event.previous ? event.previous->value.view() : "nothing");
  }
  std::vector<std::string> drain(Watch& watch) {
    std::vector<std::string> out;
    for (;;) {
      auto event = watch.poll();
      if (!event) {
        out.push_back(reason_of(event.code()));
        return out;
      }
      if (!*event) return out;
      out.push_back(text_of(**event));
    }
  }

  asio::io_context loop_;
  std::unique_ptr<SimClock> clock_ = make_sim_clock(WallTime{});
  std::unique_ptr<FakeDisk> disk_ = make_fake_disk();
  std::unique_ptr<Metrics> metrics_ = make_metrics();
  std::unique_ptr<Store> store_;
};

std::unique_ptr<Store> open_memory(Files&, Clock& clock, Metrics&) {
  return make_memory_store(clock, length_tag);
}
std::unique_ptr<Store> open_on_disk(Files& files, Clock& clock, Metrics& metrics) {
  EXPECT_TRUE(files.make_dirs("/data"));
  SqliteOptions options;
  options.path = "/data/state.db";
  options.indexer = length_tag;
  auto store = open_sqlite(files, clock, metrics, options);
  EXPECT_TRUE(store) << (store ? "" : store.error().message());
  return store ? std::move(*store) : nullptr;
}
INSTANTIATE_TEST_SUITE_P(Both, StoreContract,
                         ::testing::Values(Backend{"memory", open_memory},
                                           Backend{"sqlite", open_on_disk}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(StoreContract, a_put_is_seen_by_find_with_its_revision_stamped) {
  const std::string text = R"({"resourceVersion":"","a":1})";
  const auto entry = run(store_->put("/a", Value{text, 20}, 0));
  ASSERT_TRUE(entry);
  EXPECT_EQ((*entry)->value.view(),
            fmt::format(R"({{"resourceVersion":"{}","a":1}})", (*entry)->revision));
  EXPECT_EQ((*entry)->created, (*entry)->revision);
  EXPECT_EQ(store_->find("/a"), *entry);
  EXPECT_EQ(store_->current(), (*entry)->revision);
  EXPECT_GT((*entry)->revision, 1u);
  EXPECT_EQ(*(*entry)->tags, (Tags{{"f:length", std::to_string((*entry)->value.size())}}));
}

TEST_P(StoreContract, preconditions_are_checked) {
  EXPECT_TRUE(put("/a", "x", 7).is(Code::not_found));
  const Revision first = must_put("/a", "x");
  EXPECT_TRUE(put("/a", "y").is(Code::already_exists));
  EXPECT_TRUE(put("/a", "y", first + 1).is(Code::conflict));
  EXPECT_TRUE(remove("/a", first + 1).is(Code::conflict));
  EXPECT_TRUE(remove("/b", first).is(Code::not_found));
  const Revision second = must_put("/a", "y", first);
  EXPECT_GT(second, first);
  EXPECT_EQ(store_->find("/a")->created, first);
  const auto removed = remove("/a", second);
  ASSERT_TRUE(removed);
  EXPECT_GT(*removed, second);
  EXPECT_EQ(store_->find("/a"), nullptr);
  EXPECT_EQ(store_->current(), *removed);
}

TEST_P(StoreContract, a_value_that_is_too_large_is_refused) {
  EXPECT_TRUE(put("/a", std::string(kValueBytesMax + 1, 'x')).is(Code::too_large));
  EXPECT_TRUE(put("/a", std::string(kValueBytesMax, 'x')));
}

TEST_P(StoreContract, lists_have_prefix_order_limit_and_continuation) {
  for (const char* key : {"/b/2", "/a/1", "/b/1", "/b0", "/b/3"}) must_put(key, "v");
  EXPECT_EQ(keys(store_->list("/b/", {})), "/b/1=v /b/2=v /b/3=v ");
  EXPECT_EQ(store_->count("/b/"), 3u);
  EXPECT_EQ(store_->count(""), 5u);
  const Page first = store_->list("/b/", {.limit = 2});
  EXPECT_EQ(keys(first), "/b/1=v /b/2=v ");
  EXPECT_TRUE(first.more);
  EXPECT_EQ(first.remaining, 1u);
  const Page rest = store_->list("/b/", {.limit = 2, .after = "/b/2"});
  EXPECT_EQ(keys(rest), "/b/3=v ");
  EXPECT_FALSE(rest.more);
  EXPECT_EQ(keys(store_->list("/c/", {})), "");
}

TEST_P(StoreContract, the_past_can_be_listed_until_it_is_compacted) {
  const Revision a = must_put("/a", "1");
  const Revision b = must_put("/b", "1");
  const Revision c = must_put("/a", "2", a);
  ASSERT_TRUE(remove("/b", b));
  must_put("/c", "1");
  const auto at = [&](Revision revision, size_t limit = 0, std::string after = "") {
    const auto page = run(store_->list_at("/", {revision, limit, std::move(after)}));
    return page ? keys(*page) : reason_of(page.code());
  };
  EXPECT_EQ(at(a), "/a=1 ");
  EXPECT_EQ(at(b), "/a=1 /b=1 ");
  EXPECT_EQ(at(c), "/a=2 /b=1 ");
  EXPECT_EQ(at(c, 1), "/a=2 ");
  EXPECT_EQ(at(c, 1, "/a"), "/b=1 ");
  EXPECT_EQ(at(store_->current()), "/a=2 /c=1 ");
  EXPECT_EQ(at(0), "/a=2 /c=1 ");
  EXPECT_EQ(at(store_->current() + 1), "Timeout");
  ASSERT_TRUE(run(store_->compact(b)));
  EXPECT_EQ(at(a), "Expired");
  EXPECT_EQ(at(b), "/a=1 /b=1 ");
  EXPECT_EQ(store_->compacted(), b);
  EXPECT_FALSE(run(store_->compact(store_->current() + 1)));
}

TEST_P(StoreContract, a_watch_sees_the_past_and_the_future_of_its_prefix) {
  const Revision start = store_->current();
  const Revision a = must_put("/x/a", "1");
  must_put("/y/a", "1");
  auto watch = store_->watch("/x/", start);
  auto late = store_->watch("/x/", a);
  ASSERT_TRUE(watch && late);
  const Revision second = must_put("/x/a", "2", a);
  ASSERT_TRUE(remove("/x/a", second));
  EXPECT_THAT(drain(**watch),
              ElementsAre("put /x/a=1 was nothing", "put /x/a=2 was 1", "remove /x/a=gone was 2"));
  EXPECT_THAT(drain(**late), ElementsAre("put /x/a=2 was 1", "remove /x/a=gone was 2"));
  EXPECT_THAT(drain(**watch), ElementsAre());
}

TEST_P(StoreContract, a_watch_from_a_compacted_revision_is_expired) {
  const Revision a = must_put("/a", "1");
  must_put("/b", "1");
  ASSERT_TRUE(run(store_->compact(store_->current())));
  EXPECT_TRUE(store_->watch("/", a).is(Code::expired));
  EXPECT_TRUE(store_->watch("/", store_->current()));
}

Task<Result<Event>> next_of(Watch& watch) { co_return co_await watch.next(); }
Task<void> put_soon(Store& store) {
  Value value{"1"};
  (void)co_await store.put("/a", std::move(value), 0);
}
Task<Result<Event>> wait_and_put(Store& store, Watch& watch) {
  TaskGroup group;
  std::optional<Result<Event>> out;
  auto take = [](Watch& w, std::optional<Result<Event>>& o) -> Task<void> {
    o.emplace(co_await next_of(w));
  };
  group.add("next", take(watch, out));
  group.add("put", put_soon(store));
  KL_CHECK(co_await group.run());
  co_return std::move(*out);
}
TEST_P(StoreContract, next_waits_for_an_event) {
  auto watch = store_->watch("/a", store_->current());
  ASSERT_TRUE(watch);
  const auto event = run(wait_and_put(*store_, **watch));
  ASSERT_TRUE(event);
  EXPECT_EQ(text_of(*event), "put /a=1 was nothing");
}

TEST_P(StoreContract, a_watch_that_falls_too_far_behind_expires) {
  auto slow = store_->watch("/big", store_->current());
  ASSERT_TRUE(slow);
  Revision at = 0;
  for (int i = 0; i < 14; ++i) at = must_put("/big", std::string(kValueBytesMax, 'x'), at);
  EXPECT_THAT(drain(**slow), ElementsAre("Expired"));
  auto fresh = store_->watch("/big", store_->current());
  ASSERT_TRUE(fresh);
  ASSERT_TRUE(remove("/big", at));
  EXPECT_EQ(drain(**fresh).size(), 1u);
}

TEST_P(StoreContract, a_watch_outlives_its_store_with_an_error) {
  auto watch = store_->watch("/", store_->current());
  ASSERT_TRUE(watch);
  store_.reset();
  EXPECT_TRUE((*watch)->poll().is(Code::unavailable));
}

TEST_P(StoreContract, many_writers_get_distinct_rising_revisions_in_watch_order) {
  auto watch = store_->watch("/", store_->current());
  ASSERT_TRUE(watch);
  std::vector<Revision> acknowledged;
  auto writer = [](Store& store, std::vector<Revision>& out, int id) -> Task<Result<void>> {
    for (int i = 0; i < 10; ++i) {
      Value value{"v"};
      const std::string key = fmt::format("/{}/{}", id, i);
      const Durability durability = i % 3 == 0 ? Durability::volatile_ : Durability::durable;
      KL_TRY(entry, co_await store.put(key, std::move(value), 0, durability));
      if (store.find(key) != entry) co_return Error(Code::internal, "not visible");
      out.push_back(entry->revision);
    }
    co_return Result<void>();
  };
  TaskGroup group;
  for (int id = 0; id < 20; ++id) group.add("writer", writer(*store_, acknowledged, id));
  auto run_group = [](TaskGroup& g) -> Task<Result<void>> { co_return co_await g.run(); };
  const auto ended = run(run_group(group));
  ASSERT_TRUE(ended) << ended.error().message();
  std::vector<Revision> seen;
  for (auto event = (*watch)->poll(); event && *event; event = (*watch)->poll())
    seen.push_back((*event)->revision);
  EXPECT_EQ(seen.size(), 200u);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(std::adjacent_find(seen.begin(), seen.end()), seen.end());
  std::sort(acknowledged.begin(), acknowledged.end());
  EXPECT_EQ(acknowledged, seen);
}

// Random operations against a plain map.
TEST_P(StoreContract, behaves_like_a_map) {
  const auto random = make_seeded_random(42);
  std::map<std::string, std::pair<Revision, std::string>> model;
  std::map<Revision, std::string> snapshots;
  const auto text = [&] {
    std::string out;
    for (const auto& [key, value] : model) out += fmt::format("{}={} ", key, value.second);
    return out;
  };
  snapshots[store_->current()] = "";
  for (int i = 0; i < 400; ++i) {
    const std::string key = fmt::format("/k{}", random->below(30));
    const auto here = model.find(key);
    const Revision expected = here == model.end() ? 0 : here->second.first;
    if (expected != 0 && random->below(3) == 0) {
      ASSERT_TRUE(remove(key, expected));
      model.erase(here);
    } else {
      const auto durability = random->below(2) ? Durability::durable : Durability::volatile_;
      const std::string value = std::to_string(random->below(1000));
      model[key] = {must_put(key, value, expected, durability), value};
    }
    snapshots[store_->current()] = text();
    ASSERT_EQ(keys(store_->list("", {})), text());
  }
  for (const auto& [revision, expected] : snapshots) {
    const auto page = run(store_->list_at("", {revision, 0, ""}));
    ASSERT_TRUE(page);
    ASSERT_EQ(keys(*page), expected) << revision;
  }
}

TEST(SortedEntries, stays_in_order_through_any_inserts_and_erases) {
  const auto random = make_seeded_random(3);
  SortedEntries entries;
  std::map<std::string, EntryRef> model;
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = fmt::format("/{:04}", random->below(3000));
    if (random->below(3) == 0) {
      entries.erase(key);
      model.erase(key);
    } else {
      auto entry = std::make_shared<Entry>();
      entry->key = key;
      entries.put(entry);
      model[key] = entry;
    }
    ASSERT_EQ(entries.size(), model.size());
  }
  auto place = entries.first_from("");
  for (const auto& [key, entry] : model) {
    ASSERT_EQ(entries[place], entry);
    ASSERT_EQ(entries.find(key), entry);
    place = entries.next(place);
  }
  EXPECT_EQ(place, entries.end_of_prefix(""));
  const auto from = entries.first_from("/1"), to = entries.end_of_prefix("/1");
  EXPECT_EQ(entries.distance(from, to),
            static_cast<size_t>(std::distance(model.lower_bound("/1"), model.lower_bound("/2"))));
}

}  // namespace
}  // namespace kinglet::store

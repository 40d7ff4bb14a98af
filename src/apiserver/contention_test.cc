// Writes that others overtake, and a store that fails.
#include <gtest/gtest.h>

#include "apiserver/internal/metadata.h"
#include "apiserver/testing/api_world.h"

namespace kinglet::apiserver {
namespace {
using namespace testing;  // NOLINT

constexpr const char* kMaps = "/api/v1/namespaces/default/configmaps";
constexpr const char* kMap = "/api/v1/namespaces/default/configmaps/a";

// The memory store, where somebody writes the same object just before each of the next `overtakes`
// writes, or which refuses writes.
class ContestedStore final : public store::Store {
 public:
  explicit ContestedStore(std::unique_ptr<store::Store> inner) : inner_(std::move(inner)) {}
  int overtakes = 0;
  bool broken = false;

  Task<Result<store::EntryRef>> put(std::string key, store::Value value, store::Revision expected,
                                    store::Durability durability) override {
    if (broken) co_return Error(Code::unavailable, "the disk is full");
    if (overtakes > 0 && expected != 0) {
      --overtakes;
      KL_CHECK(co_await overtake(key));
    }
    co_return co_await inner_->put(std::move(key), std::move(value), expected, durability);
  }
  Task<Result<store::Revision>> remove(std::string key, store::Revision expected,
                                       store::Value last) override {
    if (broken) co_return Error(Code::unavailable, "the disk is full");
    if (overtakes > 0) {
      --overtakes;
      KL_CHECK(co_await overtake(key));
    }
    co_return co_await inner_->remove(std::move(key), expected, std::move(last));
  }
  store::EntryRef find(std::string_view key) const override { return inner_->find(key); }
  store::Page list(std::string_view prefix, const store::ListOptions& options) const override {
    return inner_->list(prefix, options);
  }
  size_t count(std::string_view prefix) const override { return inner_->count(prefix); }
  Task<Result<store::Page>> list_at(std::string prefix, store::ListOptions options) override {
    return inner_->list_at(std::move(prefix), std::move(options));
  }
  Result<std::unique_ptr<store::Watch>> watch(std::string prefix, store::Revision after) override {
    return inner_->watch(std::move(prefix), after);
  }
  store::Revision current() const override { return inner_->current(); }
  store::Revision compacted() const override { return inner_->compacted(); }
  Task<Result<void>> barrier() override { return inner_->barrier(); }
  Task<Result<void>> compact(store::Revision through) override { return inner_->compact(through); }
  Result<void> healthy() const override { return inner_->healthy(); }
  Task<Result<void>> run() override { return inner_->run(); }

 private:
  // The same object once more, as if another client had touched it.
  Task<Result<void>> overtake(std::string key) {
    const auto entry = inner_->find(key);
    if (!entry) co_return Result<void>();
    auto value = unstamped(entry->value.view());
    KL_CHECK(co_await inner_->put(std::move(key), std::move(value), entry->revision,
                                  store::Durability::durable));
    co_return Result<void>();
  }
  std::unique_ptr<store::Store> inner_;
};

// Counts what is taken and given back.
class CountingHooks final : public KindHooks {
 public:
  explicit CountingHooks(int& taken) : taken_(taken) {}
  Result<void> allocate(const WriteContext&, json::Value&, const json::Value* old) override {
    if (!old) ++taken_;
    return {};
  }
  void release(const json::Value&, const json::Value* still_used_by) override {
    if (!still_used_by) --taken_;
  }

 private:
  int& taken_;
};

class Contention : public ::testing::Test {
 protected:
  static RegistryOptions options(int& taken) {
    RegistryOptions out;
    out.hooks.emplace("/configmaps", std::make_unique<CountingHooks>(taken));
    return out;
  }
  void SetUp() override { ASSERT_EQ(world.post(kMaps, config_map("a"))->status, 201); }
  int taken = 0;
  ContestedStore* contested = nullptr;
  ApiWorld world{options(taken), [this](std::unique_ptr<store::Store> inner) {
                   auto out = std::make_unique<ContestedStore>(std::move(inner));
                   contested = out.get();
                   return out;
                 }};
};

TEST_F(Contention, a_patch_is_tried_again) {
  contested->overtakes = 4;
  EXPECT_EQ(world.patch(kMap, R"({"data":{"k":"2"}})")->status, 200);
  EXPECT_EQ(json::text_at(world.get(kMap)->json(), {"data", "k"}), "2");
  contested->overtakes = 5;
  EXPECT_EQ(world.patch(kMap, R"({"data":{"k":"3"}})")->status, 409) << "but not for ever";
}

TEST_F(Contention, a_writer_that_names_its_revision_is_told) {
  const auto revision = revision_of(*world.get(kMap));
  contested->overtakes = 1;
  const auto put =
      world.put(kMap, config_map("a", "2", fmt::format(R"(,"resourceVersion":"{}")", revision)));
  EXPECT_EQ(put->status, 409);
  EXPECT_EQ(json::text_at(put->json(), {"reason"}), "Conflict");
  EXPECT_EQ(json::text_at(world.get(kMap)->json(), {"data", "k"}), "v");
}

TEST_F(Contention, a_delete_is_tried_again_unless_it_names_a_revision) {
  contested->overtakes = 1;
  const auto body = fmt::format(R"({{"preconditions":{{"resourceVersion":"{}"}}}})",
                                revision_of(*world.get(kMap)));
  EXPECT_EQ(world.remove(kMap, body)->status, 409);
  contested->overtakes = 2;
  EXPECT_EQ(world.remove(kMap)->status, 200);
  EXPECT_EQ(world.get(kMap)->status, 404);
}

TEST_F(Contention, a_failing_store_is_503_and_nothing_is_half_done) {
  contested->broken = true;
  const auto before = world.store->current();
  const auto made = world.post(kMaps, config_map("b"));
  EXPECT_EQ(made->status, 503);
  EXPECT_EQ(json::text_at(made->json(), {"reason"}), "ServiceUnavailable");
  EXPECT_EQ(taken, 1) << "what the failed create took is given back";
  EXPECT_EQ(world.patch(kMap, R"({"data":{"k":"2"}})")->status, 503);
  EXPECT_EQ(world.remove(kMap)->status, 503);
  EXPECT_EQ(world.store->current(), before);
  contested->broken = false;
  EXPECT_EQ(world.remove(kMap)->status, 200);
  EXPECT_EQ(taken, 0);
}

TEST_F(Contention, a_taken_name_gives_back_what_was_allocated) {
  EXPECT_EQ(world.post(kMaps, config_map("a"))->status, 409);
  EXPECT_EQ(taken, 1);
}

}  // namespace
}  // namespace kinglet::apiserver

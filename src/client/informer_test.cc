#include "client/informer.h"

#include <gtest/gtest.h>

#include "client/testing/world.h"

namespace kinglet::client {
namespace {
using testing::World;

struct Config : Object {
  static const schema::Resource& resource() { return client::resource("", "v1", "configmaps"); }
  static std::shared_ptr<Object> decode(const json::Value& object) {
    auto config = std::make_shared<Config>();
    config->x = json::text_at(object, {"data", "x"});
    return config;
  }
  std::string x;
};

json::Value config(std::string ns, std::string name, std::string x, json::Object labels = {}) {
  return json::Object{
      {"metadata", json::Object{{"namespace", ns}, {"name", name}, {"labels", std::move(labels)}}},
      {"data", json::Object{{"x", x}}}};
}

struct Watched {
  World world;
  Informer<Config> configs = world.informers.of<Config>();
  std::vector<std::string> log;
  Watched() {
    configs.on_change([this](const Config* before, const Config* after) {
      log.push_back((before ? before->x : "-") + ">" + (after ? after->x : "-"));
    });
    world.start("informers", world.informers.run());
  }
  ~Watched() { world.stop(); }
  void put(json::Value object) { (void)world.api.put(Config::resource(), std::move(object)); }
};

TEST(Informer, follows_what_was_there_and_what_changes) {
  Watched w;
  w.put(config("a", "one", "1"));
  w.world.run_for(1s);
  ASSERT_TRUE(w.configs.core().has_synced());
  w.put(config("a", "one", "2"));
  w.put(config("b", "two", "3"));
  w.world.api.erase(Config::resource(), "a", "one");
  w.world.run_for(1s);
  EXPECT_EQ(w.log, (std::vector<std::string>{"->1", "1>2", "->3", "2>-"}));
  EXPECT_EQ(w.configs.core().revision(), w.world.api.revision());
  EXPECT_EQ(w.configs.list("a").size(), 0u);
  ASSERT_EQ(w.configs.list("b").size(), 1u);
  EXPECT_EQ(w.configs.find({"b", "two"})->x, "3");
}

TEST(Informer, lists_again_when_the_history_is_gone_and_tells_the_difference) {
  Watched w;
  w.put(config("a", "stays", "s"));
  w.put(config("a", "goes", "g"));
  w.put(config("a", "changes", "1"));
  w.world.run_for(1s);
  w.log.clear();
  w.world.api.break_watches(Code::expired);
  w.world.api.erase(Config::resource(), "a", "goes");
  w.put(config("a", "changes", "2"));
  w.put(config("a", "new", "n"));
  w.world.run_for(5s);
  EXPECT_EQ(w.log, (std::vector<std::string>{"g>-", "1>2", "->n"}));
}

TEST(Informer, resumes_a_broken_watch_without_missing_or_repeating) {
  Watched w;
  w.put(config("a", "one", "1"));
  w.world.run_for(1s);
  w.world.api.break_watches(Code::unavailable);
  w.put(config("a", "one", "2"));
  w.world.run_for(5s);
  w.put(config("a", "one", "3"));
  w.world.run_for(5s);
  EXPECT_EQ(w.log, (std::vector<std::string>{"->1", "1>2", "2>3"}));
}

TEST(Informer, an_object_made_anew_under_its_old_name_is_seen_to_go_first) {
  Watched w;
  w.put(config("a", "one", "1"));
  w.world.run_for(1s);
  w.world.api.break_watches(Code::expired);
  w.world.api.erase(Config::resource(), "a", "one");
  w.put(config("a", "one", "2"));
  w.world.run_for(5s);
  EXPECT_EQ(w.log, (std::vector<std::string>{"->1", "1>-", "->2"}));
}

TEST(Informer, selects_by_namespace_label_and_index) {
  Watched w;
  const auto by_x = w.configs.index("x", [](const Config& c, std::vector<std::string>& keys) {
    keys.push_back(c.x);
  });
  w.put(config("a", "z", "1", {{"app", "web"}}));
  w.put(config("a", "y", "1", {{"app", "db"}}));
  w.put(config("ab", "x", "2", {{"app", "web"}}));
  w.world.run_for(1s);
  const auto names = [](const std::vector<Ref<const Config>>& list) {
    std::string text;
    for (const auto& c : list) text += c->meta.key().text() + " ";
    return text;
  };
  EXPECT_EQ(names(w.configs.list("a")), "a/y a/z ");
  EXPECT_EQ(names(w.configs.select("a", *schema::Selector::parse("app=web"))), "a/z ");
  EXPECT_EQ(names(w.configs.indexed(by_x, "1")), "a/y a/z ");
  w.put(config("a", "y", "2"));
  w.world.run_for(1s);
  EXPECT_EQ(names(w.configs.indexed(by_x, "1")), "a/z ");
  EXPECT_EQ(names(w.configs.indexed(by_x, "2")), "a/y ab/x ");
}

TEST(Informers, share_one_informer_per_question) {
  World world;
  auto a = world.informers.of<Config>();
  auto b = world.informers.of<Config>();
  auto c = world.informers.of<Config>("", "metadata.name=kube-root-ca.crt");
  EXPECT_EQ(&a.core(), &b.core());
  EXPECT_NE(&a.core(), &c.core());
}

}  // namespace
}  // namespace kinglet::client

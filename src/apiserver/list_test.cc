// Lists and watches through the whole request path.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apiserver/internal/list_query.h"
#include "apiserver/testing/api_world.h"

namespace kinglet::apiserver {
namespace {
using namespace testing;  // NOLINT
using ::testing::ElementsAre;

constexpr const char* kMaps = "/api/v1/namespaces/default/configmaps";

std::vector<std::string> names(const json::Value& list) {
  std::vector<std::string> out;
  if (const auto* items = list.as_object().if_contains("items"))
    for (const auto& item : items->as_array())
      out.emplace_back(json::text_at(item, {"metadata", "name"}));
  return out;
}

class Lists : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"a", "b", "c", "d", "e"})
      ASSERT_EQ(
          world
              .post(kMaps,
                    config_map(name, "v", fmt::format(R"(,"labels":{{"n":"{}","all":"1"}})", name)))
              ->status,
          201);
    world.post("/api/v1/namespaces/other/configmaps", config_map("z"));
  }
  ApiWorld world;
};

TEST_F(Lists, splice_items_without_kind) {
  const auto answer = world.get(kMaps);
  ASSERT_EQ(answer->status, 200);
  EXPECT_TRUE(answer->text.starts_with(
      R"({"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":")"));
  EXPECT_TRUE(answer->text.ends_with("]}\n"));
  const auto list = answer->json();
  EXPECT_THAT(names(list), ElementsAre("a", "b", "c", "d", "e"));
  EXPECT_FALSE(list.at("items").as_array()[0].as_object().contains("kind"));
  EXPECT_EQ(json::text_at(list.at("items").as_array()[0], {"data", "k"}), "v");
  EXPECT_EQ(revision_of(*answer), std::to_string(world.store->current()));
  EXPECT_EQ(world.get("/api/v1/configmaps")->json().at("items").as_array().size(), 6u);
  EXPECT_EQ(world.get("/api/v1/secrets")->json().at("items").as_array().size(), 0u);
}

TEST_F(Lists, select_by_labels_and_fields) {
  struct Case {
    const char* query;
    std::vector<std::string> names;
  };
  const Case cases[] = {
      {"labelSelector=n%3Db", {"b"}},
      {"labelSelector=n%20in%20(a,e)", {"a", "e"}},
      {"labelSelector=n!%3Da,all", {"b", "c", "d", "e"}},
      {"labelSelector=!all", {}},
      {"fieldSelector=metadata.name%3Dc", {"c"}},
      {"fieldSelector=metadata.name!%3Dc,metadata.namespace%3Ddefault", {"a", "b", "d", "e"}},
      {"fieldSelector=metadata.name%3Dc&labelSelector=n%3Da", {}},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.query);
    EXPECT_EQ(names(world.get(std::string(kMaps) + "?" + c.query)->json()), c.names);
  }
}

TEST_F(Lists, go_on_in_the_same_snapshot) {
  const auto first = world.get(std::string(kMaps) + "?limit=2");
  EXPECT_THAT(names(first->json()), ElementsAre("a", "b"));
  EXPECT_EQ(json::int_at(first->json(), {"metadata", "remainingItemCount"}), 3);
  const std::string token(json::text_at(first->json(), {"metadata", "continue"}));
  ASSERT_NE(token, "");
  world.remove(std::string(kMaps) + "/c");
  world.post(kMaps, config_map("bb"));
  const auto second = world.get(std::string(kMaps) + "?limit=2&continue=" + token);
  EXPECT_THAT(names(second->json()), ElementsAre("c", "d"));
  EXPECT_EQ(revision_of(*second), revision_of(*first));
  const std::string last(json::text_at(second->json(), {"metadata", "continue"}));
  const auto third = world.get(std::string(kMaps) + "?limit=2&continue=" + last);
  EXPECT_THAT(names(third->json()), ElementsAre("e"));
  EXPECT_EQ(json::text_at(third->json(), {"metadata", "continue"}), "");
}

TEST_F(Lists, fill_pages_when_selecting) {
  const auto page = world.get(std::string(kMaps) + "?limit=2&labelSelector=n%20in%20(a,d,e)");
  EXPECT_THAT(names(page->json()), ElementsAre("a", "d"));
  EXPECT_FALSE(json::find(page->json(), {"metadata", "remainingItemCount"}));
  const std::string token(json::text_at(page->json(), {"metadata", "continue"}));
  EXPECT_THAT(names(world
                        .get(std::string(kMaps) +
                             "?limit=2&labelSelector=n%20in%20(a,d,e)&continue=" + token)
                        ->json()),
              ElementsAre("e"));
}

TEST_F(Lists, an_expired_token_comes_with_a_fresh_one) {
  const auto first = world.get(std::string(kMaps) + "?limit=2");
  const std::string token(json::text_at(first->json(), {"metadata", "continue"}));
  world.post(kMaps, config_map("x"));
  ASSERT_TRUE(world.run(world.store->compact(world.store->current())));
  const auto expired = world.get(std::string(kMaps) + "?limit=2&continue=" + token);
  EXPECT_EQ(expired->status, 410) << expired->text;
  EXPECT_EQ(json::text_at(expired->json(), {"reason"}), "Expired");
  const std::string fresh(json::text_at(expired->json(), {"metadata", "continue"}));
  EXPECT_THAT(names(world.get(std::string(kMaps) + "?continue=" + fresh)->json()),
              ElementsAre("c", "d", "e", "x"));
}

TEST_F(Lists, at_exactly_a_past_revision) {
  const auto then = world.store->current();
  world.post(kMaps, config_map("later"));
  const auto target = fmt::format("{}?resourceVersion={}&resourceVersionMatch=Exact", kMaps, then);
  EXPECT_EQ(names(world.get(target)->json()).size(), 5u);
  EXPECT_EQ(names(world.get(fmt::format("{}?resourceVersion={}", kMaps, then))->json()).size(), 6u);
}

TEST_F(Lists, as_a_table) {
  const auto answer =
      world.request("GET", kMaps, "", "",
                    {{"Accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}});
  const auto table = answer->json();
  EXPECT_EQ(json::text_at(table, {"kind"}), "Table");
  EXPECT_EQ(json::text_at(table.at("columnDefinitions").as_array()[0], {"name"}), "Name");
  const auto& row = table.at("rows").as_array()[0];
  EXPECT_EQ(row.at("cells").as_array()[0].as_string(), "a");
  EXPECT_EQ(json::text_at(row, {"object", "kind"}), "PartialObjectMetadata");
  const auto one = world.request("GET", std::string(kMaps) + "/a?includeObject=Object", "", "",
                                 {{"Accept", "application/json;as=Table;v=v1;g=meta.k8s.io"}});
  EXPECT_EQ(json::text_at(one->json().at("rows").as_array()[0], {"object", "kind"}), "ConfigMap");
}

TEST_F(Lists, as_metadata_alone) {
  const auto answer = world.request(
      "GET", kMaps, "", "",
      {{"Accept", "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}});
  const auto list = answer->json();
  EXPECT_EQ(json::text_at(list, {"kind"}), "PartialObjectMetadataList");
  const auto& item = list.at("items").as_array()[0];
  EXPECT_EQ(json::text_at(item, {"metadata", "name"}), "a");
  EXPECT_FALSE(item.as_object().contains("data"));
}

TEST_F(Lists, in_yaml_and_indented) {
  const auto yaml =
      world.request("GET", std::string(kMaps) + "/a", "", "", {{"Accept", "application/yaml"}});
  EXPECT_EQ(yaml->headers.get("Content-Type"), "application/yaml");
  EXPECT_NE(yaml->text.find("kind: ConfigMap\n"), std::string::npos);
  EXPECT_NE(
      world.get(std::string(kMaps) + "/a?pretty=true")->text.find("\n  \"kind\": \"ConfigMap\""),
      std::string::npos);
  const auto made =
      world.request("POST", kMaps, "metadata:\n  name: yaml\ndata:\n  k: v\n", "application/yaml");
  EXPECT_EQ(made->status, 201) << made->text;
}

TEST_F(Lists, stream_when_long_and_compress_when_asked) {
  const std::string value(100'000, 'x');
  for (int i = 0; i < 4; ++i) world.post(kMaps, config_map(fmt::format("big{}", i), value));
  const auto plain = world.get(kMaps);
  EXPECT_GT(plain->writes, 1);
  EXPECT_TRUE(plain->finished);
  EXPECT_EQ(names(plain->json()).size(), 9u);
  const auto packed = world.request("GET", kMaps, "", "", {{"Accept-Encoding", "gzip"}});
  EXPECT_EQ(packed->headers.get("Content-Encoding"), "gzip");
  EXPECT_LT(packed->text.size(), plain->text.size() / 10);
}

TEST(ContinueToken, refuses_what_it_did_not_make) {
  const auto token = continue_token({42, "default/a"});
  const auto back = parse_continue_token(token);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->revision, 42);
  EXPECT_EQ(back->after, "default/a");
  for (const char* bad : {"", "e30", "eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ", "%%%", "bm90anNvbg"})
    EXPECT_TRUE(parse_continue_token(bad).is(Code::bad_request)) << bad;
}

// --- watches
// ----------------------------------------------------------------------------------------------------

class Watches : public ::testing::Test {
 protected:
  // Watches for 10 s of virtual time, in whose first second `writes` happen.
  std::vector<json::Value> watch(std::string query, std::function<void()> writes = {},
                                 std::string accept = "application/json") {
    FakeExchange exchange("GET", fmt::format("{}?watch=1&timeoutSeconds=10&{}", kMaps, query));
    exchange.request().headers.add("Accept", std::move(accept));
    bool ended = false;
    boost::asio::co_spawn(world.loop, world.handler->serve(exchange),
                          [&](std::exception_ptr thrown) {
                            EXPECT_EQ(thrown, nullptr);
                            ended = true;
                          });
    world.clock->run_until(world.loop, world.clock->now() + 1s);
    if (writes) writes();
    world.clock->run_until(world.loop, world.clock->now() + 10s);
    EXPECT_TRUE(ended);
    status = exchange.status;
    text = exchange.text;
    return exchange.frames();
  }
  static std::string summary(const std::vector<json::Value>& frames) {
    std::string out;
    for (const auto& frame : frames)
      out += fmt::format("{} {}, ", json::text_at(frame, {"type"}),
                         json::text_at(frame, {"object", "metadata", "name"}));
    return out;
  }
  void put(const std::string& name, const std::string& labels) {
    world.put(std::string(kMaps) + "/" + name,
              config_map(name, "v", fmt::format(R"(,"labels":{{{}}})", labels)));
  }
  ApiWorld world;
  int status = 0;
  std::string text;
};

TEST_F(Watches, begin_with_what_is_there) {
  world.post(kMaps, config_map("a"));
  const auto frames = watch("", [&] {
    world.post(kMaps, config_map("b"));
    world.put(std::string(kMaps) + "/a", config_map("a", "2"));
    world.remove(std::string(kMaps) + "/a");
  });
  EXPECT_EQ(summary(frames), "ADDED a, ADDED b, MODIFIED a, DELETED a, ");
  EXPECT_EQ(json::text_at(frames[0], {"object", "kind"}), "ConfigMap") << "events carry their kind";
  EXPECT_EQ(json::text_at(frames[3], {"object", "metadata", "resourceVersion"}),
            std::to_string(world.store->current()));
}

TEST_F(Watches, begin_beyond_a_revision) {
  world.post(kMaps, config_map("a"));
  const auto then = world.store->current();
  world.post(kMaps, config_map("b"));
  EXPECT_EQ(summary(watch(fmt::format("resourceVersion={}", then))), "ADDED b, ");
}

TEST_F(Watches, objects_enter_and_leave_a_selection) {
  world.post(kMaps, config_map("a"));
  const auto frames = watch("labelSelector=x%3D1", [&] {
    put("a", R"("x":"1")");
    put("a", R"("x":"1","y":"2")");
    put("a", R"("x":"0")");
    put("a", R"("x":"0","y":"3")");
    world.remove(std::string(kMaps) + "/a");
  });
  EXPECT_EQ(summary(frames), "ADDED a, MODIFIED a, DELETED a, ");
  EXPECT_EQ(json::text_at(frames[2], {"object", "metadata", "labels", "x"}), "1")
      << "its last state in the selection";
}

TEST_F(Watches, tell_where_they_are) {
  world.post(kMaps, config_map("a"));
  FakeExchange exchange(
      "GET", std::string(kMaps) + "?watch=1&allowWatchBookmarks=true&timeoutSeconds=150");
  boost::asio::co_spawn(world.loop, world.handler->serve(exchange), [](std::exception_ptr) {});
  world.clock->run_until(world.loop, world.clock->now() + 200s);
  EXPECT_TRUE(exchange.finished);
  const auto frames = exchange.frames();
  EXPECT_EQ(summary(frames), "ADDED a, BOOKMARK , BOOKMARK , BOOKMARK , ");
  EXPECT_EQ(json::text_at(frames[1], {"object", "metadata", "resourceVersion"}),
            std::to_string(world.store->current()));
  EXPECT_EQ(json::text_at(frames[1], {"object", "kind"}), "ConfigMap");
}

TEST_F(Watches, say_when_the_initial_events_are_over) {
  world.post(kMaps, config_map("a"));
  const auto frames =
      watch("sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan",
            [&] { world.post(kMaps, config_map("b")); });
  ASSERT_GE(frames.size(), 3u) << text;
  EXPECT_EQ(json::text_at(frames[1], {"type"}), "BOOKMARK");
  EXPECT_EQ(
      json::text_at(frames[1], {"object", "metadata", "annotations", "k8s.io/initial-events-end"}),
      "true");
  EXPECT_EQ(json::text_at(frames[2], {"type"}), "ADDED");
}

TEST_F(Watches, of_tables_describe_their_columns_once) {
  world.post(kMaps, config_map("a"));
  const auto frames = watch(
      "", [&] { world.post(kMaps, config_map("b")); },
      "application/json;as=Table;v=v1;g=meta.k8s.io");
  ASSERT_EQ(frames.size(), 2u) << text;
  EXPECT_FALSE(frames[0].at("object").at("columnDefinitions").as_array().empty());
  EXPECT_TRUE(frames[1].at("object").at("columnDefinitions").as_array().empty());
  EXPECT_EQ(frames[1].at("object").at("rows").as_array()[0].at("cells").as_array()[0].as_string(),
            "b");
}

TEST_F(Watches, too_old_to_begin_is_410) {
  world.post(kMaps, config_map("a"));
  world.post(kMaps, config_map("b"));
  ASSERT_TRUE(world.run(world.store->compact(world.store->current())));
  watch("resourceVersion=1");
  EXPECT_EQ(status, 410) << text;
}

TEST_F(Watches, local_ones_see_the_same_events) {
  world.post(kMaps, config_map("a"));
  const auto* maps = schema::find_resource("", "v1", "configmaps");
  auto api = make_local_api(*world.registry, nullptr, world.gate.admin);
  auto watch = world.run(api->watch(*maps, "default", {}));
  ASSERT_TRUE(watch);
  auto first = world.run((*watch)->next());
  ASSERT_TRUE(first);
  EXPECT_EQ(first->type, client::WatchEvent::Type::added);
  ASSERT_TRUE(world.run(api->create(*maps, "default", config_map("b"))));
  auto second = world.run((*watch)->next());
  ASSERT_TRUE(second);
  EXPECT_NE(second->object.view().find("\"name\":\"b\""), std::string_view::npos);
  auto list = world.run(api->list(*maps, "", {}));
  ASSERT_TRUE(list);
  EXPECT_EQ(list->items.size(), 2u);
  world.gate.allowed = false;
  auto refused = make_local_api(*world.registry, &world.gate, world.gate.admin);
  EXPECT_TRUE(world.run(refused->get(*maps, "default", "a")).is(Code::forbidden));
}

}  // namespace
}  // namespace kinglet::apiserver

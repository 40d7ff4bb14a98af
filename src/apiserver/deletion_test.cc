#include "apiserver/internal/deletion.h"

#include <gtest/gtest.h>

namespace kinglet::apiserver {
namespace {

json::Value parsed(const std::string& text) {
  auto value = json::parse(text);
  EXPECT_TRUE(value) << text;
  return value ? *value : json::Value();
}

const WallTime kNow{std::chrono::seconds(1767323045)};  // 2026-01-02T03:04:05Z

DeleteOptions grace(int64_t seconds) {
  DeleteOptions options;
  options.grace_seconds = seconds;
  return options;
}
DeleteOptions propagation(client::Propagation propagation) {
  DeleteOptions options;
  options.propagation = propagation;
  return options;
}

TEST(PlanDeletion, follows_grace_finalizers_and_propagation) {
  struct Case {
    const char* name;
    const char* plural;
    const char* object;
    DeleteOptions options;
    Deletion plan;
    const char* after;  // the object; null: not looked at
  };
  const Case cases[] = {
      {"nothing keeps it",
       "configmaps",
       R"({"metadata":{"name":"a"}})",
       {},
       Deletion::remove,
       nullptr},
      {"a finalizer keeps it",
       "configmaps",
       R"({"metadata":{"finalizers":["x/y"],"generation":3}})",
       {},
       Deletion::mark,
       R"({"metadata":{"finalizers":["x/y"],"generation":4,"deletionTimestamp":"2026-01-02T03:04:05Z","deletionGracePeriodSeconds":0}})"},
      {"again",
       "configmaps",
       R"({"metadata":{"finalizers":["x/y"],"deletionTimestamp":"2026-01-02T03:04:00Z","deletionGracePeriodSeconds":0}})",
       {},
       Deletion::pending,
       nullptr},
      {"orphan", "configmaps", R"({"metadata":{"finalizers":["foregroundDeletion"]}})",
       propagation(client::Propagation::orphan), Deletion::mark,
       R"({"metadata":{"finalizers":["orphan"],"deletionTimestamp":"2026-01-02T03:04:05Z","deletionGracePeriodSeconds":0}})"},
      {"background takes the collector's finalizers off", "configmaps",
       R"({"metadata":{"finalizers":["orphan"]}})", propagation(client::Propagation::background),
       Deletion::remove, nullptr},
      {"a pod without a node",
       "pods",
       R"({"metadata":{},"spec":{"terminationGracePeriodSeconds":30}})",
       {},
       Deletion::remove,
       nullptr},
      {"a running pod",
       "pods",
       R"({"metadata":{},"spec":{"nodeName":"n","terminationGracePeriodSeconds":30}})",
       {},
       Deletion::mark,
       R"({"metadata":{"deletionTimestamp":"2026-01-02T03:04:35Z","deletionGracePeriodSeconds":30},"spec":{"nodeName":"n","terminationGracePeriodSeconds":30}})"},
      {"a finished pod",
       "pods",
       R"({"metadata":{},"spec":{"nodeName":"n","terminationGracePeriodSeconds":30},"status":{"phase":"Failed"}})",
       {},
       Deletion::remove,
       nullptr},
      {"a pod by force", "pods",
       R"({"metadata":{},"spec":{"nodeName":"n","terminationGracePeriodSeconds":30}})", grace(0),
       Deletion::remove, nullptr},
      {"grace cannot grow", "pods",
       R"({"metadata":{"deletionTimestamp":"2026-01-02T03:04:35Z","deletionGracePeriodSeconds":30},"spec":{"nodeName":"n"}})",
       grace(60), Deletion::pending, nullptr},
      {"grace can shrink", "pods",
       R"({"metadata":{"deletionTimestamp":"2026-01-02T03:04:35Z","deletionGracePeriodSeconds":30},"spec":{"nodeName":"n"}})",
       grace(5), Deletion::mark,
       R"({"metadata":{"deletionTimestamp":"2026-01-02T03:04:10Z","deletionGracePeriodSeconds":5},"spec":{"nodeName":"n"}})"},
      {"the node's last word", "pods",
       R"({"metadata":{"deletionTimestamp":"2026-01-02T03:04:35Z","deletionGracePeriodSeconds":30},"spec":{"nodeName":"n"}})",
       grace(0), Deletion::remove, nullptr},
      {"a namespace empties first",
       "namespaces",
       R"({"metadata":{},"spec":{"finalizers":["kubernetes"]}})",
       {},
       Deletion::mark,
       R"({"metadata":{"deletionTimestamp":"2026-01-02T03:04:05Z"},"spec":{"finalizers":["kubernetes"]},"status":{"phase":"Terminating"}})"},
      {"an empty namespace",
       "namespaces",
       R"({"metadata":{},"spec":{}})",
       {},
       Deletion::remove,
       nullptr},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const auto* resource = schema::find_resource("", "v1", c.plural);
    ASSERT_NE(resource, nullptr);
    auto object = parsed(c.object);
    EXPECT_EQ(plan_deletion(*resource, object, c.options, kNow), c.plan);
    if (c.after) {
      EXPECT_EQ(object, parsed(c.after)) << json::print(object);
    }
  }
}

TEST(DeletionComplete, waits_for_finalizers_and_grace) {
  struct Case {
    const char *plural, *object;
    bool complete;
  };
  const Case cases[] = {
      {"configmaps", R"({"metadata":{}})", false},
      {"configmaps", R"({"metadata":{"deletionTimestamp":"x","deletionGracePeriodSeconds":0}})",
       true},
      {"configmaps", R"({"metadata":{"deletionTimestamp":"x","finalizers":["a"]}})", false},
      {"pods", R"({"metadata":{"deletionTimestamp":"x","deletionGracePeriodSeconds":30}})", false},
      {"namespaces",
       R"({"metadata":{"deletionTimestamp":"x"},"spec":{"finalizers":["kubernetes"]}})", false},
      {"namespaces", R"({"metadata":{"deletionTimestamp":"x"},"spec":{}})", true},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.object);
    EXPECT_EQ(deletion_complete(*schema::find_resource("", "v1", c.plural), parsed(c.object)),
              c.complete);
  }
}

}  // namespace
}  // namespace kinglet::apiserver

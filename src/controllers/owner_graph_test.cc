#include "controllers/internal/owner_graph.h"

#include "controllers/internal/testing.h"

namespace kinglet::controllers {
namespace {

const schema::Resource& pods() { return client::resource("", "v1", "pods"); }
const schema::Resource& sets() { return client::resource("apps", "v1", "replicasets"); }
Bytes object(std::string uid, std::string more = "") {
  return Bytes(R"({"kind":"X","metadata":{"name":"n-)" + uid + R"(","namespace":"a","uid":")" + uid + "\"" + more + "}}");
}
std::string owned_by(const std::string& owner) {
  return R"(,"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"o","uid":")" + owner + R"(","blockOwnerDeletion":true}])";
}

TEST(Uid, keeps_uuids_apart_and_takes_anything) {
  const auto a = Uid::of("123e4567-e89b-12d3-a456-426614174000");
  EXPECT_EQ(a.high, 0x123e4567e89b12d3u);
  EXPECT_EQ(a.low, 0xa456426614174000u);
  EXPECT_NE(Uid::of("x"), Uid::of("y"));
  EXPECT_NE(Uid::of(""), Uid::of("y"));
}

TEST(OwnerGraph, keeps_only_what_has_part_in_ownership) {
  OwnerGraph graph;
  EXPECT_TRUE(graph.update(pods(), object("free")).empty());
  EXPECT_EQ(graph.nodes(), 0u);
  EXPECT_EQ(graph.update(pods(), object("child", owned_by("parent"))).size(), 1u) << "its owner is not known yet";
  EXPECT_EQ(graph.nodes(), 1u);
  graph.set_presence(Uid::of("parent"), OwnerGraph::Presence::present);
  EXPECT_TRUE(graph.update(pods(), object("sibling", owned_by("parent"))).empty()) << "a known owner needs no look";
  EXPECT_EQ(graph.dependents(Uid::of("parent")).size(), 2u);
  graph.update(pods(), object("sibling"));
  EXPECT_EQ(graph.nodes(), 1u) << "it let its owner go";
}

TEST(OwnerGraph, an_owner_that_goes_wakes_its_dependents) {
  OwnerGraph graph;
  graph.update(pods(), object("child", owned_by("parent")));
  graph.set_presence(Uid::of("parent"), OwnerGraph::Presence::present);
  const auto wake = graph.erase(sets(), object("parent"));
  ASSERT_EQ(wake.size(), 1u);
  EXPECT_EQ(wake[0], Uid::of("child"));
  EXPECT_EQ(graph.presence(Uid::of("parent")), OwnerGraph::Presence::absent);
}

TEST(OwnerGraph, dependents_that_go_wake_an_owner_that_waits) {
  OwnerGraph graph;
  graph.update(pods(), object("child", owned_by("parent")));
  const auto waiting = object("parent", R"(,"deletionTimestamp":"2023-11-14T22:00:00Z","finalizers":["foregroundDeletion"])");
  EXPECT_EQ(graph.update(sets(), waiting).size(), 2u) << "itself, and its dependent";
  EXPECT_TRUE(graph.find(Uid::of("parent"))->waits_for_dependents);
  const auto wake = graph.erase(pods(), object("child", owned_by("parent")));
  ASSERT_EQ(wake.size(), 1u);
  EXPECT_EQ(wake[0], Uid::of("parent"));
}

TEST(OwnerGraph, a_new_list_finds_out_what_went_unseen) {
  OwnerGraph graph;
  graph.update(pods(), object("child", owned_by("parent")));
  graph.update(sets(), object("parent"));
  graph.set_presence(Uid::of("parent"), OwnerGraph::Presence::present);
  graph.begin_list(sets());
  EXPECT_EQ(graph.end_list(sets()).size(), 1u) << "the owner was not listed: ask about it";
  EXPECT_EQ(graph.presence(Uid::of("parent")), OwnerGraph::Presence::unknown);
  graph.begin_list(pods());
  graph.end_list(pods());
  EXPECT_EQ(graph.nodes(), 0u);
}

TEST(Judge, keeps_drops_or_removes) {
  struct Case {
    OwnerStates owners;
    bool dependents;
    Verdict verdict;
  };
  const Case cases[] = {
      {{0, 0, 0}, false, Verdict::keep},          {{1, 0, 0}, false, Verdict::keep},
      {{1, 1, 0}, false, Verdict::drop_owners},   {{1, 0, 1}, true, Verdict::drop_owners},
      {{0, 1, 0}, true, Verdict::remove},         {{0, 0, 1}, false, Verdict::remove},
      {{0, 0, 1}, true, Verdict::remove_foreground},
  };
  for (const auto& c : cases)
    EXPECT_EQ(judge(c.owners, c.dependents), c.verdict) << c.owners.solid << c.owners.gone << c.owners.waiting;
}

}  // namespace
}  // namespace kinglet::controllers

#include "node/runtime/passwd.h"

#include <gtest/gtest.h>

namespace kinglet::runtime {
namespace {
constexpr const char* kPasswd =
    "root:x:0:0:root:/root:/bin/sh\nbroken\nme:x:1000:1001::/home/me:/bin/sh\nhuge:x:99999999999:1::/:\n";
constexpr const char* kGroup = "root:x:0:\nme:x:1001:\nwheel:x:10:root,me\nnot:x:11:meme,mee\n";

TEST(ResolveUser, by_image_and_security_context) {
  struct Case {
    const char* name;
    const char* image_user;
    std::optional<int64_t> uid, gid;
    std::vector<int64_t> extra;
    uint32_t want_uid, want_gid;
    std::vector<uint32_t> groups;
    const char* home;
  };
  const Case cases[] = {
      {"nothing said", "", {}, {}, {}, 0, 0, {0, 10}, "/root"},
      {"by name", "me", {}, {}, {}, 1000, 1001, {10, 1001}, "/home/me"},
      {"by number", "1000", {}, {}, {}, 1000, 1001, {10, 1001}, "/home/me"},
      {"with a group's name", "me:wheel", {}, {}, {}, 1000, 10, {10}, "/home/me"},
      {"unknown number", "4711:12", {}, {}, {}, 4711, 12, {12}, "/"},
      {"runAsUser wins", "me:wheel", 0, {}, {}, 0, 0, {0, 10}, "/root"},
      {"runAsGroup wins", "me:wheel", {}, 5, {}, 1000, 5, {5, 10}, "/home/me"},
      {"supplemental", "4711", {}, {}, {30, 20, 30}, 4711, 0, {0, 20, 30}, "/"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    Security security;
    security.run_as_user = c.uid;
    security.run_as_group = c.gid;
    security.supplemental_groups = c.extra;
    const auto user = resolve_user(security, c.image_user, kPasswd, kGroup);
    ASSERT_TRUE(user) << user.error().message();
    EXPECT_EQ(user->uid, c.want_uid);
    EXPECT_EQ(user->gid, c.want_gid);
    EXPECT_EQ(user->groups, c.groups);
    EXPECT_EQ(user->home, c.home);
  }
}

TEST(ResolveUser, refuses_root_where_it_must_not_be) {
  const auto with = [](const char* image_user, std::optional<int64_t> uid) {
    Security security;
    security.run_as_non_root = true;
    security.run_as_user = uid;
    const auto user = resolve_user(security, image_user, kPasswd, kGroup);
    return user ? "" : user.error().message();
  };
  EXPECT_EQ(with("", {}), "container has runAsNonRoot and image will run as root");
  EXPECT_EQ(with("0", {}), "container has runAsNonRoot and image will run as root");
  EXPECT_EQ(with("1000", 0), "container's runAsUser breaks non-root policy");
  EXPECT_NE(with("me", {}), "");  // a name says nothing before the image is opened
  EXPECT_EQ(with("1000", {}), "");
  EXPECT_EQ(with("me", 5), "");
}

TEST(ResolveUser, refuses_who_is_not_there) {
  EXPECT_FALSE(resolve_user({}, "nobody", kPasswd, kGroup));
  EXPECT_FALSE(resolve_user({}, "huge", kPasswd, kGroup));
  EXPECT_FALSE(resolve_user({}, "me:nogroup", kPasswd, kGroup));
  EXPECT_FALSE(resolve_user({}, "99999999999", kPasswd, kGroup));
  Security security;
  security.run_as_user = -1;
  EXPECT_FALSE(resolve_user(security, "", kPasswd, kGroup));
}
}  // namespace
}  // namespace kinglet::runtime

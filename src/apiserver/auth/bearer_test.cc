#include "apiserver/auth/bearer.h"

#include <gtest/gtest.h>

#include "net/crypto.h"

namespace kinglet::apiserver {
namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;

net::Request request(const Rows& headers) {
  net::Request out;
  out.method = "GET";
  for (const auto& [name, value] : headers) out.headers.add(name, value);
  return out;
}

TEST(BearerToken, is_read_from_one_header_only) {
  struct Case {
    const char* name;
    Rows headers;
    bool ok;
    const char* token;  // null: none
  };
  const Case cases[] = {
      {"none", {}, true, nullptr},
      {"plain", {{"Authorization", "Bearer abc"}}, true, "abc"},
      {"scheme without case", {{"authorization", "bEaReR abc"}}, true, "abc"},
      {"spaces", {{"Authorization", "  Bearer   abc "}}, true, "abc"},
      {"another scheme", {{"Authorization", "Basic abc"}}, true, nullptr},
      {"empty", {{"Authorization", "Bearer"}}, false, nullptr},
      {"blank", {{"Authorization", "Bearer  "}}, false, nullptr},
      {"a space inside", {{"Authorization", "Bearer a b"}}, false, nullptr},
      {"a control character", {{"Authorization", "Bearer a\x01"}}, false, nullptr},
      {"two headers",
       {{"Authorization", "Bearer a"}, {"authorization", "Bearer b"}},
       false,
       nullptr},
      {"too long",
       {{"Authorization", "Bearer " + std::string(kTokenBytesMax + 1, 'a')}},
       false,
       nullptr},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const auto token = bearer_token(request(c.headers));
    ASSERT_EQ(token.has_value(), c.ok);
    if (!c.ok) continue;
    EXPECT_EQ(token->has_value(), c.token != nullptr);
    if (c.token && *token) {
      EXPECT_EQ(**token, c.token);
    }
  }
}

TEST(BearerToken, may_travel_as_a_websocket_protocol) {
  const std::string protocol = "base64url.bearer.authorization.k8s.io." + net::base64url("secret");
  const auto list = "v5.channel.k8s.io, " + protocol;
  auto token = bearer_token(request({{"Upgrade", "websocket"}, {"Sec-WebSocket-Protocol", list}}));
  ASSERT_TRUE(token && *token);
  EXPECT_EQ(**token, "secret");
  EXPECT_TRUE(carries_token(protocol));
  EXPECT_FALSE(carries_token("v5.channel.k8s.io"));

  token = bearer_token(request({{"Sec-WebSocket-Protocol", list}}));
  EXPECT_TRUE(token && !*token) << "only an upgrade looks there";
  token = bearer_token(
      request({{"Upgrade", "websocket"}, {"Sec-WebSocket-Protocol", protocol + "," + protocol}}));
  EXPECT_FALSE(token);
}

TEST(JoinSecret, takes_both_forms) {
  EXPECT_EQ(join_secret("plain"), "plain");
  EXPECT_EQ(join_secret("K10abc::server:s3cret"), "s3cret");
  EXPECT_EQ(join_secret("K10abc::node:with:colons"), "with:colons");
  EXPECT_EQ(join_secret("K10abc"), "K10abc");
}

TEST(BootstrapToken, has_a_fixed_shape) {
  EXPECT_TRUE(parse_bootstrap_token("abcdef.0123456789abcdef"));
  for (const char* bad :
       {"", ".", "abcdef", "ABCDEF.0123456789abcdef", "abcdef.0123456789abcde",
        "abcdef.0123456789abcdefg", "abcde/.0123456789abcdef", "../../.0123456789abcdef"})
    EXPECT_FALSE(parse_bootstrap_token(bad)) << bad;
}

TEST(Impersonation, is_all_or_nothing) {
  auto none = impersonation(request({{"Accept", "x"}}));
  EXPECT_TRUE(none && !*none);
  auto full = impersonation(request({{"impersonate-USER", "jane"},
                                     {"Impersonate-Group", "a"},
                                     {"Impersonate-Group", "b"},
                                     {"Impersonate-Extra-Scopes", "x"},
                                     {"Impersonate-Extra-acme.com%2Fproject", "y"},
                                     {"Impersonate-Uid", "7"}}));
  ASSERT_TRUE(full && *full);
  EXPECT_EQ((*full)->user, "jane");
  EXPECT_EQ((*full)->groups, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ((*full)->extra.at("scopes").front(), "x");
  EXPECT_EQ((*full)->extra.at("acme.com/project").front(), "y");

  EXPECT_FALSE(impersonation(request({{"Impersonate-Group", "system:masters"}})));
  EXPECT_FALSE(impersonation(request({{"Impersonate-User", ""}, {"Impersonate-Group", "x"}})));
  EXPECT_FALSE(impersonation(request({{"Impersonate-User", "a"}, {"impersonate-user", "b"}})));
  EXPECT_FALSE(impersonation(request({{"Impersonate-User", "a"}, {"Impersonate-Extra-%zz", "b"}})));
  EXPECT_FALSE(impersonation(request({{"Impersonate-User", "a"}, {"Impersonate-Grouq", "b"}})));
}

}  // namespace
}  // namespace kinglet::apiserver

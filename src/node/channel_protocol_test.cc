#include "node/channel_protocol.h"

#include <gtest/gtest.h>

namespace kinglet::node {
namespace {
using Names = std::vector<std::string>;

TEST(ChannelProtocol, the_newest_one_offered_is_chosen) {
  struct Case {
    Names offered;
    const char* name;
    int version;
  };
  const Case cases[] = {
      {{}, "", 0},
      {{"v4.channel.k8s.io", "v5.channel.k8s.io"}, "v5.channel.k8s.io", 5},
      {{"channel.k8s.io", "base64.v4.channel.k8s.io"}, "base64.v4.channel.k8s.io", 4},
      {{"base64.channel.k8s.io"}, "base64.channel.k8s.io", 0},
      {{"x", "v2.channel.k8s.io"}, "v2.channel.k8s.io", 2},
  };
  for (const auto& c : cases) {
    const auto chosen = choose_protocol(c.offered);
    ASSERT_TRUE(chosen) << c.name;
    EXPECT_EQ(chosen->name, c.name);
    EXPECT_EQ(chosen->version, c.version);
  }
  EXPECT_FALSE(
      choose_protocol({"v6.channel.k8s.io", "v1.channel.k8s.io", "SPDY/3.1", "v4xchannel.k8s.io"}));
}

TEST(ChannelProtocol, messages) {
  const ChannelProtocol v5{"v5.channel.k8s.io", 5, false}, v4{"v4.channel.k8s.io", 4, false},
      text{"base64.v4.channel.k8s.io", 4, true};
  EXPECT_EQ(encode_message(v5, Channel::out, "hi"), "\x01hi");
  EXPECT_EQ(encode_message(text, Channel::err, "hi"), "2aGk=");
  EXPECT_EQ(decode_message(v5, std::string("\0in", 3))->data, "in");
  EXPECT_EQ(decode_message(text, "0aGk=")->data, "hi");
  const auto close = decode_message(v5, std::string("\xff\0", 2));
  ASSERT_TRUE(close);
  EXPECT_EQ(close->channel, kCloseChannel);
  EXPECT_EQ(close->closes, 0);
  for (const auto& bad :
       {std::string(), std::string("\xff"), std::string("\xff\0\0", 3), std::string("\x05x")})
    EXPECT_TRUE(decode_message(v5, bad).is(Code::bad_request));
  EXPECT_TRUE(decode_message(v4, std::string("\xff\0", 2)).is(Code::bad_request));
  EXPECT_TRUE(decode_message(text, "0*").is(Code::bad_request));
  EXPECT_TRUE(decode_message(text, "xaGk=").is(Code::bad_request));
}

TEST(ChannelProtocol, sizes) {
  const auto size = parse_terminal_size(R"({"Width":120,"Height":40})");
  ASSERT_TRUE(size);
  EXPECT_EQ(size->columns, 120);
  EXPECT_EQ(size->rows, 40);
  for (const char* text :
       {"", "{}", "[]", R"({"Width":0,"Height":40})", R"({"Width":70000,"Height":40})"})
    EXPECT_FALSE(parse_terminal_size(text)) << text;
}

TEST(ChannelProtocol, the_end_is_told_as_kubectl_reads_it) {
  const ChannelProtocol v4{"v4.channel.k8s.io", 4, false}, v1{"channel.k8s.io", 0, false};
  EXPECT_EQ(exit_message(v4, 0), R"({"metadata":{},"status":"Success"})");
  EXPECT_EQ(
      exit_message(v4, 3),
      R"({"metadata":{},"status":"Failure","message":"command terminated with non-zero exit code: )"
      R"(exit status 3","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"3"}]}})");
  EXPECT_EQ(exit_message(v1, 0), "");
  const Error error(Code::unavailable, "no such program");
  EXPECT_NE(failure_message(v4, error).find("\"reason\":\"InternalError\""), std::string::npos);
  EXPECT_EQ(failure_message(v1, error), "no such program");
}

}  // namespace
}  // namespace kinglet::node

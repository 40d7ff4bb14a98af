#include "net/spdy.h"

#include <gtest/gtest.h>

#include "net/crypto.h"

namespace kinglet::net {
namespace {
const SpdyHeaders kHeaders = {{"streamtype", "data"}, {"port", "8080"}, {"requestid", "0"}};

TEST(Spdy, frames_survive_the_way_in_any_pieces) {
  SpdyCodec client;
  // One after the other: the compression remembers, and C++ does not say in which order a sum is
  // made.
  std::string wire = client.syn_stream(1, kHeaders);
  wire += SpdyCodec::data(1, "hello", false);
  wire += client.syn_stream(3, kHeaders);
  wire += SpdyCodec::data(1, "", true) + SpdyCodec::ping(7) + SpdyCodec::reset(3, 5) +
          SpdyCodec::goaway(3);
  for (const size_t step : {size_t{1}, size_t{5}, wire.size()}) {
    SpdyCodec server;
    std::vector<SpdyFrame> frames;
    for (size_t at = 0; at < wire.size(); at += step)
      ASSERT_TRUE(server.feed(std::string_view(wire).substr(at, step), frames));
    ASSERT_EQ(frames.size(), 7u);
    EXPECT_EQ(frames[0].kind, SpdyFrame::Kind::syn_stream);
    EXPECT_EQ(frames[0].stream, 1u);
    EXPECT_EQ(frames[0].headers, kHeaders);
    EXPECT_EQ(frames[1].data, "hello");
    EXPECT_FALSE(frames[1].fin);
    EXPECT_EQ(frames[2].headers, kHeaders);
    EXPECT_TRUE(frames[3].fin);
    EXPECT_EQ(frames[4].kind, SpdyFrame::Kind::ping);
    EXPECT_EQ(frames[4].stream, 7u);
    EXPECT_EQ(frames[5].kind, SpdyFrame::Kind::reset);
    EXPECT_EQ(frames[6].kind, SpdyFrame::Kind::goaway);
  }
}

TEST(Spdy, replies) {
  SpdyCodec server, client;
  std::vector<SpdyFrame> frames;
  ASSERT_TRUE(client.feed(server.syn_reply(1, {}), frames));
  ASSERT_TRUE(client.feed(server.syn_reply(3, {{"a", "b"}}), frames));
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[0].kind, SpdyFrame::Kind::syn_reply);
  EXPECT_EQ(frames[1].headers, (SpdyHeaders{{"a", "b"}}));
}

TEST(Spdy, bad_frames_are_refused) {
  const std::string cases[] = {
      std::string("\x80\x02\x00\x01\x00\x00\x00\x00", 8),               // SPDY/2
      std::string("\x80\x03\x00\x01\x00\x00\x00\x02\x00\x00", 10),      // too short
      std::string("\x80\x03\x00\x01\x00\x00\x00\x0c............", 20),  // no zlib
      std::string("\x80\x03\x00\x06\x00\x00\x00\x00", 8),               // a ping without number
      std::string("\x00\x00\x00\x01\x00\xff\xff\xff", 8),               // 16 MiB
  };
  for (const auto& text : cases) {
    SpdyCodec codec;
    std::vector<SpdyFrame> frames;
    EXPECT_FALSE(codec.feed(text, frames)) << to_hex(text);
  }
}

TEST(Spdy, headers_that_explode_are_refused) {
  SpdyCodec client, server;
  const std::string bomb = client.syn_stream(1, {{"a", std::string(2 << 20, 'a')}});
  EXPECT_LT(bomb.size(), 20000u);
  std::vector<SpdyFrame> frames;
  EXPECT_TRUE(server.feed(bomb, frames).is(Code::too_large));
}

}  // namespace
}  // namespace kinglet::net

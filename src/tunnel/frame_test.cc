#include "tunnel/frame.h"

#include <gtest/gtest.h>

#include "tunnel/control.h"
#include "tunnel/exchange_head.h"

namespace kinglet::tunnel {
namespace {

TEST(Frame, is_written_with_fixed_widths) {
  std::string out;
  append_frame(out, FrameType::ping, encode_number(0x0102030405060708));
  EXPECT_EQ(out, std::string("\x12\0\0\0\x08\1\2\3\4\5\6\7\x08", 13));
}

TEST(Frame, comes_out_of_any_pieces) {
  std::string bytes;
  append_frame(bytes, FrameType::body, "abc");
  append_frame(bytes, FrameType::end, "");
  FrameParser parser;
  std::string seen;
  for (const char c : bytes) {
    parser.feed({&c, 1});
    const auto frame = parser.next();
    ASSERT_TRUE(frame);
    if (*frame) seen += fmt::format("{}:{} ", static_cast<int>((*frame)->type), (*frame)->bytes);
  }
  EXPECT_EQ(seen, "3:abc 4: ");
  EXPECT_TRUE(parser.empty());
}

TEST(Frame, of_impossible_length_is_refused_before_it_is_awaited) {
  FrameParser parser;
  parser.feed(std::string_view("\x03\x7f\xff\xff\xff", 5));
  EXPECT_TRUE(parser.next().is(Code::bad_request));
}

TEST(ExchangeHead, keeps_what_a_request_says) {
  net::Request request;
  request.method = "POST";
  request.target = "/exec/ns/p/c?command=a%20b&tty=1";
  request.headers.add("Upgrade", "SPDY/3.1");
  request.headers.add("X-Two", "1");
  request.headers.add("X-Two", "2");
  const auto back = decode_request(*encode_request(request));
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->method, "POST");
  EXPECT_EQ(back->path, "/exec/ns/p/c");
  EXPECT_EQ(*back->query_value("command"), "a b");
  EXPECT_EQ(back->headers.rows(), request.headers.rows());
}

TEST(ExchangeHead, refuses_what_is_none) {
  for (const char* text : {"", "{}", "[]", R"({"method":"GET","target":"x"})",
                           R"({"method":"GET","target":"/","headers":[1]})",
                           R"({"method":"GET","target":"/","headers":[["a"]]})"})
    EXPECT_FALSE(decode_request(text)) << text;
  for (const char* text :
       {"{}", R"({"how":"stream","status":7})", R"({"how":"other","status":200})"})
    EXPECT_FALSE(decode_answer(text)) << text;
}

TEST(ExchangeHead, too_large_for_a_frame_is_said) {
  net::Request request;
  request.method = "GET";
  request.target = "/" + std::string(kFrameBytesMax, 'x');
  EXPECT_TRUE(encode_request(request).is(Code::too_large));
}

TEST(Control, a_welcome_holds_plain_https_addresses_only) {
  const auto welcome = decode_welcome(
      R"({"servers":["https://10.0.0.1:6443","http://10.0.0.2","https://a/path","https://u:p@h",7,"https://[fd00::1]:6443"],"new":1})");
  ASSERT_TRUE(welcome);
  EXPECT_EQ(welcome->servers,
            (std::vector<std::string>{"https://10.0.0.1:6443", "https://[fd00::1]:6443"}));
}

}  // namespace
}  // namespace kinglet::tunnel

#include "net/internal/http1_parser.h"

#include <gtest/gtest.h>

namespace kinglet::net {
namespace {
using Kind = Http1Parser::Kind;

// Feeds `text` in pieces of `step` bytes until one message is done; returns how much was consumed.
Result<size_t> feed_in_steps(Http1Parser& parser, std::string_view text, size_t step) {
  size_t at = 0;
  while (at < text.size() && !parser.message_done()) {
    KL_TRY_FN(used, parser.feed(text.substr(at, step)));
    at += used;
  }
  return at;
}

TEST(Http1Parser, the_pieces_do_not_matter) {
  const std::string first =
      "POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Type:  text/plain\r\nTransfer-Encoding: "
      "chunked\r\n\r\n5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: t\r\n\r\n";
  const std::string text = first + "GET / HTTP/1.1\r\nHost: y\r\n\r\n";
  for (const size_t step : {size_t{1}, size_t{2}, size_t{7}, text.size()}) {
    SCOPED_TRACE(step);
    Http1Parser parser(Kind::request, 1000);
    const auto used = feed_in_steps(parser, text, step);
    ASSERT_TRUE(used) << used.error().message();
    EXPECT_EQ(*used, first.size());
    EXPECT_EQ(parser.method(), "POST");
    EXPECT_EQ(parser.target(), "/a?b=c");
    EXPECT_EQ(parser.headers().get("content-type"), "text/plain");
    EXPECT_EQ(parser.headers().rows().size(), 3u);
    EXPECT_EQ(parser.body(), "hello world");
    EXPECT_TRUE(parser.keep_alive());
    parser.next();
    ASSERT_TRUE(feed_in_steps(parser, std::string_view(text).substr(*used), step));
    EXPECT_TRUE(parser.message_done());
    EXPECT_EQ(parser.headers().get("host"), "y");
  }
}

TEST(Http1Parser, the_length_decides_where_a_body_ends) {
  Http1Parser parser(Kind::request, 1000);
  const std::string text = "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET ";
  EXPECT_EQ(*parser.feed(text), text.size() - 4);
  EXPECT_TRUE(parser.message_done());
  EXPECT_EQ(parser.body(), "abc");
  EXPECT_EQ(parser.content_length(), 3u);
}

TEST(Http1Parser, an_upgrade_leaves_the_rest_alone) {
  Http1Parser parser(Kind::request, 1000);
  const std::string head =
      "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
  EXPECT_EQ(*parser.feed(head + "\x81\x01x"), head.size());
  EXPECT_TRUE(parser.upgrade());
  EXPECT_TRUE(parser.message_done());
}

TEST(Http1Parser, bad_messages_are_refused) {
  struct Case {
    const char* name;
    std::string text;
    Code code;
  };
  const Case cases[] = {
      {"garbage", std::string("\x16\x03\x01\x02", 4), Code::bad_request},
      {"two lengths", "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
       Code::bad_request},
      {"length and chunked",
       "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
       Code::bad_request},
      {"negative length", "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", Code::bad_request},
      {"space in name", "GET / HTTP/1.1\r\nA b: c\r\n\r\n", Code::bad_request},
      {"chunk size", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
       Code::bad_request},
      {"unknown method", "FLY / HTTP/1.1\r\n\r\n", Code::bad_request},
      {"long header", "GET / HTTP/1.1\r\nA: " + std::string(2000, 'a') + "\r\n\r\n",
       Code::too_large},
      {"long target", "GET /" + std::string(2000, 'a') + " HTTP/1.1\r\n\r\n", Code::too_large},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    Http1Parser parser(Kind::request, 1000);
    EXPECT_TRUE(parser.feed(c.text).is(c.code));
  }
  Http1Parser parser(Kind::request, 100000);
  std::string many = "GET / HTTP/1.1\r\n";
  for (size_t i = 0; i < kHeadersMax + 2; ++i) many += "a: b\r\n";
  EXPECT_TRUE(parser.feed(many + "\r\n").is(Code::too_large));
}

TEST(Http1Parser, endless_trailers_are_cut) {
  Http1Parser parser(Kind::request, 1000);
  ASSERT_TRUE(parser.feed("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"));
  EXPECT_FALSE(parser.feed("A: " + std::string(kTrailerBytesMax, 'x') + "\r\n"));
}

TEST(Http1Parser, responses) {
  Http1Parser parser(Kind::response, 1000);
  ASSERT_TRUE(parser.feed("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"));
  EXPECT_TRUE(parser.message_done());
  EXPECT_EQ(parser.status(), 404);
  EXPECT_EQ(parser.body(), "no");

  Http1Parser until_close(Kind::response, 1000);
  ASSERT_TRUE(until_close.feed("HTTP/1.0 200 OK\r\n\r\nall"));
  EXPECT_FALSE(until_close.message_done());
  EXPECT_TRUE(until_close.feed_end());
  EXPECT_EQ(until_close.body(), "all");

  Http1Parser cut(Kind::response, 1000);
  ASSERT_TRUE(cut.feed("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nal"));
  EXPECT_FALSE(cut.feed_end());

  Http1Parser head(Kind::response, 1000);
  head.expect_no_body();
  ASSERT_TRUE(head.feed("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"));
  EXPECT_TRUE(head.message_done());
}

}  // namespace
}  // namespace kinglet::net

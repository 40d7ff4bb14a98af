#include "schema/internal/scalars.h"

#include <gtest/gtest.h>

#include "schema/boxed.h"
#include "schema/internal/base64.h"
#include "schema/internal/protobuf_wire.h"

namespace kinglet::schema {
namespace {

TEST(Base64, reads_and_writes_as_go_does) {
  struct Case {
    std::string bytes;
    const char* text;
  };
  const Case cases[] = {
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"\xff\xfe\xfd\xfc", "//79/A=="}};
  for (const auto& c : cases) {
    EXPECT_EQ(encode_base64(c.bytes), c.text);
    EXPECT_EQ(decode_base64(c.text), c.bytes);
  }
  EXPECT_EQ(decode_base64("Zm\n9v\r\n"), "foo");
  struct Bad {
    const char* text;
    size_t at;
  };
  for (const Bad& bad :
       {Bad{"Zm9", 3}, Bad{"Z===", 1}, Bad{"Zg==Zg==", 4}, Bad{"Zm 9", 2}, Bad{"Zm9v=", 4}}) {
    size_t at = 99;
    EXPECT_FALSE(decode_base64(bad.text, &at)) << bad.text;
    EXPECT_EQ(at, bad.at) << bad.text;
  }
}

TEST(Duration, is_gos) {
  struct Case {
    const char* in;
    int64_t nanoseconds;
    const char* out;
  };
  const Case cases[] = {
      {"0", 0, "0s"},
      {"1s", 1'000'000'000, "1s"},
      {"90s", 90'000'000'000, "1m30s"},
      {"1.5h", 5400'000'000'000, "1h30m0s"},
      {"-2m", -120'000'000'000, "-2m0s"},
      {"1500us", 1'500'000, "1.5ms"},
      {"7ns", 7, "7ns"},
      {"1h0.25s", 3600'250'000'000, "1h0m0.25s"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(parse_go_duration(c.in), c.nanoseconds) << c.in;
    EXPECT_EQ(print_go_duration(c.nanoseconds), c.out);
  }
  for (const char* bad : {"", "1", "s", "1x", "--1s", "1s1", "nan", "infs", "99999999999h"})
    EXPECT_FALSE(parse_go_duration(bad)) << bad;
}

TEST(Utf8, is_checked) {
  for (const char* good : {"", "abc", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"})
    EXPECT_TRUE(wire::is_utf8(good));
  for (const char* bad :
       {"\x80", "\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"})
    EXPECT_FALSE(wire::is_utf8(bad));
}

TEST(Boxed, has_the_manners_of_optional) {
  Boxed<int> a;
  EXPECT_FALSE(a);
  a = 5;
  Boxed<int> b = a;
  *b = 6;
  EXPECT_EQ(*a, 5);
  EXPECT_FALSE(a == b);
  a = std::move(b);
  EXPECT_EQ(a.value_or(1), 6);
  EXPECT_FALSE(b.has_value());
  a = std::nullopt;
  EXPECT_TRUE(a == Boxed<int>());
  EXPECT_EQ(a.emplace(), 0);
}

}  // namespace
}  // namespace kinglet::schema

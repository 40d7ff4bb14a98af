#include "base/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/log.h"

namespace kinglet {
namespace {
using ::testing::HasSubstr;

TEST(Metrics, are_printed_in_the_text_format) {
  const auto metrics = make_metrics();
  metrics->counter("requests_total", "Requests.", {{"code", "200"}}).add();
  metrics->counter("requests_total", "Requests.", {{"code", "200"}}).add(2);
  metrics->counter("requests_total", "Requests.", {{"code", "500"}}).add();
  Gauge& objects = metrics->gauge("objects", "Objects.");
  metrics->on_collect([&] { objects.set(7); });
  metrics->histogram("seconds", "Seconds.", {0.1, 1}).observe(0.5);
  const std::string text = metrics->text();
  EXPECT_THAT(text, HasSubstr("# TYPE requests_total counter\n"));
  EXPECT_THAT(text, HasSubstr("requests_total{code=\"200\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("requests_total{code=\"500\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("objects 7\n"));
  EXPECT_THAT(text, HasSubstr("seconds_bucket{le=\"0.1\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("seconds_bucket{le=\"+Inf\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("seconds_sum 0.5\n"));
}

TEST(Log, writes_one_line_of_pairs) {
  std::vector<std::string> lines;
  Log::set_sink([&](LogLevel, std::string_view line) { lines.emplace_back(line); });
  const Log log("store");
  log.debug("not shown");
  log.info("opened", kv("path", "/a b"), kv("objects", 3), kv("empty", ""));
  log.warn("failed", kv("error", Error(Code::io, "line\nbreak\x1b")));
  Log::set_sink({});
  EXPECT_EQ(lines, (std::vector<std::string>{
                       "store: opened path=\"/a b\" objects=3 empty=\"\"",
                       "store: failed error=\"line\\nbreak\\x1b\"",
                   }));
}

TEST(Bytes, are_shared_and_equal) {
  const Bytes a("hello");
  const Bytes b = a;  // NOLINT: the copy is the test
  EXPECT_TRUE(a.same(b));
  EXPECT_EQ(b.view(), "hello");
  EXPECT_EQ(Bytes::concat({"a", "", "bc"}).view(), "abc");
  EXPECT_TRUE(Bytes().empty());
  EXPECT_FALSE(Bytes());
  EXPECT_TRUE(Bytes("").empty());
}

TEST(ResultOf, carries_value_error_and_context) {
  const auto fails = []() -> Result<int> { return Error(Code::not_found, "pod \"a\" not found"); };
  const auto passes_on = [&]() -> Result<int> {
    KL_TRY_FN(value, fails(), "reconcile {}", "b");
    return value + 1;
  };
  const auto result = passes_on();
  ASSERT_TRUE(result.is(Code::not_found));
  EXPECT_EQ(result.error().message(), "reconcile b: pod \"a\" not found");
  EXPECT_STREQ(reason_of(Code::not_found), "NotFound");
  EXPECT_EQ(http_status_of(Code::expired), 410);
  Error copy = result.error();
  copy.mutable_details().name = "a";
  EXPECT_EQ(result.error().details().name, "");
}

}  // namespace
}  // namespace kinglet

#include "node/cri_log.h"

#include <gtest/gtest.h>

namespace kinglet::node {
namespace {
constexpr WallTime kNow{std::chrono::hours(24 * 20000)};

Result<LogOptions> options(const std::string& query) {
  net::Request request;
  request.target = "/containerLogs/ns/p/c?" + query;
  KL_CHECK_FN(net::split_target(request));
  return parse_log_options(request, kNow);
}

constexpr std::string_view kLog =
    "2024-10-04T00:00:00.000000001+00:00 stdout F one\n"
    "2024-10-04T00:00:01.5+00:00 stderr P tw\n"
    "2024-10-04T00:00:02.000000000+00:00 stderr F o\n"
    "torn by a power cut\n"
    "2024-10-04T02:00:03.000000000+02:00 stdout F \n"
    "2024-10-04T00:00:04Z stdout F four words in it\n";

TEST(CriLog, options_are_checked) {
  EXPECT_TRUE(options("follow=true&tailLines=0&limitBytes=1&sinceSeconds=1&timestamps"));
  struct Case {
    const char* query;
    Code code;
  };
  for (const auto& c : {Case{"tailLines=-1", Code::invalid}, Case{"tailLines=x", Code::bad_request},
                        Case{"limitBytes=0", Code::invalid}, Case{"sinceSeconds=0", Code::invalid},
                        Case{"sinceTime=yesterday", Code::bad_request},
                        Case{"sinceSeconds=5&sinceTime=2024-10-04T00:00:00Z", Code::invalid},
                        Case{"stream=both", Code::invalid}, Case{"follow=maybe", Code::bad_request},
                        Case{"tailLines=99999999999999999999", Code::bad_request}})
    EXPECT_TRUE(options(c.query).is(c.code)) << c.query;
  EXPECT_EQ(options("sinceSeconds=10")->since,
            WallTime{kNow.since_epoch - std::chrono::seconds(10)});
  EXPECT_TRUE(options("sinceSeconds=9223372036854775807"));
}

TEST(CriLog, what_the_client_gets) {
  struct Case {
    const char* query;
    std::string text;
  };
  const Case cases[] = {
      {"", "one\ntwo\n\nfour words in it\n"},
      {"timestamps=true",
       "2024-10-04T00:00:00.000000001Z one\n2024-10-04T00:00:01.5Z two\n"
       "2024-10-04T02:00:03.000000000+02:00 \n2024-10-04T00:00:04Z four words in it\n"},
      {"sinceTime=2024-10-04T00:00:03Z", "\nfour words in it\n"},
      {"stream=Stderr", "two\n"},
      {"stream=Stdout", "one\n\nfour words in it\n"},
      {"limitBytes=6", "one\ntw"},
      {"limitBytes=4", "one\n"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.query);
    for (const size_t step : {size_t{1}, size_t{7}, kLog.size()}) {
      LogFilter filter(*options(c.query));
      std::string out;
      for (size_t at = 0; at < kLog.size(); at += step)
        if (!filter.feed(kLog.substr(at, step), out)) break;
      EXPECT_EQ(out, c.text);
    }
  }
}

TEST(CriLog, a_line_without_end_is_not_kept_for_ever) {
  LogFilter filter(*options(""));
  std::string out;
  for (int i = 0; i < 1000; ++i) filter.feed(std::string(1000, 'x'), out);
  filter.feed("\n2024-10-04T00:00:04Z stdout F ok\n", out);
  EXPECT_EQ(out, "ok\n");
}

}  // namespace
}  // namespace kinglet::node

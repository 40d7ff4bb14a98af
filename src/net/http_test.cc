#include "net/http.h"

#include <gtest/gtest.h>

namespace kinglet::net {
namespace {
using Pairs = std::vector<std::pair<std::string, std::string>>;

TEST(Headers, names_compare_without_case) {
  Headers headers;
  headers.add("Content-Type", "a");
  headers.add("accept", "x");
  headers.add("Accept", "y");
  EXPECT_EQ(headers.get("content-type"), "a");
  EXPECT_EQ(headers.all("ACCEPT"), (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(headers.find("host"), nullptr);
  headers.set("ACCEPT", "z");
  EXPECT_EQ(headers.all("accept"), (std::vector<std::string>{"z"}));
  headers.remove("accept");
  EXPECT_EQ(headers.get("accept"), "");
}

TEST(SplitTarget, decodes_path_and_query) {
  struct Case {
    const char* target;
    const char* path;
    Pairs query;
  };
  const Case cases[] = {
      {"/", "/", {}},
      {"*", "*", {}},
      {"/api/v1/pods?watch=true&labelSelector=a%3Db",
       "/api/v1/pods",
       {{"watch", "true"}, {"labelSelector", "a=b"}}},
      {"/a%2Fb+c", "/a/b+c", {}},
      {"/x?command=sh&command=-c&command=echo+%2B",
       "/x",
       {{"command", "sh"}, {"command", "-c"}, {"command", "echo +"}}},
      {"/x?", "/x", {}},
      {"/x?&&a&b=", "/x", {{"a", ""}, {"b", ""}}},
      {"/x?a=1#frag?z", "/x", {{"a", "1"}}},
      {"http://h:1/p?q=1", "/p", {{"q", "1"}}},
      {"https://h", "/", {}},
      {"/%e2%82%ac", "/\xe2\x82\xac", {}},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.target);
    Request request;
    request.target = c.target;
    const auto done = split_target(request);
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_EQ(request.path, c.path);
    EXPECT_EQ(request.query, c.query);
  }
}

TEST(SplitTarget, refuses_what_no_client_sends) {
  for (const char* target :
       {"", "api", "/%", "/%2", "/%zz", "/a b", "/\x01", "/x?a=%", "/%00", "/x?a=\n", "?a=1"}) {
    Request request;
    request.target = target;
    EXPECT_TRUE(split_target(request).is(Code::bad_request)) << target;
  }
  Request request;
  request.target = "/x?";
  for (int i = 0; i < 1001; ++i) request.target += "a&";
  EXPECT_TRUE(split_target(request).is(Code::bad_request));
}

TEST(Request, query_lookups) {
  Request request;
  request.target = "/x?a=1&b=2&a=3";
  ASSERT_TRUE(split_target(request));
  EXPECT_EQ(*request.query_value("a"), "1");
  EXPECT_EQ(request.query_value("z"), nullptr);
  EXPECT_EQ(request.query_values("a"), (std::vector<std::string>{"1", "3"}));
}

}  // namespace
}  // namespace kinglet::net

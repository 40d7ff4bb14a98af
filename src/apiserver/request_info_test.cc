#include "apiserver/request_info.h"

#include <gtest/gtest.h>

namespace kinglet::apiserver {
namespace {

RequestInfo info_of(std::string method, std::string target) {
  net::Request request;
  request.method = std::move(method);
  request.target = std::move(target);
  EXPECT_TRUE(net::split_target(request));
  return request_info(request);
}

TEST(RequestInfo, reads_every_form_of_path) {
  struct Case {
    const char *method, *target, *verb, *group, *version, *plural, *ns, *name, *sub, *rest;
  };
  const Case cases[] = {
      {"GET", "/api/v1/pods", "list", "", "v1", "pods", "", "", "", ""},
      {"GET", "/api/v1/pods?watch=1", "watch", "", "v1", "pods", "", "", "", ""},
      {"GET", "/api/v1/pods?watch=false", "list", "", "v1", "pods", "", "", "", ""},
      {"GET", "/api/v1/namespaces", "list", "", "v1", "namespaces", "", "", "", ""},
      {"GET", "/api/v1/namespaces/a", "get", "", "v1", "namespaces", "a", "a", "", ""},
      {"PUT", "/api/v1/namespaces/a/finalize", "update", "", "v1", "namespaces", "a", "a",
       "finalize", ""},
      {"PATCH", "/api/v1/namespaces/a/status", "patch", "", "v1", "namespaces", "a", "a", "status",
       ""},
      {"GET", "/api/v1/namespaces/a/pods", "list", "", "v1", "pods", "a", "", "", ""},
      {"POST", "/api/v1/namespaces/a/pods", "create", "", "v1", "pods", "a", "", "", ""},
      {"DELETE", "/api/v1/namespaces/a/pods", "deletecollection", "", "v1", "pods", "a", "", "",
       ""},
      {"DELETE", "/api/v1/namespaces/a/pods/p", "delete", "", "v1", "pods", "a", "p", "", ""},
      {"GET", "/api/v1/namespaces/a/pods/p/log", "get", "", "v1", "pods", "a", "p", "log", ""},
      {"POST", "/api/v1/namespaces/a/pods/p/proxy/x/y", "create", "", "v1", "pods", "a", "p",
       "proxy", "x/y"},
      {"GET", "/api/v1/nodes/n/proxy/stats//summary", "get", "", "v1", "nodes", "", "n", "proxy",
       "stats//summary"},
      {"GET", "/apis/apps/v1/namespaces/a/deployments/d/scale", "get", "apps", "v1", "deployments",
       "a", "d", "scale", ""},
      {"GET", "/api/v1/watch/pods", "watch", "", "v1", "pods", "", "", "", ""},
      {"GET", "/api/v1/watch/namespaces/a/pods/p", "watch", "", "v1", "pods", "a", "p", "", ""},
      {"GET", "/api/v1/pods/", "list", "", "v1", "pods", "", "", "", ""},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.target);
    const auto info = info_of(c.method, c.target);
    EXPECT_TRUE(info.is_resource);
    EXPECT_EQ(info.verb, c.verb);
    EXPECT_EQ(info.group, c.group);
    EXPECT_EQ(info.version, c.version);
    EXPECT_EQ(info.plural, c.plural);
    EXPECT_EQ(info.ns, c.ns);
    EXPECT_EQ(info.name, c.name);
    EXPECT_EQ(info.subresource, c.sub);
    EXPECT_EQ(info.rest, c.rest);
    EXPECT_NE(info.resource, nullptr);
  }
}

TEST(RequestInfo, leaves_other_paths_alone) {
  for (const char* target :
       {"/", "/api", "/api/v1", "/apis", "/apis/apps", "/apis/apps/v1", "/healthz", "/version"}) {
    SCOPED_TRACE(target);
    const auto info = info_of("GET", target);
    EXPECT_FALSE(info.is_resource);
    EXPECT_EQ(info.verb, "get");
    EXPECT_EQ(info.attributes().path, target);
  }
}

TEST(RequestInfo, takes_a_selected_name_for_authorisation) {
  const auto info =
      info_of("GET", "/api/v1/namespaces/a/pods?watch=true&fieldSelector=metadata.name%3Dp");
  EXPECT_EQ(info.name, "");
  EXPECT_EQ(info.attributes().name, "p");
}

}  // namespace
}  // namespace kinglet::apiserver

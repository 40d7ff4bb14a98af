#include <gtest/gtest.h>

#include "net/download.h"

namespace kinglet::net {
namespace {

TEST(Proxies, are_used_for_what_is_not_excepted) {
  const ProxySettings settings{
      "http://plain:3128", "tls-proxy:3129",
      "example.org, .inside.test,10.0.0.0/8,192.168.1.7,port.test:8443,fd00::/8,*.star.test"};
  struct Case {
    const char *url, *proxy;
  };
  const Case cases[] = {
      {"http://registry.test/", "http://plain:3128"},
      {"https://registry.test/", "http://tls-proxy:3129"},
      {"https://example.org/", ""},
      {"https://sub.EXAMPLE.org/", ""},
      {"https://notexample.org/", "http://tls-proxy:3129"},
      {"https://inside.test/", "http://tls-proxy:3129"},
      {"https://a.inside.test/", ""},
      {"https://10.1.2.3/", ""},
      {"https://11.1.2.3/", "http://tls-proxy:3129"},
      {"https://192.168.1.7:5000/", ""},
      {"https://192.168.1.8/", "http://tls-proxy:3129"},
      {"https://port.test:8443/", ""},
      {"https://port.test/", "http://tls-proxy:3129"},
      {"https://[fd00::1]/", ""},
      {"https://a.star.test/", ""},
      {"http://localhost:5000/", ""},
      {"http://127.0.0.1:5000/", ""},
      {"http://[::1]:5000/", ""},
  };
  for (const auto& c : cases) EXPECT_EQ(proxy_for(settings, c.url), c.proxy) << c.url;
  EXPECT_EQ(proxy_for({"http://p", "http://p", "*"}, "http://a.test/"), "");
  EXPECT_EQ(proxy_for({}, "http://a.test/"), "");
}

}  // namespace
}  // namespace kinglet::net

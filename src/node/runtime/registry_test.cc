#include <gtest/gtest.h>

#include "net/crypto.h"
#include "node/runtime/image_fetch.h"
#include "node/runtime/registry_auth.h"
#include "node/runtime/registry_config.h"

namespace kinglet::runtime {
namespace {

std::vector<std::string> urls(const RegistriesConfig& config, const std::string& registry) {
  std::vector<std::string> out;
  for (const auto& endpoint : endpoints_for(config, registry)) out.push_back(endpoint.url);
  return out;
}

using Urls = std::vector<std::string>;

TEST(Registries, are_asked_in_order_mirrors_first) {
  const auto config = parse_registries(R"(
mirrors:
  docker.io:
    endpoint: ["https://mirror.test:5000", "http://plain.test/cache/v2/", "127.0.0.1:5001"]
  "*":
    endpoint: [https://any.test]
)");
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(
      urls(*config, "docker.io"),
      (Urls{"https://mirror.test:5000/v2", "http://plain.test/cache/v2", "http://127.0.0.1:5001/v2",
            "https://127.0.0.1:5001/v2", "https://registry-1.docker.io/v2"}));
  EXPECT_EQ(urls(*config, "quay.io"), (Urls{"https://any.test/v2", "https://quay.io/v2"}));
  EXPECT_EQ(endpoints_for(*config, "docker.io")[0].ns, "docker.io");
  EXPECT_EQ(endpoints_for(*config, "docker.io")[4].ns, "");
}

TEST(Registries, on_localhost_speak_plain_http_unless_they_do_not) {
  const RegistriesConfig none;
  EXPECT_EQ(urls(none, "localhost:5000"),
            (Urls{"http://localhost:5000/v2", "https://localhost:5000/v2"}));
  EXPECT_FALSE(endpoints_for(none, "localhost:5000")[0].access.tls.skip_verify);
  EXPECT_TRUE(endpoints_for(none, "localhost:5000")[1].access.tls.skip_verify);
  EXPECT_EQ(urls(none, "[::1]:5000"), (Urls{"http://[::1]:5000/v2", "https://[::1]:5000/v2"}));
  EXPECT_EQ(urls(none, "registry.test:5000"), Urls{"https://registry.test:5000/v2"});
  EXPECT_EQ(urls(none, "localhost:443"), Urls{"https://localhost:443/v2"});
}

TEST(Registries, have_credentials_tls_and_rewrites) {
  const auto config = parse_registries(R"yaml(
mirrors:
  docker.io:
    endpoint: ["https://mirror.test"]
    rewrite:
      "^library/(.*)": "cache/$1"
      "^rancher/(.+)$": "own/${1}-x"
configs:
  mirror.test:
    auth: {auth: dXNlcjpwYTpzcw==}
    tls: {ca_file: /ca, cert_file: /c, key_file: /k, insecure_skip_verify: true}
  docker.io:
    auth: {username: me, password: secret}
)yaml");
  ASSERT_TRUE(config) << config.error().message();
  const auto endpoints = endpoints_for(*config, "docker.io");
  EXPECT_EQ(endpoints[0].access.credential, (RegistryCredential{"user", "pa:ss", ""}));
  EXPECT_EQ(endpoints[0].access.tls.ca_file, "/ca");
  EXPECT_TRUE(endpoints[0].access.tls.skip_verify);
  EXPECT_EQ(endpoints[1].access.credential, (RegistryCredential{"me", "secret", ""}));
  const std::pair<const char*, const char*> rewrites[] = {
      {"library/busybox", "cache/busybox"}, {"rancher/a/b", "own/a/b-x"}, {"other/x", "other/x"}};
  for (const auto& [from, to] : rewrites) EXPECT_EQ(*rewritten(endpoints[0], from), to);
  EXPECT_EQ(*rewritten(endpoints[1], "library/busybox"), "library/busybox");
}

TEST(Registries, mistakes_are_named) {
  EXPECT_TRUE(parse_registries(""));
  EXPECT_TRUE(parse_registries("# nothing yet\n"));
  const std::pair<const char*, const char*> cases[] = {
      {"mirrors: {a: {endpoint: x}}", "a: endpoint"},
      {"mirrors: {a: {rewrite: {\"(\": x}}}", "no regular expression"},
      {"configs: {a: {auth: {auth: '!'}}}", "a: auth"},
      {"- a", "mirrors and configs"},
      {"mirrors: [", "registries.yaml"},
  };
  for (const auto& [text, part] : cases) {
    const auto parsed = parse_registries(text);
    ASSERT_TRUE(parsed.is(Code::invalid)) << text;
    EXPECT_NE(parsed.error().message().find(part), std::string::npos) << parsed.error().message();
  }
}

TEST(Challenges, are_read_as_registries_write_them) {
  const auto one = parse_challenges(
      R"(Bearer realm="https://auth.test/token",service="registry.test",scope="repository:a/b:pull,push")");
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(one[0].scheme, "bearer");
  EXPECT_EQ(one[0].parameters.at("scope"), "repository:a/b:pull,push");
  const auto two = parse_challenges(R"(Negotiate, Basic realm="a \"quoted\" name", charset=utf-8)");
  ASSERT_EQ(two.size(), 2u);
  EXPECT_EQ(two[0].scheme, "negotiate");
  EXPECT_EQ(two[1].parameters.at("realm"), "a \"quoted\" name");
  EXPECT_TRUE(parse_challenges("").empty());
  EXPECT_TRUE(parse_challenges("=,\"").empty());
}

TEST(Tokens, are_asked_for_by_password_or_refresh_token) {
  const auto challenge = parse_challenges(
      R"(Bearer realm="https://a.test/t?x=1",service="s p",scope="repository:a:pull repository:b:pull")")
      [0];
  const auto anonymous = token_request(challenge, {});
  ASSERT_TRUE(anonymous);
  EXPECT_EQ(anonymous->method, "GET");
  EXPECT_EQ(
      anonymous->url,
      "https://a.test/t?x=1&service=s%20p&scope=repository%3Aa%3Apull&scope=repository%3Ab%3Apull");
  EXPECT_EQ(anonymous->authorization, "");
  EXPECT_EQ(token_request(challenge, {"u", "p", ""})->authorization, "Basic " + net::base64("u:p"));
  const auto refresh = token_request(challenge, {"", "", "r&t"});
  EXPECT_EQ(refresh->method, "POST");
  EXPECT_NE(refresh->body.find("refresh_token=r%26t"), std::string::npos);
  EXPECT_FALSE(token_request(parse_challenges("Bearer realm=\"file:///etc\"")[0], {}));
  EXPECT_EQ(*parse_token(R"({"token":"abc"})"), "abc");
  EXPECT_EQ(*parse_token(R"({"access_token":"abc"})"), "abc");
  for (const char* bad : {"", "{}", R"({"token":"a\nb"})", R"({"token":7})"})
    EXPECT_TRUE(parse_token(bad).is(Code::unauthorized)) << bad;
}

TEST(Platforms, the_newest_variant_that_runs_is_chosen) {
  const std::string manifest = "application/vnd.oci.image.manifest.v1+json";
  std::vector<IndexEntry> entries(5);
  const Platform platforms[] = {{"linux", "amd64", ""},
                                {"linux", "arm", "v6"},
                                {"linux", "arm", "v7"},
                                {"linux", "arm64", "v8"},
                                {"windows", "amd64", ""}};
  for (size_t i = 0; i < entries.size(); ++i) {
    entries[i].media_type = manifest;
    entries[i].platform = platforms[i];
  }
  EXPECT_EQ(choose_platform(entries, {"linux", "amd64", ""}), &entries[0]);
  EXPECT_EQ(choose_platform(entries, {"linux", "arm", "v7"}), &entries[2]);
  EXPECT_EQ(choose_platform(entries, {"linux", "arm", "v6"}), &entries[1]);
  EXPECT_EQ(choose_platform(entries, {"linux", "riscv64", ""}), nullptr);
}

TEST(FetchRequests, survive_the_way_to_the_other_process) {
  FetchRequest request{
      "docker.io/library/a:1", {{"u", "p\"\n", ""}, {"", "", "t"}}, "/r", "/d", "/i", {"sha256:1"}};
  const auto read = parse_fetch(print_fetch(request));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->reference, request.reference);
  EXPECT_EQ(read->credentials, request.credentials);
  EXPECT_EQ(read->registries_file + read->directory + read->images_dir, "/r/d/i");
  EXPECT_EQ(read->known_digests, request.known_digests);
  const auto fetched = parse_fetched(print_fetched({true, 7}));
  EXPECT_TRUE(fetched->unchanged);
  EXPECT_EQ(fetched->bytes, 7u);
}

}  // namespace
}  // namespace kinglet::runtime

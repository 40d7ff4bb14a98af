#include "net/crypto.h"

#include <gtest/gtest.h>

#include "net/x509.h"

namespace kinglet::net {
namespace {

TEST(Crypto, hashes_match_the_published_vectors) {
  EXPECT_EQ(to_hex(sha256("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(sha512("")).substr(0, 16), "cf83e1357eefb8bd");
  // RFC 4231, case 2
  EXPECT_EQ(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  Sha256 hash;
  hash.update("a");
  hash.update("bc");
  EXPECT_EQ(hash.finish(), sha256("abc"));
}

TEST(Crypto, base64_in_both_alphabets) {
  struct Case {
    std::string raw, standard, url;
  };
  const Case cases[] = {{"", "", ""},
                        {"f", "Zg==", "Zg"},
                        {"fo", "Zm8=", "Zm8"},
                        {"foo", "Zm9v", "Zm9v"},
                        {"foob", "Zm9vYg==", "Zm9vYg"},
                        {"\xfb\xff\xfe", "+//+", "-__-"}};
  for (const auto& c : cases) {
    SCOPED_TRACE(c.standard);
    EXPECT_EQ(base64(c.raw), c.standard);
    EXPECT_EQ(base64url(c.raw), c.url);
    EXPECT_EQ(*from_base64(c.standard), c.raw);
    EXPECT_EQ(*from_base64url(c.url), c.raw);
  }
  EXPECT_EQ(*from_base64url("Zg=="), "f");
}

TEST(Crypto, base64_refuses_what_is_not_canonical) {
  for (const char* text :
       {"Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9v\n", "-__-", "=", "====", "Zm=v"})
    EXPECT_TRUE(from_base64(text).is(Code::bad_request)) << text;
  for (const char* text : {"Z", "Zh", "Zg=", "+//+", "Zg==="})
    EXPECT_TRUE(from_base64url(text).is(Code::bad_request)) << text;
}

TEST(Crypto, constant_time_compare) {
  EXPECT_TRUE(equal_constant_time("", ""));
  EXPECT_TRUE(equal_constant_time("ab", "ab"));
  EXPECT_FALSE(equal_constant_time("ab", "ac"));
  EXPECT_FALSE(equal_constant_time("ab", "abc"));
}

json::Value claims() {
  json::Object object;
  object["iss"] = "https://kubernetes.default.svc";
  object["sub"] = "system:serviceaccount:default:default";
  return object;
}

TEST(Jwt, what_is_signed_verifies_with_that_key_only) {
  const std::string key = *make_key(), other = *make_key();
  const std::string token = *jwt_sign(key, claims());
  const auto jwt = jwt_verify(key, token);
  ASSERT_TRUE(jwt) << jwt.error().message();
  EXPECT_EQ(jwt->claims, claims());
  EXPECT_EQ(json::text_at(jwt->header, {"alg"}), "ES256");
  EXPECT_EQ(json::text_at(jwt->header, {"kid"}).size(), 43u);
  EXPECT_TRUE(jwt_verify(other, token).is(Code::unauthorized));
}

TEST(Jwt, tampering_is_noticed) {
  const std::string key = *make_key();
  const std::string token = *jwt_sign(key, claims());
  const size_t dot = token.rfind('.');
  const std::string none = base64url(R"({"alg":"none"})");
  const std::string cases[] = {
      "",
      "a.b",
      "a.b.c.d",
      token.substr(0, dot) + ".",
      token.substr(0, dot) + "." + base64url(std::string(64, '\0')),
      token.substr(0, dot) + "." + base64url(std::string(63, 'x')),
      none + token.substr(token.find('.')),
      none + token.substr(token.find('.'), dot - token.find('.')) + ".",
      token + "A",
      std::string(100000, 'a'),
  };
  for (const auto& text : cases) EXPECT_TRUE(jwt_verify(key, text).is(Code::unauthorized)) << text;
}

TEST(Jwt, jwks_names_the_key_that_signs) {
  const std::string key = *make_key();
  const auto jwt = jwt_parse(*jwt_sign(key, claims()));
  const auto document = jwks({key});
  ASSERT_TRUE(document);
  const auto& row = document->at("keys").at(0);
  EXPECT_EQ(row.at("kid"), jwt->header.at("kid"));
  EXPECT_EQ(from_base64url(json::text_at(row, {"x"}))->size(), 32u);
  EXPECT_FALSE(jwks({"garbage"}));
}

}  // namespace
}  // namespace kinglet::net

// Hashes, encodings, tokens.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "json/json.h"

namespace kinglet::net {

std::string sha256(std::string_view data);  // 32 raw bytes
std::string sha512(std::string_view data);
std::string hmac_sha256(std::string_view key, std::string_view data);
std::string to_hex(std::string_view raw);
std::string base64(std::string_view raw);
std::string base64url(std::string_view raw);                // no padding
Result<std::string> from_base64(std::string_view text);     // errors: bad_request
Result<std::string> from_base64url(std::string_view text);  // padding optional
bool equal_constant_time(std::string_view a, std::string_view b);

// Incremental SHA-256 (image layers).
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void update(std::string_view data);
  std::string finish();  // raw

 private:
  void* context_;
};

// JWT with ES256 (RFC 7515, 7518). `kid` = base64url(SHA-256 of the DER public key).
Result<std::string> jwt_sign(const std::string& key_pem, const json::Value& claims);
struct Jwt {
  json::Value header, claims;
};
// Splits without verifying. Errors: bad_request.
Result<Jwt> jwt_parse(std::string_view token);
// Verifies the signature with the public half of `key_pem`; time and audience are the caller's.
// Errors: unauthorized.
Result<Jwt> jwt_verify(const std::string& key_pem, std::string_view token);
Result<json::Value> jwks(const std::vector<std::string>& key_pems);  // RFC 7517 document

}  // namespace kinglet::net

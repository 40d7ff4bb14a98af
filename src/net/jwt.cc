// JWT with ES256: header {"alg":"ES256","kid":...}, signature r || s of 32 bytes each (RFC
// 7518, 3.4).
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>

#include "net/crypto.h"
#include "net/internal/openssl.h"

namespace kinglet::net {
namespace {
using EcdsaSigPtr = Openssl<ECDSA_SIG, ECDSA_SIG_free>;
constexpr int kCoordinateBytes = 32;
constexpr size_t kTokenBytesMax = 16 << 10;  // a service-account token is about 1 KiB

Result<void> require_p256(EVP_PKEY* key) {
  char group[32] = {};
  size_t size = 0;
  if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC ||
      EVP_PKEY_get_group_name(key, group, sizeof(group), &size) != 1 ||
      std::string_view(group) != "prime256v1")
    return Error(Code::invalid, "not an ECDSA P-256 key");
  return {};
}

Result<std::string> key_id(EVP_PKEY* key) {
  KL_TRY_FN(der, public_key_der(key));
  return base64url(sha256(der));
}

Result<std::string> raw_signature(EVP_PKEY* key, std::string_view text) {
  MdContextPtr context(EVP_MD_CTX_new());
  size_t size = 0;
  const auto* data = reinterpret_cast<const unsigned char*>(text.data());
  if (EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, data, text.size()) != 1)
    return openssl_error(Code::internal, "sign");
  std::vector<unsigned char> der(size);
  if (EVP_DigestSign(context.get(), der.data(), &size, data, text.size()) != 1)
    return openssl_error(Code::internal, "sign");
  const unsigned char* at = der.data();
  EcdsaSigPtr pair(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size)));
  if (!pair) return openssl_error(Code::internal, "sign");
  std::string raw(2 * kCoordinateBytes, '\0');
  auto* out = reinterpret_cast<unsigned char*>(raw.data());
  BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), out, kCoordinateBytes);
  BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), out + kCoordinateBytes, kCoordinateBytes);
  return raw;
}

bool signature_fits(EVP_PKEY* key, std::string_view text, std::string_view raw) {
  if (raw.size() != 2 * kCoordinateBytes) return false;
  const auto* in = reinterpret_cast<const unsigned char*>(raw.data());
  EcdsaSigPtr pair(ECDSA_SIG_new());
  ECDSA_SIG_set0(pair.get(), BN_bin2bn(in, kCoordinateBytes, nullptr),
                 BN_bin2bn(in + kCoordinateBytes, kCoordinateBytes, nullptr));
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(pair.get(), &der);
  if (size <= 0) return false;
  MdContextPtr context(EVP_MD_CTX_new());
  const bool fits =
      EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
      EVP_DigestVerify(context.get(), der, static_cast<size_t>(size),
                       reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1;
  OPENSSL_free(der);
  return fits;
}

struct Parts {
  std::string_view header, claims, signature, signed_text;
};
Result<Parts> split(std::string_view token) {
  if (token.size() > kTokenBytesMax)
    return Error(Code::bad_request, "token longer than {} bytes", kTokenBytesMax);
  const size_t first = token.find('.');
  const size_t second = first == token.npos ? token.npos : token.find('.', first + 1);
  if (second == token.npos || token.find('.', second + 1) != token.npos)
    return Error(Code::bad_request, "a JWT has three parts");
  return Parts{token.substr(0, first), token.substr(first + 1, second - first - 1),
               token.substr(second + 1), token.substr(0, second)};
}

Result<json::Value> decode_part(std::string_view part) {
  KL_TRY_FN(text, from_base64url(part));
  KL_TRY_FN(value, json::parse(text));
  if (!value.is_object()) return Error(Code::bad_request, "not a JSON object");
  return std::move(value);
}

Result<std::string> coordinate(EVP_PKEY* key, const char* name) {
  BIGNUM* number = nullptr;
  if (EVP_PKEY_get_bn_param(key, name, &number) != 1)
    return openssl_error(Code::internal, "public key");
  std::string raw(kCoordinateBytes, '\0');
  BN_bn2binpad(number, reinterpret_cast<unsigned char*>(raw.data()), kCoordinateBytes);
  BN_free(number);
  return base64url(raw);
}
}  // namespace

Result<std::string> jwt_sign(const std::string& key_pem, const json::Value& claims) {
  KL_TRY_FN(key, read_key(key_pem));
  KL_CHECK_FN(require_p256(key.get()));
  KL_TRY_FN(kid, key_id(key.get()));
  json::Object header;
  header["alg"] = "ES256";
  header["kid"] = kid;
  const std::string text =
      base64url(json::print(json::Value(header))) + "." + base64url(json::print(claims));
  KL_TRY_FN(signature, raw_signature(key.get(), text));
  return text + "." + base64url(signature);
}

Result<Jwt> jwt_parse(std::string_view token) {
  KL_TRY_FN(parts, split(token));
  KL_TRY_FN(header, decode_part(parts.header), "token header");
  KL_TRY_FN(claims, decode_part(parts.claims), "token claims");
  if (const auto raw = from_base64url(parts.signature); !raw)
    return Error(Code::bad_request, "token signature: {}", raw.error().message());
  return Jwt{std::move(header), std::move(claims)};
}

Result<Jwt> jwt_verify(const std::string& key_pem, std::string_view token) {
  KL_TRY_FN(key, read_any_key(key_pem));
  KL_CHECK_FN(require_p256(key.get()));
  auto jwt = jwt_parse(token);
  if (!jwt) return Error(Code::unauthorized, jwt.error().message());
  // The algorithm is ours, never the token's: "none" and HMAC with a public key are old attacks.
  if (json::text_at(jwt->header, {"alg"}) != "ES256")
    return Error(Code::unauthorized, "the token is not signed with ES256");
  const auto parts = split(token);
  const auto signature = from_base64url(parts->signature);
  if (!signature_fits(key.get(), parts->signed_text, *signature)) {
    openssl_reason();  // empties the queue
    return Error(Code::unauthorized, "the token's signature does not fit");
  }
  return jwt;
}

Result<json::Value> jwks(const std::vector<std::string>& key_pems) {
  json::Array keys;
  for (const auto& pem : key_pems) {
    KL_TRY_FN(key, read_any_key(pem));
    KL_CHECK_FN(require_p256(key.get()));
    KL_TRY_FN(kid, key_id(key.get()));
    KL_TRY_FN(x, coordinate(key.get(), OSSL_PKEY_PARAM_EC_PUB_X));
    KL_TRY_FN(y, coordinate(key.get(), OSSL_PKEY_PARAM_EC_PUB_Y));
    json::Object row;
    row["use"] = "sig";
    row["kty"] = "EC";
    row["kid"] = kid;
    row["crv"] = "P-256";
    row["alg"] = "ES256";
    row["x"] = x;
    row["y"] = y;
    keys.push_back(std::move(row));
  }
  json::Object document;
  document["keys"] = std::move(keys);
  return json::Value(std::move(document));
}

}  // namespace kinglet::net

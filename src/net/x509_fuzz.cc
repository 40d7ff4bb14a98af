// Certificates, requests and tokens of strangers. What was refused is refused; nothing verifies by
// accident.
#include "net/crypto.h"
#include "net/x509.h"

using namespace kinglet;
using namespace kinglet::net;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string key = *make_key();
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto pem = [&text](const char* label) {
    return fmt::format("-----BEGIN {0}-----\n{1}\n-----END {0}-----\n", label, base64(text));
  };
  for (const auto& certificate : {text, pem("CERTIFICATE")})
    if (const auto info = read_certificate(certificate))
      KL_ASSERT(info->sha256.size() == 64, "a certificate without a fingerprint");
  for (const auto& request : {text, pem("CERTIFICATE REQUEST")})
    (void)read_csr(request).has_value();
  (void)jwt_parse(text).has_value();
  KL_ASSERT(!jwt_verify(key, text), "a token of nobody verifies");
  if (const auto raw = from_base64(text)) KL_ASSERT(base64(*raw) == text, "base64 changes");
  if (const auto raw = from_base64url(text))
    KL_ASSERT(*from_base64url(base64url(*raw)) == *raw, "base64url changes");
  return 0;
}

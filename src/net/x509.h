// Keys and certificates (ECDSA P-256), PEM in and out.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"

namespace kinglet::net {

struct KeyPair {
  std::string certificate_pem;  // leaf first, then intermediates
  std::string key_pem;
};

struct CertificateRequest {
  std::string common_name;
  std::vector<std::string> organizations;
  std::vector<std::string> dns_names;
  std::vector<std::string> addresses;   // IPv4 or IPv6 text
  bool client = false, server = false;  // extended key usage
  WallTime not_before, not_after;
};

struct CertificateInfo {
  std::string common_name;
  std::vector<std::string> organizations, dns_names, addresses;
  WallTime not_before, not_after;
  bool is_ca = false;
  std::string sha256;  // of the DER, lower-case hex; empty for a request
  std::string public_key_sha256;  // of the DER public key, lower-case hex: whose key it is
};

Result<std::string> make_key();  // PKCS#8 PEM
Result<KeyPair> make_ca(const std::string& common_name, WallTime not_before, WallTime not_after);
Result<KeyPair> issue(const KeyPair& ca, const CertificateRequest& request);
// Signs a PKCS#10 request (PEM): its public key with `request`'s names.
Result<std::string> sign_csr(const KeyPair& ca, const std::string& csr_pem,
                             const CertificateRequest& request);
// A PKCS#10 request (PEM) with that subject and no other names, signed by the key.
Result<std::string> make_csr(const std::string& key_pem, const std::string& common_name,
                             const std::vector<std::string>& organizations);
Result<CertificateInfo> read_certificate(const std::string& pem);
Result<CertificateInfo> read_csr(const std::string& pem);  // names only; the signature is checked

}  // namespace kinglet::net

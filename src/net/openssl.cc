#include "net/internal/openssl.h"

#include <openssl/err.h>
#include <openssl/pem.h>

namespace kinglet::net {

std::string openssl_reason() {
  const auto code = ERR_get_error();
  std::string text = "unknown reason";
  if (code != 0) {
    const char* reason = ERR_reason_error_string(code);
    if (reason) text = reason;
  }
  ERR_clear_error();
  return text;
}

Error openssl_error(Code code, std::string_view what) {
  return Error(code, "{}: {}", what, openssl_reason());
}

BioPtr read_bio(std::string_view pem) {
  return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

std::string drain(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<size_t>(size)) : std::string();
}

namespace {
// An encrypted key must not make OpenSSL ask the terminal for a pass phrase.
int no_pass_phrase(char*, int, int, void*) { return -1; }
}  // namespace

Result<PkeyPtr> read_key(const std::string& pem) {
  PkeyPtr key(PEM_read_bio_PrivateKey(read_bio(pem).get(), nullptr, no_pass_phrase, nullptr));
  if (!key) return openssl_error(Code::invalid, "not a private key in PEM");
  return key;
}

Result<PkeyPtr> read_any_key(const std::string& pem) {
  PkeyPtr key(PEM_read_bio_PUBKEY(read_bio(pem).get(), nullptr, no_pass_phrase, nullptr));
  if (key) return key;
  ERR_clear_error();
  return read_key(pem);
}

Result<X509Ptr> read_x509(const std::string& pem) {
  X509Ptr cert(PEM_read_bio_X509(read_bio(pem).get(), nullptr, no_pass_phrase, nullptr));
  if (!cert) return openssl_error(Code::invalid, "not a certificate in PEM");
  return cert;
}

Result<std::string> public_key_der(EVP_PKEY* key) {
  unsigned char* raw = nullptr;
  const int size = i2d_PUBKEY(key, &raw);
  if (size <= 0) return openssl_error(Code::internal, "encode public key");
  std::string der(reinterpret_cast<char*>(raw), static_cast<size_t>(size));
  OPENSSL_free(raw);
  return der;
}

SubjectNames subject_names(const X509_NAME* name) {
  SubjectNames names;
  const int count = name ? X509_NAME_entry_count(name) : 0;
  for (int i = 0; i < count; ++i) {
    const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name, i);
    const int kind = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
    if (kind != NID_commonName && kind != NID_organizationName) continue;
    unsigned char* utf8 = nullptr;
    const int size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry));
    if (size < 0) continue;
    std::string text(reinterpret_cast<char*>(utf8), static_cast<size_t>(size));
    OPENSSL_free(utf8);
    // A NUL inside a name once fooled verifiers that compared C strings; nobody needs one.
    if (text.find('\0') != std::string::npos) continue;
    if (kind == NID_commonName)
      names.common_name = std::move(text);
    else
      names.organizations.push_back(std::move(text));
  }
  ERR_clear_error();
  return names;
}

}  // namespace kinglet::net

// OpenSSL's C objects with owners, and its error queue as text. Only for this module's .cc files.
#pragma once
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kinglet::net {

template <auto Free>
struct OpensslFree {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
template <class T, auto Free>
using Openssl = std::unique_ptr<T, OpensslFree<Free>>;

using PkeyPtr = Openssl<EVP_PKEY, EVP_PKEY_free>;
using X509Ptr = Openssl<X509, X509_free>;
using X509ReqPtr = Openssl<X509_REQ, X509_REQ_free>;
using BioPtr = Openssl<BIO, BIO_free_all>;
using SslPtr = Openssl<SSL, SSL_free>;
using MdContextPtr = Openssl<EVP_MD_CTX, EVP_MD_CTX_free>;

// The oldest queued reason as text; the queue is empty afterwards.
std::string openssl_reason();
Error openssl_error(Code code, std::string_view what);

// A BIO that reads `pem`, which must outlive it.
BioPtr read_bio(std::string_view pem);
std::string drain(BIO* bio);

// Errors: invalid.
Result<PkeyPtr> read_key(const std::string& pem);      // private
Result<PkeyPtr> read_any_key(const std::string& pem);  // private or public
Result<X509Ptr> read_x509(const std::string& pem);     // the first certificate
Result<std::string> public_key_der(EVP_PKEY* key);

// The names in a certificate's subject.
struct SubjectNames {
  std::string common_name;
  std::vector<std::string> organizations;
};
SubjectNames subject_names(const X509_NAME* name);

}  // namespace kinglet::net

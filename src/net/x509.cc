#include "net/x509.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "net/crypto.h"
#include "net/internal/openssl.h"

namespace kinglet::net {
namespace {
using NamesPtr = Openssl<GENERAL_NAMES, GENERAL_NAMES_free>;
using ExtensionPtr = Openssl<X509_EXTENSION, X509_EXTENSION_free>;

constexpr size_t kNamesMax = 1000;  // alternative names in one certificate
// RFC 5280's ub-common-name and ub-organization-name are 64; Kubernetes user names may be longer,
// and Go does not care, so neither do we: OpenSSL checks only when asked to by table.
constexpr size_t kNameBytesMax = 1024;

time_t seconds(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time.since_epoch).count();
}

WallTime wall_time(const ASN1_TIME* time) {
  std::tm parts{};
  if (!time || ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return {std::chrono::seconds(timegm(&parts))};
}

Result<void> add_name(X509_NAME* to, const char* field, const std::string& text) {
  if (text.empty() || text.size() > kNameBytesMax || text.find('\0') != text.npos)
    return Error(Code::invalid, "certificate name must have 1 to {} bytes", kNameBytesMax);
  X509_NAME_ENTRY* entry = X509_NAME_ENTRY_create_by_txt(
      nullptr, field, V_ASN1_UTF8STRING, reinterpret_cast<const unsigned char*>(text.data()),
      static_cast<int>(text.size()));
  const bool added = entry && X509_NAME_add_entry(to, entry, -1, 0) == 1;
  X509_NAME_ENTRY_free(entry);
  if (!added) return openssl_error(Code::invalid, "certificate name");
  return {};
}

Result<void> add_extension(X509* cert, X509* issuer, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
  ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value));
  if (!extension || X509_add_ext(cert, extension.get(), -1) != 1)
    return openssl_error(Code::internal, "certificate extension");
  return {};
}

Result<std::string> packed_address(const std::string& text) {
  unsigned char raw[16];
  if (inet_pton(AF_INET, text.c_str(), raw) == 1)
    return std::string(reinterpret_cast<char*>(raw), 4);
  if (inet_pton(AF_INET6, text.c_str(), raw) == 1)
    return std::string(reinterpret_cast<char*>(raw), 16);
  return Error(Code::invalid, "\"{}\" is not an IP address", text);
}

void push_name(GENERAL_NAMES* names, int kind, std::string_view bytes) {
  GENERAL_NAME* name = GENERAL_NAME_new();
  ASN1_STRING* value = kind == GEN_DNS ? ASN1_IA5STRING_new() : ASN1_OCTET_STRING_new();
  ASN1_STRING_set(value, bytes.data(), static_cast<int>(bytes.size()));
  GENERAL_NAME_set0_value(name, kind, value);
  sk_GENERAL_NAME_push(names, name);
}

Result<void> add_alternative_names(X509* cert, const CertificateRequest& request) {
  if (request.dns_names.empty() && request.addresses.empty()) return {};
  if (request.dns_names.size() + request.addresses.size() > kNamesMax)
    return Error(Code::invalid, "more than {} alternative names", kNamesMax);
  NamesPtr names(GENERAL_NAMES_new());
  for (const auto& dns : request.dns_names) {
    if (dns.empty() || dns.size() > 253) return Error(Code::invalid, "DNS name \"{}\"", dns);
    push_name(names.get(), GEN_DNS, dns);
  }
  for (const auto& address : request.addresses) {
    KL_TRY_FN(raw, packed_address(address));
    push_name(names.get(), GEN_IPADD, raw);
  }
  if (X509_add1_ext_i2d(cert, NID_subject_alt_name, names.get(), 0, 0) != 1)
    return openssl_error(Code::internal, "alternative names");
  return {};
}

Result<X509Ptr> blank(EVP_PKEY* key, const CertificateRequest& request) {
  X509Ptr cert(X509_new());
  unsigned char serial[16];
  if (RAND_bytes(serial, sizeof(serial)) != 1) return openssl_error(Code::internal, "random");
  serial[0] = (serial[0] & 0x7f) | 0x40;  // positive, and always of the same length
  BIGNUM* number = BN_bin2bn(serial, sizeof(serial), nullptr);
  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert.get()));
  BN_free(number);
  X509_set_version(cert.get(), X509_VERSION_3);
  if (!ASN1_TIME_set(X509_getm_notBefore(cert.get()), seconds(request.not_before)) ||
      !ASN1_TIME_set(X509_getm_notAfter(cert.get()), seconds(request.not_after)))
    return openssl_error(Code::invalid, "validity");
  X509_NAME* subject = X509_get_subject_name(cert.get());
  // Organizations first, as Go prints them: tools that compare subjects as text see the same.
  for (const auto& organization : request.organizations)
    KL_CHECK_FN(add_name(subject, "O", organization));
  if (!request.common_name.empty()) KL_CHECK_FN(add_name(subject, "CN", request.common_name));
  if (X509_set_pubkey(cert.get(), key) != 1) return openssl_error(Code::invalid, "public key");
  return cert;
}

Result<std::string> to_pem(X509* cert) {
  BioPtr bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(bio.get(), cert) != 1) return openssl_error(Code::internal, "PEM");
  return drain(bio.get());
}

Result<std::string> sign_leaf(const KeyPair& ca, EVP_PKEY* public_key,
                              const CertificateRequest& request) {
  KL_TRY_FN(issuer, read_x509(ca.certificate_pem), "CA");
  KL_TRY_FN(ca_key, read_key(ca.key_pem), "CA");
  if (X509_check_private_key(issuer.get(), ca_key.get()) != 1)
    return openssl_error(Code::invalid, "the CA's key does not fit its certificate");
  KL_TRY_FN(cert, blank(public_key, request));
  X509_set_issuer_name(cert.get(), X509_get_subject_name(issuer.get()));
  KL_CHECK_FN(add_extension(cert.get(), issuer.get(), NID_key_usage,
                            "critical,digitalSignature,keyEncipherment"));
  std::string usage;
  if (request.server) usage = "serverAuth";
  if (request.client) usage += usage.empty() ? "clientAuth" : ",clientAuth";
  if (!usage.empty())
    KL_CHECK_FN(add_extension(cert.get(), issuer.get(), NID_ext_key_usage, usage.c_str()));
  KL_CHECK_FN(add_extension(cert.get(), issuer.get(), NID_basic_constraints, "critical,CA:FALSE"));
  KL_CHECK_FN(add_extension(cert.get(), issuer.get(), NID_authority_key_identifier, "keyid"));
  KL_CHECK_FN(add_alternative_names(cert.get(), request));
  if (X509_sign(cert.get(), ca_key.get(), EVP_sha256()) == 0)
    return openssl_error(Code::internal, "sign");
  return to_pem(cert.get());
}

void read_alternative_names(const GENERAL_NAMES* names, CertificateInfo& info) {
  const int count = names ? sk_GENERAL_NAME_num(names) : 0;
  for (int i = 0; i < count && i < static_cast<int>(kNamesMax); ++i) {
    int kind = 0;
    const void* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &kind);
    const auto* text = static_cast<const ASN1_STRING*>(value);
    if (kind != GEN_DNS && kind != GEN_IPADD) continue;
    const auto* data = reinterpret_cast<const char*>(ASN1_STRING_get0_data(text));
    const auto size = static_cast<size_t>(ASN1_STRING_length(text));
    if (kind == GEN_DNS) {
      info.dns_names.emplace_back(data, size);
    } else if (size == 4 || size == 16) {
      char out[INET6_ADDRSTRLEN];
      inet_ntop(size == 4 ? AF_INET : AF_INET6, data, out, sizeof(out));
      info.addresses.emplace_back(out);
    }
  }
}

Result<X509ReqPtr> read_request(const std::string& pem) {
  X509ReqPtr request(PEM_read_bio_X509_REQ(read_bio(pem).get(), nullptr, nullptr, nullptr));
  if (!request) return openssl_error(Code::bad_request, "not a certificate request in PEM");
  EVP_PKEY* key = X509_REQ_get0_pubkey(request.get());
  if (!key || X509_REQ_verify(request.get(), key) != 1)
    return openssl_error(Code::bad_request, "the certificate request's signature does not fit");
  return request;
}
}  // namespace

Result<std::string> make_key() {
  PkeyPtr key(EVP_EC_gen("P-256"));
  if (!key) return openssl_error(Code::internal, "make key");
  BioPtr bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) !=
      1)
    return openssl_error(Code::internal, "make key");
  return drain(bio.get());
}

Result<KeyPair> make_ca(const std::string& common_name, WallTime not_before, WallTime not_after) {
  KL_TRY_FN(key_pem, make_key());
  KL_TRY_FN(key, read_key(key_pem));
  CertificateRequest request;
  request.common_name = common_name;
  request.not_before = not_before;
  request.not_after = not_after;
  KL_TRY_FN(cert, blank(key.get(), request));
  X509_set_issuer_name(cert.get(), X509_get_subject_name(cert.get()));
  KL_CHECK_FN(add_extension(cert.get(), cert.get(), NID_key_usage,
                            "critical,digitalSignature,keyEncipherment,keyCertSign"));
  KL_CHECK_FN(add_extension(cert.get(), cert.get(), NID_basic_constraints, "critical,CA:TRUE"));
  KL_CHECK_FN(add_extension(cert.get(), cert.get(), NID_subject_key_identifier, "hash"));
  if (X509_sign(cert.get(), key.get(), EVP_sha256()) == 0)
    return openssl_error(Code::internal, "sign");
  KL_TRY_FN(pem, to_pem(cert.get()));
  return KeyPair{pem, key_pem};
}

Result<KeyPair> issue(const KeyPair& ca, const CertificateRequest& request) {
  KL_TRY_FN(key_pem, make_key());
  KL_TRY_FN(key, read_key(key_pem));
  KL_TRY_FN(pem, sign_leaf(ca, key.get(), request));
  return KeyPair{pem, key_pem};
}

Result<std::string> sign_csr(const KeyPair& ca, const std::string& csr_pem,
                             const CertificateRequest& request) {
  KL_TRY_FN(csr, read_request(csr_pem));
  return sign_leaf(ca, X509_REQ_get0_pubkey(csr.get()), request);
}

Result<std::string> make_csr(const std::string& key_pem, const std::string& common_name,
                             const std::vector<std::string>& organizations) {
  KL_TRY_FN(key, read_key(key_pem));
  X509ReqPtr csr(X509_REQ_new());
  X509_NAME* subject = X509_REQ_get_subject_name(csr.get());
  for (const auto& organization : organizations)
    KL_CHECK_FN(add_name(subject, "O", organization));
  KL_CHECK_FN(add_name(subject, "CN", common_name));
  const bool good = X509_REQ_set_pubkey(csr.get(), key.get()) == 1 &&
                    X509_REQ_sign(csr.get(), key.get(), EVP_sha256()) > 0;
  BioPtr out(BIO_new(BIO_s_mem()));
  if (!good || PEM_write_bio_X509_REQ(out.get(), csr.get()) != 1)
    return openssl_error(Code::invalid, "certificate request");
  return drain(out.get());
}

Result<CertificateInfo> read_certificate(const std::string& pem) {
  KL_TRY_FN(cert, read_x509(pem));
  CertificateInfo info;
  auto names = subject_names(X509_get_subject_name(cert.get()));
  info.common_name = std::move(names.common_name);
  info.organizations = std::move(names.organizations);
  info.not_before = wall_time(X509_get0_notBefore(cert.get()));
  info.not_after = wall_time(X509_get0_notAfter(cert.get()));
  info.is_ca = X509_check_ca(cert.get()) == 1;
  NamesPtr alternative(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(cert.get(), NID_subject_alt_name, nullptr, nullptr)));
  read_alternative_names(alternative.get(), info);
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (X509_digest(cert.get(), EVP_sha256(), hash, &size) != 1)
    return openssl_error(Code::invalid, "certificate");
  info.sha256 = to_hex({reinterpret_cast<char*>(hash), size});
  if (const auto key = public_key_der(X509_get0_pubkey(cert.get())))
    info.public_key_sha256 = to_hex(net::sha256(*key));
  openssl_reason();  // a strange extension leaves errors behind; they are not the next caller's
  return info;
}

Result<CertificateInfo> read_csr(const std::string& pem) {
  KL_TRY_FN(csr, read_request(pem));
  CertificateInfo info;
  auto names = subject_names(X509_REQ_get_subject_name(csr.get()));
  info.common_name = std::move(names.common_name);
  info.organizations = std::move(names.organizations);
  STACK_OF(X509_EXTENSION)* extensions = X509_REQ_get_extensions(csr.get());
  NamesPtr alternative(static_cast<GENERAL_NAMES*>(
      X509V3_get_d2i(extensions, NID_subject_alt_name, nullptr, nullptr)));
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  read_alternative_names(alternative.get(), info);
  if (const auto key = public_key_der(X509_REQ_get0_pubkey(csr.get())))
    info.public_key_sha256 = to_hex(net::sha256(*key));
  openssl_reason();
  return info;
}

}  // namespace kinglet::net

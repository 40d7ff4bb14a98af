#include "net/x509.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "net/internal/openssl.h"

namespace kinglet::net {
namespace {
using std::chrono::hours;

WallTime day(int n) { return {hours(24 * (20000 + n))}; }

CertificateRequest request() {
  CertificateRequest r;
  r.common_name = "system:node:pi";
  r.organizations = {"system:nodes", "b"};
  r.dns_names = {"pi", "*.example.com"};
  r.addresses = {"10.43.0.1", "fd00::1"};
  r.server = true;
  r.not_before = day(0);
  r.not_after = day(365);
  return r;
}

std::string raw_csr(const std::string& key_pem, const char* common_name, bool spoil = false) {
  auto key = read_key(key_pem);
  X509ReqPtr csr(X509_REQ_new());
  X509_REQ_set_pubkey(csr.get(), key->get());
  X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(csr.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(common_name), -1, -1, 0);
  STACK_OF(X509_EXTENSION)* extensions = sk_X509_EXTENSION_new_null();
  sk_X509_EXTENSION_push(extensions, X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name,
                                                         "DNS:a.example,IP:10.0.0.9"));
  X509_REQ_add_extensions(csr.get(), extensions);
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  X509_REQ_sign(csr.get(), key->get(), EVP_sha256());
  if (spoil) {
    auto other = read_key(*make_key());
    X509_REQ_set_pubkey(csr.get(), other->get());
  }
  BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509_REQ(bio.get(), csr.get());
  return drain(bio.get());
}

bool chains(const KeyPair& ca, const std::string& leaf_pem, time_t at) {
  auto root = read_x509(ca.certificate_pem);
  auto leaf = read_x509(leaf_pem);
  X509_STORE* store = X509_STORE_new();
  X509_STORE_add_cert(store, root->get());
  X509_STORE_CTX* context = X509_STORE_CTX_new();
  X509_STORE_CTX_init(context, store, leaf->get(), nullptr);
  X509_STORE_CTX_set_time(context, 0, at);
  const bool ok = X509_verify_cert(context) == 1;
  X509_STORE_CTX_free(context);
  X509_STORE_free(store);
  return ok;
}

TEST(X509, a_ca_says_that_it_is_one) {
  const auto ca = make_ca("kinglet-ca", day(0), day(3650));
  ASSERT_TRUE(ca);
  const auto info = read_certificate(ca->certificate_pem);
  ASSERT_TRUE(info);
  EXPECT_TRUE(info->is_ca);
  EXPECT_EQ(info->common_name, "kinglet-ca");
  EXPECT_EQ(info->not_after, day(3650));
  EXPECT_EQ(info->sha256.size(), 64u);
}

TEST(X509, a_leaf_carries_what_was_asked_and_chains_to_its_ca) {
  const auto ca = make_ca("kinglet-ca", day(0), day(3650));
  const auto leaf = issue(*ca, request());
  ASSERT_TRUE(leaf) << leaf.error().message();
  const auto info = read_certificate(leaf->certificate_pem);
  EXPECT_EQ(info->common_name, "system:node:pi");
  EXPECT_EQ(info->organizations, (std::vector<std::string>{"system:nodes", "b"}));
  EXPECT_EQ(info->dns_names, (std::vector<std::string>{"pi", "*.example.com"}));
  EXPECT_EQ(info->addresses, (std::vector<std::string>{"10.43.0.1", "fd00::1"}));
  EXPECT_EQ(info->not_before, day(0));
  EXPECT_FALSE(info->is_ca);
  const time_t noon = std::chrono::duration_cast<std::chrono::seconds>(day(10).since_epoch).count();
  EXPECT_TRUE(chains(*ca, leaf->certificate_pem, noon));
  const auto other = make_ca("kinglet-ca", day(0), day(3650));
  EXPECT_FALSE(chains(*other, leaf->certificate_pem, noon));
  // A leaf cannot sign: what it issues does not verify.
  const auto forged = issue(*leaf, request());
  EXPECT_FALSE(forged && chains(*ca, forged->certificate_pem, noon));
}

TEST(X509, bad_requests_are_refused) {
  const auto ca = make_ca("ca", day(0), day(3650));
  auto r = request();
  r.addresses = {"10.0.0"};
  EXPECT_TRUE(issue(*ca, r).is(Code::invalid));
  r = request();
  r.dns_names = {std::string(254, 'a')};
  EXPECT_TRUE(issue(*ca, r).is(Code::invalid));
  r = request();
  r.organizations = {std::string("a\0b", 3)};
  EXPECT_TRUE(issue(*ca, r).is(Code::invalid));
  EXPECT_TRUE(issue({"x", "y"}, request()).is(Code::invalid));
  EXPECT_TRUE(issue({ca->certificate_pem, *make_key()}, request()).is(Code::invalid));
  EXPECT_TRUE(read_certificate("").is(Code::invalid));
  EXPECT_TRUE(read_csr("nonsense").is(Code::bad_request));
}

TEST(X509, a_long_user_name_is_no_problem) {
  const auto ca = make_ca("ca", day(0), day(3650));
  auto r = request();
  r.common_name = "system:serviceaccount:" + std::string(200, 'n');
  const auto leaf = issue(*ca, r);
  ASSERT_TRUE(leaf) << leaf.error().message();
  EXPECT_EQ(read_certificate(leaf->certificate_pem)->common_name, r.common_name);
}

TEST(X509, a_request_is_signed_with_our_names_not_its_own) {
  const auto ca = make_ca("ca", day(0), day(3650));
  const std::string csr = raw_csr(*make_key(), "system:admin");
  const auto wish = read_csr(csr);
  ASSERT_TRUE(wish) << wish.error().message();
  EXPECT_EQ(wish->common_name, "system:admin");
  EXPECT_EQ(wish->dns_names, (std::vector<std::string>{"a.example"}));
  EXPECT_EQ(wish->addresses, (std::vector<std::string>{"10.0.0.9"}));
  const auto pem = sign_csr(*ca, csr, request());
  ASSERT_TRUE(pem) << pem.error().message();
  EXPECT_EQ(read_certificate(*pem)->common_name, "system:node:pi");
}

TEST(X509, a_key_is_known_again_in_its_requests_and_certificates) {
  const auto ca = make_ca("ca", day(0), day(3650));
  const std::string key = *make_key();
  const std::string name = "system:node:" + std::string(200, 'n');
  const auto csr = make_csr(key, name, {"system:nodes"});
  ASSERT_TRUE(csr) << csr.error().message();
  const auto wish = read_csr(*csr);
  ASSERT_TRUE(wish) << wish.error().message();
  EXPECT_EQ(wish->common_name, name);
  EXPECT_EQ(wish->organizations, (std::vector<std::string>{"system:nodes"}));
  EXPECT_TRUE(wish->dns_names.empty());
  const auto certificate = read_certificate(*sign_csr(*ca, *csr, request()));
  EXPECT_EQ(wish->public_key_sha256.size(), 64u);
  EXPECT_EQ(certificate->public_key_sha256, wish->public_key_sha256);
  EXPECT_NE(read_csr(*make_csr(*make_key(), name, {}))->public_key_sha256, wish->public_key_sha256);
}

TEST(X509, a_request_signed_by_another_key_is_refused) {
  const auto ca = make_ca("ca", day(0), day(3650));
  const std::string csr = raw_csr(*make_key(), "a", true);
  EXPECT_TRUE(read_csr(csr).is(Code::bad_request));
  EXPECT_TRUE(sign_csr(*ca, csr, request()).is(Code::bad_request));
}

}  // namespace
}  // namespace kinglet::net

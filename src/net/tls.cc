#include "net/internal/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#if defined(__aarch64__) || defined(__arm__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include "net/crypto.h"

namespace kinglet::net {
namespace {
constexpr int kCaCertificatesMax = 100;

bool aes_in_hardware() {
#if defined(__aarch64__)
  return (getauxval(AT_HWCAP) & HWCAP_AES) != 0;
#elif defined(__arm__)
  return (getauxval(AT_HWCAP2) & HWCAP2_AES) != 0;
#else
  return true;
#endif
}

// The server chooses: AES-128 where the processor has it (a Raspberry Pi before the 5 has not),
// else ChaCha20, which is three times as fast in software.
void choose_ciphers(SSL_CTX* context) {
  constexpr const char* kAesFirst =
      "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
  constexpr const char* kChachaFirst =
      "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384";
  SSL_CTX_set_ciphersuites(context, aes_in_hardware() ? kAesFirst : kChachaFirst);
  SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20");
}

Result<void> use_key_pair(SSL_CTX* context, const KeyPair& key_pair) {
  BioPtr bio = read_bio(key_pair.certificate_pem);
  X509Ptr leaf(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1)
    return openssl_error(Code::invalid, "certificate");
  SSL_CTX_clear_chain_certs(context);
  for (int i = 0; i < kCaCertificatesMax; ++i) {
    X509Ptr next(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!next) break;
    SSL_CTX_add1_chain_cert(context, next.get());
  }
  ERR_clear_error();  // the end of the file counts as an error there
  KL_TRY_FN(key, read_key(key_pair.key_pem));
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1)
    return openssl_error(Code::invalid, "the key does not fit the certificate");
  return {};
}

Result<void> trust(SSL_CTX* context, const std::string& ca_pem) {
  BioPtr bio = read_bio(ca_pem);
  int count = 0;
  for (; count < kCaCertificatesMax; ++count) {
    X509Ptr ca(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!ca) break;
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), ca.get());
  }
  ERR_clear_error();
  if (count == 0) return Error(Code::invalid, "no CA certificate in PEM");
  return {};
}

// Verifies in the injected clock's time, and remembers the verdict instead of hanging up.
int verify_client(X509_STORE_CTX* store, void* clock) {
  const auto wall = static_cast<Clock*>(clock)->wall();
  X509_STORE_CTX_set_time(store, 0,
                          std::chrono::floor<std::chrono::seconds>(wall.since_epoch).count());
  X509_verify_cert(store);
  ERR_clear_error();
  return 1;
}

int verify_server(X509_STORE_CTX* store, void* clock) {
  const auto wall = static_cast<Clock*>(clock)->wall();
  X509_STORE_CTX_set_time(store, 0,
                          std::chrono::floor<std::chrono::seconds>(wall.since_epoch).count());
  return X509_verify_cert(store);
}

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* offered, unsigned int offered_size, void*) {
  static constexpr unsigned char kOurs[] = "\x02h2\x08http/1.1";
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, kOurs, sizeof(kOurs) - 1, offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;  // RFC 7301: no_application_protocol
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

void common_settings(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // No renegotiation, no compression: attack surface that nobody uses. A peer that closes TCP
  // without close_notify has simply gone; HTTP's own framing shows a truncated message.
  SSL_CTX_set_options(
      context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  choose_ciphers(context);
}
}  // namespace

Result<SslContextPtr> make_server_context(Clock& clock, const KeyPair& key_pair,
                                          const std::string& client_ca_pem) {
  SslContextPtr context(SSL_CTX_new(TLS_server_method()));
  common_settings(context.get());
  // Without resumption no memory is kept for clients that left, and every client certificate is
  // looked at anew.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context.get(), 0);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
  KL_CHECK_FN(use_key_pair(context.get(), key_pair));
  if (client_ca_pem.empty()) return context;
  KL_CHECK_FN(trust(context.get(), client_ca_pem));
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(context.get(), verify_client, &clock);
  return context;
}

Result<SslContextPtr> make_client_context(Clock& clock, const ClientTls& tls,
                                          std::string_view alpn) {
  SslContextPtr context(SSL_CTX_new(TLS_client_method()));
  common_settings(context.get());
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  if (!tls.key_pair.certificate_pem.empty())
    KL_CHECK_FN(use_key_pair(context.get(), tls.key_pair), "client certificate");
  if (tls.verify) {
    if (tls.ca_pem.empty())
      SSL_CTX_set_default_verify_paths(context.get());
    else
      KL_CHECK_FN(trust(context.get(), tls.ca_pem));
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_cert_verify_callback(context.get(), verify_server, &clock);
  }
  if (!alpn.empty()) {
    std::string wire(1, static_cast<char>(alpn.size()));
    wire += alpn;
    SSL_CTX_set_alpn_protos(context.get(), reinterpret_cast<const unsigned char*>(wire.data()),
                            static_cast<unsigned int>(wire.size()));
  }
  return context;
}

Result<SslPtr> make_client_session(SSL_CTX* context, const ClientTls& tls,
                                   const std::string& host) {
  SslPtr ssl(SSL_new(context));
  SSL_set_connect_state(ssl.get());
  const std::string& name = tls.server_name.empty() ? host : tls.server_name;
  unsigned char raw[16];
  const bool address =
      inet_pton(AF_INET, name.c_str(), raw) == 1 || inet_pton(AF_INET6, name.c_str(), raw) == 1;
  if (!address) SSL_set_tlsext_host_name(ssl.get(), name.c_str());
  if (!tls.verify) return ssl;
  X509_VERIFY_PARAM* param = SSL_get0_param(ssl.get());
  const bool bound = address ? X509_VERIFY_PARAM_set1_ip_asc(param, name.c_str()) == 1
                             : X509_VERIFY_PARAM_set1_host(param, name.c_str(), name.size()) == 1;
  if (!bound) return openssl_error(Code::invalid, "server name");
  return ssl;
}

Peer peer_of(SSL* ssl, std::string address) {
  Peer peer;
  peer.address = std::move(address);
  if (!ssl) return peer;
  X509Ptr cert(SSL_get1_peer_certificate(ssl));
  if (!cert || SSL_get_verify_result(ssl) != X509_V_OK ||
      SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE)
    return peer;
  auto names = subject_names(X509_get_subject_name(cert.get()));
  peer.certificate_verified = true;
  peer.common_name = std::move(names.common_name);
  peer.organizations = std::move(names.organizations);
  if (const auto key = public_key_der(X509_get0_pubkey(cert.get())))
    peer.public_key_sha256 = to_hex(sha256(*key));
  return peer;
}

std::string_view alpn_of(SSL* ssl) {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  if (ssl) SSL_get0_alpn_selected(ssl, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

}  // namespace kinglet::net

// TLS settings of both sides. Only this module's .cc files.
#pragma once
#include "base/clock.h"
#include "net/client.h"
#include "net/http.h"
#include "net/internal/openssl.h"
#include "net/x509.h"

namespace kinglet::net {

using SslContextPtr = Openssl<SSL_CTX, SSL_CTX_free>;

// TLS 1.2 and 1.3, ALPN h2 and http/1.1, client certificates asked for when there is a CA. A
// certificate that does not verify is no reason to hang up: the peer is then nobody, and the API
// server answers 401. Errors: invalid (key or certificate).
Result<SslContextPtr> make_server_context(Clock& clock, const KeyPair& key_pair,
                                          const std::string& client_ca_pem);
// `alpn` e.g. "http/1.1". Errors: invalid.
Result<SslContextPtr> make_client_context(Clock& clock, const ClientTls& tls,
                                          std::string_view alpn);
// A client's session, bound to the name it expects.
Result<SslPtr> make_client_session(SSL_CTX* context, const ClientTls& tls, const std::string& host);

// What the handshake has proven.
Peer peer_of(SSL* ssl, std::string address);
std::string_view alpn_of(SSL* ssl);

}  // namespace kinglet::net

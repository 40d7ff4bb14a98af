// Joining: how a machine becomes a node of a cluster that it knows by address and token alone, and
// stays one.
//
// The token tells the fingerprint of the cluster's CA; with it the agent trusts the server, and
// with the token's secret the server takes its certificate request. Key, certificate and CA are
// kept in <agent dir>, so that a later start needs neither token nor request. The key never leaves
// the machine.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "base/random.h"
#include "base/result.h"
#include "base/task_fwd.h"
#include "client/api.h"
#include "net/client.h"
#include "net/x509.h"

namespace kinglet::cluster {

// Every server has it in its certificate, whatever its addresses are.
inline constexpr const char* kServerName = "kubernetes";

struct NodeCredentials {
  std::string ca_pem;
  net::KeyPair client;  // CN system:node:<name>
};
// TLS as the node, to any server of the cluster.
net::ClientTls node_tls(const NodeCredentials& credentials);

// What is kept from an earlier join. Errors: not_found (never joined under this name, or the
// certificate has expired); invalid (damaged files: says which).
Result<NodeCredentials> stored_credentials(Files& files, Clock& clock, const std::string& agent_dir,
                                           const std::string& node_name);
Result<void> store_credentials(Files& files, const std::string& agent_dir,
                               const NodeCredentials& credentials);

struct JoinOptions {
  std::vector<std::string> servers;  // https://host:port; tried in turn
  std::string token;                 // K10...::user:secret, K10...::id.secret, or a bare secret
  // The HTTP proxy on the way to a server (net::H2Options::proxy); not set: none.
  std::function<std::string(const std::string& url)> proxy_for;
  std::string node_name, agent_dir;
};
// Joins and stores the credentials. The machine keeps its key over several attempts.
// Errors: unavailable (no server answers; try again), unauthorized (the token or the CA: says what
// to do), already_exists (the name belongs to another machine: says what to do), forbidden (denied
// by a person).
Task<Result<NodeCredentials>> join_cluster(Files& files, Clock& clock, Random& random,
                                           JoinOptions options);

// Asks for a node's client certificate through `api` and waits until it is signed: at most
// `patience`. Errors: as above, and timeout.
Task<Result<std::string>> request_certificate(client::Api& api, Clock& clock, Random& random,
                                              std::string node_name, std::string key_pem,
                                              Duration patience);

// Certificates are valid from 1970 on (machines without a clock of their own), so their age is not
// written in them: a third of the validity that is asked for must be left.
bool renewal_due(const net::CertificateInfo& certificate, WallTime now);

// One GET without a body over a connection of its own, as the node; the options' servers are tried
// in turn. Errors: of the server, unavailable.
Task<Result<std::string>> get_as_node(Clock& clock, JoinOptions options,
                                      NodeCredentials credentials, std::string target);

}  // namespace kinglet::cluster

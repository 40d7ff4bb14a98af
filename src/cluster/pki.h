// The cluster's keys and certificates in <data-dir>/server/tls, with k3s's file names: made on the
// first start, renewed at a start when little time is left or a name has been added.
//
// Machines without a battery-backed clock wake up in 1970: everything is valid from 1970 on, and
// ends are counted from the later of now and the year of the release.
#pragma once
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "base/result.h"
#include "net/x509.h"

namespace kinglet::cluster {

struct PkiOptions {
  std::string data_dir = "/var/lib/kinglet";
  std::string node_name;
  std::vector<std::string> tls_sans;  // names and addresses by which clients reach this server
                                      // (--tls-san, own addresses)
  std::string service_ip = "10.43.0.1";
  std::string cluster_domain = "cluster.local";
};

struct Pki {
  net::KeyPair server_ca;       // signs what servers show
  net::KeyPair client_ca;       // signs what clients show
  std::string service_key_pem;  // signs service-account tokens
  net::KeyPair serving;         // of the API server; the CA follows in the same PEM
  net::KeyPair admin;           // CN system:admin, O system:masters
};

// Blocking; at start only. Errors: io; invalid (a CA without its key, or damaged files: says
// which).
Result<Pki> ensure_pki(Files& files, Clock& clock, const PkiOptions& options);

// The certificate of a node: CN system:node:<name>, O system:nodes.
Result<net::KeyPair> issue_node_client(Clock& clock, const Pki& pki, const std::string& node_name);

// When a certificate that is issued now ends; and where its validity begins.
WallTime validity_end(Clock& clock, std::chrono::hours validity);
constexpr WallTime kValidFrom{};  // 1970-01-01

}  // namespace kinglet::cluster

// kubeconfig files for kubectl and Helm.
#pragma once
#include <string>

#include "base/files.h"
#include "base/result.h"
#include "net/x509.h"

namespace kinglet::cluster {

struct Kubeconfig {
  std::string server;  // "https://127.0.0.1:6443"
  std::string ca_pem;
  net::KeyPair client;
  std::string name = "default";  // of cluster, user and context
};
std::string kubeconfig_text(const Kubeconfig& config);
// Makes the directory. The file holds a key: `permissions` beyond 0600 are the user's explicit
// wish. Errors: io.
Result<void> write_kubeconfig(Files& files, const std::string& path, const Kubeconfig& config,
                              uint32_t permissions = 0600);

}  // namespace kinglet::cluster

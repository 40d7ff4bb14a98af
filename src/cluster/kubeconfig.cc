#include "cluster/kubeconfig.h"

#include "net/crypto.h"

namespace kinglet::cluster {

std::string kubeconfig_text(const Kubeconfig& config) {
  return fmt::format(
      "apiVersion: v1\n"
      "kind: Config\n"
      "clusters:\n"
      "- cluster:\n"
      "    certificate-authority-data: {ca}\n"
      "    server: {server}\n"
      "  name: {name}\n"
      "contexts:\n"
      "- context:\n"
      "    cluster: {name}\n"
      "    user: {name}\n"
      "  name: {name}\n"
      "current-context: {name}\n"
      "users:\n"
      "- name: {name}\n"
      "  user:\n"
      "    client-certificate-data: {certificate}\n"
      "    client-key-data: {key}\n",
      fmt::arg("ca", net::base64(config.ca_pem)), fmt::arg("server", config.server),
      fmt::arg("name", config.name),
      fmt::arg("certificate", net::base64(config.client.certificate_pem)),
      fmt::arg("key", net::base64(config.client.key_pem)));
}

Result<void> write_kubeconfig(Files& files, const std::string& path, const Kubeconfig& config,
                              uint32_t permissions) {
  const auto slash = path.rfind('/');
  if (slash != path.npos && slash > 0) KL_CHECK_FN(files.make_dirs(path.substr(0, slash), 0755));
  const auto text = kubeconfig_text(config);
  if (const auto old = read_file(files, path); old && *old == text) return {};  // kind to flash
  return write_file(files, path, text, permissions);
}

}  // namespace kinglet::cluster

#include "cluster/pki.h"

#include "base/log.h"

namespace kinglet::cluster {
namespace {

constexpr auto kDay = std::chrono::hours(24);
constexpr auto kCaValidity = 3650 * kDay;
constexpr auto kLeafValidity = 365 * kDay;
constexpr auto kRenewBefore = 90 * kDay;
// A clock that shows less is wrong. Raised with releases.
constexpr WallTime kReleased{std::chrono::seconds(1767225600)};  // 2026-01-01
// Names are only ever added to the serving certificate; a machine that wanders through networks
// must not grow it forever.
constexpr size_t kNamesMax = 200;

WallTime plausible_now(Clock& clock) { return std::max(clock.wall(), kReleased); }

// The text in the form that it has when read from a certificate; nullopt: not an address.
std::optional<std::string> canonical_address(const std::string& text) {
  boost::system::error_code failed;
  const auto address = boost::asio::ip::make_address(text, failed);
  if (failed) return std::nullopt;
  return address.to_string();
}

struct Names {
  std::vector<std::string> dns, addresses;
  void add(const std::string& text) {
    if (text.empty()) return;
    const auto address = canonical_address(text);
    auto& list = address ? addresses : dns;
    const auto& value = address ? *address : text;
    if (std::find(list.begin(), list.end(), value) == list.end()) list.push_back(value);
  }
  size_t size() const { return dns.size() + addresses.size(); }
};

Names wanted_names(const PkiOptions& options) {
  Names out;
  for (const auto* name :
       {"kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"})
    out.add(name);
  out.add("kubernetes.default.svc." + options.cluster_domain);
  out.add(options.node_name);
  for (const auto* address : {"127.0.0.1", "::1"}) out.add(address);
  out.add(options.service_ip);
  for (const auto& san : options.tls_sans) out.add(san);
  return out;
}

class Directory {
 public:
  Directory(Files& files, Clock& clock, const PkiOptions& options)
      : files_(files), clock_(clock), options_(options), path_(options.data_dir + "/server/tls") {}

  Result<Pki> ensure() {
    KL_CHECK_FN(files_.make_dirs(path_, 0700));
    Pki out;
    KL_TRY_FN(server_ca, authority("server-ca", "kinglet-server-ca"));
    KL_TRY_FN(client_ca, authority("client-ca", "kinglet-client-ca"));
    out.server_ca = std::move(server_ca);
    out.client_ca = std::move(client_ca);
    KL_TRY_FN(service_key, key("service.key"));
    out.service_key_pem = std::move(service_key);
    KL_TRY_FN(serving, serving_pair(out.server_ca));
    out.serving = std::move(serving);
    net::CertificateRequest admin;
    admin.common_name = "system:admin";
    admin.organizations = {"system:masters"};
    admin.client = true;
    KL_TRY_FN(admin_pair, leaf("client-admin", out.client_ca, admin));
    out.admin = std::move(admin_pair);
    return out;
  }

 private:
  std::string file(const std::string& name) const { return path_ + "/" + name; }

  // An authority is never replaced once it may have signed something: every agent and every
  // kubeconfig trusts it. The key is written first, so that a start that was cut short leaves a key
  // without a certificate, which is safe to redo.
  Result<net::KeyPair> authority(const std::string& name, const std::string& common_name) {
    const bool has_certificate = files_.exists(file(name + ".crt"));
    if (has_certificate && !files_.exists(file(name + ".key")))
      return Error(
          Code::invalid,
          "{} is there but its key is missing: put {} back, or remove both to start a new cluster",
          file(name + ".crt"), file(name + ".key"));
    if (has_certificate) return read_authority(name);
    // k3s's way of telling the clusters of one person apart: the time of making is part of the
    // name.
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(clock_.wall().since_epoch).count();
    KL_TRY_FN(made, net::make_ca(fmt::format("{}@{}", common_name, seconds), kValidFrom,
                                 validity_end(clock_, kCaValidity)));
    KL_CHECK_FN(write_pair(name, made));
    return std::move(made);
  }

  Result<net::KeyPair> read_authority(const std::string& name) {
    KL_TRY_FN(pair, read_pair(name));
    const auto info = net::read_certificate(pair.certificate_pem);
    if (!info || !info->is_ca)
      return Error(Code::invalid,
                   "{} is damaged or no certificate authority: restore it from a backup",
                   file(name + ".crt"));
    if (info->not_after.since_epoch - plausible_now(clock_).since_epoch < kLeafValidity)
      Log("cluster").warn("certificate authority ends within a year",
                          kv("file", file(name + ".crt")), kv("ends", rfc3339(info->not_after)));
    return std::move(pair);
  }

  Result<std::string> key(const std::string& name) {
    if (files_.exists(file(name))) return read_file(files_, file(name));
    KL_TRY_FN(made, net::make_key());
    KL_CHECK_FN(write_file(files_, file(name), made, 0600));
    return std::move(made);
  }

  Result<net::KeyPair> serving_pair(const net::KeyPair& ca) {
    Names names = wanted_names(options_);
    // Names that were once asked for stay, as clients may still use them.
    if (const auto pair = read_pair("serving-kube-apiserver")) {
      if (const auto old = net::read_certificate(pair->certificate_pem)) {
        for (const auto* list : {&old->dns_names, &old->addresses})
          for (const auto& name : *list)
            if (names.size() < kNamesMax) names.add(name);
      }
    }
    net::CertificateRequest request;
    request.common_name = "kube-apiserver";
    request.dns_names = names.dns;
    request.addresses = names.addresses;
    request.server = true;
    return leaf("serving-kube-apiserver", ca, request);
  }

  Result<net::KeyPair> leaf(const std::string& name, const net::KeyPair& ca,
                            net::CertificateRequest request) {
    if (auto pair = read_pair(name); pair && still_good(*pair, ca, request)) return pair;
    request.not_before = kValidFrom;
    request.not_after = validity_end(clock_, kLeafValidity);
    KL_TRY_FN(made, net::issue(ca, request), "issue {}", name);
    // The authority follows the leaf: a joining agent learns it from the handshake, and a replaced
    // one shows here.
    made.certificate_pem += ca.certificate_pem;
    KL_CHECK_FN(write_pair(name, made));
    return std::move(made);
  }

  bool still_good(const net::KeyPair& pair, const net::KeyPair& ca,
                  const net::CertificateRequest& wanted) const {
    const auto info = net::read_certificate(pair.certificate_pem);
    if (!info || !pair.certificate_pem.ends_with(ca.certificate_pem)) return false;
    if (info->common_name != wanted.common_name || info->organizations != wanted.organizations)
      return false;
    if (info->not_after.since_epoch - plausible_now(clock_).since_epoch < kRenewBefore)
      return false;
    Names have;
    for (const auto& name : info->dns_names) have.add(name);
    for (const auto& address : info->addresses) have.add(address);
    const auto within = [](const auto& list, const auto& all) {
      return std::all_of(list.begin(), list.end(), [&](const auto& item) {
        return std::find(all.begin(), all.end(), item) != all.end();
      });
    };
    return within(wanted.dns_names, have.dns) && within(wanted.addresses, have.addresses);
  }

  Result<net::KeyPair> read_pair(const std::string& name) {
    net::KeyPair out;
    KL_TRY_FN(certificate, read_file(files_, file(name + ".crt")));
    KL_TRY_FN(key, read_file(files_, file(name + ".key")));
    out.certificate_pem = std::move(certificate);
    out.key_pem = std::move(key);
    return out;
  }

  Result<void> write_pair(const std::string& name, const net::KeyPair& pair) {
    // A certificate that no longer fits its key must not survive a power cut between the two
    // writes.
    if (files_.exists(file(name + ".crt"))) {
      KL_CHECK_FN(files_.remove(file(name + ".crt")));
      KL_CHECK_FN(files_.sync_dir(path_));
    }
    KL_CHECK_FN(write_file(files_, file(name + ".key"), pair.key_pem, 0600));
    return write_file(files_, file(name + ".crt"), pair.certificate_pem, 0644);
  }

  Files& files_;
  Clock& clock_;
  const PkiOptions& options_;
  std::string path_;
};

}  // namespace

WallTime validity_end(Clock& clock, std::chrono::hours validity) {
  return WallTime{plausible_now(clock).since_epoch + validity};
}

Result<Pki> ensure_pki(Files& files, Clock& clock, const PkiOptions& options) {
  return Directory(files, clock, options).ensure();
}

Result<net::KeyPair> issue_node_client(Clock& clock, const Pki& pki, const std::string& node_name) {
  net::CertificateRequest request;
  request.common_name = "system:node:" + node_name;
  request.organizations = {"system:nodes"};
  request.client = true;
  request.not_before = kValidFrom;
  request.not_after = validity_end(clock, kLeafValidity);
  return net::issue(pki.client_ca, request);
}

}  // namespace kinglet::cluster

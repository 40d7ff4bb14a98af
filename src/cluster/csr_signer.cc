#include "cluster/csr_signer.h"

#include "base/log.h"
#include "base/task.h"
#include "client/backoff.h"
#include "cluster/pki.h"
#include "net/crypto.h"
#include "schema/values.h"

namespace kinglet::cluster {
namespace {

constexpr std::string_view kKubeletClient = "kubernetes.io/kube-apiserver-client-kubelet";
constexpr std::string_view kKubeletServing = "kubernetes.io/kubelet-serving";
constexpr std::string_view kApiClient = "kubernetes.io/kube-apiserver-client";
constexpr std::string_view kNodePrefix = "system:node:";
constexpr int64_t kSecondsMax = 365 * 24 * 3600;

const schema::Resource& requests() {
  const auto* found =
      schema::find_resource("certificates.k8s.io", "v1", "certificatesigningrequests");
  KL_ASSERT(found != nullptr);
  return *found;
}

bool has_condition(const json::Value& object, std::string_view type) {
  const auto* conditions = json::find(object, {"status", "conditions"});
  if (!conditions || !conditions->is_array()) return false;
  for (const auto& condition : conditions->get_array())
    if (json::text_at(condition, {"type"}) == type &&
        json::text_at(condition, {"status"}) != "False")
      return true;
  return false;
}

std::vector<std::string> strings(const json::Value* list) {
  std::vector<std::string> out;
  if (!list || !list->is_array()) return out;
  for (const auto& item : list->get_array())
    if (item.is_string()) out.emplace_back(item.get_string());
  return out;
}

bool has(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// Exactly the usages of such a certificate: `needed`, and at most the two about keys besides.
bool usages_fit(const std::vector<std::string>& usages, std::string_view needed) {
  if (!has(usages, needed)) return false;
  return std::all_of(usages.begin(), usages.end(), [&](const auto& usage) {
    return usage == needed || usage == "digital signature" || usage == "key encipherment";
  });
}

bool names_a_node(const net::CertificateInfo& csr) {
  if (csr.organizations != std::vector<std::string>{"system:nodes"}) return false;
  if (!csr.common_name.starts_with(kNodePrefix)) return false;
  return schema::dns1123_subdomain_errors(
             std::string_view(csr.common_name).substr(kNodePrefix.size()))
      .empty();
}

// Why a request does not fit its signer; empty: it does.
std::string misfit(std::string_view signer, const net::CertificateInfo& csr,
                   const std::vector<std::string>& usages, std::string_view user) {
  if (signer == kKubeletClient) {
    if (!names_a_node(csr)) return "the subject must be O=system:nodes, CN=system:node:<name>";
    if (!csr.dns_names.empty() || !csr.addresses.empty())
      return "a node's client certificate has no alternative names";
    return usages_fit(usages, "client auth") ? "" : "the usages do not fit a client certificate";
  }
  if (signer == kKubeletServing) {
    if (!names_a_node(csr)) return "the subject must be O=system:nodes, CN=system:node:<name>";
    if (csr.common_name != user) return "a node asks for its own serving certificate only";
    if (csr.dns_names.empty() && csr.addresses.empty())
      return "a serving certificate needs a name or an address";
    return usages_fit(usages, "server auth") ? "" : "the usages do not fit a serving certificate";
  }
  if (has(csr.organizations, "system:masters")) return "the group system:masters is not given away";
  return usages_fit(usages, "client auth") ? "" : "the usages do not fit a client certificate";
}

json::Object condition(const char* type, const char* reason, const std::string& message,
                       const std::string& now) {
  return {{"type", type},       {"status", "True"},      {"reason", reason},
          {"message", message}, {"lastUpdateTime", now}, {"lastTransitionTime", now}};
}

void add_condition(json::Value& object, json::Object added) {
  auto& status = json::child(object.get_object(), "status");
  auto& conditions = status["conditions"];
  if (!conditions.is_array()) conditions = json::Array();
  conditions.get_array().emplace_back(std::move(added));
}

}  // namespace

CsrPlan plan_csr(const json::Value& object, const MayAutoApprove& may_auto_approve) {
  CsrPlan plan;
  const auto signer = json::text_at(object, {"spec", "signerName"});
  if (signer != kKubeletClient && signer != kKubeletServing && signer != kApiClient) return plan;
  if (!json::text_at(object, {"status", "certificate"}).empty()) return plan;
  if (has_condition(object, "Denied") || has_condition(object, "Failed")) return plan;

  const auto pem = net::from_base64(json::text_at(object, {"spec", "request"}));
  const auto csr = pem ? net::read_csr(*pem) : Result<net::CertificateInfo>(pem.error());
  const auto usages = strings(json::find(object, {"spec", "usages"}));
  const std::string user(json::text_at(object, {"spec", "username"}));
  if (signer == kKubeletClient && csr && names_a_node(*csr)) {
    plan.node = csr->common_name.substr(kNodePrefix.size());
    plan.public_key_sha256 = csr->public_key_sha256;
    plan.first = user != csr->common_name;
  }
  const std::string wrong = csr ? misfit(signer, *csr, usages, user) : csr.error().message();

  if (!has_condition(object, "Approved")) {
    // What does not fit waits for a person, who sees why it does not when it is approved
    // nevertheless.
    if (signer != kKubeletClient || !wrong.empty()) return plan;
    const bool renewal = user == csr->common_name;
    const CsrUser sender{user, strings(json::find(object, {"spec", "groups"}))};
    if (!may_auto_approve(sender, renewal ? "selfnodeclient" : "nodeclient")) return plan;
    plan.what = CsrPlan::Do::approve;
    plan.reason = renewal
                      ? "Auto approving self kubelet client certificate after SubjectAccessReview."
                      : "Auto approving kubelet client certificate after SubjectAccessReview.";
    return plan;
  }
  if (!wrong.empty()) {
    plan.what = CsrPlan::Do::fail;
    plan.reason = wrong;
    return plan;
  }
  plan.what = CsrPlan::Do::sign;
  plan.serving = signer == kKubeletServing;
  plan.request.common_name = csr->common_name;
  plan.request.organizations = csr->organizations;
  // Alternative names of a client certificate prove nothing to this server, and could be shown to
  // others.
  if (plan.serving) {
    plan.request.dns_names = csr->dns_names;
    plan.request.addresses = csr->addresses;
  }
  plan.request.client = !plan.serving;
  plan.request.server = plan.serving;
  const auto* seconds = json::find(object, {"spec", "expirationSeconds"});
  if (seconds && seconds->is_int64()) plan.seconds = seconds->get_int64();
  return plan;
}

CsrSigner::CsrSigner(client::Api& api, Clock& clock, Random& random, net::KeyPair client_ca,
                     net::KeyPair server_ca, MayAutoApprove may_auto_approve)
    : api_(api),
      names_(api),
      clock_(clock),
      random_(random),
      client_ca_(std::move(client_ca)),
      server_ca_(std::move(server_ca)),
      may_auto_approve_(std::move(may_auto_approve)) {}

Task<void> CsrSigner::run() {
  client::Backoff backoff(random_, std::chrono::milliseconds(200), std::chrono::seconds(30));
  for (;;) {
    const auto followed = co_await follow();
    if (followed || followed.is(Code::expired)) {
      backoff.reset();
    } else {
      Log("csr").warn("cannot follow certificate requests", kv("error", followed.error()));
    }
    const auto pause = backoff.next();
    co_await clock_.sleep(pause);
  }
}

// All there are, then each change, until the watch ends.
Task<Result<void>> CsrSigner::follow() {
  client::ListOptions options;
  const std::string everywhere;
  auto listing = api_.list(requests(), everywhere, options);
  KL_TRY(listed, co_await std::move(listing));
  for (const auto& item : listed.items) {
    auto object = json::parse(item.view());
    if (!object) continue;
    const auto done = co_await handle(std::move(*object));
    if (!done) Log("csr").warn("certificate request not handled", kv("error", done.error()));
  }
  options.revision = listed.revision;
  auto watching = api_.watch(requests(), everywhere, options);
  KL_TRY(watch, co_await std::move(watching));
  for (;;) {
    KL_TRY(event, co_await watch->next());
    if (event.type != client::WatchEvent::Type::added &&
        event.type != client::WatchEvent::Type::modified)
      continue;
    auto object = json::parse(event.object.view());
    if (!object) continue;
    const auto done = co_await handle(std::move(*object));
    if (!done && !done.is(Code::conflict) && !done.is(Code::not_found))
      Log("csr").warn("certificate request not handled", kv("error", done.error()));
  }
}

Task<Result<void>> CsrSigner::handle(json::Value object) {
  auto plan = plan_csr(object, may_auto_approve_);
  switch (plan.what) {
    case CsrPlan::Do::approve: {
      auto approving = approve(std::move(object), std::move(plan));
      co_return co_await std::move(approving);
    }
    case CsrPlan::Do::sign: {
      auto signing = sign(std::move(object), std::move(plan));
      co_return co_await std::move(signing);
    }
    case CsrPlan::Do::fail:
      co_return co_await fail(std::move(object), std::move(plan.reason));
    case CsrPlan::Do::nothing:
      break;
  }
  co_return Result<void>();
}

// The watch brings it back, for the next step.
Task<Result<void>> CsrSigner::write(json::Value object, const char* subresource) {
  const std::string everywhere, name(json::text_at(object, {"metadata", "name"}));
  const std::string part = subresource, text = json::print(object);
  const client::WriteOptions options;
  auto writing = api_.update(requests(), everywhere, name, text, options, part);
  KL_TRY(written, co_await std::move(writing), "{} of {}", part, name);
  (void)written;
  co_return Result<void>();
}

// The join token opens the door to every machine that has it, but not to another one's place.
Task<Result<void>> CsrSigner::approve(json::Value object, CsrPlan plan) {
  if (plan.first) {
    const auto free = co_await names_.may_take(plan.node, plan.public_key_sha256);
    if (free.is(Code::already_exists)) {
      Log("csr").warn("a machine asks for a name that is taken", kv("node", plan.node));
      std::string reason = "NodeNameTaken", message = free.error().message();
      co_return co_await deny(std::move(object), std::move(reason), std::move(message));
    }
    if (!free) co_return free.error();
  }
  add_condition(object, condition("Approved", "AutoApproved", plan.reason, rfc3339(clock_.wall())));
  co_return co_await write(std::move(object), "approval");
}

Task<Result<void>> CsrSigner::deny(json::Value object, std::string reason, std::string message) {
  add_condition(object, condition("Denied", reason.c_str(), message, rfc3339(clock_.wall())));
  co_return co_await write(std::move(object), "approval");
}

Task<Result<void>> CsrSigner::sign(json::Value object, CsrPlan plan) {
  const auto& ca = plan.serving ? server_ca_ : client_ca_;
  const auto wanted = std::clamp<int64_t>(plan.seconds.value_or(kSecondsMax), 0, kSecondsMax);
  plan.request.not_before = kValidFrom;
  plan.request.not_after = validity_end(clock_, std::chrono::hours(0));
  plan.request.not_after.since_epoch += std::chrono::seconds(wanted);
  const auto pem = net::from_base64(json::text_at(object, {"spec", "request"}));
  if (!pem) co_return pem.error();
  // Before the certificate is out: afterwards somebody may already use it.
  if (!plan.node.empty()) KL_CHECK(co_await names_.bind(plan.node, plan.public_key_sha256));
  const auto certificate = net::sign_csr(ca, *pem, plan.request);
  if (!certificate) co_return co_await fail(std::move(object), certificate.error().message());
  json::child(object.get_object(), "status")["certificate"] = net::base64(*certificate);
  co_return co_await write(std::move(object), "status");
}

Task<Result<void>> CsrSigner::fail(json::Value object, std::string reason) {
  add_condition(object,
                condition("Failed", "SignerValidationFailure", reason, rfc3339(clock_.wall())));
  co_return co_await write(std::move(object), "status");
}

}  // namespace kinglet::cluster

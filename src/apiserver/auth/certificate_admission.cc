#include "apiserver/auth/certificate_admission.h"

#include "apiserver/errors.h"
#include "base/task.h"
#include "net/crypto.h"
#include "net/x509.h"
#include "schema/causes.h"

namespace kinglet::apiserver {
namespace {

constexpr std::string_view kGroup = "certificates.k8s.io";
constexpr std::string_view kClientSigner = "kubernetes.io/kube-apiserver-client";

// The decisions in a request's status: type, status and nothing that only explains.
std::vector<std::string> decisions(const json::Value& object) {
  std::vector<std::string> out;
  const auto* conditions = json::find(object, {"status", "conditions"});
  if (!conditions || !conditions->is_array()) return out;
  for (const auto& condition : conditions->get_array()) {
    const auto type = json::text_at(condition, {"type"});
    if (type == "Approved" || type == "Denied")
      out.push_back(fmt::format("{}={}", type, json::text_at(condition, {"status"})));
  }
  return out;
}

class CertificateAdmission final : public AdmissionPlugin {
 public:
  explicit CertificateAdmission(const Authorizer& authorizer) : authorizer_(authorizer) {}
  const char* name() const override { return "CertificateApproval"; }

  Task<Result<void>> validate(const WriteContext& context, const json::Value* object,
                              const json::Value* old) override {
    co_return check(context, object, old);
  }

 private:
  Result<void> check(const WriteContext& context, const json::Value* object,
                     const json::Value* old) const {
    if (!object || context.resource.group != kGroup ||
        context.resource.plural != "certificatesigningrequests")
      return {};
    if (context.operation == Operation::create) return check_request(context, *object);
    if (!old) return {};
    const std::string signer(json::text_at(*old, {"spec", "signerName"}));
    if (decisions(*object) != decisions(*old)) KL_CHECK_FN(check_verb(context, "approve", signer));
    const auto certificate = [](const json::Value& of) {
      return json::text_at(of, {"status", "certificate"});
    };
    if (certificate(*object) != certificate(*old)) KL_CHECK_FN(check_verb(context, "sign", signer));
    return {};
  }

  Result<void> check_request(const WriteContext& context, const json::Value& object) const {
    const auto pem = net::from_base64(json::text_at(object, {"spec", "request"}));
    const auto request = pem ? net::read_csr(*pem) : Result<net::CertificateInfo>(pem.error());
    if (!request) {
      schema::Causes causes;
      schema::add_invalid(causes, schema::Path("spec").child("request"), "<bytes>",
                          "unable to parse csr: " + request.error().message());
      return schema::invalid_error("CertificateSigningRequest", kGroup, context.name,
                                   std::move(causes));
    }
    const auto& groups = request->organizations;
    const bool masters = std::find(groups.begin(), groups.end(), "system:masters") != groups.end();
    if (masters && json::text_at(object, {"spec", "signerName"}) == kClientSigner)
      return forbidden_error(
          context.resource, context.name,
          "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not "
          "allowed");
    return {};
  }

  // The right is on the signer, by name or by its whole domain.
  Result<void> check_verb(const WriteContext& context, std::string verb,
                          const std::string& signer) const {
    Attributes a;
    a.verb = std::move(verb);
    a.group = kGroup;
    a.version = "v1";
    a.resource = "signers";
    a.name = signer;
    if (authorizer_.authorize(context.user, a).allowed) return {};
    a.name = signer.substr(0, signer.find('/')) + "/*";
    if (authorizer_.authorize(context.user, a).allowed) return {};
    return forbidden_error(
        context.resource, context.name,
        fmt::format("user not permitted to {} requests with signerName \"{}\"", a.verb, signer));
  }

  const Authorizer& authorizer_;
};

}  // namespace

std::unique_ptr<AdmissionPlugin> make_certificate_admission(const Authorizer& authorizer) {
  return std::make_unique<CertificateAdmission>(authorizer);
}

}  // namespace kinglet::apiserver

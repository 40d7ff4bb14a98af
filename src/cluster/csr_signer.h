// Signs certificate requests: approves by itself what a joining or renewing node may ask for, and
// signs what has been approved for the signers that belong to the cluster. Source: upstream's
// csrapproving and csrsigning controllers.
#pragma once
#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "base/task_fwd.h"
#include "client/api.h"
#include "cluster/node_names.h"
#include "json/json.h"
#include "net/x509.h"

namespace kinglet::cluster {

// Who sent a request, as the server has noted it.
struct CsrUser {
  std::string name;
  std::vector<std::string> groups;
};
// Whether requests of that user are approved without a person: asked with "nodeclient" (a first
// certificate) or "selfnodeclient" (a renewal), the subresources by which upstream's RBAC grants
// it.
using MayAutoApprove = std::function<bool(const CsrUser& user, const std::string& subresource)>;

struct CsrPlan {
  enum class Do : uint8_t { nothing, approve, sign, fail };
  Do what = Do::nothing;
  std::string reason;  // of approve and fail: for people
  net::CertificateRequest
      request;           // of sign: names and usages; the times are filled when it is signed
  bool serving = false;  // of sign: with the server CA
  // Of a node's client certificate: whose, and whether the node asks for its first one.
  std::string node, public_key_sha256;
  bool first = false;
  std::optional<int64_t> seconds;  // of sign: asked-for validity
};
// What to do with a CertificateSigningRequest now.
CsrPlan plan_csr(const json::Value& object, const MayAutoApprove& may_auto_approve);

class CsrSigner {
 public:
  // References outlive it. `client_ca` and `server_ca` are copied.
  CsrSigner(client::Api& api, Clock& clock, Random& random, net::KeyPair client_ca,
            net::KeyPair server_ca, MayAutoApprove may_auto_approve);
  // Follows the requests until cancelled.
  Task<void> run();
  // One request; nothing when there is nothing to do. Errors: of the Api.
  Task<Result<void>> handle(json::Value object);

 private:
  Task<Result<void>> follow();
  Task<Result<void>> approve(json::Value object, CsrPlan plan);
  Task<Result<void>> deny(json::Value object, std::string reason, std::string message);
  Task<Result<void>> sign(json::Value object, CsrPlan plan);
  Task<Result<void>> fail(json::Value object, std::string reason);
  Task<Result<void>> write(json::Value object, const char* subresource);

  client::Api& api_;
  NodeNames names_;
  Clock& clock_;
  Random& random_;
  net::KeyPair client_ca_, server_ca_;
  MayAutoApprove may_auto_approve_;
};

}  // namespace kinglet::cluster

// Certificates are identities: who may approve and sign requests, and what nobody may ask for.
// Upstream's CertificateApproval, CertificateSigning and CertificateSubjectRestriction in one.
#pragma once
#include <memory>

#include "apiserver/hooks.h"
#include "apiserver/user.h"

namespace kinglet::apiserver {

// Append it to the admission chain; `authorizer` outlives it.
std::unique_ptr<AdmissionPlugin> make_certificate_admission(const Authorizer& authorizer);

}  // namespace kinglet::apiserver

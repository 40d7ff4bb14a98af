// The review APIs: who am I, may I, may they, whose token is this. authentication.k8s.io and
// authorization.k8s.io.
#pragma once
#include <memory>

#include "apiserver/request_info.h"
#include "apiserver/user.h"
#include "base/clock.h"

namespace kinglet::apiserver {

// The parts outlive the extension.
std::unique_ptr<Extension> make_reviews(Authenticator& authenticator, const Authorizer& authorizer,
                                        Clock& clock);

// The answer to one review object, `ns` being the request's; `user` asks. TokenReview is not among
// them. Errors: bad_request, invalid.
Result<json::Value> answer_review(const Authorizer& authorizer, const User& user,
                                  std::string_view kind, std::string_view ns, json::Value object);
json::Object user_info(const User& user);

}  // namespace kinglet::apiserver

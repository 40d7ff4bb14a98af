// serviceaccounts/token: a token for a service account, on request (authentication/v1
// TokenRequest).
#pragma once
#include <memory>

#include "apiserver/auth/service_account_tokens.h"
#include "apiserver/hooks.h"
#include "apiserver/request_info.h"
#include "client/api.h"

namespace kinglet::apiserver {

// The parts outlive the extension.
std::unique_ptr<Extension> make_token_request(const Reader& reader, ServiceAccountTokens& tokens);

// The same without HTTP: `inner`, the API as `user` sees it, and serviceaccounts/token besides. The
// registry stores objects and knows nothing of tokens. `authorizer` null: everything is allowed.
// The references outlive it.
std::unique_ptr<client::Api> make_token_api(std::unique_ptr<client::Api> inner,
                                            const Reader& reader, ServiceAccountTokens& tokens,
                                            const Authorizer* authorizer, User user);

// What a TokenRequest object asks for. `user` asks; a node gets tokens for the pods that run on it
// only. Errors: not_found, invalid, bad_request, conflict, forbidden.
Result<TokenWish> token_wish(const Reader& reader, const User& user, const std::string& ns,
                             const std::string& account, const json::Value& request);

}  // namespace kinglet::apiserver

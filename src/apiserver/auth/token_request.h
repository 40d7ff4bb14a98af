// serviceaccounts/token: a token for a service account, on request (authentication/v1
// TokenRequest).
#pragma once
#include <memory>

#include "apiserver/auth/service_account_tokens.h"
#include "apiserver/hooks.h"
#include "apiserver/request_info.h"

namespace kinglet::apiserver {

// The parts outlive the extension.
std::unique_ptr<Extension> make_token_request(const Reader& reader, ServiceAccountTokens& tokens);

// What a TokenRequest object asks for. `user` asks; a node gets tokens for the pods that run on it
// only. Errors: not_found, invalid, bad_request, conflict, forbidden.
Result<TokenWish> token_wish(const Reader& reader, const User& user, const std::string& ns,
                             const std::string& account, const json::Value& request);

}  // namespace kinglet::apiserver

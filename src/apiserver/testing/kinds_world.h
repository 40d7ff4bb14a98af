// For tests of hooks and admission: an API server with all of them, and the namespace `n` with its
// default account.
#pragma once
#include "apiserver/testing/api_world.h"

namespace kinglet::apiserver::testing {

inline RegistryOptions all_kinds(HookOptions options = {}) {
  static const auto clock = make_sim_clock(WallTime{});
  return {make_hooks(options), make_admission(*clock)};
}

class KindsWorld : public ApiWorld {
 public:
  explicit KindsWorld(HookOptions options = {}) : ApiWorld(all_kinds(std::move(options))) {
    post("/api/v1/namespaces", R"({"kind":"Namespace","apiVersion":"v1","metadata":{"name":"n"}})");
    post("/api/v1/namespaces/n/serviceaccounts",
         R"({"kind":"ServiceAccount","apiVersion":"v1","metadata":{"name":"default"}})");
  }
  // Makes an object of namespace n; the answer must be 201.
  json::Value make(const std::string& path, const std::string& body) {
    auto answer = post(path, body);
    EXPECT_EQ(answer->status, 201) << answer->text;
    return answer->json();
  }
  // The message of a refused request, without the leading `Kind "name" is invalid: `.
  static std::string why(const FakeExchange& answer) {
    const std::string whole = message(answer);
    constexpr std::string_view kMark = "\" is invalid: ";
    const size_t at = whole.find(kMark);
    return at == std::string::npos ? whole : whole.substr(at + kMark.size());
  }
};

}  // namespace kinglet::apiserver::testing

#include "schema/internal/defaulters.h"

namespace kinglet::schema {
namespace {

void network_policy_spec(json::Object& spec) {
  if (!empty(spec, "policyTypes")) return;
  json::Array types{"Ingress"};
  if (!empty(spec, "egress")) types.emplace_back("Egress");
  spec["policyTypes"] = std::move(types);
}

void subject(json::Object& subject) {
  const std::string kind(string_at(subject, "kind"));
  if (kind == "User" || kind == "Group")
    set_if_empty(subject, "apiGroup", "rbac.authorization.k8s.io");
}

void custom_resource_definition(json::Object& definition) {
  json::Object* spec = object_at(definition, "spec");
  if (spec == nullptr) return;
  if (json::Object* names = object_at(*spec, "names")) {
    const std::string kind(string_at(*names, "kind"));
    std::string singular = kind;
    for (char& c : singular)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    if (!kind.empty()) {
      set_if_empty(*names, "singular", json::Value(singular));
      set_if_empty(*names, "listKind", json::Value(kind + "List"));
    }
  }
  json::Object& status = json::child(definition, "status");
  if (!empty(status, "storedVersions")) return;
  for_each_object(*spec, "versions", [&](json::Object& version) {
    const json::Value* stored = version.if_contains("storage");
    if (stored != nullptr && stored->is_bool() && stored->get_bool())
      status["storedVersions"] = json::Array{json::Value(string_at(version, "name"))};
  });
}

constexpr Defaulter kDefaulters[] = {
    {"networking.v1.NetworkPolicySpec", network_policy_spec},
    {"rbac.v1.Subject", subject},
    {"apiextensions.v1.CustomResourceDefinition", custom_resource_definition},
};

}  // namespace

std::span<const Defaulter> policy_defaulters() { return kDefaulters; }

}  // namespace kinglet::schema

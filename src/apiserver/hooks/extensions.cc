// CustomResourceDefinition, APIService, webhook configurations, admission policies,
// CertificateSigningRequest, flow control.
#include <set>

#include "apiserver/hooks/kinds.h"
#include "apiserver/hooks/rules.h"
#include "schema/names.h"
#include "schema/values.h"

namespace kinglet::apiserver {
namespace {

// --- CustomResourceDefinition --------------------------------------------------------------------

void check_names(const json::Value& spec, const Path& path, Causes& causes) {
  const auto& names = at(spec, "names");
  const Path at_names = path.child("names");
  check_name(causes, at_names.child("plural"), at(names, "plural"), schema::dns1035_label_errors);
  if (const auto& singular = at(names, "singular"); !is_empty(singular))
    check_name(causes, at_names.child("singular"), singular, schema::dns1035_label_errors);
  for (const std::string_view member : {"kind", "listKind"}) {
    std::string lower(text(names, member));
    if (member == "listKind" && lower.empty()) continue;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    check_name(causes, at_names.child(member), json::Value(lower), schema::dns1035_label_errors);
  }
  if (!text(names, "kind").empty() && text(names, "kind") == text(names, "listKind"))
    schema::add_invalid(causes, at_names.child("listKind"), at(names, "listKind"),
                        "kind and listKind may not be the same");
}

void check_versions(const json::Value& spec, const Path& path, Causes& causes) {
  const auto& versions = items(spec, "versions");
  const Path list = path.child("versions");
  if (versions.empty()) schema::add_required(causes, list, "must have at least one version");
  int stored = 0;
  for (size_t i = 0; i < versions.size(); ++i) {
    const Path item = list.index(i);
    check_name(causes, item.child("name"), at(versions[i], "name"), schema::dns1035_label_errors);
    if (json::bool_at(versions[i], {"storage"})) ++stored;
    const auto& schema_of_version = at(versions[i], {"schema", "openAPIV3Schema"});
    const Path at_schema = item.child("schema");
    const Path open_api = at_schema.child("openAPIV3Schema");
    if (!given(schema_of_version)) {
      schema::add_required(causes, open_api, "schemas are required");
    } else if (text(schema_of_version, "type") != "object") {
      if (text(schema_of_version, "type").empty()) {
        schema::add_required(causes, open_api.child("type"), "must not be empty at the root");
      } else {
        schema::add_invalid(causes, open_api.child("type"), at(schema_of_version, "type"),
                            "must be object at the root");
      }
    }
  }
  check_unique(causes, list, versions, "name");
  if (!versions.empty() && stored != 1)
    schema::add_invalid(causes, list, at(spec, "versions"),
                        "must have exactly one version marked as storage version");
}

class DefinitionHooks final : public KindHooks {
 public:
  void validate(const WriteContext& context, const json::Value& object, const json::Value* old,
                std::vector<Cause>& causes) const override {
    if (context.subresource == "status") return;
    const auto& spec = at(object, "spec");
    const Path path("spec");
    const auto group = text(spec, "group");
    check_name(causes, path.child("group"), at(spec, "group"), schema::dns1123_subdomain_errors);
    if (!group.empty() && group.find('.') == std::string_view::npos)
      schema::add_invalid(causes, path.child("group"), at(spec, "group"),
                          "should be a domain with at least one dot");
    check_one_of(causes, path.child("scope"), at(spec, "scope"), {"Cluster", "Namespaced"});
    check_names(spec, path, causes);
    check_versions(spec, path, causes);
    if (json::bool_at(spec, {"preserveUnknownFields"}))
      schema::add_invalid(causes, path.child("preserveUnknownFields"), json::Value(true),
                          "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
                          "spec.versions[*].schema instead");
    const auto wanted = fmt::format("{}.{}", text(at(spec, "names"), "plural"), group);
    const auto& name = at(object, {"metadata", "name"});
    const Path metadata("metadata");
    if (name != json::Value(wanted))
      schema::add_invalid(causes, metadata.child("name"), name,
                          "must be spec.names.plural+\".\"+spec.group");
    const bool reserved = group.ends_with(".k8s.io") || group.ends_with(".kubernetes.io");
    constexpr std::string_view kApproved = "api-approved.kubernetes.io";
    const Path annotations = metadata.child("annotations");
    if (reserved && !given(at(object, {"metadata", "annotations", kApproved})))
      schema::add_required(
          causes, annotations.key(kApproved),
          "protected groups must have approval annotation \"api-approved.kubernetes.io\", see "
          "https://github.com/kubernetes/enhancements/pull/1111");
    if (!old) return;
    check_immutable(causes, path.child("group"), at(spec, "group"), at(*old, {"spec", "group"}));
    check_immutable(causes, path.child("scope"), at(spec, "scope"), at(*old, {"spec", "scope"}));
    const Path names = path.child("names");
    for (const std::string_view member : {"plural", "kind"})
      check_immutable(causes, names.child(member), at(spec, {"names", member}),
                      at(*old, {"spec", "names", member}));
  }
};

// --- APIService ----------------------------------------------------------------------------------

class ApiServiceHooks final : public KindHooks {
 public:
  void validate(const WriteContext& context, const json::Value& object, const json::Value*,
                std::vector<Cause>& causes) const override {
    if (context.subresource == "status") return;
    const auto& spec = at(object, "spec");
    const Path path("spec");
    const auto wanted = fmt::format("{}.{}", text(spec, "version"), text(spec, "group"));
    const auto& name = at(object, {"metadata", "name"});
    const Path metadata("metadata");
    if (name != json::Value(wanted))
      schema::add_invalid(causes, metadata.child("name"), name,
                          fmt::format("must be `spec.version+\".\"+spec.group`: \"{}\"", wanted));
    check_bound(causes, path.child("groupPriorityMinimum"), number(spec, "groupPriorityMinimum"),
                20000);
    check_bound(causes, path.child("versionPriority"), number(spec, "versionPriority"), 1000);
    const auto& service = at(spec, "service");
    const bool insecure = json::bool_at(spec, {"insecureSkipTLSVerify"});
    if (!given(service)) {
      if (!is_empty(at(spec, "caBundle")))
        schema::add_invalid(causes, path.child("caBundle"), json::Value(""),
                            "local APIServices may not have a caBundle");
      if (insecure)
        schema::add_invalid(causes, path.child("insecureSkipTLSVerify"), json::Value(true),
                            "local APIServices may not have insecureSkipTLSVerify");
      return;
    }
    const Path at_service = path.child("service");
    for (const std::string_view member : {"name", "namespace"})
      if (text(service, member).empty()) schema::add_required(causes, at_service.child(member));
    if (given(at(service, "port")))
      check_port(causes, at_service.child("port"), at(service, "port"));
    if (insecure && !is_empty(at(spec, "caBundle")))
      schema::add_invalid(causes, path.child("insecureSkipTLSVerify"), json::Value(true),
                          "may not be true if caBundle is present");
  }

 private:
  static void check_bound(Causes& causes, const Path& path, int64_t value, int64_t most) {
    if (value <= 0 || value > most)
      schema::add_invalid(causes, path, json::Value(value),
                          fmt::format("must be positive and less than {}", most));
  }
};

// --- webhooks ------------------------------------------------------------------------------------

void check_client(const json::Value& config, const Path& path, Causes& causes) {
  const auto& url = at(config, "url");
  const auto& service = at(config, "service");
  if (given(url) == given(service))
    return schema::add_required(causes, path, "exactly one of url or service is required");
  if (given(url) && !text(config, "url").starts_with("https://"))
    schema::add_invalid(
        causes, path.child("url"), url,
        "'https' is the only allowed URL scheme; desired format: https://host[/path]");
  if (given(service) && given(at(service, "port"))) {
    const Path at_service = path.child("service");
    check_port(causes, at_service.child("port"), at(service, "port"));
  }
}

bool fully_qualified(std::string_view name) {
  return schema::dns1123_subdomain_errors(name).empty() &&
         std::count(name.begin(), name.end(), '.') >= 2;
}

void check_rule(const json::Value& rule, const Path& path, Causes& causes) {
  for (const std::string_view member : {"operations", "apiGroups", "apiVersions", "resources"}) {
    const auto& values = items(rule, member);
    if (values.empty()) schema::add_required(causes, path.child(member));
    const bool all = std::find(values.begin(), values.end(), json::Value("*")) != values.end();
    if (all && values.size() > 1 && member != "resources")
      schema::add_invalid(causes, path.child(member), at(rule, member),
                          "if '*' is present, must not specify other values");
  }
}

class WebhookHooks final : public KindHooks {
 public:
  void validate(const WriteContext&, const json::Value& object, const json::Value*,
                std::vector<Cause>& causes) const override {
    const auto& webhooks = items(object, "webhooks");
    const Path list("webhooks");
    for (size_t i = 0; i < webhooks.size(); ++i) check_webhook(webhooks[i], list.index(i), causes);
    check_unique(causes, list, webhooks, "name");
  }

 private:
  static void check_webhook(const json::Value& hook, const Path& path, Causes& causes) {
    if (!fully_qualified(text(hook, "name")))
      schema::add_invalid(causes, path.child("name"), at(hook, "name"),
                          "should be a domain with at least three segments separated by dots");
    const auto& rules = items(hook, "rules");
    const Path list = path.child("rules");
    for (size_t i = 0; i < rules.size(); ++i) check_rule(rules[i], list.index(i), causes);
    check_one_of(causes, path.child("sideEffects"), at(hook, "sideEffects"),
                 {"None", "NoneOnDryRun"});
    const auto& seconds = at(hook, "timeoutSeconds");
    if (seconds.is_int64() && (seconds.get_int64() < 1 || seconds.get_int64() > 30))
      schema::add_invalid(causes, path.child("timeoutSeconds"), seconds,
                          "the timeout value must be between 1 and 30 seconds");
    check_review_versions(hook, path, causes);
    check_selector(causes, path.child("namespaceSelector"), at(hook, "namespaceSelector"));
    check_selector(causes, path.child("objectSelector"), at(hook, "objectSelector"));
    check_client(at(hook, "clientConfig"), path.child("clientConfig"), causes);
  }

  static void check_review_versions(const json::Value& hook, const Path& path, Causes& causes) {
    const auto& versions = items(hook, "admissionReviewVersions");
    const Path list = path.child("admissionReviewVersions");
    if (versions.empty())
      return schema::add_required(causes, list, "must specify one of v1, v1beta1");
    const bool known = std::any_of(
        versions.begin(), versions.end(),
        [](const json::Value& version) { return version == "v1" || version == "v1beta1"; });
    if (!known)
      schema::add_invalid(causes, list, at(hook, "admissionReviewVersions"),
                          "must include at least one of v1, v1beta1");
  }
};

class AdmissionPolicyHooks final : public KindHooks {
 public:
  void validate(const WriteContext& context, const json::Value& object, const json::Value*,
                std::vector<Cause>& causes) const override {
    if (context.subresource == "status") return;
    const auto& spec = at(object, "spec");
    const Path path("spec");
    if (items(spec, "validations").empty() && items(spec, "auditAnnotations").empty())
      schema::add_required(causes, path.child("validations"),
                           "validations or auditAnnotations must contain at least one item");
    if (!given(at(spec, "matchConstraints")))
      schema::add_required(causes, path.child("matchConstraints"));
  }
};

class AdmissionBindingHooks final : public KindHooks {
 public:
  void validate(const WriteContext&, const json::Value& object, const json::Value*,
                std::vector<Cause>& causes) const override {
    const auto& spec = at(object, "spec");
    const Path path("spec");
    if (text(spec, "policyName").empty()) schema::add_required(causes, path.child("policyName"));
    const auto& actions = items(spec, "validationActions");
    const Path list = path.child("validationActions");
    if (actions.empty())
      schema::add_required(causes, list, "at least one validation action is required");
    std::set<std::string> seen;
    for (size_t i = 0; i < actions.size(); ++i)
      if (actions[i].is_string() && !seen.emplace(actions[i].get_string()).second)
        schema::add_duplicate(causes, list.index(i), actions[i]);
    if (seen.contains("Deny") && seen.contains("Warn"))
      schema::add_invalid(causes, list, at(spec, "validationActions"),
                          "must not contain both Deny and Warn (repeating the same validation "
                          "failure information in "
                          "the API response and headers serves no purpose)");
  }
};

// --- CertificateSigningRequest -------------------------------------------------------------------

constexpr size_t kSignerNameMax = 571;
constexpr int64_t kCertificateSecondsMin = 600;

class CertificateRequestHooks final : public KindHooks {
 public:
  // Who asks is what the request says of itself to its approver: only the server may write it.
  void prepare(const WriteContext& context, json::Value& object,
               const json::Value* old) const override {
    if (old) return;
    auto& spec = json::child(object.get_object(), "spec");
    for (const std::string_view member : {"username", "uid", "groups", "extra"}) spec.erase(member);
    spec["username"] = context.user.name;
    if (!context.user.uid.empty()) spec["uid"] = context.user.uid;
    json::Array groups;
    for (const auto& group : context.user.groups) groups.emplace_back(group);
    if (!groups.empty()) spec["groups"] = std::move(groups);
    json::Object extra;
    for (const auto& [key, values] : context.user.extra) {
      json::Array list;
      for (const auto& value : values) list.emplace_back(value);
      extra[key] = std::move(list);
    }
    if (!extra.empty()) spec["extra"] = std::move(extra);
    object.get_object().erase("status");
  }

  void validate(const WriteContext& context, const json::Value& object, const json::Value* old,
                std::vector<Cause>& causes) const override {
    const auto& spec = at(object, "spec");
    const Path path("spec");
    if (context.subresource.empty()) check_spec(spec, path, causes);
    if (old) check_immutable(causes, path, spec, at(*old, "spec"));
    const Path status("status");
    const Path list = status.child("conditions");
    bool approved = false, denied = false;
    for (const auto& condition : items(at(object, "status"), "conditions")) {
      approved |= text(condition, "type") == "Approved";
      denied |= text(condition, "type") == "Denied";
    }
    if (approved && denied)
      schema::add_invalid(causes, list, at(object, {"status", "conditions"}),
                          "Approved and Denied conditions are mutually exclusive");
  }

 private:
  static void check_spec(const json::Value& spec, const Path& path, Causes& causes) {
    if (is_empty(at(spec, "request"))) schema::add_required(causes, path.child("request"));
    if (items(spec, "usages").empty())
      schema::add_required(causes, path.child("usages"), "usages are required");
    const auto signer = text(spec, "signerName");
    if (signer.size() > kSignerNameMax)
      schema::add_too_long(causes, path.child("signerName"), kSignerNameMax);
    if (!signer.empty() && signer.find('/') == std::string_view::npos)
      schema::add_invalid(
          causes, path.child("signerName"), at(spec, "signerName"),
          "must be a fully qualified domain and path of the form 'example.com/signer-name'");
    if (signer == "kubernetes.io/legacy-unknown")
      schema::add_invalid(causes, path.child("signerName"), at(spec, "signerName"),
                          "the legacy signerName is not allowed via this API version");
    const auto& seconds = at(spec, "expirationSeconds");
    if (seconds.is_int64() && seconds.get_int64() < kCertificateSecondsMin)
      schema::add_invalid(causes, path.child("expirationSeconds"), seconds,
                          "may not specify a duration less than 600 seconds (10 minutes)");
  }
};

// --- flow control --------------------------------------------------------------------------------

class FlowSchemaHooks final : public KindHooks {
 public:
  void validate(const WriteContext&, const json::Value& object, const json::Value*,
                std::vector<Cause>& causes) const override {
    const auto& spec = at(object, "spec");
    const Path path("spec");
    const auto precedence = number(spec, "matchingPrecedence");
    if (precedence <= 0)
      schema::add_invalid(causes, path.child("matchingPrecedence"), json::Value(precedence),
                          "must be a positive value");
    if (precedence > 10000)
      schema::add_invalid(causes, path.child("matchingPrecedence"), json::Value(precedence),
                          "must not be greater than 10000");
  }
};

class PriorityLevelHooks final : public KindHooks {
 public:
  void validate(const WriteContext&, const json::Value& object, const json::Value*,
                std::vector<Cause>& causes) const override {
    const auto& spec = at(object, "spec");
    const Path path("spec");
    check_one_of(causes, path.child("type"), at(spec, "type"), {"Exempt", "Limited"});
    const auto type = text(spec, "type");
    if (type == "Exempt" && given(at(spec, "limited")))
      schema::add_forbidden(causes, path.child("limited"),
                            "must be nil if the type is not Limited");
    if (type == "Limited" && given(at(spec, "exempt")))
      schema::add_forbidden(causes, path.child("exempt"), "must be nil if the type is Limited");
    if (type == "Limited" && !given(at(spec, "limited")))
      schema::add_required(causes, path.child("limited"), "must not be empty when type is Limited");
  }
};

}  // namespace

void add_extension_hooks(Hooks& hooks) {
  const std::string admission = "admissionregistration.k8s.io/",
                    flow = "flowcontrol.apiserver.k8s.io/";
  hooks.emplace("apiextensions.k8s.io/customresourcedefinitions",
                std::make_unique<DefinitionHooks>());
  hooks.emplace("apiregistration.k8s.io/apiservices", std::make_unique<ApiServiceHooks>());
  hooks.emplace(admission + "validatingwebhookconfigurations", std::make_unique<WebhookHooks>());
  hooks.emplace(admission + "mutatingwebhookconfigurations", std::make_unique<WebhookHooks>());
  hooks.emplace(admission + "validatingadmissionpolicies",
                std::make_unique<AdmissionPolicyHooks>());
  hooks.emplace(admission + "validatingadmissionpolicybindings",
                std::make_unique<AdmissionBindingHooks>());
  hooks.emplace("certificates.k8s.io/certificatesigningrequests",
                std::make_unique<CertificateRequestHooks>());
  hooks.emplace(flow + "flowschemas", std::make_unique<FlowSchemaHooks>());
  hooks.emplace(flow + "prioritylevelconfigurations", std::make_unique<PriorityLevelHooks>());
}

}  // namespace kinglet::apiserver

// Gives each new pod its service account: the name, the pull secrets, and the volume with its
// token.
#include "apiserver/admission/plugins.h"
#include "apiserver/errors.h"
#include "apiserver/hooks/rules.h"
#include "base/task.h"

namespace kinglet::apiserver {
namespace {

constexpr std::string_view kDefaultAccount = "default";
constexpr std::string_view kMountPath = "/var/run/secrets/kubernetes.io/serviceaccount";
constexpr std::string_view kVolumePrefix = "kube-api-access-";
constexpr std::string_view kMirrorAnnotation = "kubernetes.io/config.mirror";
constexpr int64_t kTokenSeconds = 3607;
constexpr int64_t kReadableMode = 0644;

// Five characters that differ between pods, made from the pod's uid: it is random already.
std::string suffix_of(std::string_view uid) {
  constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";
  uint64_t hash = 14695981039346656037ull;  // FNV-1a
  for (const char c : uid) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211ull;
  std::string out;
  for (int i = 0; i < 5; ++i, hash /= kAlphabet.size()) out += kAlphabet[hash % kAlphabet.size()];
  return out;
}

json::Value token_volume(const std::string& name) {
  return json::Object{
      {"name", name},
      {"projected",
       {{"sources",
         {{{"serviceAccountToken", {{"expirationSeconds", kTokenSeconds}, {"path", "token"}}}},
          {{"configMap",
            {{"name", "kube-root-ca.crt"},
             {"items", json::Array{{{"key", "ca.crt"}, {"path", "ca.crt"}}}}}}},
          {{"downwardAPI",
            {{"items",
              json::Array{{{"path", "namespace"},
                           {"fieldRef",
                            {{"apiVersion", "v1"}, {"fieldPath", "metadata.namespace"}}}}}}}}}}},
        {"defaultMode", kReadableMode}}}};
}

bool has_mount(const json::Value& container) {
  for (const auto& mount : items(container, "volumeMounts"))
    if (text(mount, "mountPath") == kMountPath) return true;
  return false;
}

json::Array& list_of(json::Object& object, std::string_view name) {
  auto& value = object[name];
  if (!value.is_array()) value = json::Array();
  return value.get_array();
}

void mount_token(json::Object& spec, std::string_view uid) {
  std::string volume;
  bool there = false;
  const json::Value before(spec);
  for (const auto& existing : items(before, "volumes")) {
    if (!text(existing, "name").starts_with(kVolumePrefix)) continue;
    volume = text(existing, "name");
    there = true;
  }
  if (!there) volume = std::string(kVolumePrefix) + suffix_of(uid);
  bool used = false;
  for (const std::string_view member : {"initContainers", "containers"}) {
    auto* containers = spec.if_contains(member);
    if (!containers || !containers->is_array()) continue;
    for (auto& container : containers->get_array()) {
      if (!container.is_object() || has_mount(container)) continue;
      list_of(container.get_object(), "volumeMounts")
          .push_back(json::Object{{"name", volume}, {"readOnly", true}, {"mountPath", kMountPath}});
      used = true;
    }
  }
  if (used && !there) list_of(spec, "volumes").push_back(token_volume(volume));
}

// The pod's word counts before the account's; without either the token is mounted.
bool wants_token(const json::Value& spec, const json::Value& account) {
  for (const auto* value :
       {&at(spec, "automountServiceAccountToken"), &at(account, "automountServiceAccountToken")})
    if (value->is_bool()) return value->get_bool();
  return true;
}

class ServiceAccountAdmission final : public AdmissionPlugin {
 public:
  const char* name() const override { return "ServiceAccount"; }

  Task<Result<void>> mutate(const WriteContext& context, json::Value* object,
                            const json::Value*) override {
    if (context.operation != Operation::create || !is_kind(context, "", "pods"))
      co_return Result<void>();
    co_return decide(context, *object);
  }

 private:
  static Result<void> decide(const WriteContext& context, json::Value& pod) {
    const auto refuse = [&](std::string_view why) {
      return forbidden_error(context.resource, context.name, why);
    };
    auto& spec = json::child(pod.get_object(), "spec");
    if (given(at(pod, {"metadata", "annotations", kMirrorAnnotation}))) {
      if (!text(json::Value(spec), "serviceAccountName").empty())
        return refuse("a mirror pod may not reference service accounts");
      return {};
    }
    std::string account_name(text(at(pod, "spec"), "serviceAccountName"));
    if (account_name.empty()) account_name = kDefaultAccount;
    spec["serviceAccountName"] = account_name;
    spec["serviceAccount"] = account_name;  // the old name of the field, always the same

    const auto* accounts = schema::find_resource("", "v1", "serviceaccounts");
    if (!accounts) return {};
    const auto account = context.reader.get(*accounts, context.ns, account_name);
    if (!account)
      return refuse(
          fmt::format("error looking up service account {}/{}: serviceaccount \"{}\" not found",
                      context.ns, account_name, account_name));
    if (wants_token(json::Value(spec), *account))
      mount_token(spec, text(at(pod, "metadata"), "uid"));
    if (is_empty(at(pod, {"spec", "imagePullSecrets"})) &&
        !items(*account, "imagePullSecrets").empty())
      spec["imagePullSecrets"] = items(*account, "imagePullSecrets");
    return {};
  }
};

}  // namespace

std::unique_ptr<AdmissionPlugin> make_service_account_admission() {
  return std::make_unique<ServiceAccountAdmission>();
}

}  // namespace kinglet::apiserver

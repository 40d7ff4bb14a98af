// ConfigMap, Secret, ServiceAccount.
#include "apiserver/hooks/kinds.h"
#include "apiserver/hooks/rules.h"
#include "schema/names.h"
#include "schema/values.h"

namespace kinglet::apiserver {
namespace {

constexpr size_t kDataBytesMax = 1 << 20;

// How many bytes base64 text stands for.
size_t decoded_size(std::string_view base64) {
  size_t size = base64.size() / 4 * 3;
  for (int i = 0; i < 2 && !base64.empty() && base64.back() == '='; ++i) {
    base64.remove_suffix(1);
    --size;
  }
  return size;
}

size_t check_keys(const json::Value& data, const Path& path, bool base64, Causes& causes) {
  size_t bytes = 0;
  if (!data.is_object()) return bytes;
  for (const auto& [key, value] : data.get_object()) {
    schema::add_invalid_each(causes, path.key(key), json::Value(key),
                             schema::config_key_errors(key));
    if (value.is_string())
      bytes += base64 ? decoded_size(value.get_string()) : value.get_string().size();
  }
  return bytes;
}

void check_frozen(const json::Value& now, const json::Value& old,
                  std::initializer_list<std::string_view> members, Causes& causes) {
  if (!json::bool_at(old, {"immutable"})) return;
  if (!json::bool_at(now, {"immutable"}))
    schema::add_forbidden(causes, Path("immutable"), "field is immutable when `immutable` is set");
  for (const auto member : members)
    if (!equal(at(now, member), at(old, member)))
      schema::add_forbidden(causes, Path(member), "field is immutable when `immutable` is set");
}

class ConfigMapHooks final : public KindHooks {
 public:
  void validate(const WriteContext&, const json::Value& object, const json::Value* old,
                std::vector<Cause>& causes) const override {
    const auto& data = at(object, "data");
    const auto& binary = at(object, "binaryData");
    const Path at_data("data"), at_binary("binaryData");
    size_t bytes = check_keys(data, at_data, false, causes);
    bytes += check_keys(binary, at_binary, true, causes);
    if (data.is_object())
      for (const auto& [key, value] : data.get_object())
        if (given(at(binary, std::string_view(key))))
          schema::add_invalid(causes, at_data.key(key), json::Value(key),
                              "duplicate of key present in binaryData");
    if (bytes > kDataBytesMax) schema::add_too_long(causes, Path(""), kDataBytesMax);
    if (old) check_frozen(object, *old, {"data", "binaryData"}, causes);
  }
};

class SecretHooks final : public KindHooks {
 public:
  void validate(const WriteContext&, const json::Value& object, const json::Value* old,
                std::vector<Cause>& causes) const override {
    const auto& data = at(object, "data");
    const Path at_data("data");
    if (check_keys(data, at_data, true, causes) > kDataBytesMax)
      schema::add_too_long(causes, at_data, kDataBytesMax);
    check_type(object, data, at_data, causes);
    if (!old) return;
    check_immutable(causes, Path("type"), at(object, "type"), at(*old, "type"));
    check_frozen(object, *old, {"data"}, causes);
  }

 private:
  static void require(Causes& causes, const json::Value& data, const Path& path,
                      std::string_view key) {
    if (!given(at(data, key))) schema::add_required(causes, path.key(key));
  }

  static void check_type(const json::Value& object, const json::Value& data, const Path& path,
                         Causes& causes) {
    const auto type = text(object, "type");
    if (type == "kubernetes.io/service-account-token") {
      const Path metadata("metadata");
      const Path annotations = metadata.child("annotations");
      constexpr std::string_view kAccount = "kubernetes.io/service-account.name";
      if (text(at(object, {"metadata", "annotations"}), kAccount).empty())
        schema::add_required(causes, annotations.key(kAccount));
    } else if (type == "kubernetes.io/dockercfg") {
      require(causes, data, path, ".dockercfg");
    } else if (type == "kubernetes.io/dockerconfigjson") {
      require(causes, data, path, ".dockerconfigjson");
    } else if (type == "kubernetes.io/basic-auth") {
      if (!given(at(data, "username")) && !given(at(data, "password"))) {
        schema::add_required(causes, path.key("username"));
        schema::add_required(causes, path.key("password"));
      }
    } else if (type == "kubernetes.io/ssh-auth") {
      require(causes, data, path, "ssh-privatekey");
    } else if (type == "kubernetes.io/tls") {
      require(causes, data, path, "tls.crt");
      require(causes, data, path, "tls.key");
    }
  }
};

}  // namespace

void add_config_hooks(Hooks& hooks) {
  hooks.emplace("/configmaps", std::make_unique<ConfigMapHooks>());
  hooks.emplace("/secrets", std::make_unique<SecretHooks>());
}

}  // namespace kinglet::apiserver

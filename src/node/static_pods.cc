#include "node/static_pods.h"

#include "json/json.h"
#include "net/crypto.h"
#include "schema/codec.h"
#include "schema/structs.h"

namespace kinglet::node {
namespace {
constexpr size_t kUidDigits = 32;

std::string annotation(const api::Pod& pod, const char* name) {
  const auto found = pod.metadata.annotations.find(name);
  return found == pod.metadata.annotations.end() ? "" : found->second;
}

// What only the API server can give.
const char* wants_of_api(const api::Pod& pod) {
  if (!pod.spec.serviceAccountName.empty()) return "a service account";
  for (const auto& volume : pod.spec.volumes) {
    if (volume.configMap) return "a ConfigMap";
    if (volume.secret) return "a Secret";
    if (volume.persistentVolumeClaim) return "a PersistentVolumeClaim";
  }
  return nullptr;
}

bool is_name(const std::string& text) {
  if (text.empty() || text.size() > 253 || text.front() == '-' || text.front() == '.') return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}
}  // namespace

bool is_static(const api::Pod& pod) {
  return annotation(pod, kConfigSource) == "file" && !is_mirror(pod);
}
bool is_mirror(const api::Pod& pod) { return !annotation(pod, kConfigMirror).empty(); }

Result<api::Pod> parse_static_pod(const std::string& text, const std::string& node_name) {
  KL_TRY_FN(root, json::parse_yaml(text));
  if (json::text_at(root, {"kind"}) != "Pod" || json::text_at(root, {"apiVersion"}) != "v1" ||
      !root.is_object())
    return Error(Code::invalid, "a manifest of kind Pod, apiVersion v1 is expected");
  const auto& kind = schema::resource_of<api::Pod>();
  KL_TRY_FN(decoded, schema::decode(*kind.type, root));
  schema::apply_defaults(kind, decoded);
  KL_TRY_FN(pod, schema::parse<api::Pod>(json::print(decoded)));
  if (!is_name(pod.metadata.name))
    return Error(Code::invalid, "\"{}\" is not a name for a pod", pod.metadata.name);
  if (pod.spec.containers.empty()) return Error(Code::invalid, "it has no containers");
  if (const char* wanted = wants_of_api(pod))
    return Error(Code::invalid, "a static pod cannot have {}", wanted);
  const std::string hash = net::to_hex(net::sha256(node_name + "\n" + text)).substr(0, kUidDigits);
  pod.metadata.name += "-" + node_name;
  if (pod.metadata.namespace_.empty()) pod.metadata.namespace_ = "default";
  if (!is_name(pod.metadata.namespace_)) return Error(Code::invalid, "the namespace is not a name");
  pod.metadata.uid = hash;
  pod.metadata.annotations[kConfigSource] = "file";
  pod.metadata.annotations[kConfigHash] = hash;
  pod.spec.nodeName = node_name;
  api::Toleration any;  // a taint must not end what the node itself wants
  any.operator_ = "Exists";
  any.effect = "NoExecute";
  pod.spec.tolerations.push_back(any);
  return std::move(pod);
}

api::Pod mirror_of(const api::Pod& pod, const std::string& node_uid) {
  api::Pod out = pod;
  out.metadata.uid.clear();
  out.metadata.deletionTimestamp.reset();
  out.status = {};
  out.metadata.annotations[kConfigMirror] = annotation(pod, kConfigHash);
  api::OwnerReference owner;
  owner.apiVersion = "v1";
  owner.kind = "Node";
  owner.name = pod.spec.nodeName;
  owner.uid = node_uid;
  owner.controller = true;
  out.metadata.ownerReferences = {owner};
  return out;
}

std::map<std::string, api::Pod> read_static_pods(
    Files& files, const std::string& directory, const std::string& node_name,
    const std::function<void(const std::string&, const Error&)>& complain) {
  std::map<std::string, api::Pod> out;
  const auto names = files.list(directory);
  if (!names) return out;
  for (const auto& name : *names) {
    const bool manifest =
        name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json");
    if (!manifest || name[0] == '.' || out.size() >= kStaticPodsMax) continue;
    const auto text = read_file(files, directory + "/" + name, kManifestBytesMax);
    auto pod = text ? parse_static_pod(*text, node_name) : Result<api::Pod>(text.error());
    if (pod)
      out.emplace(name, *std::move(pod));
    else
      complain(name, pod.error());
  }
  return out;
}

}  // namespace kinglet::node

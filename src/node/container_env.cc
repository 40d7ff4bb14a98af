#include "node/container_env.h"

#include "schema/values.h"

namespace kinglet::node {
namespace {

// Later writers win; the order is that of first appearance.
class Variables {
 public:
  void set(const std::string& name, std::string value) {
    if (!values_.count(name)) order_.push_back(name);
    values_[name] = std::move(value);
  }
  const std::map<std::string, std::string>& values() const { return values_; }
  std::vector<std::string> lines() const {
    std::vector<std::string> out;
    for (const auto& name : order_) out.push_back(name + "=" + values_.at(name));
    return out;
  }

 private:
  std::map<std::string, std::string> values_;
  std::vector<std::string> order_;
};

std::string env_name(std::string text) {
  for (char& c : text) c = c == '-' || c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

// REDIS_SERVICE_HOST and the docker-link forms, as the kubelet gives them.
void add_service(Variables& env, const api::Service& service) {
  if (service.spec.clusterIP.empty() || service.spec.clusterIP == "None" || service.spec.ports.empty()) return;
  const std::string prefix = env_name(service.metadata.name);
  const std::string& host = service.spec.clusterIP;
  env.set(prefix + "_SERVICE_HOST", host);
  env.set(prefix + "_SERVICE_PORT", std::to_string(service.spec.ports[0].port));
  for (const auto& port : service.spec.ports)
    if (!port.name.empty()) env.set(prefix + "_SERVICE_PORT_" + env_name(port.name), std::to_string(port.port));
  const auto url_of = [&](const api::ServicePort& port) {
    std::string protocol = port.protocol.empty() ? "TCP" : port.protocol;
    std::string lower = protocol;
    for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return std::pair(lower, fmt::format("{}://{}:{}", lower, host, port.port));
  };
  env.set(prefix + "_PORT", url_of(service.spec.ports[0]).second);
  for (const auto& port : service.spec.ports) {
    const auto [protocol, url] = url_of(port);
    const std::string base = fmt::format("{}_PORT_{}_{}", prefix, port.port, env_name(protocol));
    env.set(base, url);
    env.set(base + "_PROTO", protocol);
    env.set(base + "_PORT", std::to_string(port.port));
    env.set(base + "_ADDR", host);
  }
}

void add_services(const EnvInput& in, Variables& env) {
  const bool all = in.pod.spec.enableServiceLinks.value_or(true);
  for (const auto* service : in.services) {
    const bool api = service->metadata.name == "kubernetes" && service->metadata.namespace_ == "default";
    const bool own = service->metadata.namespace_ == in.pod.metadata.namespace_;
    if (api || (all && own)) add_service(env, *service);
  }
}

bool is_env_name(const std::string& name) {
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0]))) return false;
  return name.find('=') == std::string::npos && name.find('\0') == std::string::npos;
}

Result<void> add_from(const EnvInput& in, const api::EnvFromSource& from, Variables& env) {
  const auto add = [&](const std::string& key, const std::string& value) {
    const std::string name = from.prefix + key;
    if (is_env_name(name)) env.set(name, value);
  };
  if (from.configMapRef) {
    const auto* map = in.config.config_map(from.configMapRef->name);
    if (map != nullptr)
      for (const auto& [key, value] : map->data) add(key, value);
    else if (!from.configMapRef->optional.value_or(false))
      return Error(Code::invalid, "configmap \"{}\" not found", from.configMapRef->name);
  }
  if (from.secretRef) {
    const auto* secret = in.config.secret(from.secretRef->name);
    if (secret != nullptr)
      for (const auto& [key, value] : secret->data) add(key, value);
    else if (!from.secretRef->optional.value_or(false))
      return Error(Code::invalid, "secret \"{}\" not found", from.secretRef->name);
  }
  return {};
}

// A key of an optional object that is not there gives no variable: nullopt.
template <class Object, class Ref>
Result<std::optional<std::string>> key_of(const Object* object, const Ref& ref, const char* kind,
                                          const char* lower_kind, const std::string& ns) {
  const bool optional = ref.optional.value_or(false);
  if (object == nullptr) {
    if (optional) return std::optional<std::string>();
    return Error(Code::invalid, "{} \"{}\" not found", lower_kind, ref.name);
  }
  const auto found = object->data.find(ref.key);
  if (found != object->data.end()) return std::optional<std::string>(found->second);
  if (optional) return std::optional<std::string>();
  return Error(Code::invalid, "couldn't find key {} in {} {}/{}", ref.key, kind, ns, ref.name);
}

Result<std::optional<std::string>> value_from(const EnvInput& in, const api::EnvVarSource& source) {
  const std::string& ns = in.pod.metadata.namespace_;
  if (source.configMapKeyRef)
    return key_of(in.config.config_map(source.configMapKeyRef->name), *source.configMapKeyRef, "ConfigMap",
                  "configmap", ns);
  if (source.secretKeyRef)
    return key_of(in.config.secret(source.secretKeyRef->name), *source.secretKeyRef, "Secret", "secret", ns);
  if (source.fieldRef) {
    const std::string& path = source.fieldRef->fieldPath;
    if (path == "status.podIP" || path == "status.podIPs") return std::optional<std::string>(in.pod_ip);
    if (path == "status.hostIP" || path == "status.hostIPs") return std::optional<std::string>(in.host_ip);
    KL_TRY_FN(value, field_value(in.pod, path));
    return std::optional<std::string>(value);
  }
  if (source.resourceFieldRef) {
    const auto& ref = *source.resourceFieldRef;
    const api::Container* container = &in.container;
    for (const auto* list : {&in.pod.spec.containers, &in.pod.spec.initContainers})
      for (const auto& other : *list)
        if (other.name == ref.containerName) container = &other;
    KL_TRY_FN(value, resource_value(in, *container, ref.resource, ref.divisor));
    return std::optional<std::string>(value);
  }
  return std::optional<std::string>();
}

std::string subscript(const std::string& path) {  // metadata.labels['key'] -> key
  const size_t open = path.find("['"), close = path.rfind("']");
  return open == std::string::npos || close == std::string::npos || close < open + 2
             ? ""
             : path.substr(open + 2, close - open - 2);
}

std::string lines_of(const std::map<std::string, std::string>& map) {
  std::string out;
  for (const auto& [key, value] : map) {
    out += key + "=";
    json::print_string(out, value);
    out += '\n';
  }
  if (!out.empty()) out.pop_back();
  return out;
}

}  // namespace

std::string expand(const std::string& text, const std::map<std::string, std::string>& values) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char next = text[i + 1];
    const size_t close = next == '(' ? text.find(')', i) : std::string::npos;
    if (next == '$') {
      out += '$';
      ++i;
    } else if (close != std::string::npos) {
      const auto found = values.find(text.substr(i + 2, close - i - 2));
      out += found != values.end() ? found->second : text.substr(i, close - i + 1);
      i = close;
    } else {
      out += '$';
    }
  }
  return out;
}

Result<std::string> field_value(const api::Pod& pod, const std::string& path) {
  const auto& meta = pod.metadata;
  const auto in = [&](const std::map<std::string, std::string>& map) {
    const auto found = map.find(subscript(path));
    return found == map.end() ? std::string() : found->second;
  };
  if (path == "metadata.name") return meta.name;
  if (path == "metadata.namespace") return meta.namespace_;
  if (path == "metadata.uid") return meta.uid;
  if (path == "metadata.labels") return lines_of(meta.labels);
  if (path == "metadata.annotations") return lines_of(meta.annotations);
  if (path.rfind("metadata.labels[", 0) == 0) return in(meta.labels);
  if (path.rfind("metadata.annotations[", 0) == 0) return in(meta.annotations);
  if (path == "spec.nodeName") return pod.spec.nodeName;
  if (path == "spec.serviceAccountName") return pod.spec.serviceAccountName;
  if (path == "status.podIP") return pod.status.podIP;
  if (path == "status.hostIP") return pod.status.hostIP;
  return Error(Code::invalid, "unsupported fieldPath: {}", path);
}

Result<std::string> resource_value(const EnvInput& in, const api::Container& container,
                                   const std::string& resource, const schema::Quantity& divisor) {
  const bool limit = resource.rfind("limits.", 0) == 0;
  if (!limit && resource.rfind("requests.", 0) != 0)
    return Error(Code::invalid, "unsupported container resource : {}", resource);
  const std::string name = resource.substr(resource.find('.') + 1);
  const auto& map = limit ? container.resources.limits : container.resources.requests;
  const auto found = map.find(name);
  const bool cpu = name == "cpu";
  int64_t amount = 0;  // milli for CPU, units for the rest
  if (found != map.end())
    amount = cpu ? found->second.milli_value() : found->second.value();
  else if (limit)
    amount = cpu ? in.node_cpu_milli : name == "memory" ? in.node_memory_bytes : 0;
  int64_t unit = cpu ? divisor.milli_value() : divisor.value();
  if (unit <= 0) unit = cpu ? 1000 : 1;
  return std::to_string(amount / unit + (amount % unit != 0 ? 1 : 0));
}

Result<std::vector<std::string>> container_env(const EnvInput& in) {
  Variables env;
  add_services(in, env);
  for (const auto& from : in.container.envFrom) KL_CHECK_FN(add_from(in, from, env));
  for (const auto& variable : in.container.env) {
    if (!variable.valueFrom) {
      env.set(variable.name, expand(variable.value, env.values()));
      continue;
    }
    KL_TRY_FN(value, value_from(in, *variable.valueFrom));
    if (value) env.set(variable.name, *value);
  }
  return env.lines();
}

}  // namespace kinglet::node

#include "node/container_build.h"

#include "node/container_env.h"
#include "node/pod_resources.h"

namespace kinglet::node {
namespace {

std::map<std::string, std::string> map_of(const std::vector<std::string>& env) {
  std::map<std::string, std::string> out;
  for (const auto& line : env) {
    const size_t equals = line.find('=');
    out[line.substr(0, equals)] = line.substr(equals + 1);
  }
  return out;
}

std::vector<std::string> expanded(const std::vector<std::string>& words,
                                  const std::map<std::string, std::string>& env) {
  std::vector<std::string> out;
  for (const auto& word : words) out.push_back(expand(word, env));
  return out;
}

// What the container says wins over what the pod says.
template <class T>
std::optional<T> first_of(const std::optional<T>& container, const std::optional<T>& pod) {
  return container ? container : pod;
}

runtime::Seccomp seccomp_of(const api::SeccompProfile* profile) {
  runtime::Seccomp out;  // RuntimeDefault unless asked otherwise: safer than upstream's Unconfined
  if (profile == nullptr) return out;
  if (profile->type == "Unconfined") out.type = runtime::Seccomp::Type::unconfined;
  if (profile->type == "Localhost") {
    out.type = runtime::Seccomp::Type::localhost;
    out.path = "/var/lib/kubelet/seccomp/" + profile->localhostProfile.value_or("");
  }
  return out;
}

}  // namespace

api::Container container_of(const api::EphemeralContainer& from) {
  api::Container out;
  out.name = from.name;
  out.image = from.image;
  out.command = from.command;
  out.args = from.args;
  out.workingDir = from.workingDir;
  out.ports = from.ports;
  out.envFrom = from.envFrom;
  out.env = from.env;
  out.resources = from.resources;
  out.volumeMounts = from.volumeMounts;
  out.volumeDevices = from.volumeDevices;
  out.terminationMessagePath = from.terminationMessagePath;
  out.terminationMessagePolicy = from.terminationMessagePolicy;
  out.imagePullPolicy = from.imagePullPolicy;
  out.securityContext = from.securityContext;
  out.stdin = from.stdin;
  out.stdinOnce = from.stdinOnce;
  out.tty = from.tty;
  return out;
}

std::optional<api::Container> find_container(const api::Pod& pod, const std::string& name) {
  for (const auto* list : {&pod.spec.containers, &pod.spec.initContainers})
    for (const auto& container : *list)
      if (container.name == name) return container;
  for (const auto& container : pod.spec.ephemeralContainers)
    if (container.name == name) return container_of(container);
  return std::nullopt;
}

std::string pod_log_dir(const std::string& root, const std::string& ns, const std::string& name,
                        const std::string& uid) {
  return fmt::format("{}/{}_{}_{}", root, ns, name, uid);
}

std::string container_log_path(const std::string& root, const api::Pod& pod, const std::string& container,
                               int attempt) {
  return fmt::format("{}/{}/{}.log",
                     pod_log_dir(root, pod.metadata.namespace_, pod.metadata.name, pod.metadata.uid), container,
                     attempt);
}

runtime::Security build_security(const api::Pod& pod, const api::Container& container) {
  const api::PodSecurityContext of_pod = pod.spec.securityContext.value_or(api::PodSecurityContext{});
  const api::SecurityContext own = container.securityContext.value_or(api::SecurityContext{});
  runtime::Security out;
  out.privileged = own.privileged.value_or(false);
  out.readonly_rootfs = own.readOnlyRootFilesystem.value_or(false);
  out.no_new_privileges = !own.allowPrivilegeEscalation.value_or(true);
  out.unmasked_proc = own.procMount.value_or("") == "Unmasked";
  out.run_as_user = first_of(own.runAsUser, of_pod.runAsUser);
  out.run_as_group = first_of(own.runAsGroup, of_pod.runAsGroup);
  out.run_as_non_root = first_of(own.runAsNonRoot, of_pod.runAsNonRoot).value_or(false);
  out.supplemental_groups = of_pod.supplementalGroups;
  if (of_pod.fsGroup) out.supplemental_groups.push_back(*of_pod.fsGroup);
  if (own.capabilities) {
    out.add_capabilities = own.capabilities->add;
    out.drop_capabilities = own.capabilities->drop;
  }
  out.seccomp = seccomp_of(own.seccompProfile ? &*own.seccompProfile : of_pod.seccompProfile ? &*of_pod.seccompProfile : nullptr);
  return out;
}

runtime::ContainerConfig build_container(const ContainerInput& in) {
  const auto& container = in.container;
  const auto values = map_of(in.env);
  runtime::ContainerConfig out;
  out.name = container.name;
  out.attempt = in.attempt;
  out.image = container.image;
  out.command = expanded(container.command, values);
  out.args = expanded(container.args, values);
  for (const auto& line : in.env) {
    const size_t equals = line.find('=');
    out.env.emplace_back(line.substr(0, equals), line.substr(equals + 1));
  }
  out.working_dir = container.workingDir;
  out.mounts = in.mounts;
  out.security = build_security(in.pod, container);
  out.resources = container_resources(container);
  out.oom_score_adj = oom_score_adj_of(in.pod, container, in.node_memory_bytes);
  out.tty = container.tty;
  out.stdin_open = container.stdin;
  out.stdin_once = container.stdinOnce;
  out.log_path = in.log_path;
  out.processes_of = in.processes_of;
  out.termination_file = in.termination_file;
  out.termination_path =
      container.terminationMessagePath.empty() ? "/dev/termination-log" : container.terminationMessagePath;
  out.labels = {{"io.kubernetes.pod.name", in.pod.metadata.name},
                {"io.kubernetes.pod.namespace", in.pod.metadata.namespace_},
                {"io.kubernetes.pod.uid", in.pod.metadata.uid},
                {"io.kubernetes.container.name", container.name}};
  return out;
}

}  // namespace kinglet::node

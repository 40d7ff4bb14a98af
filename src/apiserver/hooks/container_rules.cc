#include <set>

#include "apiserver/hooks/pod_rules.h"
#include "schema/names.h"
#include "schema/values.h"

namespace kinglet::apiserver {
namespace {

void check_ports(const json::Value& container, const Path& path, const ContainerRules& rules,
                 Causes& causes) {
  const auto& ports = items(container, "ports");
  const Path list = path.child("ports");
  for (size_t i = 0; i < ports.size(); ++i) {
    const Path port = list.index(i);
    const auto& value = ports[i];
    if (const auto& name = at(value, "name"); !is_empty(name))
      check_name(causes, port.child("name"), name, schema::port_name_errors);
    if (number(value, "containerPort") == 0) {
      schema::add_required(causes, port.child("containerPort"));
    } else {
      check_port(causes, port.child("containerPort"), at(value, "containerPort"));
    }
    const auto host = number(value, "hostPort");
    if (host != 0) check_port(causes, port.child("hostPort"), at(value, "hostPort"));
    if (host != 0 && rules.host_network && host != number(value, "containerPort"))
      schema::add_invalid(causes, port.child("hostPort"), at(value, "hostPort"),
                          "must match `containerPort` when `hostNetwork` is true");
    check_one_of(causes, port.child("protocol"), at(value, "protocol"), {"TCP", "UDP", "SCTP"});
    if (const auto& ip = at(value, "hostIP"); !is_empty(ip))
      check_ip(causes, port.child("hostIP"), ip);
  }
  check_unique(causes, list, ports, "name");
}

bool known_field(std::string_view path) {
  for (const std::string_view prefix : {"metadata.labels['", "metadata.annotations['"})
    if (path.starts_with(prefix) && path.ends_with("']")) return true;
  for (const std::string_view known : {"metadata.name", "metadata.namespace", "metadata.uid",
                                       "spec.nodeName", "spec.serviceAccountName", "status.hostIP",
                                       "status.hostIPs", "status.podIP", "status.podIPs"})
    if (path == known) return true;
  return false;
}

void check_field_ref(const json::Value& ref, const Path& path, Causes& causes) {
  const auto field = text(ref, "fieldPath");
  if (field.empty()) return schema::add_required(causes, path.child("fieldPath"));
  if (!known_field(field))
    schema::add_unsupported(causes, path.child("fieldPath"), at(ref, "fieldPath"),
                            {"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName",
                             "spec.serviceAccountName", "status.hostIP", "status.hostIPs",
                             "status.podIP", "status.podIPs"});
}

void check_resource_ref(const json::Value& ref, const Path& path, Causes& causes) {
  const auto resource = text(ref, "resource");
  if (resource.empty()) return schema::add_required(causes, path.child("resource"));
  std::string_view rest = resource;
  for (const std::string_view prefix : {"limits.", "requests."})
    if (rest.starts_with(prefix)) rest.remove_prefix(prefix.size());
  const bool known = rest.size() < resource.size() &&
                     (rest == "cpu" || rest == "memory" || rest == "ephemeral-storage" ||
                      rest.starts_with("hugepages-"));
  if (!known)
    schema::add_unsupported(causes, path.child("resource"), at(ref, "resource"),
                            {"limits.cpu", "limits.ephemeral-storage", "limits.memory",
                             "requests.cpu", "requests.ephemeral-storage", "requests.memory"});
}

void check_key_ref(const json::Value& ref, const Path& path, Causes& causes) {
  if (const auto& name = at(ref, "name"); !is_empty(name))
    check_name(causes, path.child("name"), name, schema::dns1123_subdomain_errors);
  check_name(causes, path.child("key"), at(ref, "key"), schema::config_key_errors);
}

void check_value_from(const json::Value& env, const Path& path, Causes& causes) {
  const auto& from = at(env, "valueFrom");
  if (!given(from)) return;
  const Path at_from = path.child("valueFrom");
  int sources = 0;
  if (const auto& ref = at(from, "fieldRef"); given(ref))
    ++sources, check_field_ref(ref, at_from.child("fieldRef"), causes);
  if (const auto& ref = at(from, "resourceFieldRef"); given(ref))
    ++sources, check_resource_ref(ref, at_from.child("resourceFieldRef"), causes);
  for (const std::string_view member : {"configMapKeyRef", "secretKeyRef"})
    if (const auto& ref = at(from, member); given(ref))
      ++sources, check_key_ref(ref, at_from.child(member), causes);
  if (given(at(from, "fileKeyRef"))) ++sources;
  if (sources == 0) {
    schema::add_invalid(causes, at_from, json::Value(""),
                        "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` "
                        "or `secretKeyRef`");
  } else if (!text(env, "value").empty()) {
    schema::add_invalid(causes, at_from, json::Value(""),
                        "may not be specified when `value` is not empty");
  } else if (sources > 1) {
    schema::add_invalid(causes, at_from, json::Value(""),
                        "may not have more than one field specified at a time");
  }
}

void check_env(const json::Value& container, const Path& path, Causes& causes) {
  const auto& env = items(container, "env");
  const Path list = path.child("env");
  for (size_t i = 0; i < env.size(); ++i) {
    const Path item = list.index(i);
    check_name(causes, item.child("name"), at(env[i], "name"), schema::env_name_errors);
    check_value_from(env[i], item, causes);
  }
  const auto& from = items(container, "envFrom");
  const Path from_list = path.child("envFrom");
  for (size_t i = 0; i < from.size(); ++i) {
    const Path item = from_list.index(i);
    if (const auto& prefix = at(from[i], "prefix"); !is_empty(prefix))
      check_name(causes, item.child("prefix"), prefix, schema::env_name_errors);
    const int sources = given(at(from[i], "configMapRef")) + given(at(from[i], "secretRef"));
    for (const std::string_view member : {"configMapRef", "secretRef"}) {
      const auto& ref = at(from[i], member);
      if (given(ref)) {
        const Path at_ref = item.child(member);
        check_name(causes, at_ref.child("name"), at(ref, "name"), schema::dns1123_subdomain_errors);
      }
    }
    if (sources == 0)
      schema::add_invalid(causes, from_list, json::Value(""),
                          "must specify one of: `configMapRef` or `secretRef`");
    if (sources > 1)
      schema::add_invalid(causes, from_list, json::Value(""),
                          "may not have more than one field specified at a time");
  }
}

void check_sub_path(const json::Value& mount, const Path& path, Causes& causes) {
  for (const std::string_view member : {"subPath", "subPathExpr"}) {
    const auto& value = at(mount, member);
    if (is_empty(value) || !value.is_string()) continue;
    const std::string_view sub = value.get_string();
    if (sub.starts_with('/'))
      schema::add_invalid(causes, path.child(member), value, "must be a relative path");
    const std::string padded = "/" + std::string(sub) + "/";
    if (padded.find("/../") != std::string::npos)
      schema::add_invalid(causes, path.child(member), value, "must not contain '..'");
  }
  if (!is_empty(at(mount, "subPath")) && !is_empty(at(mount, "subPathExpr")))
    schema::add_invalid(causes, path.child("subPathExpr"), at(mount, "subPathExpr"),
                        "subPathExpr and subPath are mutually exclusive");
}

void check_mounts(const json::Value& container, const Path& path, const ContainerRules& rules,
                  Causes& causes) {
  const auto& mounts = items(container, "volumeMounts");
  const Path list = path.child("volumeMounts");
  std::set<std::string> seen;
  const bool privileged = json::bool_at(container, {"securityContext", "privileged"});
  for (size_t i = 0; i < mounts.size(); ++i) {
    const Path item = list.index(i);
    const std::string name(text(mounts[i], "name"));
    if (name.empty()) {
      schema::add_required(causes, item.child("name"));
    } else if (!rules.volumes.contains(name)) {
      schema::add_not_found(causes, item.child("name"), json::Value(name));
    }
    const std::string mount_path(text(mounts[i], "mountPath"));
    if (mount_path.empty()) {
      schema::add_required(causes, item.child("mountPath"));
    } else if (!seen.insert(mount_path).second) {
      schema::add_invalid(causes, item.child("mountPath"), json::Value(mount_path),
                          "must be unique");
    }
    check_sub_path(mounts[i], item, causes);
    if (text(mounts[i], "mountPropagation") == "Bidirectional" && !privileged)
      schema::add_forbidden(causes, item.child("mountPropagation"),
                            "Bidirectional mount propagation is available only to privileged "
                            "containers");
  }
}

void check_image(const json::Value& container, const Path& path, Causes& causes) {
  const auto image = text(container, "image");
  if (image.empty()) {
    schema::add_required(causes, path.child("image"));
  } else if (std::isspace(static_cast<unsigned char>(image.front())) ||
             std::isspace(static_cast<unsigned char>(image.back()))) {
    schema::add_invalid(causes, path.child("image"), at(container, "image"),
                        "must not have leading or trailing whitespace");
  }
}

void check_restart_policy(const json::Value& container, const Path& path, ContainerRole role,
                          Causes& causes) {
  const auto& policy = at(container, "restartPolicy");
  if (is_empty(policy)) return;
  if (role == ContainerRole::regular) {
    schema::add_forbidden(causes, path.child("restartPolicy"),
                          "may not be set for non-init containers");
  } else if (policy != "Always") {
    schema::add_unsupported(causes, path.child("restartPolicy"), policy, {"Always"});
  }
}

}  // namespace

void validate_container(const json::Value& container, const Path& path, ContainerRole role,
                        const ContainerRules& rules, Causes& causes) {
  check_name(causes, path.child("name"), at(container, "name"), schema::dns1123_label_errors);
  check_image(container, path, causes);
  check_ports(container, path, rules, causes);
  check_env(container, path, causes);
  check_mounts(container, path, rules, causes);
  check_restart_policy(container, path, role, causes);
  validate_probes(container, path, role, causes);
  validate_resources(at(container, "resources"), path.child("resources"), causes);
}

namespace {

bool standard_resource(std::string_view name) {
  return name == "cpu" || name == "memory" || name == "ephemeral-storage" ||
         name.starts_with("hugepages-");
}

void check_resource_name(std::string_view name, const Path& path, Causes& causes) {
  schema::add_invalid_each(causes, path, json::Value(name), schema::label_key_errors(name));
  if (name.find('/') == std::string_view::npos && !standard_resource(name))
    schema::add_invalid(causes, path, json::Value(name),
                        "must be a standard resource for containers");
}

}  // namespace

void validate_resources(const json::Value& resources, const Path& path, Causes& causes) {
  for (const std::string_view member : {"limits", "requests"}) {
    const auto& list = at(resources, member);
    if (!list.is_object()) continue;
    const Path at_list = path.child(member);
    for (const auto& [name, quantity] : list.get_object()) {
      const Path item = at_list.key(name);
      check_resource_name(name, item, causes);
      check_quantity(causes, item, quantity);
    }
  }
  const auto& requests = at(resources, "requests");
  const auto& limits = at(resources, "limits");
  if (!requests.is_object()) return;
  for (const auto& [name, request] : requests.get_object()) {
    const auto& limit = at(limits, name);
    const std::string_view key = name;
    const bool exact = !standard_resource(key) || key.starts_with("hugepages-");
    if (!limit.is_string() || !request.is_string()) {
      if (exact && !given(limit)) {
        const Path at_limits = path.child("limits");
        schema::add_required(causes, at_limits,
                             "Limit must be set for non overcommitable resources");
      }
      continue;
    }
    const auto wanted = schema::Quantity::parse(request.get_string());
    const auto most = schema::Quantity::parse(limit.get_string());
    if (!wanted || !most) continue;
    const int order = wanted->compare(*most);
    if (exact ? order != 0 : order > 0)
      schema::add_invalid(
          causes, path.child("requests"), request,
          exact ? fmt::format("must be equal to {} limit of {}", key, most->text())
                : fmt::format("must be less than or equal to {} limit of {}", key, most->text()));
  }
}

}  // namespace kinglet::apiserver

#include "apiserver/hooks/pod_rules.h"

#include "schema/metadata_rules.h"
#include "schema/names.h"
#include "schema/values.h"

namespace kinglet::apiserver {
namespace {

constexpr size_t kNameserversMax = 3, kSearchesMax = 32, kSearchBytesMax = 2048;

void check_containers(const json::Value& spec, const Path& path, Causes& causes) {
  ContainerRules rules{spec, {}, json::bool_at(spec, {"hostNetwork"})};
  for (const auto& volume : items(spec, "volumes")) rules.volumes.emplace(text(volume, "name"));
  const auto& regular = items(spec, "containers");
  if (regular.empty()) schema::add_required(causes, path.child("containers"));
  std::set<std::string> names;
  for (const std::string_view member : {"containers", "initContainers", "ephemeralContainers"}) {
    const auto& list = items(spec, member);
    const Path at_list = path.child(member);
    for (size_t i = 0; i < list.size(); ++i) {
      const Path item = at_list.index(i);
      const std::string name(text(list[i], "name"));
      if (!name.empty() && !names.insert(name).second)
        schema::add_duplicate(causes, item.child("name"), json::Value(name));
      if (member == "ephemeralContainers") {
        check_name(causes, item.child("name"), at(list[i], "name"), schema::dns1123_label_errors);
        continue;
      }
      const auto role = member == "containers" ? ContainerRole::regular : ContainerRole::init;
      validate_container(list[i], item, role, rules, causes);
    }
  }
}

// One host port per protocol and address.
void check_host_ports(const json::Value& spec, const Path& path, Causes& causes) {
  std::set<std::string> seen;
  const auto& containers = items(spec, "containers");
  const Path list = path.child("containers");
  for (size_t i = 0; i < containers.size(); ++i) {
    const auto& ports = items(containers[i], "ports");
    const Path container = list.index(i);
    const Path port_list = container.child("ports");
    for (size_t j = 0; j < ports.size(); ++j) {
      const auto port = number(ports[j], "hostPort");
      if (port == 0) continue;
      const auto key =
          fmt::format("{}/{}/{}", text(ports[j], "protocol"), text(ports[j], "hostIP"), port);
      const Path item = port_list.index(j);
      if (!seen.insert(key).second)
        schema::add_duplicate(causes, item.child("hostPort"), json::Value(key));
    }
  }
}

void check_dns(const json::Value& spec, const Path& path, Causes& causes) {
  check_one_of(causes, path.child("dnsPolicy"), at(spec, "dnsPolicy"),
               {"ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"});
  const auto& config = at(spec, "dnsConfig");
  const Path at_config = path.child("dnsConfig");
  const auto& servers = items(config, "nameservers");
  const Path server_list = at_config.child("nameservers");
  if (text(spec, "dnsPolicy") == "None") {
    if (!given(config)) {
      schema::add_required(causes, at_config, "must provide `dnsConfig` when `dnsPolicy` is None");
      return;
    }
    if (servers.empty())
      schema::add_required(causes, server_list,
                           "must provide at least one DNS nameserver when `dnsPolicy` is None");
  }
  if (servers.size() > kNameserversMax)
    schema::add_invalid(causes, server_list, at(config, "nameservers"),
                        fmt::format("must not have more than {} nameservers", kNameserversMax));
  for (size_t i = 0; i < servers.size(); ++i) check_ip(causes, server_list.index(i), servers[i]);
  const auto& searches = items(config, "searches");
  size_t bytes = 0;
  for (const auto& search : searches)
    bytes += search.is_string() ? search.get_string().size() + 1 : 0;
  if (searches.size() > kSearchesMax)
    schema::add_invalid(causes, at_config.child("searches"), at(config, "searches"),
                        fmt::format("must not have more than {} search paths", kSearchesMax));
  if (bytes > kSearchBytesMax + 1)
    schema::add_invalid(causes, at_config.child("searches"), at(config, "searches"),
                        fmt::format("must not have more than {} characters (including spaces) in "
                                    "the search list",
                                    kSearchBytesMax));
}

void check_names(const json::Value& spec, const Path& path, Causes& causes) {
  const auto check = [&](std::string_view member,
                         std::vector<std::string> (*rule)(std::string_view)) {
    if (!is_empty(at(spec, member))) check_name(causes, path.child(member), at(spec, member), rule);
  };
  check("nodeName", schema::dns1123_subdomain_errors);
  check("serviceAccountName", schema::dns1123_subdomain_errors);
  check("priorityClassName", schema::dns1123_subdomain_errors);
  check("runtimeClassName", schema::dns1123_subdomain_errors);
  check("hostname", schema::dns1123_label_errors);
  check("subdomain", schema::dns1123_label_errors);
  const auto& aliases = items(spec, "hostAliases");
  const Path list = path.child("hostAliases");
  for (size_t i = 0; i < aliases.size(); ++i) {
    const Path item = list.index(i);
    check_ip(causes, item.child("ip"), at(aliases[i], "ip"));
    for (const auto& host : items(aliases[i], "hostnames"))
      check_name(causes, item.child("hostnames"), host, schema::dns1123_subdomain_errors);
  }
  const auto& gates = items(spec, "schedulingGates");
  const Path gate_list = path.child("schedulingGates");
  for (size_t i = 0; i < gates.size(); ++i) {
    const Path item = gate_list.index(i);
    check_name(causes, item.child("name"), at(gates[i], "name"), schema::label_key_errors);
  }
  check_unique(causes, gate_list, gates, "name");
}

void check_deadlines(const json::Value& spec, const Path& path, PodPlace place, Causes& causes) {
  const auto& deadline = at(spec, "activeDeadlineSeconds");
  if (given(deadline))
    check_range(causes, path.child("activeDeadlineSeconds"), deadline, 1, 2147483647);
  if (place == PodPlace::template_)
    check_not_negative(causes, path.child("terminationGracePeriodSeconds"),
                       at(spec, "terminationGracePeriodSeconds"));
}

}  // namespace

void validate_pod_spec(const json::Value& spec, const Path& path, PodPlace place, Causes& causes) {
  validate_volumes(items(spec, "volumes"), path.child("volumes"), causes);
  check_containers(spec, path, causes);
  check_host_ports(spec, path, causes);
  check_one_of(causes, path.child("restartPolicy"), at(spec, "restartPolicy"),
               {"Always", "OnFailure", "Never"});
  check_dns(spec, path, causes);
  check_names(spec, path, causes);
  check_deadlines(spec, path, place, causes);
  validate_scheduling(spec, path, causes);
  validate_security(spec, path, causes);
}

void validate_template(const json::Value& pod_template, const Path& path, Causes& causes) {
  const Path metadata = path.child("metadata");
  schema::check_labels(at(pod_template, {"metadata", "labels"}), metadata.child("labels"), causes);
  schema::check_annotations(at(pod_template, {"metadata", "annotations"}),
                            metadata.child("annotations"), causes);
  const auto& spec = at(pod_template, "spec");
  validate_pod_spec(spec, path.child("spec"), PodPlace::template_, causes);
  const Path at_spec = path.child("spec");
  if (!items(spec, "ephemeralContainers").empty())
    schema::add_forbidden(causes, at_spec.child("ephemeralContainers"),
                          "ephemeral containers not allowed in pod template");
}

}  // namespace kinglet::apiserver

#include "apiserver/hooks/pod_rules.h"
#include "schema/names.h"

namespace kinglet::apiserver {
namespace {

void check_http(const json::Value& action, const Path& path, Causes& causes) {
  if (text(action, "path").empty()) schema::add_required(causes, path.child("path"));
  check_port_or_name(causes, path.child("port"), at(action, "port"));
  check_one_of(causes, path.child("scheme"), at(action, "scheme"), {"HTTP", "HTTPS"});
  const auto& headers = items(action, "httpHeaders");
  const Path list = path.child("httpHeaders");
  for (size_t i = 0; i < headers.size(); ++i) {
    const auto name = text(headers[i], "name");
    const bool ok = !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
      return std::isalnum(c) || c == '-';
    });
    if (!ok)
      schema::add_invalid(
          causes, list, json::Value(name),
          "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. "
          "'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')");
  }
}

// Exactly one way to act. `kinds`: the members that may stand there.
void check_handler(const json::Value& handler, const Path& path,
                   std::initializer_list<std::string_view> kinds, Causes& causes) {
  int count = 0;
  for (const auto kind : kinds) {
    const auto& action = at(handler, kind);
    if (!given(action)) continue;
    const Path at_action = path.child(kind);
    if (++count > 1) {
      schema::add_forbidden(causes, at_action, "may not specify more than 1 handler type");
      continue;
    }
    if (kind == "httpGet") check_http(action, at_action, causes);
    if (kind == "exec" && items(action, "command").empty())
      schema::add_required(causes, at_action.child("command"));
    if (kind == "tcpSocket")
      check_port_or_name(causes, at_action.child("port"), at(action, "port"));
    if (kind == "grpc") check_port(causes, at_action.child("port"), at(action, "port"));
    if (kind == "sleep")
      check_not_negative(causes, at_action.child("seconds"), at(action, "seconds"));
  }
  if (count == 0) schema::add_required(causes, path, "must specify a handler type");
}

void check_probe(const json::Value& probe, const Path& path, Causes& causes) {
  check_handler(probe, path, {"exec", "httpGet", "tcpSocket", "grpc"}, causes);
  check_not_negative(causes, path, probe,
                     {"initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold",
                      "failureThreshold"});
  const auto& grace = at(probe, "terminationGracePeriodSeconds");
  if (grace.is_int64() && grace.get_int64() <= 0)
    schema::add_invalid(causes, path.child("terminationGracePeriodSeconds"), grace,
                        "must be greater than 0");
}

}  // namespace

void validate_probes(const json::Value& container, const Path& path, ContainerRole role,
                     Causes& causes) {
  const bool plain_init =
      role == ContainerRole::init && text(container, "restartPolicy") != "Always";
  for (const std::string_view member : {"livenessProbe", "readinessProbe", "startupProbe"}) {
    const auto& probe = at(container, member);
    if (!given(probe)) continue;
    const Path at_probe = path.child(member);
    if (plain_init) {
      schema::add_forbidden(causes, at_probe,
                            "may not be set for init containers without restartPolicy=Always");
      continue;
    }
    check_probe(probe, at_probe, causes);
    if (member == "readinessProbe") {
      if (given(at(probe, "terminationGracePeriodSeconds")))
        schema::add_invalid(causes, at_probe.child("terminationGracePeriodSeconds"),
                            at(probe, "terminationGracePeriodSeconds"),
                            "must not be set for readinessProbes");
    } else if (number(probe, "successThreshold", 1) != 1) {
      schema::add_invalid(causes, at_probe.child("successThreshold"), at(probe, "successThreshold"),
                          "must be 1");
    }
  }
  const auto& lifecycle = at(container, "lifecycle");
  if (!given(lifecycle)) return;
  const Path at_lifecycle = path.child("lifecycle");
  if (plain_init)
    return schema::add_forbidden(causes, at_lifecycle,
                                 "may not be set for init containers without restartPolicy=Always");
  for (const std::string_view member : {"postStart", "preStop"})
    if (const auto& handler = at(lifecycle, member); given(handler))
      check_handler(handler, at_lifecycle.child(member), {"exec", "httpGet", "tcpSocket", "sleep"},
                    causes);
}

}  // namespace kinglet::apiserver

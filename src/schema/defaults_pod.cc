#include "schema/internal/defaulters.h"
#include "schema/values.h"

namespace kinglet::schema {
namespace {

// "latest", and no tag at all, may change under us; a digest or any other tag is taken as pinned.
bool image_may_change(std::string_view image) {
  const size_t digest = image.find('@');
  if (digest != std::string_view::npos) image = image.substr(0, digest);
  if (image.empty()) return false;
  const size_t slash = image.rfind('/');
  const std::string_view last = slash == std::string_view::npos ? image : image.substr(slash + 1);
  const size_t colon = last.rfind(':');
  if (colon == std::string_view::npos) return digest == std::string_view::npos;
  return last.substr(colon + 1) == "latest";
}

void container(json::Object& container) {
  set_if_empty(container, "imagePullPolicy",
               image_may_change(string_at(container, "image")) ? "Always" : "IfNotPresent");
}

void pod_spec(json::Object& spec) {
  // The old name of the same field: always shown, and taken when the new one is missing.
  if (empty(spec, "serviceAccountName")) {
    if (!empty(spec, "serviceAccount"))
      spec["serviceAccountName"] = json::Value(spec["serviceAccount"]);
  } else {
    spec["serviceAccount"] = json::Value(spec["serviceAccountName"]);
  }
}

void volume(json::Object& volume) {
  for (const auto& member : volume)
    if (member.key() != "name" && !member.value().is_null()) return;
  volume["emptyDir"].emplace_object();
}

// Kubernetes fills requests from limits, key by key.
void requests_from_limits(json::Object& container) {
  json::Object* resources = object_at(container, "resources");
  if (resources == nullptr) return;
  json::Object* limits = object_at(*resources, "limits");
  if (limits == nullptr || limits->empty()) return;
  const json::Object wanted = *limits;
  json::Object& requests = json::child(*resources, "requests");
  for (const auto& limit : wanted)
    if (requests.if_contains(limit.key()) == nullptr) requests.emplace(limit.key(), limit.value());
}

void host_ports(json::Object& container) {
  for_each_object(container, "ports", [](json::Object& port) {
    if (const json::Value* number = port.if_contains("containerPort"))
      set_if_empty(port, "hostPort", json::Value(*number));
  });
}

std::optional<Quantity> quantity_at(const json::Object* list, std::string_view name) {
  const json::Value* value = list != nullptr ? list->if_contains(name) : nullptr;
  if (value == nullptr || !value->is_string()) return {};
  auto parsed = Quantity::parse({value->get_string().data(), value->get_string().size()});
  if (!parsed) return {};
  return *std::move(parsed);
}

bool at_pod_level(std::string_view name) {
  return name == "cpu" || name == "memory" || name.starts_with("hugepages-");
}

// What the pod as a whole needs of a resource: containers run together with sidecars (init
// containers that always restart); every other init container runs alone with the sidecars before
// it.
std::optional<Quantity> aggregate(json::Object& spec, std::string_view list,
                                  std::string_view name) {
  std::optional<Quantity> total, sidecars, peak;
  const auto add = [](std::optional<Quantity>& sum, const std::optional<Quantity>& part) {
    if (part) sum = sum ? sum->plus(*part) : *part;
  };
  const auto needed = [&](json::Object& container) {
    json::Object* resources = object_at(container, "resources");
    return quantity_at(resources != nullptr ? object_at(*resources, list) : nullptr, name);
  };
  for_each_object(spec, "containers", [&](json::Object& c) { add(total, needed(c)); });
  for_each_object(spec, "initContainers", [&](json::Object& c) {
    std::optional<Quantity> now = needed(c);
    if (string_at(c, "restartPolicy") == "Always") {
      add(total, now);
      add(sidecars, now);
      now = sidecars;
    } else {
      add(now, sidecars);
    }
    if (now && (!peak || now->compare(*peak) > 0)) peak = now;
  });
  if (peak && (!total || peak->compare(*total) > 0)) return peak;
  return total;
}

void pod_level_resources(json::Object& spec) {
  json::Object* resources = object_at(spec, "resources");
  json::Object* limits = resources != nullptr ? object_at(*resources, "limits") : nullptr;
  if (limits != nullptr && !limits->empty()) {
    const json::Object given = *limits;
    json::Object& requests = json::child(*resources, "requests");
    std::vector<std::string> names{"cpu", "memory"};
    for (const auto& limit : given)
      if (std::string_view(limit.key()).starts_with("hugepages-")) names.emplace_back(limit.key());
    for (const std::string& name : names) {
      if (requests.if_contains(name) != nullptr) continue;
      if (const auto sum = aggregate(spec, "requests", name)) {
        requests[name] = json::Value(sum->text());
      } else if (const json::Value* limit = given.if_contains(name)) {
        requests[name] = json::Value(*limit);
      }
    }
  }
  json::Object* requests = resources != nullptr ? object_at(*resources, "requests") : nullptr;
  if (requests == nullptr) return;
  const json::Object wanted = *requests;
  for (const auto& request : wanted) {
    const std::string name(request.key());
    if (!at_pod_level(name) || !name.starts_with("hugepages-")) continue;
    json::Object& target = json::child(*resources, "limits");
    if (target.if_contains(name) != nullptr) continue;
    if (const auto sum = aggregate(spec, "limits", name)) target[name] = json::Value(sum->text());
  }
}

// What templates do not get: they are filled in when a pod is made from them.
void pod(json::Object& pod) {
  json::Object* spec = object_at(pod, "spec");
  if (spec == nullptr) return;
  set_if_unset(*spec, "enableServiceLinks", true);
  const json::Value* host_network = spec->if_contains("hostNetwork");
  const bool on_host =
      host_network != nullptr && host_network->is_bool() && host_network->get_bool();
  for (const char* list : {"containers", "initContainers"})
    for_each_object(*spec, list, [&](json::Object& container) {
      requests_from_limits(container);
      if (on_host) host_ports(container);
    });
  pod_level_resources(*spec);
}

constexpr Defaulter kDefaulters[] = {
    {"core.v1.Pod", pod},
    {"core.v1.PodSpec", pod_spec},
    {"core.v1.Container", container},
    {"core.v1.EphemeralContainerCommon", container},
    {"core.v1.Volume", volume},
};

}  // namespace

std::span<const Defaulter> pod_defaulters() { return kDefaulters; }

}  // namespace kinglet::schema

#include "controllers/internal/namespace_content.h"

namespace kinglet::controllers {

std::vector<const schema::Resource*> namespaced_content() {
  std::vector<const schema::Resource*> found;
  for (const auto* resource : schema::resources())
    if (resource->namespaced && resource->storage && resource->has_verb("list") && resource->has_verb("delete"))
      found.push_back(resource);
  return found;
}

std::vector<std::string> names_to_remove(const std::vector<Bytes>& objects) {
  std::vector<std::string> names;
  for (const auto& bytes : objects)
    if (const auto value = json::parse(bytes.view()))
      if (json::text_at(*value, {"metadata", "deletionTimestamp"}).empty())
        names.push_back(client::string_at(*value, {"metadata", "name"}));
  return names;
}

void Remaining::count(const schema::Resource& resource, const std::vector<Bytes>& objects) {
  if (objects.empty()) return;
  total_ += objects.size();
  objects_[std::string(resource.plural) + "." + std::string(resource.group)] += objects.size();
  for (const auto& bytes : objects)
    if (const auto value = json::parse(bytes.view()))
      for (const auto& finalizer : client::array_at(*value, {"metadata", "finalizers"}))
        if (finalizer.is_string()) ++finalizers_[std::string(finalizer.get_string())];
}

Conditions Remaining::conditions(const Conditions& before, WallTime now) const {
  Conditions out;
  const auto say = [&](const char* type, bool value, const char* reason, std::string message) {
    Condition condition{type, value ? "True" : "False", reason, std::move(message), rfc3339(now), {}};
    if (const auto* old = client::find_condition(before, type); old && old->status == condition.status)
      condition.transition = old->transition;
    out.push_back(std::move(condition));
  };
  const auto listed = [](const std::map<std::string, size_t>& counts, const char* verb) {
    std::string text;
    for (const auto& [name, count] : counts)
      text += fmt::format("{}{} {} {} resource instances", text.empty() ? "" : ", ", name, verb, count);
    return text;
  };
  say("NamespaceDeletionDiscoveryFailure", false, "ResourcesDiscovered", "All resources successfully discovered");
  say("NamespaceDeletionGroupVersionParsingFailure", false, "ParsedGroupVersions",
      "All legacy kube types successfully parsed");
  say("NamespaceDeletionContentFailure", false, "ContentDeleted",
      "All content successfully deleted, may be waiting on finalization");
  if (objects_.empty())
    say("NamespaceContentRemaining", false, "ContentRemoved", "All content successfully removed");
  else
    say("NamespaceContentRemaining", true, "SomeResourcesRemain",
        "Some resources are remaining: " + listed(objects_, "has"));
  if (finalizers_.empty())
    say("NamespaceFinalizersRemaining", false, "ContentHasNoFinalizers", "All content-preserving finalizers finished");
  else
    say("NamespaceFinalizersRemaining", true, "SomeFinalizersRemain",
        "Some content in the namespace has finalizers remaining: " + listed(finalizers_, "in"));
  return out;
}

json::Value conditions_patch(const Conditions& conditions) {
  json::Array list;
  for (const auto& c : conditions)
    list.push_back(json::Object{{"type", c.type},
                                {"status", c.status},
                                {"lastTransitionTime", c.transition},
                                {"reason", c.reason},
                                {"message", c.message}});
  return json::Object{{"status", json::Object{{"conditions", std::move(list)}}}};
}

}  // namespace kinglet::controllers

#include "apiserver/hooks/workload_rules.h"

#include "apiserver/hooks/pod_rules.h"
#include "schema/values.h"

namespace kinglet::apiserver {

void validate_workload_selector(const json::Value& spec, std::string_view kind, Causes& causes) {
  const Path path("spec");
  const auto& selector = at(spec, "selector");
  const Path at_selector = path.child("selector");
  if (!given(selector)) return schema::add_required(causes, at_selector);
  check_selector(causes, at_selector, selector);
  const auto parsed = schema::Selector::from_object(selector);
  if (!parsed) return;  // check_selector has said why
  if (parsed->empty())
    return schema::add_invalid(causes, at_selector, selector,
                               fmt::format("empty selector is invalid for {}", kind));
  const auto& labels = at(spec, {"template", "metadata", "labels"});
  std::string value;
  const bool matches = parsed->matches_with([&](const std::string& key) -> const std::string* {
    const auto& label = at(labels, key);
    if (!label.is_string()) return nullptr;
    value = label.get_string();
    return &value;
  });
  if (matches) return;
  const Path at_template = path.child("template");
  const Path metadata = at_template.child("metadata");
  schema::add_invalid(causes, metadata.child("labels"), labels,
                      "`selector` does not match template `labels`");
}

void validate_always_template(const json::Value& spec, Causes& causes) {
  const Path path("spec");
  const Path at_template = path.child("template");
  const auto& pod_template = at(spec, "template");
  if (!given(pod_template)) return schema::add_required(causes, at_template);
  validate_template(pod_template, at_template, causes);
  const auto& pod = at(pod_template, "spec");
  const Path at_pod = at_template.child("spec");
  const auto& restart = at(pod, "restartPolicy");
  if (!is_empty(restart) && restart != "Always")
    schema::add_unsupported(causes, at_pod.child("restartPolicy"), restart, {"Always"});
  if (given(at(pod, "activeDeadlineSeconds")))
    schema::add_forbidden(causes, at_pod.child("activeDeadlineSeconds"),
                          "activeDeadlineSeconds in ReplicaSet is not Supported");
}

}  // namespace kinglet::apiserver

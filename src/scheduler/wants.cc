#include "scheduler/internal/wants.h"

namespace kinglet::scheduler {
namespace {
using client::array_at;
using client::string_at;
using schema::Requirement;

schema::Selector selector_at(const json::Value& item, std::string_view name) {
  const auto* value = json::find(item, {name});
  if (!value) return schema::Selector::nothing();
  auto selector = schema::Selector::from_object(*value);
  return selector ? std::move(*selector) : schema::Selector::nothing();
}

// matchLabelKeys: the pod's own values of these labels join the selector.
void add_own_labels(schema::Selector& selector, const json::Value& item, const Pod& pod, const char* keys,
                    Requirement::Op op) {
  for (const auto& key : array_at(item, {keys}))
    if (key.is_string())
      if (const auto* value = pod.meta.label(std::string(key.get_string())))
        selector.add({std::string(key.get_string()), op, {*value}});
}

PodTerm pod_term(const json::Value& item, const Pod& pod) {
  PodTerm term;
  term.topology_key = string_at(item, {"topologyKey"});
  term.selector = selector_at(item, "labelSelector");
  add_own_labels(term.selector, item, pod, "matchLabelKeys", Requirement::Op::in);
  add_own_labels(term.selector, item, pod, "mismatchLabelKeys", Requirement::Op::not_in);
  for (const auto& ns : array_at(item, {"namespaces"}))
    if (ns.is_string()) term.namespaces.emplace_back(ns.get_string());
  // Namespaces by label are not looked up here: an empty selector means all of them, any other one is taken so too,
  // which errs on the side of keeping pods apart.
  term.all_namespaces = json::find(item, {"namespaceSelector"}) != nullptr;
  return term;
}

constexpr const char* kRequired = "requiredDuringSchedulingIgnoredDuringExecution";
constexpr const char* kPreferred = "preferredDuringSchedulingIgnoredDuringExecution";

void read_pod_terms(const json::Value& affinity, const char* kind, const Pod& pod, std::vector<PodTerm>& required,
                    std::vector<PodTerm>& preferred) {
  for (const auto& item : array_at(affinity, {kind, kRequired})) required.push_back(pod_term(item, pod));
  for (const auto& item : array_at(affinity, {kind, kPreferred}))
    if (const auto* term = json::find(item, {"podAffinityTerm"})) {
      preferred.push_back(pod_term(*term, pod));
      preferred.back().weight = static_cast<int>(json::int_at(item, {"weight"}));
    }
}

void read_node_affinity(const json::Value& affinity, Wants& wants) {
  for (const auto& item : array_at(affinity, {"nodeAffinity", kPreferred}))
    if (const auto* term = json::find(item, {"preference"}))
      wants.preferred_nodes.push_back({static_cast<int>(json::int_at(item, {"weight"})), client::node_term_of(*term)});
}

void read_spread(const json::Value& spec, Wants& wants) {
  for (const auto& item : array_at(spec, {"topologySpreadConstraints"})) {
    SpreadConstraint c;
    c.max_skew = static_cast<int>(json::int_at(item, {"maxSkew"}, 1));
    c.min_domains = static_cast<int>(json::int_at(item, {"minDomains"}, 1));
    c.topology_key = string_at(item, {"topologyKey"});
    c.hard = json::text_at(item, {"whenUnsatisfiable"}) != "ScheduleAnyway";
    c.selector = selector_at(item, "labelSelector");
    add_own_labels(c.selector, item, *wants.pod, "matchLabelKeys", Requirement::Op::in);
    c.respect_affinity = json::text_at(item, {"nodeAffinityPolicy"}) != "Ignore";
    c.respect_taints = json::text_at(item, {"nodeTaintsPolicy"}) == "Honor";
    wants.spread.push_back(std::move(c));
  }
}

bool mentions(const Pod& pod, std::initializer_list<std::string_view> words) {
  const auto text = pod.raw.view();
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return text.find(word) != std::string_view::npos; });
}
}  // namespace

bool PodTerm::matches(const Pod& other, const std::string& own_namespace) const {
  const bool here = all_namespaces || (namespaces.empty() && other.meta.ns == own_namespace) ||
                    std::find(namespaces.begin(), namespaces.end(), other.meta.ns) != namespaces.end();
  return here && client::matches(selector, other.meta.labels);
}

Wants wants_of(Ref<const Pod> pod) {
  Wants wants;
  wants.pod = std::move(pod);
  // Most pods ask for nothing of this; finding that out is far cheaper than parsing them.
  if (!mentions(*wants.pod, {"\"nodeSelector\":", "\"affinity\":", "\"topologySpreadConstraints\":"})) return wants;
  const auto object = json::parse(wants.pod->raw.view());
  if (!object) return wants;
  const auto* spec = json::find(*object, {"spec"});
  if (!spec) return wants;
  wants.nodes = client::node_wants_of(*spec);
  if (const auto* affinity = json::find(*spec, {"affinity"})) {
    read_node_affinity(*affinity, wants);
    read_pod_terms(*affinity, "podAffinity", *wants.pod, wants.affinity, wants.preferred_affinity);
    read_pod_terms(*affinity, "podAntiAffinity", *wants.pod, wants.anti_affinity, wants.preferred_anti_affinity);
  }
  read_spread(*spec, wants);
  return wants;
}

std::vector<PodTerm> anti_affinity_of(const Pod& pod) {
  std::vector<PodTerm> required, preferred;
  if (!mentions(pod, {"\"podAntiAffinity\":"})) return required;
  const auto object = json::parse(pod.raw.view());
  if (!object) return required;
  if (const auto* affinity = json::find(*object, {"spec", "affinity"}))
    read_pod_terms(*affinity, "podAntiAffinity", pod, required, preferred);
  return required;
}

}  // namespace kinglet::scheduler

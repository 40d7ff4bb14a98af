#include "scheduler/internal/wants.h"

namespace kinglet::scheduler {
namespace {
using client::array_at;
using client::string_at;
using schema::Requirement;

std::optional<Requirement::Op> op_of(std::string_view text) {
  if (text == "In") return Requirement::Op::in;
  if (text == "NotIn") return Requirement::Op::not_in;
  if (text == "Exists") return Requirement::Op::exists;
  if (text == "DoesNotExist") return Requirement::Op::absent;
  if (text == "Gt") return Requirement::Op::greater;
  if (text == "Lt") return Requirement::Op::less;
  return std::nullopt;
}

std::optional<Requirement> requirement_of(const json::Value& item) {
  const auto op = op_of(json::text_at(item, {"operator"}));
  if (!op) return std::nullopt;
  Requirement requirement{string_at(item, {"key"}), *op, {}};
  for (const auto& value : array_at(item, {"values"}))
    if (value.is_string()) requirement.values.emplace_back(value.get_string());
  return requirement;
}

NodeTerm node_term(const json::Value& item) {
  NodeTerm term;
  for (const auto& expression : array_at(item, {"matchExpressions"})) {
    term.empty = false;
    if (auto requirement = requirement_of(expression))
      term.labels.add(std::move(*requirement));
    else
      term.labels = schema::Selector::nothing();
  }
  for (const auto& field : array_at(item, {"matchFields"})) {
    term.empty = false;
    if (auto requirement = requirement_of(field)) term.names.push_back(std::move(*requirement));
  }
  return term;
}

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
  wants.nodes_required = json::find(affinity, {"nodeAffinity", kRequired}) != nullptr;
  for (const auto& item : array_at(affinity, {"nodeAffinity", kRequired, "nodeSelectorTerms"}))
    wants.required_nodes.push_back(node_term(item));
  for (const auto& item : array_at(affinity, {"nodeAffinity", kPreferred}))
    if (const auto* term = json::find(item, {"preference"}))
      wants.preferred_nodes.push_back({static_cast<int>(json::int_at(item, {"weight"})), node_term(*term)});
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

bool NodeTerm::matches(const Node& node) const {
  if (empty || !client::matches(labels, node.meta.labels)) return false;
  for (const auto& requirement : names) {
    const bool among = std::find(requirement.values.begin(), requirement.values.end(), node.meta.name) !=
                       requirement.values.end();
    if (among != (requirement.op == Requirement::Op::in)) return false;
  }
  return true;
}

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
  for (const auto& [key, value] : client::pairs_of(json::find(*spec, {"nodeSelector"})))
    wants.node_selector.add({key, Requirement::Op::in, {value}});
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

bool node_matches(const Wants& wants, const Node& node) {
  if (!client::matches(wants.node_selector, node.meta.labels)) return false;
  return !wants.nodes_required || std::any_of(wants.required_nodes.begin(), wants.required_nodes.end(),
                                              [&](const NodeTerm& term) { return term.matches(node); });
}

}  // namespace kinglet::scheduler

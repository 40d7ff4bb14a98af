#include "client/node_affinity.h"

namespace kinglet::client {
namespace {
using schema::Requirement;

std::optional<Requirement::Op> operator_of(std::string_view text) {
  if (text == "In") return Requirement::Op::in;
  if (text == "NotIn") return Requirement::Op::not_in;
  if (text == "Exists") return Requirement::Op::exists;
  if (text == "DoesNotExist") return Requirement::Op::absent;
  if (text == "Gt") return Requirement::Op::greater;
  if (text == "Lt") return Requirement::Op::less;
  return std::nullopt;
}

std::optional<Requirement> node_requirement_of(const json::Value& item) {
  const auto op = operator_of(json::text_at(item, {"operator"}));
  if (!op) return std::nullopt;
  Requirement requirement{string_at(item, {"key"}), *op, {}};
  for (const auto& value : array_at(item, {"values"}))
    if (value.is_string()) requirement.values.emplace_back(value.get_string());
  return requirement;
}

void add_required(NodeWants& wants, const json::Value& selector) {
  wants.has_required = true;
  for (const auto& item : array_at(selector, {"nodeSelectorTerms"})) wants.required.push_back(node_term_of(item));
}
}  // namespace

NodeTerm node_term_of(const json::Value& item) {
  NodeTerm term;
  for (const auto& expression : array_at(item, {"matchExpressions"})) {
    term.empty = false;
    if (auto requirement = node_requirement_of(expression))
      term.labels.add(std::move(*requirement));
    else
      term.labels = schema::Selector::nothing();
  }
  for (const auto& field : array_at(item, {"matchFields"})) {
    term.empty = false;
    if (auto requirement = node_requirement_of(field)) term.names.push_back(std::move(*requirement));
  }
  return term;
}

bool NodeTerm::matches(const Node& node) const {
  if (empty || !client::matches(labels, node.meta.labels)) return false;
  for (const auto& requirement : names) {
    const bool among = std::find(requirement.values.begin(), requirement.values.end(), node.meta.name) !=
                       requirement.values.end();
    if (among != (requirement.op == Requirement::Op::in)) return false;
  }
  return true;
}

bool NodeWants::match(const Node& node) const {
  if (!client::matches(selector, node.meta.labels)) return false;
  return !has_required || std::any_of(required.begin(), required.end(),
                                      [&](const NodeTerm& term) { return term.matches(node); });
}

NodeWants node_wants_of(const json::Value& spec) {
  NodeWants wants;
  for (const auto& [key, value] : pairs_of(json::find(spec, {"nodeSelector"})))
    wants.selector.add({key, Requirement::Op::in, {value}});
  if (const auto* required =
          json::find(spec, {"affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"}))
    add_required(wants, *required);
  return wants;
}

NodeWants volume_node_wants_of(const json::Value& spec) {
  NodeWants wants;
  if (const auto* required = json::find(spec, {"nodeAffinity", "required"})) add_required(wants, *required);
  return wants;
}

}  // namespace kinglet::client

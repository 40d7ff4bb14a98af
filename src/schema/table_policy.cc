// The cells of what restricts and grants: RBAC, quotas, budgets, priorities, admission, flow
// control, certificates.
#include <algorithm>

#include "schema/codec.h"
#include "schema/internal/table_row.h"

namespace kinglet::schema {
namespace {

std::string subjects_of(const json::Value& binding, std::string_view kind) {
  std::vector<std::string> parts;
  for (const auto& subject : array_at(binding, {"subjects"})) {
    if (json::text_at(subject, {"kind"}) != kind) continue;
    const auto name = json::text_at(subject, {"name"});
    parts.push_back(kind == "ServiceAccount"
                        ? fmt::format("{}/{}", json::text_at(subject, {"namespace"}), name)
                        : std::string(name));
  }
  return join(parts, ", ");
}

void binding_cells(TableRow& row) {
  row.add(json::Value(fmt::format("{}/{}", json::text_at(row.object(), {"roleRef", "kind"}),
                                  json::text_at(row.object(), {"roleRef", "name"}))));
  row.age();
  for (const std::string_view kind : {"User", "Group", "ServiceAccount"})
    row.add(json::Value(subjects_of(row.object(), kind)));
}

// "<resource>: used/hard" of the keys that limits or requests have.
std::string quota_text(const json::Value& quota, bool limits) {
  std::vector<std::string> parts;
  const auto* hard = json::find(quota, {"status", "hard"});
  const auto* used = json::find(quota, {"status", "used"});
  if (hard && hard->is_object()) {
    for (const auto& [key, value] : hard->get_object()) {
      const std::string_view name = key;
      if (name.starts_with("limits.") != limits) continue;
      const auto* taken = used ? json::find(*used, {name}) : nullptr;
      parts.push_back(
          fmt::format("{}: {}/{}", name, taken ? member_text(*taken) : "0", member_text(value)));
    }
  }
  std::sort(parts.begin(), parts.end());
  return join(parts, ", ");
}

void budget_cells(TableRow& row) {
  row.text({"spec", "minAvailable"}, "N/A");
  row.text({"spec", "maxUnavailable"}, "N/A");
  row.integer({"status", "disruptionsAllowed"});
  row.age();
}

std::string request_state(const json::Value& request) {
  std::string state = find_condition(request, "Denied")     ? "Denied"
                      : find_condition(request, "Approved") ? "Approved"
                                                            : "Pending";
  if (find_condition(request, "Failed")) state += ",Failed";
  if (!json::text_at(request, {"status", "certificate"}).empty()) state += ",Issued";
  return state;
}

void certificate_request_cells(TableRow& row) {
  row.age();
  row.text({"spec", "signerName"}, kNone);
  row.text({"spec", "username"});
  const auto* seconds = json::find(row.object(), {"spec", "expirationSeconds"});
  row.add(seconds && seconds->is_int64() ? json::Value(short_age(seconds->get_int64()))
                                         : json::Value(kNone));
  row.add(json::Value(request_state(row.object())));
}

void priority_class_cells(TableRow& row) {
  row.integer({"value"});
  row.boolean({"globalDefault"});
  row.age();
  row.text({"preemptionPolicy"});
}

void admission_policy_cells(TableRow& row) {
  row.count({"spec", "validations"});
  const auto* kind = json::find(row.object(), {"spec", "paramKind"});
  row.add(kind && kind->is_object()
              ? json::Value(fmt::format("{}/{}", json::text_at(*kind, {"apiVersion"}),
                                        json::text_at(*kind, {"kind"})))
              : json::Value(kUnset));
  row.age();
}

void admission_binding_cells(TableRow& row) {
  row.text({"spec", "policyName"});
  const auto* ref = json::find(row.object(), {"spec", "paramRef"});
  if (ref && ref->is_object()) {
    const auto ns = json::text_at(*ref, {"namespace"});
    row.add(
        json::Value(fmt::format("{}/{}", ns.empty() ? "*" : ns, json::text_at(*ref, {"name"}))));
  } else {
    row.add(json::Value(kUnset));
  }
  row.age();
}

void flow_schema_cells(TableRow& row) {
  row.text({"spec", "priorityLevelConfiguration", "name"});
  row.integer_text({"spec", "matchingPrecedence"});
  row.text({"spec", "distinguisherMethod", "type"}, kNone);
  row.age();
  const auto* dangling = find_condition(row.object(), "Dangling");
  row.add(dangling ? json::Value(json::text_at(*dangling, {"status"})) : json::Value("?"));
}

void priority_level_cells(TableRow& row) {
  row.text({"spec", "type"});
  row.text({"spec", "limited", "nominalConcurrencyShares"}, kNone);
  for (const std::string_view field : {"queues", "handSize", "queueLengthLimit"})
    row.text({"spec", "limited", "limitResponse", "queuing", field}, kNone);
  row.age();
}

bool admission_cells(std::string_view plural, TableRow& row) {
  if (plural.ends_with("webhookconfigurations")) {
    row.count({"webhooks"});
    row.age();
  } else if (plural == "validatingadmissionpolicies") {
    admission_policy_cells(row);
  } else if (plural == "validatingadmissionpolicybindings") {
    admission_binding_cells(row);
  } else {
    return false;
  }
  return true;
}

}  // namespace

bool policy_cells(std::string_view group, std::string_view plural, TableRow& row) {
  if (group == "admissionregistration.k8s.io") return admission_cells(plural, row);
  if (plural == "rolebindings" || plural == "clusterrolebindings") {
    binding_cells(row);
  } else if (group.empty() && plural == "resourcequotas") {
    row.add(json::Value(quota_text(row.object(), false)));
    row.add(json::Value(quota_text(row.object(), true)));
    row.age();
  } else if (plural == "poddisruptionbudgets") {
    budget_cells(row);
  } else if (plural == "certificatesigningrequests") {
    certificate_request_cells(row);
  } else if (plural == "priorityclasses") {
    priority_class_cells(row);
  } else if (plural == "flowschemas") {
    flow_schema_cells(row);
  } else if (plural == "prioritylevelconfigurations") {
    priority_level_cells(row);
  } else {
    return false;
  }
  return true;
}

}  // namespace kinglet::schema

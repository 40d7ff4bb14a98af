#include "apiserver/internal/core.h"
#include "schema/causes.h"

namespace kinglet::apiserver {
namespace {

Error bad_member(std::string_view member, std::string_view type) {
  return Error(Code::bad_request,
               "DeleteOptions in version \"v1\" cannot be handled as a DeleteOptions: json: cannot "
               "unmarshal into Go "
               "struct field DeleteOptions.{} of type {}",
               member, type);
}

Error invalid_options(schema::Causes causes) {
  return schema::invalid_error("DeleteOptions", "meta.k8s.io", "", std::move(causes));
}

Result<client::Propagation> propagation_of(std::string_view text) {
  if (text.empty()) return client::Propagation::unset;
  if (text == "Background") return client::Propagation::background;
  if (text == "Foreground") return client::Propagation::foreground;
  if (text == "Orphan") return client::Propagation::orphan;
  schema::Causes causes;
  schema::add_unsupported(causes, schema::Path("propagationPolicy"), json::Value(text),
                          {"Foreground", "Background", "Orphan", "nil"});
  return invalid_options(std::move(causes));
}

Result<void> read_preconditions(const json::Value& options, DeleteOptions& out) {
  out.uid = json::text_at(options, {"preconditions", "uid"});
  const std::string revision(json::text_at(options, {"preconditions", "resourceVersion"}));
  if (revision.empty()) return {};
  const bool number =
      revision.find_first_not_of("0123456789") == std::string::npos && revision.size() < 20;
  // A revision that is no number was never given to anybody: it matches nothing.
  out.revision = number ? std::stoull(revision) : UINT64_MAX;
  return {};
}

}  // namespace

Result<DeleteOptions> delete_options_of(const json::Value& options) {
  DeleteOptions out;
  if (const auto* grace = json::find(options, {"gracePeriodSeconds"}); grace && !grace->is_null()) {
    if (!grace->is_int64()) return bad_member("gracePeriodSeconds", "int64");
    out.grace_seconds = grace->get_int64();
  }
  if (const auto* policy = json::find(options, {"propagationPolicy"});
      policy && !policy->is_null()) {
    if (!policy->is_string()) return bad_member("propagationPolicy", "string");
    KL_TRY_FN(propagation, propagation_of(policy->get_string()));
    out.propagation = propagation;
  }
  if (const auto* orphan = json::find(options, {"orphanDependents"}); orphan && orphan->is_bool()) {
    if (out.propagation != client::Propagation::unset) {
      schema::Causes causes;
      schema::add_invalid(causes, schema::Path("propagationPolicy"),
                          *json::find(options, {"propagationPolicy"}),
                          "orphanDependents and deletionPropagation cannot be both set");
      return invalid_options(std::move(causes));
    }
    out.propagation =
        orphan->get_bool() ? client::Propagation::orphan : client::Propagation::background;
  }
  KL_CHECK_FN(read_preconditions(options, out));
  if (const auto* dry = json::find(options, {"dryRun"});
      dry && dry->is_array() && !dry->get_array().empty()) {
    for (const auto& stage : dry->get_array()) {
      if (stage.is_string() && stage.get_string() == "All") continue;
      schema::Causes causes;
      schema::add_unsupported(causes, schema::Path("dryRun"), stage, {"All"});
      return invalid_options(std::move(causes));
    }
    out.dry_run = true;
  }
  return out;
}

}  // namespace kinglet::apiserver

#include "apiserver/internal/write_query.h"

#include "apiserver/internal/negotiate.h"
#include "schema/causes.h"

namespace kinglet::apiserver {
namespace {

constexpr size_t kFieldManagerMax = 128;
constexpr size_t kWarningBytesMax = 4096;  // of all; beyond, each is cut
constexpr size_t kWarningCutBytes = 256;

Result<FieldValidation> field_validation(const std::string& text, schema::Causes& causes) {
  if (text.empty() || text == "Warn") return FieldValidation::warn;
  if (text == "Ignore") return FieldValidation::ignore;
  if (text == "Strict") return FieldValidation::strict;
  add_unsupported(causes, schema::Path("fieldValidation"), json::Value(text),
                  {"", "Ignore", "Strict", "Warn"});
  return FieldValidation::warn;
}

// Go's %q for what may stand in a header: control characters would break it.
std::string header_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) out += c;
  }
  return out + "\"";
}

}  // namespace

Result<CreateOptions> create_options(const net::Request& request, std::string_view kind) {
  CreateOptions out;
  schema::Causes causes;
  for (const auto& stage : request.query_values("dryRun")) {
    if (stage == "All") {
      out.dry_run = true;
    } else if (!stage.empty()) {
      add_unsupported(causes, schema::Path("dryRun"), json::Value(stage), {"All"});
    }
  }
  if (const auto* text = request.query_value("fieldValidation")) {
    KL_TRY_FN(validation, field_validation(*text, causes));
    out.validation = validation;
  }
  if (const auto* manager = request.query_value("fieldManager")) {
    if (manager->size() > kFieldManagerMax)
      add_too_long(causes, schema::Path("fieldManager"), kFieldManagerMax);
    out.field_manager = *manager;
  }
  if (!causes.empty()) return schema::invalid_error(kind, "meta.k8s.io", "", std::move(causes));
  return out;
}

Result<client::PatchType> patch_type(std::string_view content_type) {
  const auto type = media_type(content_type);
  if (type == "application/json-patch+json") return client::PatchType::json;
  if (type == "application/merge-patch+json") return client::PatchType::merge;
  if (type == "application/strategic-merge-patch+json") return client::PatchType::strategic;
  if (type == "application/apply-patch+yaml") return client::PatchType::apply;
  return Error(Code::unsupported_media_type,
               "the body of the request was in an unknown format - accepted media types include: "
               "application/json-patch+json, application/merge-patch+json, "
               "application/strategic-merge-patch+json");
}

json::Value delete_query(const net::Request& request) {
  json::Object out;
  if (const auto* grace = request.query_value("gracePeriodSeconds"); grace && !grace->empty()) {
    const bool number =
        grace->find_first_not_of("0123456789-") == std::string::npos && grace->size() < 18;
    out["gracePeriodSeconds"] =
        number ? json::Value(std::strtoll(grace->c_str(), nullptr, 10)) : json::Value(*grace);
  }
  if (const auto* policy = request.query_value("propagationPolicy"); policy && !policy->empty())
    out["propagationPolicy"] = *policy;
  if (const auto* orphan = request.query_value("orphanDependents"); orphan && !orphan->empty())
    out["orphanDependents"] = *orphan == "true" || *orphan == "1";
  json::Array stages;
  for (const auto& stage : request.query_values("dryRun"))
    if (!stage.empty()) stages.emplace_back(stage);
  if (!stages.empty()) out["dryRun"] = std::move(stages);
  return out;
}

std::vector<std::string> warning_headers(const std::vector<std::string>& warnings) {
  size_t total = 0;
  for (const auto& text : warnings) total += text.size();
  std::vector<std::string> seen, out;
  size_t sent = 0;
  for (const auto& text : warnings) {
    if (std::find(seen.begin(), seen.end(), text) != seen.end()) continue;
    seen.push_back(text);
    const auto shown =
        total > kWarningBytesMax ? std::string_view(text).substr(0, kWarningCutBytes) : text;
    sent += shown.size();
    if (sent > kWarningBytesMax) break;
    out.push_back("299 - " + header_quoted(shown));
  }
  return out;
}

}  // namespace kinglet::apiserver

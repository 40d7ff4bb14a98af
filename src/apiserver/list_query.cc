#include "apiserver/internal/list_query.h"

#include "json/json.h"
#include "net/crypto.h"
#include "schema/causes.h"

namespace kinglet::apiserver {
namespace {

constexpr size_t kContinueBytesMax = 4 << 10;

std::string_view value_of(const net::Request& request, std::string_view name) {
  const auto* value = request.query_value(name);
  return value ? std::string_view(*value) : std::string_view();
}

Result<std::optional<int64_t>> number(const net::Request& request, std::string_view name) {
  const auto text = value_of(request, name);
  if (text.empty()) return std::optional<int64_t>();
  const bool digits =
      text.find_first_not_of("0123456789") == std::string_view::npos && text.size() <= 18;
  if (!digits) {
    return Error(Code::bad_request, "strconv.ParseInt: parsing {}: invalid syntax",
                 json::print(json::Value(text)));
  }
  return std::optional<int64_t>(std::stoll(std::string(text)));
}

bool truth(std::string_view text) { return text != "false" && text != "0"; }

Match match_of(std::string_view text) {
  if (text == "Exact") return Match::exact;
  return text == "NotOlderThan" ? Match::not_older : Match::unset;
}

// Source: k8s.io/apimachinery apis/meta/internalversion/validation.
void check_list(const net::Request& request, schema::Causes& causes) {
  const schema::Path path("resourceVersionMatch");
  const auto match = value_of(request, "resourceVersionMatch");
  if (!match.empty()) {
    if (value_of(request, "resourceVersion").empty())
      add_forbidden(causes, path,
                    "resourceVersionMatch is forbidden unless resourceVersion is provided");
    if (!value_of(request, "continue").empty())
      add_forbidden(causes, path, "resourceVersionMatch is forbidden when continue is provided");
    if (match_of(match) == Match::unset)
      add_unsupported(causes, path, json::Value(match), {"Exact", "NotOlderThan", ""});
    if (match_of(match) == Match::exact && value_of(request, "resourceVersion") == "0")
      add_forbidden(causes, path,
                    "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
  }
  if (request.query_value("sendInitialEvents"))
    add_forbidden(causes, schema::Path("sendInitialEvents"),
                  "sendInitialEvents is forbidden for list");
}

void check_watch(const net::Request& request, schema::Causes& causes) {
  const schema::Path path("resourceVersionMatch");
  const auto match = value_of(request, "resourceVersionMatch");
  const bool initial = request.query_value("sendInitialEvents") != nullptr;
  if (initial && match != "NotOlderThan")
    add_forbidden(causes, path,
                  "sendInitialEvents requires setting resourceVersionMatch to \"NotOlderThan\"");
  if (!initial && !match.empty())
    add_forbidden(
        causes, path,
        "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
  if (!match.empty() && match != "NotOlderThan" && !initial)
    add_unsupported(causes, path, json::Value(match), {"NotOlderThan"});
  if (!match.empty() && !value_of(request, "continue").empty())
    add_forbidden(causes, path, "resourceVersionMatch is forbidden when continue is provided");
}

}  // namespace

Result<std::optional<store::Revision>> parse_revision(std::string_view text) {
  if (text.empty()) return std::optional<store::Revision>();
  if (text.find_first_not_of("0123456789") != std::string_view::npos || text.size() > 19) {
    return Error(Code::bad_request,
                 "invalid resource version: strconv.ParseUint: parsing {}: invalid syntax",
                 json::print(json::Value(text)));
  }
  return std::optional<store::Revision>(std::stoull(std::string(text)));
}

Result<ListQuery> list_query(const net::Request& request, const schema::Resource& resource,
                             bool watch) {
  ListQuery out;
  schema::Causes causes;
  watch ? check_watch(request, causes) : check_list(request, causes);
  if (!causes.empty())
    return schema::invalid_error("ListOptions", "meta.k8s.io", "", std::move(causes));
  KL_TRY_FN(selection, Selection::make(resource, value_of(request, "labelSelector"),
                                       value_of(request, "fieldSelector")));
  out.selection = std::move(selection);
  KL_TRY_FN(limit, number(request, "limit"));
  out.limit = static_cast<size_t>(limit.value_or(0));
  KL_TRY_FN(revision, parse_revision(value_of(request, "resourceVersion")));
  out.revision = revision;
  out.continue_token = value_of(request, "continue");
  if (!out.continue_token.empty() && out.revision && *out.revision != 0)
    return Error(Code::bad_request,
                 "specifying resource version is not allowed when using continue");
  out.match = match_of(value_of(request, "resourceVersionMatch"));
  out.bookmarks =
      request.query_value("allowWatchBookmarks") && truth(value_of(request, "allowWatchBookmarks"));
  if (request.query_value("sendInitialEvents"))
    out.initial_events = truth(value_of(request, "sendInitialEvents"));
  KL_TRY_FN(timeout, number(request, "timeoutSeconds"));
  constexpr int64_t kTimeoutSecondsMax = 24 * 3600;
  if (timeout && *timeout > 0)
    out.timeout = std::chrono::seconds(std::min(*timeout, kTimeoutSecondsMax));
  return out;
}

Result<ListQuery> list_query(const client::ListOptions& options, const schema::Resource& resource) {
  ListQuery out;
  KL_TRY_FN(selection, Selection::make(resource, options.label_selector, options.field_selector));
  out.selection = std::move(selection);
  out.limit = options.limit;
  out.continue_token = options.continue_token;
  if (options.revision != 0) out.revision = options.revision;
  return out;
}

std::string continue_token(const Continuation& continuation) {
  json::Object object = {{"v", "meta.k8s.io/v1"}, {"rv", continuation.revision}};
  object["start"] = continuation.after + std::string(1, '\0');
  return net::base64url(json::print(object));
}

Result<Continuation> parse_continue_token(std::string_view token) {
  const Error bad(Code::bad_request, "continue key is not valid: {}",
                  "illegal base64 data or format");
  if (token.size() > kContinueBytesMax) return bad;
  const auto text = net::from_base64url(token);
  if (!text) return bad;
  const auto object = json::parse(*text);
  if (!object) return bad;
  if (json::text_at(*object, {"v"}) != "meta.k8s.io/v1") {
    return Error(Code::bad_request,
                 "continue key is not valid: server does not recognize this encoded version \"{}\"",
                 json::text_at(*object, {"v"}));
  }
  Continuation out;
  out.revision = json::int_at(*object, {"rv"});
  out.after = json::text_at(*object, {"start"});
  if (out.revision == 0)
    return Error(Code::bad_request,
                 "continue key is not valid: incorrect encoded start resourceVersion");
  if (out.after.empty() || out.after.front() == '/')
    return Error(Code::bad_request, "continue key is not valid: encoded start key empty");
  if (out.after.back() == '\0') out.after.pop_back();
  return out;
}

}  // namespace kinglet::apiserver

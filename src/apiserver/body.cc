#include "apiserver/internal/body.h"

#include "apiserver/errors.h"
#include "schema/causes.h"
#include "schema/codec.h"

namespace kinglet::apiserver {
namespace {

// What the real server shows of a body that it cannot read.
constexpr size_t kSummaryBytesMax = 30;

std::string summary(std::string_view body) {
  if (body.empty()) return "<empty>";
  const auto head = body.substr(0, kSummaryBytesMax);
  std::string text;
  if (body.front() == '{') {
    text = head;
  } else {
    for (const char c : head) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  }
  return body.size() > kSummaryBytesMax ? text + " ..." : text;
}

Error unrecognized(std::string_view kind, std::string_view why, std::string_view body) {
  return Error(Code::bad_request,
               "the object provided is unrecognized (must be of type {}): {} ({})", kind, why,
               summary(body));
}

Error cannot_be_handled(std::string_view kind, std::string_view version, std::string_view as,
                        std::string_view why) {
  return Error(Code::bad_request, "{} in version \"{}\" cannot be handled as a {}: {}", kind,
               version, as, why);
}

Result<json::Value> parse_object(std::string_view body, std::string_view kind,
                                 std::vector<std::string>* duplicates) {
  auto value = json::parse(body, duplicates);
  if (!value)
    return unrecognized(
        kind, "couldn't get version/kind; json parse error: " + value.error().message(), body);
  if (!value->is_object()) {
    return unrecognized(
        kind, "couldn't get version/kind; json parse error: json: cannot unmarshal into an object",
        body);
  }
  return value;
}

// kind and apiVersion may be missing: the URL has said them.
Result<void> check_kind(const json::Value& value, std::string_view group_version,
                        std::string_view kind) {
  const auto has_kind = json::text_at(value, {"kind"});
  const auto has_version = json::text_at(value, {"apiVersion"});
  if (!has_version.empty() && has_version != group_version) {
    return Error(Code::bad_request,
                 "the API version in the data ({}) does not match the expected API version ({})",
                 has_version, group_version);
  }
  if (!has_kind.empty() && has_kind != kind) {
    const auto version = group_version.substr(group_version.find('/') + 1);
    return cannot_be_handled(
        has_kind, version, kind,
        fmt::format("the kind in the data ({}) does not match the expected kind ({})", has_kind,
                    kind));
  }
  return {};
}

// What is wrong with the names of fields, as the real server lists it.
std::vector<std::string> complaints(const schema::Unknown& unknown,
                                    const std::vector<std::string>& duplicates) {
  std::vector<std::string> out;
  for (const auto& path : unknown.paths) out.push_back(fmt::format("unknown field \"{}\"", path));
  for (const auto& path : duplicates) out.push_back(fmt::format("duplicate field \"{}\"", path));
  return out;
}

Error strict_error(const schema::Resource& resource, const std::vector<std::string>& problems,
                   const Strictness& strictness) {
  const auto text = fmt::format("strict decoding error: {}", fmt::join(problems, ", "));
  if (!strictness.patched)
    return cannot_be_handled(resource.kind, resource.version, resource.kind, text);
  return schema::invalid_error(
      resource.kind, resource.group, "",
      {{"FieldValueInvalid", "Invalid value: the patch: " + text, "patch"}});
}

}  // namespace

Result<json::Value> decode_value(const schema::Resource& resource, const json::Value& value,
                                 const std::vector<std::string>& duplicates,
                                 Strictness strictness) {
  KL_CHECK_FN(check_kind(value, resource.group_version(), resource.kind));
  schema::Unknown unknown;
  auto object = schema::decode(*resource.type, value, &unknown);
  if (!object)
    return cannot_be_handled(resource.kind, resource.version, resource.kind,
                             object.error().message());
  if (strictness.validation != FieldValidation::ignore) {
    auto problems = complaints(unknown, duplicates);
    if (!problems.empty() && strictness.validation == FieldValidation::strict)
      return strict_error(resource, problems, strictness);
    for (auto& problem : problems) strictness.warnings.push_back(std::move(problem));
  }
  auto& members = object->get_object();
  members["kind"] = resource.kind;
  members["apiVersion"] = resource.group_version();
  json::child(members, "metadata");
  schema::apply_defaults(resource, *object);
  return object;
}

Result<json::Value> decode_body(const schema::Resource& resource, std::string_view body,
                                std::vector<std::string> duplicates, Strictness strictness) {
  KL_TRY_FN(value, parse_object(body, resource.kind, &duplicates));
  return decode_value(resource, value, duplicates, strictness);
}

Result<json::Value> decode_kind(const json::Value& value, std::string_view group_version,
                                std::string_view kind, std::string_view type) {
  KL_CHECK_FN(check_kind(value, group_version, kind));
  const auto* found = schema::find_type(type);
  if (!found) return internal_error(fmt::format("the catalogue has no {}", type));
  auto object = schema::decode(*found, value);
  if (!object) {
    const auto version = group_version.substr(group_version.find('/') + 1);
    return cannot_be_handled(kind, version, kind, object.error().message());
  }
  json::child(object->get_object(), "metadata");
  return object;
}

Result<json::Value> parse_kind(std::string_view body, std::string_view group_version,
                               std::string_view kind, std::string_view type) {
  KL_TRY_FN(value, parse_object(body, kind, nullptr));
  return decode_kind(value, group_version, kind, type);
}

Result<json::Value> parse_stored(std::string_view text) {
  auto object = json::parse(text);
  const auto* metadata = object ? json::find(*object, {"metadata"}) : nullptr;
  if (!metadata || !metadata->is_object()) return internal_error("the stored object is damaged");
  return object;
}

}  // namespace kinglet::apiserver

#include "apiserver/errors.h"
#include "apiserver/internal/body.h"
#include "apiserver/internal/core.h"
#include "apiserver/internal/metadata.h"
#include "schema/codec.h"

namespace kinglet::apiserver {
namespace {

// The patch as it came, parsed; what it leads to is decided against the current object.
Result<json::Value> patched(client::PatchType type, const schema::Type* merge_type,
                            const json::Value& current, const json::Value& patch) {
  switch (type) {
    case client::PatchType::json: {
      json::Value out = current;
      KL_CHECK_FN(json::apply_json_patch(out, patch));
      return out;
    }
    case client::PatchType::merge: {
      if (!patch.is_object())
        return Error(Code::bad_request, "a merge patch must be a JSON object");
      json::Value out = current;
      json::apply_merge_patch(out, patch);
      return out;
    }
    case client::PatchType::strategic:
      if (!patch.is_object())
        return Error(Code::bad_request, "a strategic merge patch must be a JSON object");
      return schema::strategic_merge(*merge_type, current, patch);
    case client::PatchType::apply:
      break;
  }
  return Error(Code::unsupported_media_type,
               "server-side apply is not served yet: the body of the request was in an unknown "
               "format - accepted "
               "media types include: application/json-patch+json, application/merge-patch+json, "
               "application/strategic-merge-patch+json");
}

}  // namespace

Task<Result<Written>> Core::patch(const User& user, ResourceName name, std::string text,
                                  PatchOptions options) {
  if (name.subresource.empty() && !name.resource->has_verb("patch"))
    co_return method_not_supported(*name.resource, "patch");
  if (options.type == client::PatchType::apply) {
    co_return patched(options.type, nullptr, {}, {}).error();
  }
  std::vector<std::string> duplicates;
  auto patch = json::parse(text, &duplicates);
  if (!patch)
    co_return Error(Code::bad_request, "error decoding patch: {}", patch.error().message());

  const auto& resource = *name.resource;
  if (name.subresource == "scale") {
    const auto* scale = schema::find_type(kScaleType);
    if (!scale) co_return internal_error("the catalogue has no Scale");
    const Change next = [&](const json::Value& current, std::vector<std::string>&) {
      return patched(options.type, scale, current, *patch);
    };
    co_return co_await change_scale(user, std::move(name), next, options.dry_run);
  }
  const Change next = [&](const json::Value& current,
                          std::vector<std::string>& warnings) -> Result<json::Value> {
    KL_TRY_FN(wanted, patched(options.type, resource.type, current, *patch));
    // The current revision is no demand of the writer; one that the patch brings differs, and is
    // checked.
    const auto before = json::text_at(current, {"metadata", "resourceVersion"});
    if (!before.empty() && json::text_at(wanted, {"metadata", "resourceVersion"}) == before)
      metadata_of(wanted).erase("resourceVersion");
    return decode_value(resource, wanted, duplicates, {options.validation, warnings, true});
  };
  co_return co_await change(user, std::move(name), next, options.dry_run);
}

}  // namespace kinglet::apiserver

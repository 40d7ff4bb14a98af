#include "apiserver/errors.h"
#include "apiserver/internal/body.h"
#include "apiserver/internal/core.h"
#include "apiserver/internal/metadata.h"
#include "schema/causes.h"
#include "schema/values.h"

namespace kinglet::apiserver {
namespace {

// The selector of the pods as text; ReplicationControllers have a plain map.
Result<std::string> selector_text(const schema::Resource& resource, const json::Value& object) {
  const auto* selector = json::find(object, {"spec", "selector"});
  if (!selector || !selector->is_object()) return std::string();
  json::Value full = *selector;
  if (resource.plural == "replicationcontrollers") full = json::Object{{"matchLabels", *selector}};
  KL_TRY_FN(parsed, schema::Selector::from_object(full));
  return parsed.text();
}

Error negative_replicas(std::string_view name, const json::Value& replicas) {
  schema::Causes causes;
  schema::add_invalid(causes, schema::Path("spec").child("replicas"), replicas,
                      "must be greater than or equal to 0");
  return schema::invalid_error("Scale", "autoscaling", name, std::move(causes));
}

// What the written Scale makes of the object.
Result<json::Value> rescaled(const json::Value& current, const json::Value& scale) {
  const auto name = json::text_at(current, {"metadata", "name"});
  const auto given = json::text_at(scale, {"metadata", "name"});
  if (given != name) {
    return Error(Code::bad_request,
                 "the name of the object ({}) does not match the name on the URL ({})", given,
                 name);
  }
  const int64_t replicas = json::int_at(scale, {"spec", "replicas"});
  if (replicas < 0) return negative_replicas(name, json::Value(replicas));
  json::Value out = current;
  json::child(out.get_object(), "spec")["replicas"] = replicas;
  const auto revision = json::text_at(scale, {"metadata", "resourceVersion"});
  metadata_of(out)["resourceVersion"] = revision;
  return out;
}

}  // namespace

bool has_scale(const schema::Resource& resource) {
  return resource.subresource("scale") != nullptr;
}

Result<json::Value> scale_of(const schema::Resource& resource, const json::Value& object) {
  KL_TRY_FN(selector, selector_text(resource, object));
  json::Object metadata;
  for (const auto member : {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"}) {
    const auto text = json::text_at(object, {"metadata", member});
    if (!text.empty()) metadata[member] = text;
  }
  json::Object spec, status;
  const auto replicas = json::int_at(object, {"spec", "replicas"});
  if (replicas != 0) spec["replicas"] = replicas;
  status["replicas"] = json::int_at(object, {"status", "replicas"});
  if (!selector.empty()) status["selector"] = selector;
  json::Value scale = json::Object{{"kind", "Scale"},
                                   {"apiVersion", "autoscaling/v1"},
                                   {"metadata", std::move(metadata)},
                                   {"spec", std::move(spec)},
                                   {"status", std::move(status)}};
  return scale;
}

Task<Result<Written>> Core::change_scale(const User& user, ResourceName name,
                                         const Change& scale_change, bool dry_run) {
  const auto& resource = *name.resource;
  if (!has_scale(resource))
    co_return Error(Code::not_found, "the server could not find the requested resource");
  const Change through = [&](const json::Value& current,
                             std::vector<std::string>& warnings) -> Result<json::Value> {
    KL_TRY_FN(scale, scale_of(resource, current));
    KL_TRY_FN(changed, scale_change(scale, warnings));
    KL_TRY_FN(wanted, decode_kind(changed, "autoscaling/v1", "Scale", kScaleType));
    // As with any patch: the revision that was there is no demand.
    if (json::text_at(wanted, {"metadata", "resourceVersion"}) ==
        json::text_at(current, {"metadata", "resourceVersion"}))
      metadata_of(wanted).erase("resourceVersion");
    return rescaled(current, wanted);
  };
  KL_TRY(out, co_await change(user, std::move(name), through, dry_run));
  KL_TRY(object, json::parse(out.object.view()));
  KL_TRY(scale, scale_of(resource, object));
  out.object = Bytes(json::print(scale));
  co_return std::move(out);
}

}  // namespace kinglet::apiserver

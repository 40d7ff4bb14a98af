#include "apiserver/errors.h"
#include "apiserver/internal/core.h"
#include "apiserver/internal/metadata.h"

namespace kinglet::apiserver {
namespace {

void take(json::Object& to, const json::Object& from, std::string_view member) {
  if (const auto* value = from.if_contains(member)) {
    to[member] = *value;
  } else {
    to.erase(member);
  }
}

// The stored object with the status, labels and annotations of the written one.
json::Value status_overlay(json::Value object, const json::Value& old) {
  json::Value out = old;
  take(out.get_object(), object.get_object(), "status");
  auto& metadata = metadata_of(out);
  const auto& wanted = metadata_of(object);
  for (const auto member : {"labels", "annotations"}) take(metadata, wanted, member);
  if (wanted.contains("uid")) metadata["uid"] = wanted.at("uid");  // a precondition
  return out;
}

// The stored object with one member of one part of the written one.
json::Value member_overlay(json::Value object, const json::Value& old, std::string_view part,
                           std::string_view member) {
  json::Value out = old;
  take(json::child(out.get_object(), part), json::child(object.get_object(), part), member);
  return out;
}

}  // namespace

Result<json::Value> overlay(const schema::Resource& stored, std::string_view subresource,
                            json::Value object, const json::Value& old) {
  if (subresource.empty() || subresource == "scale" || subresource == "binding") {
    if (stored.subresource("status") && subresource != "binding")
      take(object.get_object(), old.get_object(), "status");
    return object;
  }
  if (!stored.subresource(subresource))
    return Error(Code::not_found, "the server could not find the requested resource");
  if (subresource == "status") return status_overlay(std::move(object), old);
  if (subresource == "finalize")
    return member_overlay(std::move(object), old, "spec", "finalizers");
  if (subresource == "approval")
    return member_overlay(std::move(object), old, "status", "conditions");
  return Error(Code::method_not_allowed,
               "{}/{} is not supported: kinglet cannot change running containers",
               stored.qualified_, subresource);
}

}  // namespace kinglet::apiserver

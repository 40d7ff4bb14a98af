#include "apiserver/internal/metadata.h"

#include "apiserver/errors.h"
#include "apiserver/internal/skim.h"
#include "schema/causes.h"
#include "schema/codec.h"

namespace kinglet::apiserver {
namespace {

constexpr size_t kGeneratedPrefixMax = 58;  // with five random characters: a DNS label

void keep(json::Object& to, const json::Object& from, std::string_view member) {
  const auto* value = from.if_contains(member);
  if (value) {
    to[member] = *value;
  } else {
    to.erase(member);
  }
}

bool contains(const json::Value* list, const json::Value& item) {
  const auto* array = list ? list->if_array() : nullptr;
  return array && std::find(array->begin(), array->end(), item) != array->end();
}

Result<void> check_new_finalizers(const schema::Resource& resource, const json::Value& object,
                                  const json::Value& old) {
  const auto* next = json::find(object, {"metadata", "finalizers"});
  if (!next || !next->is_array()) return {};
  std::string added;
  for (const auto& finalizer : next->get_array()) {
    if (!contains(json::find(old, {"metadata", "finalizers"}), finalizer))
      added += (added.empty() ? "" : ", ") + json::print(finalizer);
  }
  if (added.empty()) return {};
  schema::Causes causes;
  schema::add_forbidden(
      causes, schema::Path("metadata").child("finalizers"),
      fmt::format("no new finalizers can be added if the object is being deleted, found new "
                  "finalizers []string{{{}}}",
                  added));
  return schema::invalid_error(resource.kind, resource.group,
                               json::text_at(old, {"metadata", "name"}), causes);
}

}  // namespace

json::Object& metadata_of(json::Value& object) {
  return json::child(object.get_object(), "metadata");
}

Result<void> match_url(const schema::Resource& resource, std::string_view ns, std::string_view name,
                       json::Value& object) {
  auto& metadata = metadata_of(object);
  const auto has_name = json::text_at(object, {"metadata", "name"});
  const auto has_ns = json::text_at(object, {"metadata", "namespace"});
  if (!name.empty()) {
    if (has_name.empty()) {
      return Error(
          Code::bad_request,
          "the name of the object ({} based on URL) was undeterminable: name must be provided",
          name);
    }
    if (has_name != name) {
      return Error(Code::bad_request,
                   "the name of the object ({}) does not match the name on the URL ({})", has_name,
                   name);
    }
  }
  if (!resource.namespaced) return {};  // a namespace there is a validation error
  if (!has_ns.empty() && has_ns != ns) {
    return Error(
        Code::bad_request,
        "the namespace of the provided object does not match the namespace sent on the request");
  }
  metadata["namespace"] = ns;
  return {};
}

Result<void> begin_metadata(json::Value& object, bool generation, WallTime now, Random& random) {
  auto& metadata = metadata_of(object);
  if (!json::text_at(object, {"metadata", "resourceVersion"}).empty())
    return Error(Code::internal, "resourceVersion should not be set on objects to be created");
  for (const auto member : {"deletionTimestamp", "deletionGracePeriodSeconds", "selfLink",
                            "managedFields", "resourceVersion", "generation"})
    metadata.erase(member);
  metadata["uid"] = random.uuid();
  metadata["creationTimestamp"] = rfc3339(now);
  if (generation) metadata["generation"] = 1;
  return {};
}

std::string generated_name(std::string_view prefix, Random& random) {
  return std::string(prefix.substr(0, kGeneratedPrefixMax)) + random.name_suffix();
}

Result<void> carry_metadata(const schema::Resource& resource, json::Value& object,
                            const json::Value& old) {
  const auto uid = json::text_at(object, {"metadata", "uid"});
  const auto old_uid = json::text_at(old, {"metadata", "uid"});
  if (!uid.empty() && uid != old_uid) {
    return conflict_error(
        resource, json::text_at(old, {"metadata", "name"}),
        fmt::format("Precondition failed: UID in precondition: {}, UID in object meta: {}", uid,
                    old_uid));
  }
  if (json::find(old, {"metadata", "deletionTimestamp"}))
    KL_CHECK_FN(check_new_finalizers(resource, object, old));
  auto& metadata = metadata_of(object);
  const auto& before = old.get_object().at("metadata").get_object();
  for (const auto member : {"name", "generateName", "namespace", "uid", "creationTimestamp",
                            "deletionTimestamp", "deletionGracePeriodSeconds", "generation"})
    keep(metadata, before, member);
  metadata.erase("selfLink");
  metadata.erase("managedFields");
  return {};
}

store::Value stampable(const schema::Resource& stored, json::Value& object) {
  metadata_of(object)["resourceVersion"] = "0";
  return unstamped(schema::encode(stored, object));
}

store::Value unstamped(std::string_view text) {
  store::Value value{std::string(text)};
  const auto digits = revision_digits(text);
  if (!digits) return value;
  value.text.erase(digits->begin, digits->end - digits->begin);
  value.stamp_at = digits->begin;
  return value;
}

std::string restamped(std::string_view text, store::Revision revision) {
  const auto digits = revision_digits(text);
  if (!digits) return std::string(text);
  return fmt::format("{}{}{}", text.substr(0, digits->begin), revision, text.substr(digits->end));
}

bool same_but_revision(std::string_view stored, const store::Value& next) {
  const auto digits = revision_digits(stored);
  if (!digits || digits->begin != next.stamp_at) return false;
  const std::string_view text = next.text;
  return stored.substr(0, digits->begin) == text.substr(0, next.stamp_at) &&
         stored.substr(digits->end) == text.substr(next.stamp_at);
}

bool spec_differs(std::string_view stored, std::string_view next) {
  using Members = std::vector<std::pair<std::string_view, std::string_view>>;
  const auto members = [](std::string_view text) {
    Members out;
    skim_members(text, [&](std::string_view name, std::string_view value) {
      if (name != "metadata" && name != "status") out.emplace_back(name, value);
      return true;
    });
    return out;
  };
  return members(stored) != members(next);
}

}  // namespace kinglet::apiserver

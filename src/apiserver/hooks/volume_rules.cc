#include <set>

#include "apiserver/hooks/pod_rules.h"
#include "schema/names.h"
#include "schema/values.h"

namespace kinglet::apiserver {
namespace {

constexpr int64_t kModeMax = 0777;
constexpr int64_t kTokenSecondsMin = 600, kTokenSecondsMax = int64_t{1} << 32;

void check_mode(Causes& causes, const Path& path, const json::Value& mode) {
  if (mode.is_int64() && (mode.get_int64() < 0 || mode.get_int64() > kModeMax))
    schema::add_invalid(causes, path, mode,
                        "must be a number between 0 and 0777 (octal), both inclusive");
}

void check_relative(Causes& causes, const Path& path, const json::Value& value) {
  if (is_empty(value)) return schema::add_required(causes, path);
  if (!value.is_string()) return;
  const std::string_view where = value.get_string();
  if (where.starts_with('/')) schema::add_invalid(causes, path, value, "must be a relative path");
  if (("/" + std::string(where) + "/").find("/../") != std::string::npos)
    schema::add_invalid(causes, path, value, "must not contain '..'");
  if (where.starts_with("..") && !where.starts_with("../") && where != "..")
    schema::add_invalid(causes, path, value, "must not start with '..'");
}

void check_items(const json::Value& source, const Path& path, Causes& causes) {
  const auto& list = items(source, "items");
  const Path at_list = path.child("items");
  for (size_t i = 0; i < list.size(); ++i) {
    const Path item = at_list.index(i);
    if (text(list[i], "key").empty()) schema::add_required(causes, item.child("key"));
    check_relative(causes, item.child("path"), at(list[i], "path"));
    check_mode(causes, item.child("mode"), at(list[i], "mode"));
  }
}

void check_downward_items(const json::Value& source, const Path& path, Causes& causes) {
  const auto& list = items(source, "items");
  const Path at_list = path.child("items");
  for (size_t i = 0; i < list.size(); ++i) {
    const Path item = at_list.index(i);
    check_relative(causes, item.child("path"), at(list[i], "path"));
    check_mode(causes, item.child("mode"), at(list[i], "mode"));
    const bool field = given(at(list[i], "fieldRef"));
    const bool resource = given(at(list[i], "resourceFieldRef"));
    if (field && resource)
      schema::add_invalid(causes, item, json::Value("resource"),
                          "fieldRef and resourceFieldRef can not be specified simultaneously");
    if (!field && !resource)
      schema::add_required(causes, item, "one of fieldRef and resourceFieldRef is required");
  }
}

void check_projected(const json::Value& volume, const Path& path, Causes& causes) {
  check_mode(causes, path.child("defaultMode"), at(volume, "defaultMode"));
  const auto& sources = items(volume, "sources");
  const Path list = path.child("sources");
  for (size_t i = 0; i < sources.size(); ++i) {
    const Path item = list.index(i);
    int count = 0;
    if (sources[i].is_object()) {
      for (const auto& [name, source] : sources[i].get_object()) {
        if (!given(source)) continue;
        const Path at_source = item.child(name);
        if (++count > 1)
          schema::add_forbidden(causes, at_source,
                                "may not specify more than 1 volume type per source");
        if (name == "secret" || name == "configMap") check_items(source, at_source, causes);
        if (name == "downwardAPI") check_downward_items(source, at_source, causes);
        if (name == "serviceAccountToken") {
          const auto& seconds = at(source, "expirationSeconds");
          if (seconds.is_int64() && seconds.get_int64() < kTokenSecondsMin)
            schema::add_invalid(causes, at_source.child("expirationSeconds"), seconds,
                                "may not specify a duration less than 10 minutes");
          if (seconds.is_int64() && seconds.get_int64() > kTokenSecondsMax)
            schema::add_invalid(causes, at_source.child("expirationSeconds"), seconds,
                                "may not specify a duration larger than 2^32 seconds");
          check_relative(causes, at_source.child("path"), at(source, "path"));
        }
      }
    }
    if (count == 0) schema::add_required(causes, item, "must specify a volume type");
  }
}

void check_host_path(const json::Value& source, const Path& path, Causes& causes) {
  const auto& where = at(source, "path");
  if (is_empty(where)) return schema::add_required(causes, path.child("path"));
  if (where.is_string() &&
      ("/" + std::string(where.get_string()) + "/").find("/../") != std::string::npos)
    schema::add_invalid(causes, path.child("path"), where, "must not contain '..'");
}

void check_source(std::string_view kind, const json::Value& source, const Path& path,
                  Causes& causes) {
  if (kind == "emptyDir") {
    check_quantity(causes, path.child("sizeLimit"), at(source, "sizeLimit"));
  } else if (kind == "hostPath") {
    check_host_path(source, path, causes);
  } else if (kind == "secret") {
    if (text(source, "secretName").empty()) schema::add_required(causes, path.child("secretName"));
    check_mode(causes, path.child("defaultMode"), at(source, "defaultMode"));
    check_items(source, path, causes);
  } else if (kind == "configMap") {
    if (text(source, "name").empty()) schema::add_required(causes, path.child("name"));
    check_mode(causes, path.child("defaultMode"), at(source, "defaultMode"));
    check_items(source, path, causes);
  } else if (kind == "downwardAPI") {
    check_mode(causes, path.child("defaultMode"), at(source, "defaultMode"));
    check_downward_items(source, path, causes);
  } else if (kind == "projected") {
    check_projected(source, path, causes);
  } else if (kind == "nfs") {
    const auto where = text(source, "path");
    if (!where.empty() && !where.starts_with('/'))
      schema::add_invalid(causes, path.child("path"), at(source, "path"),
                          "must be an absolute path");
  } else if (kind == "ephemeral") {
    if (!given(at(source, "volumeClaimTemplate")))
      schema::add_required(causes, path.child("volumeClaimTemplate"));
  }
}

}  // namespace

void validate_volumes(const json::Array& volumes, const Path& path, Causes& causes) {
  for (size_t i = 0; i < volumes.size(); ++i) {
    const Path item = path.index(i);
    check_name(causes, item.child("name"), at(volumes[i], "name"), schema::dns1123_label_errors);
    if (!volumes[i].is_object()) continue;
    int count = 0;
    for (const auto& [kind, source] : volumes[i].get_object()) {
      if (kind == "name" || !given(source)) continue;
      const Path at_source = item.child(kind);
      if (++count > 1) {
        schema::add_forbidden(causes, at_source, "may not specify more than 1 volume type");
      } else {
        check_source(kind, source, at_source, causes);
      }
    }
    if (count == 0) schema::add_required(causes, item, "must specify a volume type");
  }
  check_unique(causes, path, volumes, "name");
}

}  // namespace kinglet::apiserver

#include "apiserver/internal/render.h"

#include "apiserver/internal/skim.h"
#include "apiserver/request_info.h"
#include "schema/codec.h"

namespace kinglet::apiserver {
namespace {

std::string quoted(std::string_view text) {
  std::string out;
  json::print_string(out, text);
  return out;
}

// {"resourceVersion":"7","continue":"...","remainingItemCount":3}
std::string list_metadata(const Listing& listing) {
  std::string out = fmt::format("{{\"resourceVersion\":\"{}\"", listing.revision);
  if (!listing.continue_token.empty()) out += ",\"continue\":" + quoted(listing.continue_token);
  if (listing.remaining) out += fmt::format(",\"remainingItemCount\":{}", *listing.remaining);
  return out + "}";
}

bool is_status(std::string_view text) { return text.starts_with("{\"kind\":\"Status\""); }

// Four bytes, big-endian, before each frame of a protobuf watch.
std::string length_prefix(size_t size) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>((size >> shift) & 0xff);
  return out;
}

// A protobuf field of wire type 2.
void append_delimited(std::string& out, int number, std::string_view bytes) {
  out += static_cast<char>((number << 3) | 2);
  size_t size = bytes.size();
  while (size >= 0x80) {
    out += static_cast<char>((size & 0x7f) | 0x80);
    size >>= 7;
  }
  out += static_cast<char>(size);
  out += bytes;
}

// meta.v1.WatchEvent {1 type, 2 object {1 raw}}, without an envelope of its own (http.md section
// 1).
std::string protobuf_frame(std::string_view type, std::string_view enveloped) {
  std::string raw, event;
  append_delimited(raw, 1, enveloped);
  append_delimited(event, 1, type);
  append_delimited(event, 2, raw);
  return length_prefix(event.size()) + event;
}

std::string_view type_name(WatchItem::Type type) {
  switch (type) {
    case WatchItem::Type::added:
      return "ADDED";
    case WatchItem::Type::modified:
      return "MODIFIED";
    case WatchItem::Type::deleted:
      return "DELETED";
    case WatchItem::Type::initial_end:
    case WatchItem::Type::progress:
      break;
  }
  return "BOOKMARK";
}

// The constant beginning of a frame, shared by all watches.
const Bytes& frame_head(WatchItem::Type type) {
  static const Bytes added("{\"type\":\"ADDED\",\"object\":");
  static const Bytes modified("{\"type\":\"MODIFIED\",\"object\":");
  static const Bytes deleted("{\"type\":\"DELETED\",\"object\":");
  if (type == WatchItem::Type::added) return added;
  return type == WatchItem::Type::modified ? modified : deleted;
}

const Bytes& frame_tail() {
  static const Bytes tail("}\n");
  return tail;
}

// Upstream's table for kinds without columns of their own.
constexpr std::string_view kPlainColumns =
    "[{\"name\":\"Name\",\"type\":\"string\",\"format\":\"name\",\"description\":\"Name must be "
    "unique within a "
    "namespace.\",\"priority\":0},{\"name\":\"Created "
    "At\",\"type\":\"date\",\"format\":\"\",\"description\":"
    "\"CreationTimestamp is the time at which the object was created.\",\"priority\":0}]";

std::string columns_json(const schema::Resource& resource) {
  if (resource.columns.empty()) return std::string(kPlainColumns);
  std::string out = "[";
  for (const auto& column : resource.columns) {
    if (out.size() > 1) out += ',';
    out +=
        fmt::format("{{\"name\":{},\"type\":{},\"format\":{},\"description\":{},\"priority\":{}}}",
                    quoted(column.name), quoted(column.type), quoted(column.format),
                    quoted(column.description), column.priority);
  }
  return out + "]";
}

// Pods that have finished say so, so that kubectl can leave them out.
std::string_view row_conditions(const schema::Resource& resource, const json::Value& object) {
  if (!resource.group.empty() || resource.plural != "pods") return {};
  const auto phase = json::text_at(object, {"status", "phase"});
  if (phase == "Succeeded") {
    return ",\"conditions\":[{\"type\":\"Completed\",\"status\":\"True\",\"reason\":\"Succeeded\","
           "\"message\":\"The "
           "pod has completed successfully.\"}]";
  }
  if (phase == "Failed") {
    return ",\"conditions\":[{\"type\":\"Completed\",\"status\":\"True\",\"reason\":\"Failed\","
           "\"message\":\"The pod "
           "failed.\"}]";
  }
  return {};
}

}  // namespace

std::string Renderer::partial(std::string_view text) const {
  return fmt::format(
      "{{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/{}\",\"metadata\":{}}}",
      output_.meta_version.empty() ? "v1" : output_.meta_version,
      skim(text, {"metadata"}).value_or("{}"));
}

Result<void> Renderer::append_row(std::string& out, std::string_view text) const {
  KL_TRY_FN(object, json::parse(text));
  const int64_t now = std::chrono::duration_cast<std::chrono::seconds>(now_.since_epoch).count();
  json::Array cells;
  if (resource_.columns.empty()) {
    cells.emplace_back(json::text_at(object, {"metadata", "name"}));
    cells.emplace_back(json::text_at(object, {"metadata", "creationTimestamp"}));
  } else {
    cells = schema::table_cells(resource_, object, now);
  }
  out += "{\"cells\":" + json::print(json::Value(std::move(cells)));
  out += row_conditions(resource_, object);
  if (row_object_ == RowObject::metadata) out += ",\"object\":" + partial(text);
  if (row_object_ == RowObject::object) out += fmt::format(",\"object\":{}", text);
  out += '}';
  return {};
}

std::string Renderer::table_head(std::string_view metadata) const {
  return fmt::format(
      "{{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/"
      "{}\",\"metadata\":{},\"columnDefinitions\":",
      output_.meta_version.empty() ? "v1" : output_.meta_version, metadata);
}

// One object through the transform, as JSON text.
Result<std::string> Renderer::transformed(std::string_view text, bool with_columns) const {
  if (output_.transform == Transform::partial || output_.transform == Transform::partial_list)
    return partial(text);
  if (output_.transform == Transform::none) return std::string(text);
  const auto revision = skim_text(text, {"metadata", "resourceVersion"});
  std::string out = table_head(fmt::format("{{\"resourceVersion\":{}}}", quoted(revision)));
  out += with_columns ? columns_json(resource_) : "[]";
  out += ",\"rows\":[";
  KL_CHECK_FN(append_row(out, text));
  return out + "]}";
}

Result<std::vector<Bytes>> Renderer::document(const Bytes& text) const {
  static const Bytes newline("\n");
  if (output_.verbatim()) return std::vector<Bytes>{text, newline};
  if (output_.transform == Transform::none || is_status(text.view())) {
    KL_TRY_FN(rendered, render_text(output_, text.view()));
    return std::vector<Bytes>{rendered};
  }
  KL_TRY_FN(changed, transformed(text.view(), true));
  KL_TRY_FN(rendered, render_text(output_, changed));
  return std::vector<Bytes>{rendered};
}

Result<std::vector<Bytes>> Renderer::document(const store::EntryRef& entry) const {
  KL_TRY_FN(shown, registry_.present(resource_, entry));
  return document(shown);
}

std::string Renderer::list_head(const Listing& listing) const {
  const auto metadata = list_metadata(listing);
  if (output_.transform == Transform::table)
    return table_head(metadata) + columns_json(resource_) + ",\"rows\":[";
  std::string kind(resource_.list_kind), version(resource_.group_version());
  if (output_.transform == Transform::partial_list) {
    kind = "PartialObjectMetadataList";
    version = "meta.k8s.io/" + output_.meta_version;
  }
  return fmt::format("{{\"kind\":{},\"apiVersion\":{},\"metadata\":{},\"items\":[", quoted(kind),
                     quoted(version), metadata);
}

Result<void> Renderer::append_item(std::string& out, const store::EntryRef& entry) const {
  KL_TRY_FN(shown, registry_.present(resource_, entry));
  std::string_view text = shown.view();
  if (output_.transform == Transform::table) return append_row(out, text);
  if (output_.transform == Transform::partial_list) {
    out += partial(text);
    return {};
  }
  // Items of a typed list carry neither kind nor apiVersion: these are the first members of
  // canonical text.
  const size_t head = resource_.kind.size() + resource_.group_version().size() + 27;
  constexpr std::string_view kKind = "{\"kind\":\"";
  if (text.size() > head && text.starts_with(kKind) && text[head] == '"' && text[head - 1] == ',') {
    out += '{';
    text.remove_prefix(head);
  }
  out += text;
  return {};
}

Bytes Renderer::frame(std::string_view type, std::string_view object_json) const {
  if (output_.media == Media::protobuf) {
    const auto value = json::parse(object_json);
    return Bytes(
        protobuf_frame(type, schema::to_protobuf(value ? *value : json::Value(json::Object()))));
  }
  return Bytes::concat({"{\"type\":\"", type, "\",\"object\":", object_json, "}\n"});
}

Result<void> Renderer::append_frame(std::vector<Bytes>& out, const WatchItem& item) {
  if (item.type == WatchItem::Type::initial_end || item.type == WatchItem::Type::progress) {
    out.push_back(bookmark_frame(item.revision, item.type == WatchItem::Type::initial_end));
    return {};
  }
  KL_TRY_FN(shown, registry_.present(resource_, item.entry));
  if (output_.verbatim()) {
    out.push_back(frame_head(item.type));
    out.push_back(shown);
    out.push_back(frame_tail());
    return {};
  }
  KL_TRY_FN(text, transformed(shown.view(), !columns_sent_));
  columns_sent_ = true;
  out.push_back(frame(type_name(item.type), text));
  return {};
}

Bytes Renderer::bookmark_frame(store::Revision revision, bool initial_end) {
  std::string metadata =
      fmt::format("{{\"resourceVersion\":\"{}\",\"creationTimestamp\":null", revision);
  if (initial_end) metadata += ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}";
  metadata += '}';
  std::string object =
      fmt::format("{{\"kind\":{},\"apiVersion\":{},\"metadata\":{}}}", quoted(resource_.kind),
                  quoted(resource_.group_version()), metadata);
  if (output_.transform == Transform::partial || output_.transform == Transform::partial_list)
    object = partial(object);
  if (output_.transform == Transform::table) {
    std::string row = table_head(fmt::format("{{\"resourceVersion\":\"{}\"}}", revision));
    row += columns_sent_ ? "[]" : columns_json(resource_);
    columns_sent_ = true;
    object = fmt::format("{},\"rows\":[{{\"cells\":[],\"object\":{}}}]}}", row, partial(object));
  }
  return frame("BOOKMARK", object);
}

Bytes Renderer::error_frame(const Error& error) const {
  return frame("ERROR", json::print(status_object(error)));
}

}  // namespace kinglet::apiserver

#include "apiserver/internal/negotiate.h"

#include <cctype>

#include "schema/codec.h"

namespace kinglet::apiserver {
namespace {

constexpr const char* kAcceptedTypes =
    "application/json, application/yaml, application/vnd.kubernetes.protobuf";
// A client names a handful of types; more than this is not read.
constexpr size_t kAcceptEntriesMax = 32;

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// The next piece of `rest` up to `separator`, which is taken off too.
std::string_view take(std::string_view& rest, char separator) {
  const size_t at = rest.find(separator);
  const auto piece = trim(rest.substr(0, at));
  rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + 1);
  return piece;
}

struct Entry {
  std::string type;
  std::string as, group, version;
  bool stream = false;
  double quality = 1;
};

Entry parse_entry(std::string_view text) {
  Entry entry;
  entry.type = lower(take(text, ';'));
  while (!text.empty()) {
    auto parameter = take(text, ';');
    const auto name = take(parameter, '=');
    const std::string value(trim(parameter));
    if (name == "as") entry.as = value;
    if (name == "g") entry.group = value;
    if (name == "v") entry.version = value;
    if (name == "stream") entry.stream = value == "watch";
    if (name == "q") entry.quality = std::strtod(value.c_str(), nullptr);
  }
  return entry;
}

std::vector<Entry> accept_entries(const net::Request& request) {
  std::vector<Entry> entries;
  for (const auto& header : request.headers.all("accept")) {
    std::string_view rest = header;
    while (!rest.empty() && entries.size() < kAcceptEntriesMax) {
      const auto piece = take(rest, ',');
      if (!piece.empty()) entries.push_back(parse_entry(piece));
    }
  }
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.quality > b.quality; });
  return entries;
}

std::optional<Media> media_of(const std::string& type) {
  if (type == "application/json" || type == "*/*" || type == "application/*") return Media::json;
  if (type == "application/yaml") return Media::yaml;
  if (type == "application/vnd.kubernetes.protobuf") return Media::protobuf;
  return std::nullopt;
}

// Whether `entry` can be served; fills `output`.
bool accept(const Entry& entry, Offers offers, Output& output) {
  const auto media = media_of(entry.type);
  if (!media || entry.quality <= 0) return false;
  if (offers.watch && *media == Media::yaml) return false;
  Transform transform = Transform::none;
  if (!entry.as.empty()) {
    if (!offers.transforms || entry.group != "meta.k8s.io") return false;
    if (entry.version != "v1" && entry.version != "v1beta1") return false;
    if (entry.as == "Table" && *media != Media::protobuf) {
      transform = Transform::table;
    } else if (entry.as == "PartialObjectMetadata" && !offers.list) {
      transform = Transform::partial;
    } else if (entry.as == "PartialObjectMetadataList" && offers.list) {
      transform = Transform::partial_list;
    } else {
      return false;
    }
  }
  output.media = *media;
  output.transform = transform;
  output.meta_version = entry.version;
  output.stream = entry.stream;
  return true;
}

bool browser_like(std::string_view agent) {
  return agent.starts_with("curl") || agent.starts_with("Wget") || agent.starts_with("Mozilla/5.0");
}

void layout(const net::Request& request, Output& output) {
  const auto* pretty = request.query_value("pretty");
  output.pretty = pretty ? (*pretty != "false" && *pretty != "0")
                         : browser_like(request.headers.get("user-agent"));
  if (output.media != Media::json) output.pretty = false;
  std::string_view encodings = request.headers.get("accept-encoding");
  while (!encodings.empty()) {
    auto piece = take(encodings, ',');
    const auto name = take(piece, ';');
    if (name == "gzip" && piece.find("q=0") != 0) output.gzip = true;
  }
}

}  // namespace

Result<Output> negotiate(const net::Request& request, Offers offers) {
  Output output;
  const auto entries = accept_entries(request);
  bool found = entries.empty();
  for (const auto& entry : entries) {
    if (accept(entry, offers, output)) {
      found = true;
      break;
    }
  }
  if (!found) {
    return Error(
        Code::not_acceptable, "only the following media types are accepted: {}",
        offers.watch ? "application/json, application/vnd.kubernetes.protobuf" : kAcceptedTypes);
  }
  layout(request, output);
  if (offers.watch) output.pretty = false;
  return output;
}

Output error_output(const net::Request& request) {
  const auto output = negotiate(request, Offers{.list = true, .transforms = true});
  Output plain = output ? *output : Output();
  plain.transform = Transform::none;
  plain.stream = false;
  return plain;
}

std::string content_type(const Output& output) {
  std::string type;
  switch (output.media) {
    case Media::json:
      type = "application/json";
      break;
    case Media::yaml:
      type = "application/yaml";
      break;
    case Media::protobuf:
      type = "application/vnd.kubernetes.protobuf";
      break;
  }
  if (output.stream) type += ";stream=watch";
  return type;
}

Bytes render_value(const Output& output, const json::Value& value) {
  if (output.media == Media::yaml) return Bytes(json::print_yaml(value));
  if (output.media == Media::protobuf) return Bytes(schema::to_protobuf(value));
  return Bytes::concat({output.pretty ? json::print_pretty(value) : json::print(value), "\n"});
}

Result<Bytes> render_text(const Output& output, std::string_view text) {
  if (output.media == Media::json && !output.pretty) return Bytes::concat({text, "\n"});
  KL_TRY_FN(value, json::parse(text));
  return render_value(output, value);
}

std::string media_type(std::string_view content_type) {
  return lower(trim(content_type.substr(0, content_type.find(';'))));
}

Result<std::string> body_to_json(std::string_view content_type, std::string body,
                                 std::vector<std::string>* duplicates) {
  const auto type = media_type(content_type);
  if (type.empty() || type == "application/json") return body;
  if (type == "application/yaml") {
    KL_TRY_FN(value, json::parse_yaml(body, duplicates));
    return json::print(value);
  }
  if (type == "application/vnd.kubernetes.protobuf") {
    KL_TRY_FN(value, schema::from_protobuf(body));
    return json::print(value);
  }
  return Error(
      Code::unsupported_media_type,
      "the body of the request was in an unknown format - accepted media types include: {}",
      kAcceptedTypes);
}

}  // namespace kinglet::apiserver

// What the client wants back: media type, transform and layout, from Accept, query and User-Agent.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "json/json.h"
#include "net/http.h"

namespace kinglet::apiserver {

enum class Media : uint8_t { json, yaml, protobuf };
enum class Transform : uint8_t { none, table, partial, partial_list };

struct Output {
  Media media = Media::json;
  Transform transform = Transform::none;
  std::string meta_version;  // of the transform: "v1" or "v1beta1"
  bool stream = false;       // the client asked for `;stream=watch`
  bool pretty = false;
  bool gzip = false;  // the client takes it
  // The stored bytes can be sent as they are.
  bool verbatim() const { return media == Media::json && transform == Transform::none && !pretty; }
};

// What a route can give.
struct Offers {
  bool list = false;        // PartialObjectMetadataList rather than PartialObjectMetadata
  bool transforms = false;  // Table and PartialObjectMetadata
  bool watch = false;       // YAML has no stream form
};
// Errors: not_acceptable.
Result<Output> negotiate(const net::Request& request, Offers offers);
// For errors: never fails, falls back to JSON.
Output error_output(const net::Request& request);

std::string content_type(const Output& output);
// A whole document (not a piece of a watch) in the media type, newline included.
Bytes render_value(const Output& output, const json::Value& value);
// The same from canonical JSON text; copies nothing when it can be sent as it is but for the
// newline.
Result<Bytes> render_text(const Output& output, std::string_view text);

// The media type of a Content-Type header: lower case, without parameters; "" when absent.
std::string media_type(std::string_view content_type);
// The body as JSON text, from any accepted encoding; duplicate keys found in YAML go to
// `duplicates`. Errors: unsupported_media_type, bad_request.
Result<std::string> body_to_json(std::string_view content_type, std::string body,
                                 std::vector<std::string>* duplicates);

}  // namespace kinglet::apiserver

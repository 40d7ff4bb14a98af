#include "node/runtime/image_record.h"

#include "node/runtime/image_reference.h"

namespace kinglet::runtime {
namespace {
constexpr int64_t kVersion = 1;

json::Object to_json(const ImageConfig& config) {
  json::Object out;
  out["entrypoint"] = strings_to_json(config.entrypoint);
  out["cmd"] = strings_to_json(config.cmd);
  out["env"] = strings_to_json(config.env);
  out["workingDir"] = config.working_dir;
  out["user"] = config.user;
  out["stopSignal"] = config.stop_signal;
  out["volumes"] = strings_to_json(config.volumes);
  out["os"] = config.os;
  out["architecture"] = config.architecture;
  out["variant"] = config.variant;
  return out;
}

ImageConfig config_of(const json::Value& value) {
  const auto text = [&](std::string_view name) { return std::string(json::text_at(value, {name})); };
  ImageConfig out;
  out.entrypoint = strings_of(value, "entrypoint");
  out.cmd = strings_of(value, "cmd");
  out.env = strings_of(value, "env");
  out.working_dir = text("workingDir");
  out.user = text("user");
  out.stop_signal = text("stopSignal");
  out.volumes = strings_of(value, "volumes");
  out.os = text("os");
  out.architecture = text("architecture");
  out.variant = text("variant");
  return out;
}
}  // namespace

json::Array strings_to_json(const std::vector<std::string>& strings) {
  json::Array out;
  for (const auto& s : strings) out.emplace_back(s);
  return out;
}

std::vector<std::string> strings_of(const json::Value& root, std::string_view member) {
  std::vector<std::string> out;
  const json::Value* found = json::find(root, {member});
  if (found == nullptr || !found->is_array()) return out;
  for (const auto& item : found->get_array())
    if (item.is_string()) out.emplace_back(item.get_string());
  return out;
}

std::string print_images(const std::vector<Image>& images) {
  json::Array list;
  for (const auto& image : images) {
    json::Object out;
    out["id"] = image.id;
    out["tags"] = strings_to_json(image.tags);
    out["digests"] = strings_to_json(image.digests);
    out["layers"] = strings_to_json(image.layers);
    out["sizeBytes"] = image.size_bytes;
    if (image.pinned) out["pinned"] = true;
    out["config"] = to_json(image.config);
    list.push_back(std::move(out));
  }
  return json::print(json::Object{{"version", kVersion}, {"images", std::move(list)}});
}

Result<std::vector<Image>> parse_images(std::string_view text) {
  auto root = json::parse(text);
  if (!root) return Error(Code::invalid, "damaged: {}", root.error().message());
  const int64_t version = json::int_at(*root, {"version"});
  if (version > kVersion)
    return Error(Code::invalid, "written by a newer kinglet (version {}, this one knows {})", version,
                 kVersion);
  const json::Value* list = json::find(*root, {"images"});
  if (version < 1 || list == nullptr || !list->is_array())
    return Error(Code::invalid, "damaged: no list of images");
  std::vector<Image> out;
  for (const auto& item : list->get_array()) {
    Image image;
    image.id = json::text_at(item, {"id"});
    image.tags = strings_of(item, "tags");
    image.digests = strings_of(item, "digests");
    image.layers = strings_of(item, "layers");
    image.size_bytes = static_cast<uint64_t>(json::int_at(item, {"sizeBytes"}));
    image.pinned = json::bool_at(item, {"pinned"});
    if (const json::Value* config = json::find(item, {"config"})) image.config = config_of(*config);
    // These become paths.
    const bool sound = is_sha256_digest(image.id) &&
                       std::all_of(image.layers.begin(), image.layers.end(),
                                   [](const std::string& layer) { return is_sha256_digest(layer); });
    if (!sound) return Error(Code::invalid, "damaged: an image without a proper id");
    out.push_back(std::move(image));
  }
  return out;
}

}  // namespace kinglet::runtime

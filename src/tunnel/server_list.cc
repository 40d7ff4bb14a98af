#include "tunnel/server_list.h"

#include <algorithm>

#include "base/log.h"
#include "json/json.h"
#include "tunnel/control.h"

namespace kinglet::tunnel {
namespace {
constexpr size_t kKnownMax = 32;  // beyond, the oldest is forgotten
constexpr size_t kFileBytesMax = 64 << 10;

void add_new(std::vector<std::string>& list, const std::string& url) {
  if (!url.empty() && std::find(list.begin(), list.end(), url) == list.end()) list.push_back(url);
}
}  // namespace

ServerList::ServerList(Files& files, std::string path, std::vector<std::string> given)
    : files_(files), path_(std::move(path)), given_(std::move(given)) {
  const auto text = read_file(files_, path_, kFileBytesMax);
  const auto object = text ? json::parse(*text) : Result<json::Value>(text.error());
  if (!object || !object->is_object()) return;
  if (const std::string last(json::text_at(*object, {"last"})); is_server_url(last)) last_ = last;
  const auto* known = json::find(*object, {"known"});
  if (!known || !known->is_array()) return;
  for (const auto& url : known->as_array())
    if (url.is_string() && known_.size() < kKnownMax && is_server_url(std::string(url.as_string())))
      add_new(known_, std::string(url.as_string()));
}

std::vector<std::string> ServerList::in_order() const {
  std::vector<std::string> out;
  add_new(out, last_);
  for (const auto& url : given_) add_new(out, url);
  for (const auto& url : known_) add_new(out, url);
  return out;
}

void ServerList::worked(const std::string& url) {
  if (last_ == url) return;
  last_ = url;
  save();
}

void ServerList::learned(const std::vector<std::string>& urls) {
  auto merged = urls;
  for (const auto& url : known_) add_new(merged, url);
  if (merged.size() > kKnownMax) merged.resize(kKnownMax);
  if (merged == known_) return;
  known_ = std::move(merged);
  save();
}

// A list that cannot be written is a nuisance after the next start, and no more.
void ServerList::save() const {
  json::Array known;
  for (const auto& url : known_) known.emplace_back(url);
  const json::Value object =
      json::Object{{"version", 1}, {"last", last_}, {"known", std::move(known)}};
  const auto written = write_file(files_, path_, json::print(object), 0600);
  if (!written) Log("tunnel").warn("server addresses not kept", kv("error", written.error()));
}

}  // namespace kinglet::tunnel

#include "tunnel/control.h"

#include "json/json.h"

namespace kinglet::tunnel {
namespace {
constexpr size_t kNumberBytes = 8;
constexpr size_t kUrlBytesMax = 300;
}  // namespace

std::string encode_number(uint64_t number) {
  std::string out;
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(number >> shift & 0xff);
  return out;
}

Result<uint64_t> decode_number(std::string_view bytes) {
  if (bytes.size() != kNumberBytes)
    return Error(Code::bad_request, "a number of {} bytes", bytes.size());
  uint64_t out = 0;
  for (const char c : bytes) out = out << 8 | static_cast<uint8_t>(c);
  return out;
}

bool is_server_url(std::string_view text) {
  constexpr std::string_view kScheme = "https://";
  if (!text.starts_with(kScheme) || text.size() == kScheme.size() || text.size() > kUrlBytesMax)
    return false;
  return std::all_of(text.begin() + kScheme.size(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == ':' || c == '[' || c == ']' || c == '_';
  });
}

std::string encode_welcome(const Welcome& welcome) {
  json::Array servers;
  for (const auto& url : welcome.servers)
    if (servers.size() < kServersMax) servers.emplace_back(url);
  return json::print(json::Object{{"servers", std::move(servers)}});
}

Result<Welcome> decode_welcome(std::string_view text) {
  KL_TRY_FN(object, json::parse(text));
  if (!object.is_object()) return Error(Code::bad_request, "no welcome");
  Welcome out;
  const auto* servers = json::find(object, {"servers"});
  if (!servers || !servers->is_array()) return out;
  for (const auto& url : servers->as_array()) {
    if (!url.is_string() || out.servers.size() == kServersMax) continue;
    std::string plain(url.as_string());
    if (is_server_url(plain)) out.servers.push_back(std::move(plain));
  }
  return out;
}

}  // namespace kinglet::tunnel

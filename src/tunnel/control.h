// Control messages of a tunnel: small, of fixed width or JSON.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kinglet::tunnel {

// Protocols of the two kinds of stream (":protocol" of RFC 8441), and their paths.
inline constexpr const char* kControlProtocol = "kinglet-tunnel";
inline constexpr const char* kStreamProtocol = "kinglet-stream";
inline constexpr const char* kControlPath = "/kinglet.io/v1/tunnel";
inline constexpr const char* kStreamPathPrefix = "/kinglet.io/v1/tunnel/streams/";

// ping, pong, open: eight bytes, big endian. Errors: bad_request.
std::string encode_number(uint64_t number);
Result<uint64_t> decode_number(std::string_view bytes);

// From the server, at the beginning and whenever something of it changes.
struct Welcome {
  std::vector<std::string>
      servers;  // "https://10.0.0.1:6443": where servers of this cluster are reached
};
constexpr size_t kServersMax = 32;
std::string encode_welcome(const Welcome& welcome);
// Keeps what is a plain https URL of a host and a port. Errors: bad_request.
Result<Welcome> decode_welcome(std::string_view text);

// "https://HOST[:PORT]" without path, query, user or password.
bool is_server_url(std::string_view text);

}  // namespace kinglet::tunnel

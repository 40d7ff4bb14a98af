// Standard base64 with padding, as Go's encoding of []byte in JSON.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace kinglet::schema {

std::string encode_base64(std::string_view bytes);
// Nothing when the text is not base64; `bad_at` is then the offset Go names in its message. Line
// breaks are skipped.
std::optional<std::string> decode_base64(std::string_view text, size_t* bad_at = nullptr);

}  // namespace kinglet::schema

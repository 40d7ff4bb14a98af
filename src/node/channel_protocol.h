// The subprotocols of exec and attach over WebSocket: each message is one channel byte and its
// data. Pure.
//
// v5.channel.k8s.io adds the close message; "base64." variants are text: an ASCII digit and base64.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kinglet::node {

enum class Channel : uint8_t { in = 0, out = 1, err = 2, error = 3, resize = 4 };
constexpr uint8_t kCloseChannel = 255;

struct ChannelProtocol {
  std::string name;  // as offered; empty: the client named none
  int version = 0;   // 5, 4, 3, 2; 0: the first one, with neither resize nor Status
  bool text = false;
};
// The newest of those the client offers. nullopt: it offers only others.
std::optional<ChannelProtocol> choose_protocol(const std::vector<std::string>& offered);

std::string encode_message(const ChannelProtocol& protocol, Channel channel, std::string_view data);

struct ChannelMessage {
  uint8_t channel = 0;  // kCloseChannel: `closes` is over
  uint8_t closes = 0;
  std::string data;
};
// Errors: bad_request.
Result<ChannelMessage> decode_message(const ChannelProtocol& protocol, std::string message);

struct TerminalSize {
  uint16_t columns = 0, rows = 0;
};
// {"Width":120,"Height":40}; nullopt: something else, which is ignored.
std::optional<TerminalSize> parse_terminal_size(std::string_view text);

// What the error channel says at the end: a Status from version 4 on, before that text ("" for
// success).
std::string exit_message(const ChannelProtocol& protocol, int exit_code);
std::string failure_message(const ChannelProtocol& protocol, const Error& error);

}  // namespace kinglet::node

#include "node/channel_protocol.h"

#include "json/json.h"
#include "net/crypto.h"

namespace kinglet::node {
namespace {
constexpr std::string_view kSuffix = "channel.k8s.io";
constexpr std::string_view kBase64 = "base64.";

std::optional<ChannelProtocol> read_protocol(const std::string& name) {
  ChannelProtocol out;
  out.name = name;
  std::string_view rest = name;
  if (rest.starts_with(kBase64)) {
    out.text = true;
    rest.remove_prefix(kBase64.size());
  }
  if (rest == kSuffix) return out;
  if (rest.size() != kSuffix.size() + 3 || rest[0] != 'v' || rest[2] != '.' ||
      !rest.ends_with(kSuffix))
    return std::nullopt;
  out.version = rest[1] - '0';
  if (out.version < 2 || out.version > 5) return std::nullopt;
  return out;
}

std::string status_text(json::Object status) {
  json::Object whole;
  whole["metadata"] = json::Object();
  for (auto& member : status) whole[member.key()] = std::move(member.value());
  return json::print(json::Value(std::move(whole)));
}
}  // namespace

std::optional<ChannelProtocol> choose_protocol(const std::vector<std::string>& offered) {
  if (offered.empty()) return ChannelProtocol();  // upstream: none means the first one
  std::optional<ChannelProtocol> best;
  for (const auto& name : offered) {
    auto found = read_protocol(name);
    if (found && (!best || found->version > best->version)) best = std::move(found);
  }
  return best;
}

std::string encode_message(const ChannelProtocol& protocol, Channel channel,
                           std::string_view data) {
  const auto number = static_cast<char>(channel);
  if (protocol.text) return std::string(1, static_cast<char>('0' + number)) + net::base64(data);
  std::string out;
  out.reserve(1 + data.size());
  out += number;
  return out.append(data);
}

Result<ChannelMessage> decode_message(const ChannelProtocol& protocol, std::string message) {
  ChannelMessage out;
  if (message.empty()) return Error(Code::bad_request, "a message without a channel");
  out.channel = static_cast<uint8_t>(message[0]);
  message.erase(0, 1);
  if (protocol.text) {
    if (out.channel < '0' || out.channel > '9') return Error(Code::bad_request, "no such channel");
    out.channel = static_cast<uint8_t>(out.channel - '0');
    KL_TRY_FN(data, net::from_base64(message));
    out.data = std::move(data);
    return out;
  }
  if (out.channel == kCloseChannel && protocol.version >= 5) {
    if (message.size() != 1) return Error(Code::bad_request, "malformed close message");
    out.closes = static_cast<uint8_t>(message[0]);
    return out;
  }
  if (out.channel > static_cast<uint8_t>(Channel::resize))
    return Error(Code::bad_request, "no such channel");
  out.data = std::move(message);
  return out;
}

std::optional<TerminalSize> parse_terminal_size(std::string_view text) {
  const auto value = json::parse(text);
  if (!value) return std::nullopt;
  const int64_t width = json::int_at(*value, {"Width"}), height = json::int_at(*value, {"Height"});
  if (width < 1 || width > 65535 || height < 1 || height > 65535) return std::nullopt;
  return TerminalSize{static_cast<uint16_t>(width), static_cast<uint16_t>(height)};
}

std::string exit_message(const ChannelProtocol& protocol, int exit_code) {
  const std::string message =
      fmt::format("command terminated with non-zero exit code: exit status {}", exit_code);
  if (protocol.version < 4) return exit_code == 0 ? std::string() : message;
  json::Object status;
  if (exit_code == 0) {
    status["status"] = "Success";
    return status_text(std::move(status));
  }
  status["status"] = "Failure";
  status["message"] = message;
  status["reason"] = "NonZeroExitCode";
  json::Object cause;
  cause["reason"] = "ExitCode";
  cause["message"] = fmt::format("{}", exit_code);
  json::Object details;
  details["causes"] = json::Array{std::move(cause)};
  status["details"] = std::move(details);
  return status_text(std::move(status));
}

std::string failure_message(const ChannelProtocol& protocol, const Error& error) {
  if (protocol.version < 4) return error.message();
  json::Object status;
  status["status"] = "Failure";
  status["message"] = "Internal error occurred: " + error.message();
  status["reason"] = "InternalError";
  json::Object cause;
  cause["message"] = error.message();
  json::Object details;
  details["causes"] = json::Array{std::move(cause)};
  status["details"] = std::move(details);
  status["code"] = 500;
  return status_text(std::move(status));
}

}  // namespace kinglet::node

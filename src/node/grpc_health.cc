#include "node/grpc_health.h"

#include "base/deadline.h"
#include "base/task.h"
#include "base/task_group.h"
#include "net/h2_client.h"

namespace kinglet::node {
namespace {
constexpr size_t kAnswerBytesMax = 64 << 10;
constexpr size_t kServiceBytesMax = 4 << 10;
constexpr size_t kFrameBytes = 5;
constexpr const char* kUnimplemented = "12";
constexpr const char* kNotFound = "5";

void put_varint(std::string& out, uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

bool take_varint(std::string_view& in, uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 64 && !in.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return true;
  }
  return false;
}

// Skips a field of that wire type. Source: protobuf encoding.
bool skip_field(std::string_view& in, uint64_t type) {
  uint64_t size = 0;
  if (type == 0) return take_varint(in, size);
  if (type == 1)
    size = 8;
  else if (type == 5)
    size = 4;
  else if (type != 2 || !take_varint(in, size))
    return false;
  if (size > in.size()) return false;
  in.remove_prefix(size);
  return true;
}

ServingStatus status_of(uint64_t number) {
  switch (number) {
    case 1:
      return ServingStatus::serving;
    case 2:
      return ServingStatus::not_serving;
    case 3:
      return ServingStatus::service_unknown;
    default:
      return ServingStatus::unknown;
  }
}

// What an answer without a message says of itself.
Error refused(const net::Headers& headers, int status, const std::string& service) {
  const auto code = headers.get("grpc-status");
  if (code == kUnimplemented)
    return Error(Code::unavailable,
                 "this server does not implement the grpc health protocol (grpc.health.v1.Health)");
  if (code == kNotFound)
    return Error(Code::unavailable, "the health service does not know the service \"{}\"", service);
  if (status != 200) return Error(Code::unavailable, "health rpc failed: HTTP status {}", status);
  return Error(Code::unavailable, "health rpc failed: grpc-status {}: {}", code,
               headers.get("grpc-message").substr(0, 200));
}

Task<Result<ServingStatus>> call(net::H2Client& connection, std::string service) {
  net::H2Request request;
  request.method = "POST";
  request.target = "/grpc.health.v1.Health/Check";
  request.headers.set("content-type", "application/grpc");
  request.headers.set("te", "trailers");
  request.headers.set("user-agent", "kube-probe/1.34");
  request.has_body = true;
  KL_TRY(call, connection.open(std::move(request)));
  const std::string message = health_request(service);
  KL_CHECK(co_await call->write(message));
  KL_CHECK(co_await call->close_write());
  KL_TRY(status, co_await call->status());
  KL_TRY(body, co_await net::read_all(*call, kAnswerBytesMax));
  if (status != 200 || body.empty()) co_return refused(call->headers(), status, service);
  co_return parse_health_answer(body);
}

Task<void> keep(TaskGroup& group, Task<Result<ServingStatus>> asking,
                std::optional<Result<ServingStatus>>& out) {
  out.emplace(co_await std::move(asking));
  group.cancel();
}

Task<Result<ServingStatus>> connect_and_call(Clock& clock, std::string host, uint16_t port,
                                             std::string service) {
  const bool v6 = host.find(':') != std::string::npos;
  const std::string authority = fmt::format("{}{}{}:{}", v6 ? "[" : "", host, v6 ? "]" : "", port);
  net::H2Options options;
  options.url = "http://" + authority;
  auto connecting = net::connect_h2(clock, std::move(options));
  KL_TRY(connection, co_await std::move(connecting));
  std::optional<Result<ServingStatus>> out;
  TaskGroup group;
  group.add("connection", connection->run());
  group.add("health", keep(group, call(*connection, std::move(service)), out));
  const auto ended = co_await group.run();
  if (out) co_return std::move(*out);
  co_return ended ? Error(Code::unavailable, "connection closed") : ended.error();
}
}  // namespace

const char* text_of(ServingStatus status) {
  switch (status) {
    case ServingStatus::serving:
      return "SERVING";
    case ServingStatus::not_serving:
      return "NOT_SERVING";
    case ServingStatus::service_unknown:
      return "SERVICE_UNKNOWN";
    case ServingStatus::unknown:
      break;
  }
  return "UNKNOWN";
}

std::string health_request(const std::string& service) {
  std::string message;
  if (!service.empty()) {
    const std::string_view name = std::string_view(service).substr(0, kServiceBytesMax);
    message += '\x0a';  // field 1, bytes
    put_varint(message, name.size());
    message += name;
  }
  std::string out(1, '\0');  // not compressed
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(message.size() >> shift);
  return out + message;
}

Result<ServingStatus> parse_health_answer(std::string_view body) {
  const Error bad(Code::invalid, "the answer is no gRPC health message");
  if (body.size() < kFrameBytes || body[0] != 0) return bad;
  uint64_t size = 0;
  for (size_t i = 1; i < kFrameBytes; ++i) size = size << 8 | static_cast<unsigned char>(body[i]);
  body.remove_prefix(kFrameBytes);
  if (size > body.size()) return bad;
  std::string_view message = body.substr(0, size);
  ServingStatus status = ServingStatus::unknown;  // proto3 leaves a zero out
  while (!message.empty()) {
    uint64_t tag = 0, number = 0;
    if (!take_varint(message, tag)) return bad;
    if (tag == (1 << 3)) {
      if (!take_varint(message, number)) return bad;
      status = status_of(number);
    } else if (!skip_field(message, tag & 7)) {
      return bad;
    }
  }
  return status;
}

Task<Result<ServingStatus>> ask_health(Clock& clock, std::string host, uint16_t port,
                                       std::string service, Duration timeout) {
  auto asking = connect_and_call(clock, std::move(host), port, std::move(service));
  co_return co_await with_deadline(clock, timeout, std::move(asking));
}

}  // namespace kinglet::node

// gRPC's health protocol, as probes ask it: one unary call over HTTP/2 without TLS.
// Sources: grpc/doc/PROTOCOL-HTTP2.md (five bytes before each message),
// grpc/health/v1/health.proto.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "base/task_fwd.h"

namespace kinglet::node {

enum class ServingStatus : uint8_t { unknown, serving, not_serving, service_unknown };
const char* text_of(ServingStatus status);  // "NOT_SERVING"

std::string health_request(const std::string& service);  // with its frame
// Errors: invalid (cut off, compressed, no message).
Result<ServingStatus> parse_health_answer(std::string_view body);

// Errors: unavailable (nobody there, no gRPC, no such service: says which), timeout.
Task<Result<ServingStatus>> ask_health(Clock& clock, std::string host, uint16_t port,
                                       std::string service, Duration timeout);

}  // namespace kinglet::node

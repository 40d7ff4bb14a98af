#include "tunnel/exchange_head.h"

#include "json/json.h"
#include "tunnel/frame.h"

namespace kinglet::tunnel {
namespace {

constexpr size_t kHeadersMax = 200;
constexpr std::string_view kHow[] = {"whole", "stream", "websocket", "upgrade"};

json::Array headers_json(const net::Headers& headers) {
  json::Array out;
  for (const auto& [name, value] : headers.rows())
    out.push_back(json::Array{json::Value(name), json::Value(value)});
  return out;
}

Result<net::Headers> headers_of(const json::Value& object) {
  net::Headers out;
  const auto* list = json::find(object, {"headers"});
  if (!list) return out;
  if (!list->is_array() || list->as_array().size() > kHeadersMax)
    return Error(Code::bad_request, "bad headers");
  for (const auto& row : list->as_array()) {
    if (!row.is_array() || row.as_array().size() != 2 || !row.as_array()[0].is_string() ||
        !row.as_array()[1].is_string())
      return Error(Code::bad_request, "bad header");
    out.add(std::string(row.as_array()[0].as_string()), std::string(row.as_array()[1].as_string()));
  }
  return out;
}

Result<std::string> fits(json::Object object) {
  std::string text = json::print(json::Value(std::move(object)));
  if (text.size() > kFrameBytesMax)
    return Error(Code::too_large, "the headers are larger than {} bytes", kFrameBytesMax);
  return text;
}

}  // namespace

Result<std::string> encode_request(const net::Request& request) {
  return fits({{"method", request.method},
               {"target", request.target},
               {"headers", headers_json(request.headers)}});
}

Result<net::Request> decode_request(std::string_view text) {
  KL_TRY_FN(object, json::parse(text));
  net::Request out;
  out.method = json::text_at(object, {"method"});
  out.target = json::text_at(object, {"target"});
  if (out.method.empty() || !out.target.starts_with('/'))
    return Error(Code::bad_request, "no request");
  KL_TRY_FN(headers, headers_of(object));
  out.headers = std::move(headers);
  KL_CHECK_FN(net::split_target(out));
  return out;
}

Result<std::string> encode_answer(const Answer& answer) {
  json::Object out = {{"how", kHow[static_cast<size_t>(answer.how)]},
                      {"status", answer.status},
                      {"headers", headers_json(answer.headers)}};
  if (!answer.protocol.empty()) out["protocol"] = answer.protocol;
  return fits(std::move(out));
}

Result<Answer> decode_answer(std::string_view text) {
  KL_TRY_FN(object, json::parse(text));
  Answer out;
  const auto* how = std::find(std::begin(kHow), std::end(kHow), json::text_at(object, {"how"}));
  if (how == std::end(kHow)) return Error(Code::bad_request, "an answer of unknown kind");
  out.how = static_cast<Answer::How>(how - std::begin(kHow));
  const auto status = json::int_at(object, {"status"});
  if (status < 100 || status > 599)
    return Error(Code::bad_request, "an answer with status {}", status);
  out.status = static_cast<int>(status);
  out.protocol = json::text_at(object, {"protocol"});
  KL_TRY_FN(headers, headers_of(object));
  out.headers = std::move(headers);
  return out;
}

}  // namespace kinglet::tunnel

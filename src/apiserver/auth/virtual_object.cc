#include "apiserver/auth/virtual_object.h"

#include "apiserver/internal/body.h"
#include "apiserver/internal/negotiate.h"
#include "apiserver/request_info.h"
#include "apiserver/server.h"
#include "base/task.h"

namespace kinglet::apiserver {

Task<Result<json::Value>> read_virtual(net::Exchange& exchange, std::string_view group_version,
                                       std::string_view kind, std::string_view type) {
  KL_TRY(body, co_await exchange.read_body(kBodyBytesMax));
  const std::string encoding(exchange.request().headers.get("content-type"));
  KL_TRY(text, body_to_json(encoding, std::move(body), nullptr));
  KL_TRY(object, parse_kind(text, group_version, kind, type));
  auto& members = object.get_object();
  members["kind"] = kind;
  members["apiVersion"] = group_version;
  co_return std::move(object);
}

Task<void> respond_virtual(net::Exchange& exchange, int status, json::Value object) {
  auto output = negotiate(exchange.request(), Offers());
  if (!output) {
    const Error error = output.error();
    co_await respond_error(exchange, error);
    co_return;
  }
  net::Headers headers;
  headers.add("Content-Type", content_type(*output));
  headers.add("Cache-Control", "no-cache, private");
  std::vector<Bytes> body;
  body.push_back(render_value(*output, object));
  auto sent = co_await exchange.respond(status, std::move(headers), std::move(body));
  (void)sent;  // a peer that has gone needs no answer
}

Task<void> respond_page_not_found(net::Exchange& exchange) {
  std::string text = "404 page not found\n";
  std::string type = "text/plain; charset=utf-8";
  auto sent = co_await net::respond_text(exchange, 404, std::move(text), std::move(type));
  (void)sent;  // a peer that has gone needs no answer
}

}  // namespace kinglet::apiserver

#include "node/images_api.h"

#include "base/task.h"

namespace kinglet::node {
namespace {

Task<void> answer(net::Exchange& exchange, int status, json::Value body) {
  net::Headers headers;
  headers.set("Content-Type", "application/json");
  std::vector<Bytes> pieces = {Bytes(json::print(body) + "\n")};
  // A caller that has gone away is its own affair: the import has happened.
  const auto sent = co_await exchange.respond(status, std::move(headers), std::move(pieces));
  (void)sent;
}

Task<void> answer_error(net::Exchange& exchange, const Error& error) {
  json::Object body;
  body["kind"] = "Status";
  body["apiVersion"] = "v1";
  body["status"] = "Failure";
  body["reason"] = reason_of(error.code());
  body["message"] = error.message();
  body["code"] = http_status_of(error.code());
  json::Value value(std::move(body));
  co_await answer(exchange, http_status_of(error.code()), std::move(value));
}

}  // namespace

bool is_images_request(const net::Request& request) { return request.path == "/images"; }

json::Value image_list_json(const std::vector<runtime::Image>& images) {
  json::Array items;
  for (const auto& image : images) {
    json::Object item;
    item["id"] = image.id;
    json::Array tags;
    for (const auto& tag : image.tags) tags.emplace_back(tag);
    item["tags"] = std::move(tags);
    item["sizeBytes"] = image.size_bytes;
    items.emplace_back(std::move(item));
  }
  json::Object out;
  out["items"] = std::move(items);
  return out;
}

Task<void> serve_images(runtime::Images& images, net::Exchange& exchange) {
  const std::string method = exchange.request().method;
  if (method == "GET") {
    json::Value list = image_list_json(images.list());
    co_await answer(exchange, 200, std::move(list));
    co_return;
  }
  const std::string* path = exchange.request().query_value("path");
  const std::string* name = exchange.request().query_value("name");
  if (method == "POST" && path != nullptr && !path->empty() && path->front() == '/') {
    std::string file = *path;
    auto imported = co_await images.import_archive(std::move(file));
    if (!imported) {
      co_await answer_error(exchange, imported.error());
      co_return;
    }
    json::Value list = image_list_json(*imported);
    co_await answer(exchange, 201, std::move(list));
    co_return;
  }
  const std::string* pull = exchange.request().query_value("pull");
  if (method == "POST" && pull != nullptr && !pull->empty()) {
    runtime::PullRequest request;
    request.reference = *pull;
    auto pulling = images.pull(std::move(request));
    const auto pulled = co_await std::move(pulling);
    if (!pulled) {
      co_await answer_error(exchange, pulled.error());
      co_return;
    }
    json::Value list = image_list_json({pulled->image});
    co_await answer(exchange, 201, std::move(list));
    co_return;
  }
  if (method == "DELETE" && name != nullptr && !name->empty()) {
    std::string target = *name;
    auto removed = co_await images.remove(std::move(target));
    if (removed) {
      const auto collected = co_await images.collect(false);
      if (!collected) removed = collected.error();
    }
    if (!removed) {
      co_await answer_error(exchange, removed.error());
      co_return;
    }
    json::Value done = json::Object();
    co_await answer(exchange, 200, std::move(done));
    co_return;
  }
  const Error wrong(Code::bad_request, "wanted: GET, POST with an absolute path or a name to pull, or DELETE with a name");
  co_await answer_error(exchange, wrong);
}

}  // namespace kinglet::node

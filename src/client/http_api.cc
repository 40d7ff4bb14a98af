#include "client/http_api.h"

#include "client/internal/rest_api.h"

namespace kinglet::client {
namespace {

class HttpApi final : public RestApi {
 public:
  HttpApi(Clock& clock, HttpApiOptions options) : clock_(clock), options_(std::move(options)) {}

  Task<Result<std::unique_ptr<Watch>>> watch(const schema::Resource&, std::string, ListOptions) override {
    co_return Error(Code::method_not_allowed, "this connection does not watch");
  }

 private:
  Task<Result<Bytes>> send(const char* method, std::string target, std::string body, const char* type) override {
    net::ClientRequest request;
    request.method = method;
    request.url = options_.server + target;
    request.tls = options_.tls;
    request.body = std::move(body);
    if (type != nullptr) request.headers.set("Content-Type", type);
    request.headers.set("Accept", "application/json");
    auto response_task = net::fetch(clock_, std::move(request));
    const auto response = co_await std::move(response_task);
    if (!response) co_return response.error();
    if (response->status >= 200 && response->status < 300) co_return Bytes(response->body);
    co_return error_of_status(response->status, response->body);
  }

  Clock& clock_;
  HttpApiOptions options_;
};

}  // namespace

std::unique_ptr<Api> make_http_api(Clock& clock, HttpApiOptions options) {
  return std::make_unique<HttpApi>(clock, std::move(options));
}

}  // namespace kinglet::client

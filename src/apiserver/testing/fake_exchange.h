// For tests: one request, and what was answered to it.
#pragma once
#include <string>
#include <vector>

#include "base/signal.h"
#include "base/task.h"
#include "json/json.h"
#include "net/http.h"

namespace kinglet::apiserver::testing {

class FakeExchange final : public net::Exchange {
 public:
  FakeExchange(std::string method, std::string target, std::string body = "",
               std::string content_type = "") {
    request_.method = std::move(method);
    request_.target = std::move(target);
    auto split = net::split_target(request_);
    KL_ASSERT(split.has_value());
    body_ = std::move(body);
    if (!content_type.empty()) request_.headers.add("Content-Type", std::move(content_type));
  }

  int status = 0;
  net::Headers headers;
  std::string text;  // of the answer, all pieces
  int writes = 0;    // of a streamed answer
  bool finished = false;
  json::Value json() const {
    auto value = json::parse(text);
    return value ? *value : json::Value();
  }
  // The lines of a watch.
  std::vector<json::Value> frames() const {
    std::vector<json::Value> out;
    size_t at = 0;
    while (at < text.size()) {
      const size_t end = text.find('\n', at);
      if (end == std::string::npos) break;
      auto value = json::parse(std::string_view(text).substr(at, end - at));
      out.push_back(value ? *value : json::Value());
      at = end + 1;
    }
    return out;
  }

  net::Request& request() override { return request_; }
  Task<Result<std::string>> read_body(size_t limit) override {
    if (body_.size() > limit) co_return Error(Code::too_large, "too large");
    co_return body_;
  }
  Task<Result<size_t>> read_some(std::span<char>) override { co_return size_t{0}; }
  Task<Result<void>> respond(int code, net::Headers answer_headers,
                             std::vector<Bytes> body) override {
    KL_ASSERT(!started_);
    started_ = finished = true;
    status = code;
    headers = std::move(answer_headers);
    for (const auto& piece : body) text += piece.view();
    co_return Result<void>();
  }
  Task<Result<void>> start(int code, net::Headers answer_headers) override {
    KL_ASSERT(!started_);
    started_ = true;
    status = code;
    headers = std::move(answer_headers);
    co_return Result<void>();
  }
  Task<Result<void>> write(std::span<const Bytes> pieces) override {
    KL_ASSERT(started_ && !finished);
    ++writes;
    for (const auto& piece : pieces) text += piece.view();
    co_return Result<void>();
  }
  Task<Result<void>> finish() override {
    finished = true;
    co_return Result<void>();
  }
  bool started() const override { return started_; }
  Task<Result<std::unique_ptr<net::WebSocket>>> accept_websocket(std::string) override {
    co_return Error(Code::bad_request, "no WebSocket in this test");
  }
  Task<Result<std::unique_ptr<net::Stream>>> upgrade(net::Headers) override {
    co_return Error(Code::bad_request, "no upgrade in this test");
  }

 private:
  net::Request request_;
  std::string body_;
  bool started_ = false;
};

}  // namespace kinglet::apiserver::testing

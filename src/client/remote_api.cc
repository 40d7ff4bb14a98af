#include "client/remote_api.h"

#include "base/deadline.h"
#include "client/http_api.h"
#include "client/internal/rest_api.h"
#include "client/object.h"
#include "json/json.h"

namespace kinglet::client {
namespace {

constexpr Duration kRequestTimeout = 30s;
constexpr size_t kAnswerBytesMax = 64
                                   << 20;  // a page of 500 objects of ordinary size is a megabyte
constexpr size_t kErrorBytesMax = 64 << 10;
constexpr size_t kEventBytesMax = 8 << 20;  // an object is at most 3 MiB
constexpr size_t kReadBytes = 16 << 10;

Task<Error> refusal(net::H2Call& call, int status) {
  const auto body = co_await net::read_all(call, kErrorBytesMax);
  co_return error_of_status(status, body ? *body : "");
}

class RemoteWatch final : public Watch {
 public:
  explicit RemoteWatch(std::unique_ptr<net::H2Call> call) : call_(std::move(call)) {}

  Task<Result<WatchEvent>> next() override {
    for (;;) {
      const size_t end = buffer_.find('\n', searched_);
      if (end != std::string::npos) {
        auto event = decode_watch_event(std::string_view(buffer_).substr(at_, end - at_));
        at_ = searched_ = end + 1;
        co_return event;
      }
      buffer_.erase(0, at_);
      at_ = 0;
      searched_ = buffer_.size();
      if (buffer_.empty()) std::string().swap(buffer_);  // a silent watch owns no buffer
      if (searched_ > kEventBytesMax)
        co_return Error(Code::unavailable, "a watch event is longer than {} bytes", kEventBytesMax);
      KL_CHECK(co_await more());
    }
  }

 private:
  Task<Result<void>> more() {
    char piece[kReadBytes];
    KL_TRY(got, co_await call_->read(piece));
    if (got == 0) co_return Error(Code::unavailable, "the watch has ended");
    buffer_.append(piece, got);
    co_return Result<void>();
  }

  std::unique_ptr<net::H2Call> call_;
  std::string buffer_;
  size_t at_ = 0, searched_ = 0;
};

class RemoteApi final : public RestApi {
 public:
  RemoteApi(Clock& clock, Connection& connection) : clock_(clock), connection_(connection) {}

  Task<Result<ObjectList>> list(const schema::Resource& resource, std::string ns,
                                ListOptions options) override {
    co_await connection_.ready();
    auto listing = RestApi::list(resource, std::move(ns), std::move(options));
    co_return co_await std::move(listing);
  }

  Task<Result<std::unique_ptr<Watch>>> watch(const schema::Resource& resource, std::string ns,
                                             ListOptions options) override {
    co_await connection_.ready();
    std::string target = watch_target(resource, ns, options);
    auto starting = start_watch(std::move(target));
    co_return co_await with_deadline(clock_, kRequestTimeout, std::move(starting));
  }

 private:
  Task<Result<Bytes>> send(const char* method, std::string target, std::string body,
                           const char* type) override {
    auto asking = ask(method, std::move(target), std::move(body), type);
    co_return co_await with_deadline(clock_, kRequestTimeout, std::move(asking));
  }

  Task<Result<Bytes>> ask(const char* method, std::string target, std::string body,
                          const char* type) {
    net::H2Request request;
    request.method = method;
    request.target = std::move(target);
    request.headers.add("accept", "application/json");
    if (type != nullptr) request.headers.add("content-type", type);
    request.has_body = type != nullptr;
    auto opening = connection_.open(std::move(request));
    KL_TRY(call, co_await std::move(opening));
    if (type != nullptr) {
      // A server that refuses early stops reading: its answer counts then.
      const auto sent = co_await call->write(body);
      if (sent) KL_CHECK(co_await call->close_write());
    }
    KL_TRY(status, co_await call->status());
    if (status / 100 != 2) co_return co_await refusal(*call, status);
    KL_TRY(answer, co_await net::read_all(*call, kAnswerBytesMax));
    co_return Bytes(answer);
  }

  Task<Result<std::unique_ptr<Watch>>> start_watch(std::string target) {
    net::H2Request request;
    request.target = std::move(target);
    request.headers.add("accept", "application/json");
    auto opening = connection_.open(std::move(request));
    KL_TRY(call, co_await std::move(opening));
    KL_TRY(status, co_await call->status());
    if (status / 100 != 2) co_return co_await refusal(*call, status);
    co_return std::unique_ptr<Watch>(std::make_unique<RemoteWatch>(std::move(call)));
  }

  Clock& clock_;
  Connection& connection_;
};

struct TypeName {
  std::string_view name;
  WatchEvent::Type type;
};
constexpr TypeName kTypes[] = {{"ADDED", WatchEvent::Type::added},
                               {"MODIFIED", WatchEvent::Type::modified},
                               {"DELETED", WatchEvent::Type::deleted},
                               {"BOOKMARK", WatchEvent::Type::bookmark}};

// An event as kinglet writes it: the object's bytes are taken as they are. nullopt: it is written
// otherwise.
std::optional<WatchEvent> decode_own(std::string_view line, const TypeName& row) {
  const std::string head = fmt::format("{{\"type\":\"{}\",\"object\":", row.name);
  if (!line.starts_with(head) || !line.ends_with("}}")) return std::nullopt;
  const auto bytes = line.substr(head.size(), line.size() - head.size() - 1);
  const auto object = json::parse(bytes);
  if (!object || !object->is_object()) return std::nullopt;
  WatchEvent event;
  event.type = row.type;
  event.revision = revision_of(*object);
  if (row.type != WatchEvent::Type::bookmark) event.object = Bytes(bytes);
  return event;
}

}  // namespace

Result<WatchEvent> decode_watch_event(std::string_view line) {
  while (line.ends_with('\r')) line.remove_suffix(1);
  for (const auto& row : kTypes)
    if (auto event = decode_own(line, row)) return std::move(*event);
  const auto parsed = json::parse(line);
  const json::Value* object = parsed ? json::find(*parsed, {"object"}) : nullptr;
  if (!object || !object->is_object())
    return Error(Code::unavailable, "the server sent something that is no watch event");
  const auto type = json::text_at(*parsed, {"type"});
  if (type == "ERROR") {
    const auto status = static_cast<int>(json::int_at(*object, {"code"}));
    return error_of_status(status, json::print(*object));
  }
  for (const auto& row : kTypes) {
    if (row.name != type) continue;
    WatchEvent event;
    event.type = row.type;
    event.revision = revision_of(*object);
    if (row.type != WatchEvent::Type::bookmark) event.object = Bytes(json::print(*object));
    return event;
  }
  return Error(Code::unavailable, "a watch event of unknown type");
}

std::unique_ptr<Api> make_remote_api(Clock& clock, Connection& connection) {
  return std::make_unique<RemoteApi>(clock, connection);
}

}  // namespace kinglet::client

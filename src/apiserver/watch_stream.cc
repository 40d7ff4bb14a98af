// One watch over HTTP: a pump that writes events as they come, and a clock that writes bookmarks
// and ends it in time.
#include "apiserver/internal/resource_handler.h"
#include "base/signal.h"
#include "base/task_group.h"

namespace kinglet::apiserver {
namespace {

constexpr Duration kBookmarkEvery = std::chrono::minutes(1);
constexpr Duration kWatchTimeoutMin =
    std::chrono::seconds(1800);  // upstream's --min-request-timeout
// Events that are written together: one TLS record and one system call for a burst.
constexpr size_t kBatchEvents = 64;
constexpr size_t kBatchBytes = 128 << 10;

// Frames in pieces, and where each frame ends.
struct Frames {
  std::vector<Bytes> pieces;
  std::vector<size_t> ends;
};

// Where frames go: a chunked answer, or WebSocket messages.
class FrameSink {
 public:
  virtual ~FrameSink() = default;
  virtual Task<Result<void>> write(Frames frames) = 0;
  virtual Task<Result<void>> finish() = 0;
};

class ChunkedSink final : public FrameSink {
 public:
  explicit ChunkedSink(net::Exchange& exchange) : exchange_(exchange) {}
  Task<Result<void>> write(Frames frames) override {
    co_return co_await exchange_.write(std::span<const Bytes>(frames.pieces));
  }
  Task<Result<void>> finish() override { return exchange_.finish(); }

 private:
  net::Exchange& exchange_;
};

class WebSocketSink final : public FrameSink {
 public:
  WebSocketSink(std::unique_ptr<net::WebSocket> socket, bool binary)
      : socket_(std::move(socket)), binary_(binary) {}
  Task<Result<void>> write(Frames frames) override {
    size_t at = 0;
    for (const size_t end : frames.ends) {
      std::string message;
      for (; at < end; ++at) message += frames.pieces[at].view();
      KL_CHECK(co_await socket_->write(message, binary_));
    }
    co_return Result<void>();
  }
  Task<Result<void>> finish() override { return socket_->close(1000, ""); }

 private:
  std::unique_ptr<net::WebSocket> socket_;
  bool binary_;
};

class WatchStream {
 public:
  WatchStream(Serving serving, std::unique_ptr<Watcher> watcher, Renderer renderer, FrameSink& sink,
              bool bookmarks, Duration timeout)
      : serving_(serving),
        watcher_(std::move(watcher)),
        renderer_(std::move(renderer)),
        sink_(sink),
        bookmarks_(bookmarks),
        timeout_(timeout) {}

  Task<Result<void>> run() {
    group_.add("watch events", pump());
    group_.add("watch clock", tick());
    KL_CHECK(co_await group_.run());
    co_return co_await sink_.finish();
  }

 private:
  // Writes every event; an event in hand is announced by holding_, so that no bookmark overtakes
  // it.
  Task<Result<void>> pump() {
    for (;;) {
      auto item = co_await watcher_->next();
      holding_ = true;
      co_await lock();
      auto written = co_await write_batch(std::move(item));
      unlock();
      holding_ = false;
      if (!written) co_return std::move(written.error());
      if (!*written) {
        group_.cancel();
        co_return Result<void>();
      }
    }
  }

  // Writes `first` and what else is there. False: the watch has ended, and the client knows.
  Task<Result<bool>> write_batch(Result<WatchItem> first) {
    Frames frames;
    size_t bytes = 0;
    Result<std::optional<WatchItem>> item =
        first ? Result<std::optional<WatchItem>>(std::move(*first))
              : Result<std::optional<WatchItem>>(std::move(first.error()));
    size_t events = 0;
    while (item && *item) {
      const auto framed = append(frames, **item);
      if (!framed) {
        item = framed.error();
        break;
      }
      if ((*item)->entry) bytes += (*item)->entry->value.size();
      if (++events == kBatchEvents || bytes > kBatchBytes) break;
      item = watcher_->poll();
    }
    if (!item) add(frames, renderer_.error_frame(item.error()));
    if (!frames.pieces.empty()) KL_CHECK(co_await sink_.write(std::move(frames)));
    co_return item.has_value();
  }

  Result<void> append(Frames& frames, const WatchItem& item) {
    if (item.type == WatchItem::Type::progress && !bookmarks_) return {};
    KL_CHECK_FN(renderer_.append_frame(frames.pieces, item));
    frames.ends.push_back(frames.pieces.size());
    return {};
  }
  static void add(Frames& frames, Bytes frame) {
    frames.pieces.push_back(std::move(frame));
    frames.ends.push_back(frames.pieces.size());
  }

  // Wakes on whole minutes of the clock, so that all watches of a process wake together.
  Task<Result<void>> tick() {
    const auto end = serving_.clock.now() + timeout_;
    for (;;) {
      const auto now = serving_.clock.now();
      if (now >= end) break;
      Duration pause = end - now;
      if (bookmarks_) pause = std::min(pause, kBookmarkEvery - now.since_start % kBookmarkEvery);
      co_await serving_.clock.sleep(pause);
      if (!bookmarks_ || holding_) continue;
      KL_CHECK(co_await bookmark());
    }
    co_await lock();  // never in the middle of a frame
    group_.cancel();
    co_return Result<void>();
  }

  // What waits in the queue goes first; then everything up to the current revision has been said.
  // When the pump takes an event while this writes, it goes on: the order is the queue's.
  Task<Result<void>> bookmark() {
    co_await lock();
    Result<void> result;
    for (bool more = true; more && result && !holding_;) {
      Frames frames;
      auto item = watcher_->poll();
      more = item && *item;
      if (more) {
        result = append(frames, **item);
      } else if (item) {
        add(frames, renderer_.bookmark_frame(serving_.registry.store().current(), false));
      }
      if (result && !frames.pieces.empty()) result = co_await sink_.write(std::move(frames));
    }
    unlock();
    co_return std::move(result);
  }

  Task<void> lock() {
    while (locked_) co_await unlocked_.wait();
    locked_ = true;
  }
  void unlock() {
    locked_ = false;
    unlocked_.notify_all();
  }

  Serving serving_;
  std::unique_ptr<Watcher> watcher_;
  Renderer renderer_;
  FrameSink& sink_;
  bool bookmarks_;
  Duration timeout_;
  TaskGroup group_;
  bool holding_ = false;
  bool locked_ = false;
  Signal unlocked_;
};

bool wants_websocket(const net::Request& request) {
  std::string upgrade(request.headers.get("upgrade"));
  for (auto& c : upgrade) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return upgrade == "websocket" || request.headers.find("sec-websocket-version") != nullptr;
}

}  // namespace

Task<Result<void>> serve_watch(Serving serving, net::Exchange& exchange, const RequestInfo& info) {
  const auto& resource = *info.resource;
  if (!resource.has_verb("watch"))
    co_return Error(Code::method_not_allowed,
                    "the server does not allow this method on the requested resource");
  const auto& request = exchange.request();
  KL_TRY(renderer, renderer_for(serving, request, resource, {.transforms = true, .watch = true}));
  KL_TRY(query, list_query(request, resource, true));
  if (!info.name.empty()) query.selection.select_name(info.name);  // the old /watch/ paths
  const bool bookmarks = query.bookmarks;
  const Duration timeout = query.timeout.value_or(
      kWatchTimeoutMin +
      Duration(static_cast<int64_t>(serving.random.unit() * kWatchTimeoutMin.count())));
  KL_TRY(watcher, co_await Watcher::start(serving.registry.store(), serving.clock, resource,
                                          object_namespace(info), std::move(query)));
  std::unique_ptr<FrameSink> sink;
  if (wants_websocket(request)) {
    KL_TRY(socket, co_await exchange.accept_websocket(""));
    sink = std::make_unique<WebSocketSink>(std::move(socket),
                                           renderer.output().media == Media::protobuf);
  } else {
    net::Headers headers;
    headers.add("Content-Type", content_type(renderer.output()));
    KL_CHECK(co_await exchange.start(200, std::move(headers)));
    sink = std::make_unique<ChunkedSink>(exchange);
  }
  WatchStream stream(serving, std::move(watcher), std::move(renderer), *sink, bookmarks, timeout);
  co_return co_await stream.run();
}

}  // namespace kinglet::apiserver

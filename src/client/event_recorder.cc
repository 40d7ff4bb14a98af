#include "client/event_recorder.h"

#include "base/task.h"
#include "client/write.h"

namespace kinglet::client {
namespace {
constexpr int kBurst = 25;
constexpr Duration kRefill = 5min;
constexpr int kSimilarMax = 10;
constexpr Duration kSimilarWindow = 10min;
// Written events expire on the server after an hour: adding to an older one would find nothing.
constexpr Duration kRememberFor = 50min;
constexpr size_t kMessageBytesMax = 1024;  // the API refuses longer ones

std::string subject(const ObjectReference& o) {
  return fmt::format("{}/{}/{}/{}/{}", o.api_version, o.kind, o.ns, o.name, o.uid + o.field_path);
}
const char* text_of(EventType type) { return type == EventType::normal ? "Normal" : "Warning"; }
}  // namespace

EventRecorder::EventRecorder(Api& api, Clock& clock, Random& random, Metrics& metrics,
                             std::string component, std::string host)
    : api_(api),
      clock_(clock),
      random_(random),
      component_(std::move(component)),
      host_(std::move(host)),
      dropped_(metrics.counter("kinglet_client_events_dropped_total",
                               "Events not written: over an object's budget, queue full or refused",
                               {{"component", component_}})) {}

void EventRecorder::event(const ObjectReference& about, EventType type, std::string reason,
                          std::string message, std::string as) {
  if (queue_.size() >= kQueuedMax) {
    dropped_.add();
    return;
  }
  if (message.size() > kMessageBytesMax) message.resize(kMessageBytesMax);
  if (as.empty()) as = component_;
  queue_.push_back({about, type, std::move(reason), std::move(message), std::move(as), clock_.wall()});
  queued_.notify_all();
}

Task<void> EventRecorder::run() {
  for (;;) {
    while (queue_.empty()) co_await queued_.wait();
    Told told = std::move(queue_.front());
    queue_.pop_front();
    if (!within_budget(told)) {
      dropped_.add();
      continue;
    }
    auto writing = write(std::move(told));
    const auto result = co_await std::move(writing);
    if (!result) dropped_.add();  // an event is worth one attempt: its subject may be gone by now
  }
}

template <class T>
void EventRecorder::bound(std::map<std::string, T>& remembered) {
  // Forgetting any of them only makes one more Event object: the choice need not be clever.
  if (remembered.size() >= kRememberedMax) remembered.clear();
}

bool EventRecorder::within_budget(const Told& told) {
  const auto now = clock_.now();
  bound(budgets_);
  auto [at, fresh] = budgets_.try_emplace(told.component + '/' + subject(told.about), Budget{kBurst, now});
  auto& budget = at->second;
  budget.tokens = std::min<double>(
      kBurst, budget.tokens + std::chrono::duration<double>(now - budget.refilled).count() /
                                  std::chrono::duration<double>(kRefill).count());
  budget.refilled = now;
  if (budget.tokens < 1) return false;
  budget.tokens -= 1;
  return true;
}

std::string EventRecorder::correlate(Told& told) {
  const auto now = clock_.now();
  const auto alike = told.component + '/' + subject(told.about) + '/' + text_of(told.type) + '/' + told.reason;
  bound(similar_);
  auto& similar = similar_[alike];
  if (now - similar.since > kSimilarWindow) similar = {{}, now};
  if (similar.messages.size() < kSimilarMax || similar.messages.contains(told.message)) {
    ++similar.messages[told.message];
    return alike + '/' + told.message;
  }
  told.message = ("(combined from similar events): " + told.message).substr(0, kMessageBytesMax);
  return alike;
}

Task<Result<void>> EventRecorder::write(Told told) {
  auto key = correlate(told);
  const auto now = clock_.now();
  const auto known = written_.find(key);
  if (known == written_.end() || now - known->second.last > kRememberFor) {
    auto creating = create(std::move(told), std::move(key));
    co_return co_await std::move(creating);
  }
  auto& written = known->second;
  written.last = now;
  const json::Object patch = {{"count", ++written.count},
                              {"lastTimestamp", rfc3339(told.when)},
                              {"message", told.message}};
  const ObjectKey written_key{written.ns, written.name};
  const json::Value change = patch;
  const auto patched = co_await merge(api_, resource("", "v1", "events"), written_key, change);
  if (patched) co_return Result<void>();
  if (!patched.is(Code::not_found)) co_return patched.error();
  auto creating = create(std::move(told), std::move(key));
  co_return co_await std::move(creating);
}

Task<Result<void>> EventRecorder::create(Told told, std::string key) {
  const auto ns = told.about.ns.empty() ? std::string("default") : told.about.ns;
  const auto name = fmt::format("{}.{:016x}", told.about.name,
                                std::chrono::nanoseconds(told.when.since_epoch).count() +
                                    static_cast<int64_t>(random_.below(1000)));
  const auto object = object_of(told, name);
  const auto made = co_await client::create(api_, resource("", "v1", "events"), ns, object);
  if (!made) co_return made.error();
  bound(written_);
  written_[key] = {ns, name, 1, clock_.now()};
  co_return Result<void>();
}

json::Value EventRecorder::object_of(const Told& told, const std::string& name) const {
  const auto& about = told.about;
  json::Object involved;
  const std::pair<const char*, const std::string&> parts[] = {
      {"kind", about.kind},      {"namespace", about.ns},
      {"name", about.name},      {"uid", about.uid},
      {"apiVersion", about.api_version}, {"fieldPath", about.field_path}};
  for (const auto& [key, value] : parts)
    if (!value.empty()) involved[key] = value;
  if (about.revision > 0) involved["resourceVersion"] = std::to_string(about.revision);
  json::Object source = {{"component", told.component}};
  if (!host_.empty()) source["host"] = host_;
  const auto when = rfc3339(told.when);
  return json::Object{
      {"apiVersion", "v1"},
      {"kind", "Event"},
      {"metadata", json::Object{{"name", name}, {"namespace", about.ns.empty() ? "default" : about.ns}}},
      {"involvedObject", std::move(involved)},
      {"reason", told.reason},
      {"message", told.message},
      {"source", std::move(source)},
      {"firstTimestamp", when},
      {"lastTimestamp", when},
      {"count", 1},
      {"type", text_of(told.type)},
      {"reportingComponent", told.component},
      {"reportingInstance", host_}};
}

}  // namespace kinglet::client

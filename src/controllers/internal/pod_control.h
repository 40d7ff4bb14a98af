// Creates and removes pods for their controllers, and tells people about it in the owner's events.
#pragma once
#include <string>

#include "client/event_recorder.h"
#include "controllers/internal/kinds.h"

namespace kinglet::controllers {

class PodControl {
 public:
  // `component`: who says so in events ("job-controller").
  PodControl(client::EventRecorder& events, std::string component) : events_(events), component_(std::move(component)) {}

  // Errors: the API's. The references outlive the task.
  Task<Result<void>> create(client::Api& api, const client::ObjectReference& owner, const json::Value& pod) const;
  // A pod that has gone already is no error.
  Task<Result<void>> remove(client::Api& api, const client::ObjectReference& owner, Ref<const Pod> pod) const;

  void event(const client::ObjectReference& about, client::EventType type, std::string reason, std::string message) const {
    events_.event(about, type, std::move(reason), std::move(message), component_);
  }

 private:
  client::EventRecorder& events_;
  std::string component_;
};

// A namespace that is going away takes no new objects. That is nobody's failure: it takes their owner, too.
bool namespace_is_going(const Error& error);

}  // namespace kinglet::controllers

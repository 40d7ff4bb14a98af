// The parts of a pod worker that deal with one container: starting it, and what it left when it ended.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/task_fwd.h"
#include "node/pod_parts.h"
#include "node/pod_state.h"

namespace kinglet::node {

struct StartEvent {
  client::EventType type;
  std::string reason, message;
};
struct Started {
  std::optional<std::string> id;
  std::string reason, message;  // when there is no id: of the waiting state
  std::vector<StartEvent> events;
};
Task<Started> start_container(const PodParts& parts, api::Pod pod, api::Container container, std::string sandbox_id,
                              int attempt);

// What the container wrote to its termination log, or the end of its log when it asked for that. At most 4 KiB.
std::string termination_message(const PodParts& parts, const api::Pod& pod, const api::Container& container,
                                const ContainerState& state);
// Logs and termination messages of a pod that is gone.
void remove_pod_files(const PodParts& parts, const api::Pod& pod);

}  // namespace kinglet::node

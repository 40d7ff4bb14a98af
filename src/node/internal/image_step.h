// The first step of a container's start: its image, by its pull policy.
#pragma once
#include <string>

#include "base/task_fwd.h"
#include "node/pod_parts.h"

namespace kinglet::node {

// Who pulls for a pod, and tells of it: the worker, which ends a pull when its pod is deleted.
class ImagePuller {
 public:
  virtual ~ImagePuller() = default;
  virtual Task<Result<runtime::Pulled>> pull(runtime::PullRequest request) = 0;
  virtual void tell(client::EventType type, const std::string& reason,
                    const std::string& message) = 0;
};

struct ImageStep {
  bool present = false;
  std::string reason, message;  // of the waiting state, when it is not
};
Task<ImageStep> ensure_image(const PodParts& parts, api::Pod pod, api::Container container,
                             ImagePuller& puller);

constexpr const char* kErrImagePull = "ErrImagePull";
constexpr const char* kImagePullBackOff = "ImagePullBackOff";

}  // namespace kinglet::node

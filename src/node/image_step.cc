#include "node/internal/image_step.h"

#include <fmt/ranges.h>

#include "base/log.h"
#include "base/task.h"
#include "node/pull_secrets.h"
#include "node/runtime/image_reference.h"

// Reasons and texts as the kubelet has them: people search for them, and tools match them.
namespace kinglet::node {
namespace {

// "1.234s", "512ms", as Go prints durations.
std::string text_of(Duration duration) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  if (ms < 1000) return fmt::format("{}ms", ms);
  if (ms < 60'000) return fmt::format("{}.{:03}s", ms / 1000, ms % 1000);
  return fmt::format("{}m{}.{:03}s", ms / 60'000, ms / 1000 % 60, ms % 1000);
}

Task<std::vector<PullSecret>> fetch_secrets(const PodParts& parts, const api::Pod& pod,
                                            ImagePuller& puller) {
  std::vector<PullSecret> out;
  std::vector<std::string> missing;
  for (const auto& reference : pod.spec.imagePullSecrets) {
    auto getting = parts.config.secret(pod.metadata.namespace_, reference.name);
    const auto secret = co_await std::move(getting);
    auto found =
        secret ? pull_secrets_of(*secret) : Result<std::vector<PullSecret>>(secret.error());
    if (!found) {
      missing.push_back(reference.name);
      continue;
    }
    out.insert(out.end(), found->begin(), found->end());
  }
  if (!missing.empty())
    puller.tell(client::EventType::warning, "FailedToRetrieveImagePullSecret",
                fmt::format("Unable to retrieve some image pull secrets ({}); attempting to pull "
                            "the image may not succeed.",
                            fmt::join(missing, ", ")));
  co_return out;
}

ImageStep waiting(std::string reason, std::string message) {
  return {false, std::move(reason), std::move(message)};
}

ImageStep never_pulled(const std::string& image, ImagePuller& puller) {
  const std::string text =
      fmt::format("Container image \"{}\" is not present with pull policy of Never", image);
  puller.tell(client::EventType::warning, "ErrImageNeverPull", text);
  puller.tell(client::EventType::warning, "Failed", "Error: ErrImageNeverPull");
  return waiting("ErrImageNeverPull", text);
}

}  // namespace

Task<ImageStep> ensure_image(const PodParts& parts, api::Pod pod, api::Container container,
                             ImagePuller& puller) {
  const std::string& image = container.image;
  const auto here = parts.runtime.images().find(image);
  const auto reference = runtime::parse_reference(image);
  if (!here && !reference) {
    const std::string text = fmt::format(
        "Failed to apply default image tag \"{0}\": couldn't parse image name \"{0}\": {1}", image,
        reference.error().message());
    puller.tell(client::EventType::warning, "InspectFailed", text);
    puller.tell(client::EventType::warning, "Failed", "Error: InvalidImageName");
    co_return waiting("InvalidImageName", text);
  }
  const std::string& policy = container.imagePullPolicy;
  if (here && (policy != "Always" || !reference)) {
    puller.tell(client::EventType::normal, "Pulled",
                fmt::format("Container image \"{}\" already present on machine", image));
    co_return ImageStep{true, "", ""};
  }
  if (policy == "Never") co_return never_pulled(image, puller);

  auto fetching = fetch_secrets(parts, pod, puller);
  auto secrets = co_await std::move(fetching);
  runtime::PullRequest request;
  request.reference = image;
  request.credentials = credentials_for(std::move(secrets), reference->repository);
  puller.tell(client::EventType::normal, "Pulling", fmt::format("Pulling image \"{}\"", image));
  const TimePoint begun = parts.clock.now();
  auto pulling = puller.pull(std::move(request));
  const auto pulled = co_await std::move(pulling);
  if (!pulled) {
    const std::string& why = pulled.error().message();
    puller.tell(client::EventType::warning, "Failed",
                fmt::format("Failed to pull image \"{}\": {}", image, why));
    puller.tell(client::EventType::warning, "Failed", "Error: ErrImagePull");
    co_return waiting(kErrImagePull, why);
  }
  const std::string took = text_of(parts.clock.now() - begun);
  puller.tell(
      client::EventType::normal, "Pulled",
      fmt::format(
          "Successfully pulled image \"{}\" in {} ({} including waiting). Image size: {} bytes.",
          image, took, took, pulled->image.size_bytes));
  co_return ImageStep{true, "", ""};
}

}  // namespace kinglet::node

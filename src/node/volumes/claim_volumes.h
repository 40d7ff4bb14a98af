// Persistent volumes on this machine: where the volume behind a claim is, made when it is one of ours.
#pragma once
#include <string>

#include "base/result.h"
#include "base/task_fwd.h"
#include "client/api.h"
#include "json/json.h"

namespace kinglet::node {

// The folder of a persistent volume (its object), ready to be mounted. A local-path volume's is made, writable for
// everybody, since nobody knows as whom its pods run. Errors: invalid (a kind of volume that this node cannot
// mount), io, not_found (a local volume's folder).
Result<std::string> prepare_volume(const json::Value& volume);

// Looks up the claim and its volume, and prepares that. Errors: those of prepare_volume, not_found, unavailable (not
// bound yet). The strings outlive the task.
Task<Result<std::string>> claim_folder(client::Api& api, const std::string& ns, const std::string& claim);

// Removes the folder of a local-path volume with all that is in it. Refuses paths that are not right below
// `storage_dir` or do not look like such a folder. Idempotent; blocks. Errors: invalid, io.
Result<void> remove_volume_folder(const std::string& storage_dir, const std::string& path);

}  // namespace kinglet::node

// Which machine a node's name belongs to: the one whose key got the first certificate for it.
// Another machine with the same join token may not take the name while the Node exists; deleting
// the Node frees it.
//
// Kept as a Secret of kube-system beside the Node, which the node itself can neither read nor
// change.
#pragma once
#include <string>

#include "base/result.h"
#include "base/task_fwd.h"
#include "client/api.h"

namespace kinglet::cluster {

class NodeNames {
 public:
  explicit NodeNames(client::Api& api) : api_(api) {}  // outlives this

  // Whether that key may have a first certificate for the name. Errors: already_exists (says what
  // to do).
  Task<Result<void>> may_take(std::string node, std::string public_key_sha256);
  // The name is this key's from now on.
  Task<Result<void>> bind(std::string node, std::string public_key_sha256);
  // Whether a certificate of that key still stands for the node. Errors: already_exists (another
  // machine has the name now).
  Task<Result<void>> check(std::string node, std::string public_key_sha256);

 private:
  Task<Result<std::string>> bound_key(std::string node);  // empty: none
  client::Api& api_;
};

}  // namespace kinglet::cluster

// A pod of this node, as the watch brings it; parsed when somebody wants it. One watch serves all who ask for
// informers.of<LocalPod>("", "spec.nodeName=<name>").
#pragma once
#include <memory>

#include "client/object.h"

namespace kinglet::node {

struct LocalPod : client::Object {
  static const schema::Resource& resource();
  static std::shared_ptr<LocalPod> decode(const json::Value&) { return std::make_shared<LocalPod>(); }
};

}  // namespace kinglet::node

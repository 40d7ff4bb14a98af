// Which nodes are there right now, as far as somebody watches them more closely than their lease
// tells.
#pragma once
#include <functional>
#include <string>

namespace kinglet::client {

class NodeLiveness {
 public:
  enum class State {
    unknown,  // nobody watches it: its lease decides
    alive,
    lost,
  };
  virtual ~NodeLiveness() = default;
  virtual State state(const std::string& node) const = 0;
  // Called on the loop after a node's state has changed; for as long as this object lives.
  virtual void on_change(std::function<void(const std::string& node)> changed) = 0;
};

}  // namespace kinglet::client

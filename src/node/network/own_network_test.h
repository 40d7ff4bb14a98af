// For tests that change interfaces, rules and mounts: a child process with a network and mounts of its own.
#pragma once
#include <functional>

namespace kinglet::network::testing {

// False (and the test is skipped by the caller): this user may not make namespaces.
bool can_have_own_network();
// Runs `body` there; its failed expectations fail the calling test.
void in_own_network(const std::function<void()>& body);

}  // namespace kinglet::network::testing

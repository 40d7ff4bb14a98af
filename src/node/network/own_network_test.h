// For tests that change interfaces, rules and mounts: a child process with a network and mounts of its own.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

namespace kinglet::network::testing {

// False (and the test is skipped by the caller): this user may not make namespaces.
bool can_have_own_network();
// Runs `body` there; its failed expectations fail the calling test.
void in_own_network(const std::function<void()>& body);

// `netns`: a pinned namespace; empty: where the caller is.
// A TCP server that tells each client "<name> <the client's address>". It ends with the calling process.
void serve(const std::string& netns, uint16_t port, const std::string& name);
// What such a server says; "refused", "silence" (within a second), or another reason.
std::string ask(const std::string& netns, const std::string& ip, uint16_t port);

}  // namespace kinglet::network::testing

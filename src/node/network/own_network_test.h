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

// The same, but it takes the connection and says nothing.
void serve_silence(const std::string& netns, uint16_t port);
// A client that has connected and waits for words, in a process of its own.
class Waiting {
 public:
  Waiting(const std::string& netns, const std::string& ip, uint16_t port);
  ~Waiting();
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  bool connected() const { return connected_; }
  // How its wait ended: "Software caused connection abort", "Connection reset by peer", "closed"; "waits" while it has not
  // ended.
  std::string outcome();

 private:
  int child_ = -1, words_ = -1;
  bool connected_ = false;
  std::string told_;
};

// A UDP server that answers each datagram with "<name> <the sender's address>".
void serve_udp(const std::string& netns, uint16_t port, const std::string& name);
// What it says to "hello", from this source port (0: any); "silence" within a second, or another reason.
std::string ask_udp(const std::string& netns, const std::string& ip, uint16_t port, uint16_t source_port = 0);

}  // namespace kinglet::network::testing

#include "node/network/own_network_test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace kinglet::network::testing {

namespace {
int status_of_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
int leave_host() { return ::unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS); }
}  // namespace

bool can_have_own_network() { return status_of_child(leave_host) == 0; }

void in_own_network(const std::function<void()>& body) {
  const int status = status_of_child([&] {
    if (leave_host() != 0) return 77;
    ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    ::mount("none", "/run", "tmpfs", 0, nullptr);
    // Another mount of /sys and /proc/sys is not needed: /proc/sys/net follows the process.
    body();
    std::fflush(stdout);
    return ::testing::Test::HasFailure() ? 1 : 0;
  });
  EXPECT_EQ(status, 0) << "in the network of its own; see above";
}

namespace {
sockaddr_in address_of(const std::string& ip, uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, ip.c_str(), &address.sin_addr);
  return address;
}

void enter(const std::string& netns) {
  if (netns.empty()) return;
  const int fd = ::open(netns.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 || ::setns(fd, CLONE_NEWNET) != 0) ::_exit(2);
  ::close(fd);
}

[[noreturn]] void answer_clients(int listener, const std::string& name) {
  for (;;) {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    const int client = ::accept(listener, reinterpret_cast<sockaddr*>(&peer), &size);
    if (client < 0) ::_exit(0);
    char ip[INET_ADDRSTRLEN] = {};
    ::inet_ntop(AF_INET, &peer.sin_addr, ip, sizeof ip);
    const std::string text = name + " " + ip;
    (void)!::write(client, text.data(), text.size());
    ::close(client);
  }
}

std::string ask_here(const std::string& ip, uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  const timeval limit{.tv_sec = 1, .tv_usec = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  const sockaddr_in address = address_of(ip, port);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return errno == ECONNREFUSED                                           ? "refused"
           : errno == EINPROGRESS || errno == EAGAIN || errno == ETIMEDOUT ? "silence"
                                                                           : std::strerror(errno);
  char text[200];
  const ssize_t n = ::read(fd, text, sizeof text);
  return n > 0 ? std::string(text, static_cast<size_t>(n)) : "nothing";
}
}  // namespace

namespace {
// Runs `serve_on` with a bound socket of `type`, in a child; returns when it is bound.
void serve_in_child(const std::string& netns, uint16_t port, int type,
                    const std::function<void(int)>& serve_on) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  if (::fork() == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    enter(netns);
    const int fd = ::socket(AF_INET, type, 0);
    const sockaddr_in any = address_of("0.0.0.0", port);
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0) ::_exit(3);
    if (type == SOCK_STREAM) ::listen(fd, 16);
    ::close(ready[0]);
    ::close(ready[1]);
    serve_on(fd);
    ::_exit(0);
  }
  ::close(ready[1]);
  char end;
  (void)!::read(ready[0], &end, 1);  // until the server listens
  ::close(ready[0]);
}

// What `question` returns, asked inside the namespace by a child.
std::string ask_in_child(const std::string& netns, const std::function<std::string()>& question) {
  int out[2];
  if (::pipe(out) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    enter(netns);
    const std::string answer = question();
    (void)!::write(out[1], answer.data(), answer.size());
    ::_exit(0);
  }
  ::close(out[1]);
  char text[256];
  const ssize_t n = ::read(out[0], text, sizeof text);
  ::close(out[0]);
  ::waitpid(child, nullptr, 0);
  return n > 0 ? std::string(text, static_cast<size_t>(n)) : "died";
}

void answer_datagrams(int fd, const std::string& name) {
  for (;;) {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    char text[100];
    if (::recvfrom(fd, text, sizeof text, 0, reinterpret_cast<sockaddr*>(&peer), &size) < 0) return;
    char ip[INET_ADDRSTRLEN] = {};
    ::inet_ntop(AF_INET, &peer.sin_addr, ip, sizeof ip);
    const std::string answer = name + " " + ip;
    ::sendto(fd, answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&peer), size);
  }
}

std::string ask_udp_here(const std::string& ip, uint16_t port, uint16_t source_port) {
  const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
  const timeval limit{.tv_sec = 1, .tv_usec = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  const sockaddr_in own = address_of("0.0.0.0", source_port), to = address_of(ip, port);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) return "no such port";
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
    return std::strerror(errno);
  if (::send(fd, "hello", 5, 0) < 0) return std::strerror(errno);
  char text[200];
  const ssize_t n = ::recv(fd, text, sizeof text, 0);
  if (n >= 0) return std::string(text, static_cast<size_t>(n));
  return errno == ECONNREFUSED ? "refused" : errno == EAGAIN ? "silence" : std::strerror(errno);
}
}  // namespace

void serve(const std::string& netns, uint16_t port, const std::string& name) {
  serve_in_child(netns, port, SOCK_STREAM, [&](int listener) { answer_clients(listener, name); });
}

void serve_silence(const std::string& netns, uint16_t port) {
  serve_in_child(netns, port, SOCK_STREAM, [](int listener) {
    while (::accept(listener, nullptr, nullptr) >= 0) {
    }
  });
}

void serve_udp(const std::string& netns, uint16_t port, const std::string& name) {
  serve_in_child(netns, port, SOCK_DGRAM, [&](int fd) { answer_datagrams(fd, name); });
}

std::string ask(const std::string& netns, const std::string& ip, uint16_t port) {
  return ask_in_child(netns, [&] { return ask_here(ip, port); });
}

std::string ask_udp(const std::string& netns, const std::string& ip, uint16_t port,
                    uint16_t source_port) {
  return ask_in_child(netns, [&] { return ask_udp_here(ip, port, source_port); });
}

Waiting::Waiting(const std::string& netns, const std::string& ip, uint16_t port) {
  int words[2];
  if (::pipe(words) != 0) return;
  child_ = ::fork();
  if (child_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    enter(netns);
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    const timeval limit{.tv_sec = 1, .tv_usec = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);  // of connect()
    const sockaddr_in address = address_of(ip, port);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) ::_exit(1);
    (void)!::write(words[1], "c", 1);
    char byte;
    const ssize_t n = ::read(fd, &byte, 1);
    const std::string text = n < 0 ? std::strerror(errno) : "closed";
    (void)!::write(words[1], text.data(), text.size());
    ::_exit(0);
  }
  ::close(words[1]);
  words_ = words[0];
  char c;
  connected_ = ::read(words_, &c, 1) == 1;
}

Waiting::~Waiting() {
  if (child_ > 0) {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  if (words_ >= 0) ::close(words_);
}

std::string Waiting::outcome() {
  pollfd wait{words_, POLLIN, 0};
  if (!told_.empty()) return told_;
  if (::poll(&wait, 1, 20) != 1) return "waits";
  char text[100];
  const ssize_t n = ::read(words_, text, sizeof text);
  told_ = n > 0 ? std::string(text, static_cast<size_t>(n)) : "died";
  return told_;
}

}  // namespace kinglet::network::testing

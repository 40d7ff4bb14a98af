// hello: answers every GET with a greeting (from $GREETING), the name of the pod and what asked.
// /healthz answers "ok". One thread, one request per connection; ends at once on SIGTERM.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

constexpr size_t kRequestBytesMax = 16 * 1024;
constexpr timeval kClientPatience = {2, 0};  // a client that says nothing does not hold up the others for long

void stop(int) { _exit(0); }

std::string environment(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? otherwise : value;
}

bool send_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    text.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

void answer(int fd, const std::string& greeting, const std::string& host) {
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kClientPatience, sizeof kClientPatience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kClientPatience, sizeof kClientPatience);
  std::string request;
  while (request.find("\r\n\r\n") == std::string::npos && request.size() < kRequestBytesMax) {
    char buffer[2048];
    const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0) return;
    request.append(buffer, static_cast<size_t>(n));
  }
  const std::string line = request.substr(0, request.find('\r'));
  const bool health = line.rfind("GET /healthz", 0) == 0;
  const std::string body = health ? "ok\n" : greeting + " from " + host + "\n";
  if (!health) {
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
  }
  send_all(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
               "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
}

}  // namespace

int main() {
  std::signal(SIGTERM, stop);
  std::signal(SIGINT, stop);
  const std::string greeting = environment("GREETING", "Hello");
  char host[256] = "somewhere";
  gethostname(host, sizeof host - 1);
  const int port = std::atoi(environment("PORT", "8080").c_str());

  const int listener = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int family = listener >= 0 ? AF_INET6 : AF_INET;
  const int fd = listener >= 0 ? listener : ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1, off = 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_storage address{};
  socklen_t length;
  if (family == AF_INET6) {
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(static_cast<uint16_t>(port));
    length = sizeof *v6;
  } else {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<uint16_t>(port));
    length = sizeof *v4;
  }
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), length) != 0 || ::listen(fd, 128) != 0) {
    std::perror("hello: cannot listen");
    return 1;
  }
  std::printf("hello: serving on port %d\n", port);
  std::fflush(stdout);
  for (;;) {
    const int client = ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    answer(client, greeting, host);
    ::close(client);
  }
}

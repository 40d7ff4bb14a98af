#include "tunnel/address_watch.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <cerrno>

#include "base/log.h"
#include "base/task.h"

namespace kinglet::tunnel {
namespace asio = boost::asio;

std::vector<std::string> own_addresses() {
  std::vector<std::string> out;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return out;
  for (const ifaddrs* at = list; at; at = at->ifa_next) {
    if (!at->ifa_addr || !(at->ifa_flags & IFF_UP) || (at->ifa_flags & IFF_LOOPBACK)) continue;
    char text[INET6_ADDRSTRLEN];
    if (at->ifa_addr->sa_family == AF_INET) {
      const auto& v4 = *reinterpret_cast<const sockaddr_in*>(at->ifa_addr);
      if (::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text)) out.emplace_back(text);
    } else if (at->ifa_addr->sa_family == AF_INET6) {
      const auto& v6 = *reinterpret_cast<const sockaddr_in6*>(at->ifa_addr);
      if (!IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr) &&
          ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text))
        out.emplace_back(text);
    }
  }
  ::freeifaddrs(list);
  return out;
}

bool have_address(const std::string& address) {
  if (address.starts_with("127.") || address == "::1") return true;
  const auto all = own_addresses();
  return std::find(all.begin(), all.end(), address) != all.end();
}

namespace {
Task<Result<void>> follow_netlink(std::function<void()> changed) {
  const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
  if (fd < 0) co_return errno_error(errno, "netlink socket");
  asio::posix::stream_descriptor socket(co_await asio::this_coro::executor, fd);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups =
      RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    co_return errno_error(errno, "netlink bind");
  for (;;) {
    boost::system::error_code failed;
    co_await socket.async_wait(asio::posix::stream_descriptor::wait_read,
                               asio::redirect_error(asio::use_awaitable, failed));
    const auto cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none)
      throw boost::system::system_error(asio::error::operation_aborted);
    if (failed) co_return Error(Code::io, "netlink: {}", failed.message());
    // What the messages say does not matter, and those that were lost (ENOBUFS) no more: who is
    // told looks for himself.
    char drop[8192];
    while (::recv(fd, drop, sizeof drop, 0) > 0 || errno == ENOBUFS || errno == EINTR) {
    }
    changed();
  }
}
}  // namespace

Task<void> watch_addresses(std::function<void()> changed) {
  auto following = follow_netlink(std::move(changed));
  const auto ended = co_await std::move(following);
  if (!ended)
    Log("tunnel").warn("changes of addresses are not followed", kv("error", ended.error()));
}

}  // namespace kinglet::tunnel

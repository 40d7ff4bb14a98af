// libnl's objects as owned values, and its errors as ours. For the files of this folder that speak netlink.
#pragma once
#include <netlink/cache.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/route.h>
#include <sys/socket.h>

#include <memory>
#include <string>

#include "base/result.h"

namespace kinglet::network::netlink {

template <auto kFree>
struct FreeBy {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Socket = std::unique_ptr<nl_sock, FreeBy<nl_socket_free>>;
using Link = std::unique_ptr<rtnl_link, FreeBy<rtnl_link_put>>;
using Address = std::unique_ptr<rtnl_addr, FreeBy<rtnl_addr_put>>;
using Route = std::unique_ptr<rtnl_route, FreeBy<rtnl_route_put>>;
using NetAddress = std::unique_ptr<nl_addr, FreeBy<nl_addr_put>>;
using Cache = std::unique_ptr<nl_cache, FreeBy<nl_cache_free>>;
using Message = std::unique_ptr<nl_msg, FreeBy<nlmsg_free>>;

inline Error error_of(int code, const std::string& what) {
  const Code kind = code == -NLE_EXIST                                ? Code::already_exists
                    : code == -NLE_NODEV || code == -NLE_OBJ_NOTFOUND ? Code::not_found
                                                                      : Code::io;
  return Error(kind, "{}: {}", what, nl_geterror(code));
}
inline Result<void> done(int code, const std::string& what) {
  if (code < 0) return error_of(code, what);
  return {};
}
inline Result<void> done_or_there(int code, const std::string& what) {
  return code == -NLE_EXIST ? Result<void>() : done(code, what);
}

// `family`: AF_INET, or AF_LLC for hardware addresses.
inline Result<NetAddress> parse_address(const std::string& text, int family = AF_INET) {
  nl_addr* address = nullptr;
  const int code = nl_addr_parse(text.c_str(), family, &address);
  if (code < 0) return error_of(code, "address " + text);
  return NetAddress(address);
}

}  // namespace kinglet::network::netlink

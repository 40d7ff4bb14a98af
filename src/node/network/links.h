// Links: interfaces, addresses and routes of one network namespace, by netlink. Blocking, each call some 50 us;
// belongs to the thread that opened it. The namespace is the one in which that thread then was.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace kinglet::network {

class Links {
 public:
  virtual ~Links() = default;
  // All of them are idempotent: what is there already is left as it is.
  // Its hardware address is fixed: the kernel would change it with the ports, and pods remember it.
  virtual Result<void> make_bridge(const std::string& name, int mtu) = 0;
  // `host` becomes a port of `bridge`, in hairpin mode; `peer` is born in the namespace `peer_netns`.
  virtual Result<void> make_veth(const std::string& host, const std::string& bridge, const std::string& peer,
                                 int peer_netns, int mtu) = 0;
  virtual Result<void> set_up(const std::string& name) = 0;
  virtual Result<void> add_address(const std::string& name, const std::string& ip, int prefix) = 0;
  virtual Result<void> remove_address(const std::string& name, const std::string& ip, int prefix) = 0;
  // `gateway` and `source`: empty for none. "0.0.0.0/0" is the default route.
  virtual Result<void> add_route(const std::string& to, const std::string& name, const std::string& gateway,
                                 const std::string& source) = 0;
  virtual Result<void> remove(const std::string& name) = 0;

  virtual bool exists(const std::string& name) = 0;
  // The first IPv4 address; nullopt: there is none, or no such interface.
  virtual std::optional<std::string> address(const std::string& name) = 0;
  virtual Result<std::vector<std::string>> names() = 0;
  virtual int mtu(const std::string& name) = 0;                // 0: no such interface
  virtual std::optional<std::string> default_interface() = 0;  // of the default route
};
// Errors: io.
Result<std::unique_ptr<Links>> open_links();

}  // namespace kinglet::network

// DnsForward: asks the host's name servers what is not the cluster's business.
#pragma once
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/files.h"
#include "base/random.h"

namespace kinglet::network {

class DnsForward {
 public:
  enum class Transport : uint8_t { udp, tcp };
  virtual ~DnsForward() = default;
  // The answer to a whole query message, under its id. Errors: unavailable (no name server, none answers, too many
  // questions at once): SERVFAIL. At once when resolv.conf names none.
  virtual Task<Result<std::string>> ask(std::string query, Transport transport) = 0;
};
// `resolv_conf` is read again when it may have changed; `own` is never asked.
std::unique_ptr<DnsForward> make_dns_forward(std::string resolv_conf, std::string own, Clock& clock, Random& random,
                                             Files& files);

}  // namespace kinglet::network

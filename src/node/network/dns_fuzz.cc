// Properties: any message is dropped or gets an answer that parses, is marked as one, and keeps its
// id; and it is never longer than was asked for.
#include <cstdlib>

#include "node/network/dns_message.h"
#include "node/network/dns_server.h"

using namespace kinglet::network;  // NOLINT: a fuzz target is a program of its own

namespace {
const DnsZone& zone() {
  static const DnsZone made = [] {
    static ServiceModel web{.ns = "a", .name = "web", .cluster_ip = "10.43.0.5"};
    web.ports = {{"http", "TCP", 80}};
    ServiceWorld world;
    world.services = {&web};
    DnsZone zone("cluster.local", {"10.43.0.0/16"});
    zone.rebuild(world);
    return zone;
  }();
  return made;
}
void require(bool holds) {
  if (!holds) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto query = read_query(bytes);
  if (!query) return 0;
  std::string answer;
  if (!*query) {
    answer = write_header_error(bytes, DnsCode::bad_format);
  } else {
    const DnsAnswer found = zone().resolve((*query)->name, (*query)->type);
    answer = write_answer(**query, found, "cluster.local", 512);
    require(answer.size() <= 512);
    (void)write_error(**query, DnsCode::failed);
  }
  require(answer.size() >= 12 && answer.substr(0, 2) == bytes.substr(0, 2));
  require((static_cast<unsigned char>(answer[2]) & 0x80) != 0);
  (void)cut_to(bytes, 20);
  (void)is_answer_to(answer, bytes, 1);
  (void)with_answers_of(answer, bytes);
  (void)upstreams_of(bytes, "");
  return 0;
}

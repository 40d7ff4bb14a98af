// DNS messages on the wire, by ldns. Pure: bytes in, bytes out.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "node/network/dns_zone.h"

namespace kinglet::network {

constexpr size_t kDnsUdpBytesMax = 1232;  // of our answers: what passes everywhere without fragments
constexpr size_t kDnsMessageBytesMax = 65535;

enum class DnsCode : uint8_t { ok = 0, bad_format = 1, failed = 2, no_name = 3, not_implemented = 4, refused = 5 };

struct DnsQuery {
  uint16_t id = 0;
  bool recursion_desired = false;
  std::string name;     // as it was asked, without the last dot; dots inside of labels are escaped
  DnsType type = DnsType::a;
  bool other_class = false;   // not IN
  bool edns = false;
  size_t udp_bytes_max = 512; // that the client takes
};

// nullopt: not a question that can be answered (too short, or itself an answer): drop it.
// An error (bad_request: malformed; invalid: not a query, or not one question) still has an answer: error_answer().
std::optional<Result<DnsQuery>> read_query(std::string_view bytes);

// `bytes_max`: longer answers are cut and say so (TC); 0: no limit (TCP).
std::string write_answer(const DnsQuery& query, const DnsAnswer& answer, const std::string& domain, size_t bytes_max);
std::string write_error(const DnsQuery& query, DnsCode code);
// To a message of which only the header can be read.
std::string write_header_error(std::string_view bytes, DnsCode code);

// A question of our own, asking for recursion.
std::string write_query(uint16_t id, const std::string& name, DnsType type);
// `answer` with the answer records of `more` behind its own: an alias followed to its end.
std::string with_answers_of(std::string_view answer, std::string_view more);

// Whether `answer` is one to `query` as it was forwarded under `id`: same question, an answer.
bool is_answer_to(std::string_view answer, std::string_view query, uint16_t id);
// The same message under another id.
std::string with_id(std::string_view bytes, uint16_t id);
// The first that fits of a forwarded answer: the header and question with TC set when it is longer than `bytes_max`.
std::string cut_to(std::string_view bytes, size_t bytes_max);

}  // namespace kinglet::network

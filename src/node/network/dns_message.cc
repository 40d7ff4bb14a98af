#include "node/network/dns_message.h"

#include <ldns/ldns.h>

#include <memory>

namespace kinglet::network {
namespace {

constexpr size_t kHeaderBytes = 12;
constexpr uint32_t kTtlSeconds = 5;  // as CoreDNS' kubernetes plugin: Services move

struct FreePacket {
  void operator()(ldns_pkt* packet) const { ldns_pkt_free(packet); }
};
using Packet = std::unique_ptr<ldns_pkt, FreePacket>;

uint16_t number_at(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(static_cast<unsigned char>(bytes[at]) << 8 |
                               static_cast<unsigned char>(bytes[at + 1]));
}

Packet parse(std::string_view bytes) {
  ldns_pkt* packet = nullptr;
  const auto* raw = reinterpret_cast<const uint8_t*>(bytes.data());
  if (ldns_wire2pkt(&packet, raw, bytes.size()) != LDNS_STATUS_OK) return nullptr;
  return Packet(packet);
}

std::string name_text(const ldns_rdf* name) {
  char* raw = ldns_rdf2str(name);
  std::string text = raw != nullptr ? raw : "";
  std::free(raw);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

ldns_rdf* name_of(const std::string& text) { return ldns_dname_new_frm_str((text + ".").c_str()); }

// The end of the question section, whose names are never compressed; 0: there is no whole question.
size_t end_of_question(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes || number_at(bytes, 4) != 1) return 0;
  size_t at = kHeaderBytes;
  while (at < bytes.size() && bytes[at] != 0) {
    const auto label = static_cast<unsigned char>(bytes[at]);
    if (label > 63) return 0;
    at += label + 1u;
  }
  return at + 5 <= bytes.size() ? at + 5 : 0;
}

ldns_rr* new_record(const std::string& name, ldns_rr_type type) {
  ldns_rdf* owner = name_of(name);
  if (owner == nullptr) return nullptr;
  ldns_rr* record = ldns_rr_new();
  ldns_rr_set_owner(record, owner);
  ldns_rr_set_type(record, type);
  ldns_rr_set_class(record, LDNS_RR_CLASS_IN);
  ldns_rr_set_ttl(record, kTtlSeconds);
  return record;
}

bool push(ldns_rr* record, ldns_rdf* field) {
  return field != nullptr && ldns_rr_push_rdf(record, field);
}
ldns_rdf* number16(uint16_t value) { return ldns_native2rdf_int16(LDNS_RDF_TYPE_INT16, value); }
ldns_rdf* number32(uint32_t value) { return ldns_native2rdf_int32(LDNS_RDF_TYPE_INT32, value); }

// Null: a name that does not fit the format; the record is left out.
ldns_rr* wire_record(const DnsRecord& from, const std::string& name) {
  ldns_rr* record = new_record(name, static_cast<ldns_rr_type>(from.type));
  if (record == nullptr) return nullptr;
  bool ok = false;
  switch (from.type) {
    case DnsType::a:
      ok = push(record, ldns_rdf_new_frm_str(LDNS_RDF_TYPE_A, from.target.c_str()));
      break;
    case DnsType::cname:
    case DnsType::ptr:
    case DnsType::ns:
      ok = push(record, name_of(from.target));
      break;
    case DnsType::srv:
      ok = push(record, number16(0)) && push(record, number16(from.weight)) &&
           push(record, number16(from.port)) && push(record, name_of(from.target));
      break;
    case DnsType::txt:
      ok = push(record, ldns_rdf_new_frm_str(LDNS_RDF_TYPE_STR, from.target.c_str()));
      break;
    default:
      break;
  }
  if (ok) return record;
  ldns_rr_free(record);
  return nullptr;
}

// Tells resolvers how long they may remember that there is nothing (RFC 2308).
ldns_rr* authority(const std::string& domain) {
  ldns_rr* record = new_record(domain, LDNS_RR_TYPE_SOA);
  if (record == nullptr) return nullptr;
  if (push(record, name_of("ns.dns." + domain)) && push(record, name_of("hostmaster." + domain)) &&
      push(record, number32(1)) && push(record, number32(7200)) && push(record, number32(1800)) &&
      push(record, number32(86400)) && push(record, number32(kTtlSeconds)))
    return record;
  ldns_rr_free(record);
  return nullptr;
}

Packet begin(const DnsQuery& query, DnsCode code) {
  Packet packet(ldns_pkt_new());
  ldns_pkt_set_id(packet.get(), query.id);
  ldns_pkt_set_qr(packet.get(), true);
  ldns_pkt_set_aa(packet.get(), code != DnsCode::failed);
  ldns_pkt_set_rd(packet.get(), query.recursion_desired);
  ldns_pkt_set_ra(packet.get(), true);
  ldns_pkt_set_rcode(packet.get(), static_cast<uint8_t>(code));
  if (ldns_rdf* owner = ldns_dname_new_frm_str((query.name.empty() ? "." : query.name).c_str())) {
    ldns_rr* question = ldns_rr_new();
    ldns_rr_set_question(question, true);
    ldns_rr_set_owner(question, owner);
    ldns_rr_set_type(question, static_cast<ldns_rr_type>(query.type));
    ldns_rr_set_class(question, LDNS_RR_CLASS_IN);
    ldns_pkt_push_rr(packet.get(), LDNS_SECTION_QUESTION, question);
  }
  if (query.edns) ldns_pkt_set_edns_udp_size(packet.get(), kDnsUdpBytesMax);
  return packet;
}

std::string bytes_of(const ldns_pkt* packet) {
  uint8_t* raw = nullptr;
  size_t size = 0;
  if (ldns_pkt2wire(&raw, packet, &size) != LDNS_STATUS_OK) return {};
  std::string bytes(reinterpret_cast<char*>(raw), size);
  std::free(raw);
  return bytes;
}

}  // namespace

std::optional<Result<DnsQuery>> read_query(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes || (static_cast<unsigned char>(bytes[2]) & 0x80) != 0)
    return std::nullopt;
  const auto bad = [](Code code, const char* why) {
    return Result<DnsQuery>(Error(code, std::string(why)));
  };
  if ((static_cast<unsigned char>(bytes[2]) >> 3 & 0xf) != 0)
    return bad(Code::invalid, "not a query");
  if (number_at(bytes, 4) != 1) return bad(Code::bad_request, "not one question");
  const Packet packet = parse(bytes);
  if (!packet || ldns_rr_list_rr_count(ldns_pkt_question(packet.get())) != 1)
    return bad(Code::bad_request, "malformed");
  const ldns_rr* question = ldns_rr_list_rr(ldns_pkt_question(packet.get()), 0);
  DnsQuery query;
  query.id = ldns_pkt_id(packet.get());
  query.recursion_desired = ldns_pkt_rd(packet.get());
  query.name = name_text(ldns_rr_owner(question));
  query.type = static_cast<DnsType>(ldns_rr_get_type(question));
  query.other_class = ldns_rr_get_class(question) != LDNS_RR_CLASS_IN;
  query.edns = ldns_pkt_edns(packet.get());
  if (query.edns) query.udp_bytes_max = std::max<size_t>(512, ldns_pkt_edns_udp_size(packet.get()));
  return Result<DnsQuery>(std::move(query));
}

std::string write_answer(const DnsQuery& query, const DnsAnswer& answer, const std::string& domain,
                         size_t bytes_max) {
  const Packet packet =
      begin(query, answer.kind == DnsAnswer::Kind::no_name ? DnsCode::no_name : DnsCode::ok);
  const auto add = [&](ldns_pkt_section section, ldns_rr* record) {
    if (record != nullptr) ldns_pkt_push_rr(packet.get(), section, record);
  };
  for (const auto& record : answer.records)
    add(LDNS_SECTION_ANSWER, wire_record(record, record.name));
  if (answer.records.empty()) add(LDNS_SECTION_AUTHORITY, authority(domain));
  const std::string without_extra = bytes_of(packet.get());
  if (bytes_max != 0 && without_extra.size() > bytes_max) return cut_to(without_extra, bytes_max);
  if (answer.additional.empty()) return without_extra;
  for (const auto& record : answer.additional)
    add(LDNS_SECTION_ADDITIONAL, wire_record(record, record.name));
  std::string whole = bytes_of(packet.get());
  // Additional addresses are a courtesy: they may be left out without a word.
  return bytes_max != 0 && whole.size() > bytes_max ? without_extra : whole;
}

std::string write_error(const DnsQuery& query, DnsCode code) {
  return bytes_of(begin(query, code).get());
}

std::string write_header_error(std::string_view bytes, DnsCode code) {
  std::string out(bytes.substr(0, kHeaderBytes));
  out.resize(kHeaderBytes);
  const auto flags = static_cast<unsigned char>(out[2]);
  out[2] = static_cast<char>((flags & 0x79) | 0x80);  // an answer; opcode and RD as they came
  out[3] = static_cast<char>(0x80 | static_cast<int>(code));
  std::fill(out.begin() + 4, out.end(), '\0');  // no sections
  return out;
}

std::string write_query(uint16_t id, const std::string& name, DnsType type) {
  ldns_rdf* owner = name_of(name);
  if (owner == nullptr) return {};
  const Packet packet(
      ldns_pkt_query_new(owner, static_cast<ldns_rr_type>(type), LDNS_RR_CLASS_IN, LDNS_RD));
  ldns_pkt_set_id(packet.get(), id);
  return bytes_of(packet.get());
}

std::string with_answers_of(std::string_view answer, std::string_view more) {
  const Packet to = parse(answer), from = parse(more);
  if (!to || !from) return std::string(answer);
  const ldns_rr_list* records = ldns_pkt_answer(from.get());
  for (size_t i = 0; i < ldns_rr_list_rr_count(records); ++i)
    ldns_pkt_push_rr(to.get(), LDNS_SECTION_ANSWER, ldns_rr_clone(ldns_rr_list_rr(records, i)));
  return bytes_of(to.get());
}

bool is_answer_to(std::string_view answer, std::string_view query, uint16_t id) {
  const size_t end = end_of_question(query);
  if (end == 0 || answer.size() < end || number_at(answer, 0) != id) return false;
  if ((static_cast<unsigned char>(answer[2]) & 0x80) == 0 || number_at(answer, 4) != 1)
    return false;
  // Names compare without case; the rest is numbers, which that does not touch in a harmful way.
  return std::equal(query.begin() + kHeaderBytes, query.begin() + static_cast<ptrdiff_t>(end),
                    answer.begin() + kHeaderBytes, [](unsigned char a, unsigned char b) {
                      return std::tolower(a) == std::tolower(b);
                    });
}

std::string with_id(std::string_view bytes, uint16_t id) {
  std::string out(bytes);
  if (out.size() < 2) return out;
  out[0] = static_cast<char>(id >> 8);
  out[1] = static_cast<char>(id);
  return out;
}

std::string cut_to(std::string_view bytes, size_t bytes_max) {
  if (bytes.size() <= bytes_max) return std::string(bytes);
  const size_t end = end_of_question(bytes);
  std::string out(bytes.substr(0, end == 0 ? kHeaderBytes : end));
  out[2] = static_cast<char>(static_cast<unsigned char>(out[2]) | 0x02);
  std::fill(out.begin() + (end == 0 ? 4 : 6), out.begin() + kHeaderBytes, '\0');
  return out;
}

}  // namespace kinglet::network

#include "node/network/conntrack.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include <boost/asio/ip/network_v4.hpp>
#include <functional>
#include <memory>

namespace kinglet::network {
namespace {

constexpr int kHeaderBytes = sizeof(nfgenmsg);

std::string address_text(const nlattr* attribute) {
  char text[INET_ADDRSTRLEN] = {};
  if (nla_len(attribute) == 4) ::inet_ntop(AF_INET, nla_data(attribute), text, sizeof text);
  return text;
}

struct Found {
  uint8_t protocol = 0;
  TranslatedFlow flow;
  std::string tuple;  // the original direction as the kernel sent it: names the entry when deleting
};

uint16_t port_of(const nlattr* attribute) { return attribute ? ntohs(nla_get_u16(attribute)) : 0; }

// One entry of a dump; nullopt: not an IPv4 flow with ports.
std::optional<Found> read_flow(nlmsghdr* header) {
  nlattr* top[CTA_MAX + 1] = {};
  if (nlmsg_parse(header, kHeaderBytes, top, CTA_MAX, nullptr) < 0) return std::nullopt;
  if (top[CTA_TUPLE_ORIG] == nullptr || top[CTA_TUPLE_REPLY] == nullptr) return std::nullopt;
  nlattr *original[CTA_TUPLE_MAX + 1] = {}, *reply[CTA_TUPLE_MAX + 1] = {};
  nlattr *to[CTA_IP_MAX + 1] = {}, *from[CTA_IP_MAX + 1] = {}, *proto[CTA_PROTO_MAX + 1] = {};
  if (nla_parse_nested(original, CTA_TUPLE_MAX, top[CTA_TUPLE_ORIG], nullptr) < 0 ||
      nla_parse_nested(reply, CTA_TUPLE_MAX, top[CTA_TUPLE_REPLY], nullptr) < 0 ||
      !original[CTA_TUPLE_IP] || !original[CTA_TUPLE_PROTO] || !reply[CTA_TUPLE_IP] ||
      nla_parse_nested(to, CTA_IP_MAX, original[CTA_TUPLE_IP], nullptr) < 0 ||
      nla_parse_nested(from, CTA_IP_MAX, reply[CTA_TUPLE_IP], nullptr) < 0 ||
      nla_parse_nested(proto, CTA_PROTO_MAX, original[CTA_TUPLE_PROTO], nullptr) < 0)
    return std::nullopt;
  if (!to[CTA_IP_V4_SRC] || !to[CTA_IP_V4_DST] || !from[CTA_IP_V4_SRC] || !proto[CTA_PROTO_NUM] ||
      !proto[CTA_PROTO_DST_PORT])
    return std::nullopt;
  Found found;
  found.protocol = nla_get_u8(proto[CTA_PROTO_NUM]);
  found.flow = {found.protocol == IPPROTO_TCP,      address_text(to[CTA_IP_V4_SRC]),
                port_of(proto[CTA_PROTO_SRC_PORT]), address_text(to[CTA_IP_V4_DST]),
                port_of(proto[CTA_PROTO_DST_PORT]), address_text(from[CTA_IP_V4_SRC])};
  found.tuple.assign(static_cast<const char*>(nla_data(top[CTA_TUPLE_ORIG])),
                     static_cast<size_t>(nla_len(top[CTA_TUPLE_ORIG])));
  return found;
}

using Socket = std::unique_ptr<nl_sock, decltype(&nl_socket_free)>;
using Message = std::unique_ptr<nl_msg, decltype(&nlmsg_free)>;

Message message(int type, int flags) {
  Message out(nlmsg_alloc_simple(NFNL_SUBSYS_CTNETLINK << 8 | type, NLM_F_REQUEST | flags),
              nlmsg_free);
  nfgenmsg header{};
  header.nfgen_family = AF_INET;
  nlmsg_append(out.get(), &header, sizeof header, NLMSG_ALIGNTO);
  return out;
}

using Chosen = std::function<bool(const Found&)>;
struct Dump {
  const Chosen& chosen;
  std::vector<Found> found;
};
int on_entry(nl_msg* entry, void* out) {
  auto& dump = *static_cast<Dump*>(out);
  auto found = read_flow(nlmsg_hdr(entry));
  if (found && dump.chosen(*found)) dump.found.push_back(std::move(*found));
  return NL_OK;
}

Error failed(int code) { return Error(Code::io, "connection tracking: {}", nl_geterror(code)); }

// Deletes the chosen ones and returns them.
Result<std::vector<Found>> delete_flows(const Chosen& chosen) {
  const Socket socket(nl_socket_alloc(), nl_socket_free);
  if (const int code = nl_connect(socket.get(), NETLINK_NETFILTER); code < 0) return failed(code);
  Dump dump{chosen, {}};
  nl_socket_modify_cb(socket.get(), NL_CB_VALID, NL_CB_CUSTOM, on_entry, &dump);
  const Message list = message(IPCTNL_MSG_CT_GET, NLM_F_DUMP);
  if (const int code = nl_send_auto(socket.get(), list.get()); code < 0) return failed(code);
  if (const int code = nl_recvmsgs_default(socket.get()); code < 0) return failed(code);
  for (const auto& found : dump.found) {
    const Message erase = message(IPCTNL_MSG_CT_DELETE, NLM_F_ACK);
    nla_put(erase.get(), CTA_TUPLE_ORIG | NLA_F_NESTED, static_cast<int>(found.tuple.size()),
            found.tuple.data());
    if (const int code = nl_send_auto(socket.get(), erase.get()); code < 0) return failed(code);
    nl_wait_for_ack(socket.get());  // an entry may have ended by itself meanwhile
  }
  return std::move(dump.found);
}

class Networks {
 public:
  explicit Networks(const std::vector<std::string>& texts) {
    for (const auto& text : texts) {
      boost::system::error_code bad;
      const auto network = boost::asio::ip::make_network_v4(text, bad);
      if (!bad) networks_.push_back(network);
    }
  }
  bool contain(const std::string& address) const {
    boost::system::error_code bad;
    const auto ip = boost::asio::ip::make_address_v4(address, bad);
    return !bad && std::any_of(networks_.begin(), networks_.end(), [&](const auto& network) {
      return (ip.to_uint() & network.netmask().to_uint()) == network.network().to_uint();
    });
  }

 private:
  std::vector<boost::asio::ip::network_v4> networks_;
};

}  // namespace

UdpServices changed_udp(const UdpServices& before, const UdpServices& after) {
  UdpServices changed;
  for (const auto& [destination, endpoints] : before)
    if (!after.contains(destination)) changed[destination];
  for (const auto& [destination, endpoints] : after) {
    const auto found = before.find(destination);
    if (found == before.end() || found->second != endpoints) changed[destination] = endpoints;
  }
  return changed;
}

bool is_stale(const UdpFlow& flow, const UdpServices& changed) {
  auto service = changed.find(fmt::format("{} {}", flow.destination, flow.port));
  if (service == changed.end()) {
    service = changed.find(fmt::format("node {}", flow.port));
    // Any flow to that port that was translated, or that is not while it should be, is the
    // NodePort's.
    if (service == changed.end()) return false;
    if (flow.answers_from == flow.destination) return !service->second.empty();
  }
  return !service->second.contains(flow.answers_from);
}

Result<size_t> delete_stale_flows(const UdpServices& changed) {
  if (changed.empty()) return size_t{0};
  const Chosen stale = [&](const Found& found) {
    return found.protocol == IPPROTO_UDP &&
           is_stale({found.flow.destination, found.flow.port, found.flow.answers_from}, changed);
  };
  KL_TRY_FN(deleted, delete_flows(stale));
  return deleted.size();
}

Result<std::vector<TranslatedFlow>> delete_flows_to(const std::vector<std::string>& texts) {
  if (texts.empty()) return std::vector<TranslatedFlow>();
  const Networks networks(texts);
  const Chosen lost = [&](const Found& found) {
    return (found.protocol == IPPROTO_UDP || found.protocol == IPPROTO_TCP) &&
           found.flow.destination != found.flow.answers_from &&
           networks.contain(found.flow.answers_from);
  };
  KL_TRY_FN(deleted, delete_flows(lost));
  std::vector<TranslatedFlow> flows;
  for (auto& found : deleted) flows.push_back(std::move(found.flow));
  return flows;
}

Result<bool> abort_connection(const TranslatedFlow& flow) {
  const Socket socket(nl_socket_alloc(), nl_socket_free);
  if (const int code = nl_connect(socket.get(), NETLINK_SOCK_DIAG); code < 0) return failed(code);
  inet_diag_req_v2 request{};
  request.sdiag_family = AF_INET;
  request.sdiag_protocol = IPPROTO_TCP;
  request.idiag_states = UINT32_MAX;
  request.id.idiag_sport = htons(flow.source_port);
  request.id.idiag_dport = htons(flow.port);
  request.id.idiag_cookie[0] = request.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  if (::inet_pton(AF_INET, flow.source.c_str(), request.id.idiag_src) != 1 ||
      ::inet_pton(AF_INET, flow.destination.c_str(), request.id.idiag_dst) != 1)
    return Error(Code::io, "not an address");
  const Message message(nlmsg_alloc_simple(SOCK_DESTROY, NLM_F_REQUEST | NLM_F_ACK), nlmsg_free);
  nlmsg_append(message.get(), &request, sizeof request, NLMSG_ALIGNTO);
  int code = nl_send_auto(socket.get(), message.get());
  if (code >= 0) code = nl_wait_for_ack(socket.get());
  if (code == -NLE_OBJ_NOTFOUND) return false;
  if (code < 0) return Error(Code::io, "abort a connection: {}", nl_geterror(code));
  return true;
}

}  // namespace kinglet::network

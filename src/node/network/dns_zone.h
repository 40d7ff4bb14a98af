// DnsZone: the cluster's names. Pure: built from Services and EndpointSlices, asked for one name and type.
// Source: Kubernetes DNS-Based Service Discovery, version 1.1.0.
#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "node/network/service_model.h"

namespace kinglet::network {

// The types we answer. Others exist and give no data.
enum class DnsType : uint16_t { a = 1, ns = 2, cname = 5, soa = 6, ptr = 12, txt = 16, aaaa = 28, srv = 33, any = 255 };

struct DnsRecord {
  std::string name;  // lower case, without the last dot
  DnsType type = DnsType::a;
  std::string target;      // address (a), name (cname, ptr, srv, ns), text (txt)
  uint16_t port = 0;       // srv
  uint16_t weight = 0;     // srv
  bool operator==(const DnsRecord&) const = default;
};

struct DnsAnswer {
  enum class Kind : uint8_t {
    answer,    // records, or none: the name exists without data of that type
    no_name,   // NXDOMAIN
    elsewhere  // not a name of the cluster: forward it
  };
  Kind kind = Kind::elsewhere;
  std::vector<DnsRecord> records;
  std::vector<DnsRecord> additional;  // addresses of SRV targets
};

class DnsZone {
 public:
  DnsZone(std::string domain, std::vector<std::string> networks);
  // Replaces everything.
  void rebuild(const ServiceWorld& world);
  // `name`: in any case, with or without the last dot.
  DnsAnswer resolve(std::string name, DnsType type) const;
  const std::string& domain() const { return domain_; }
  size_t names() const { return records_.size(); }

 private:
  void add(DnsRecord record);
  void add_cluster_ip(const ServiceModel& service, const std::string& name);
  void add_headless(const ServiceModel& service, const std::string& name,
                    const std::vector<const SliceModel*>& slices);
  void add_name_and_parents(const std::string& name);
  DnsAnswer found(const std::string& name, DnsType type) const;
  DnsAnswer pod(const std::string& name, DnsType type) const;
  bool reverse_is_ours(const std::string& name) const;

  std::string domain_;                  // "cluster.local"
  std::vector<std::string> networks_;   // whose reverse names are ours: pods and Services
  std::map<std::string, std::vector<DnsRecord>> records_;
  std::set<std::string> names_;         // also those in between, which have no records
  std::set<std::string> namespaces_;
};

// "10.42.0.5" <-> "5.0.42.10.in-addr.arpa"
std::string reverse_name(const std::string& ip);

}  // namespace kinglet::network

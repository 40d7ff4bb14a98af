// Which proxy is used for what.
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>

#include "net/download.h"
#include "net/internal/dial.h"

namespace kinglet::net {
namespace {
namespace ip = boost::asio::ip;

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

std::string_view without_blanks(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

bool inside_network(const std::string& rule, const ip::address& address) {
  boost::system::error_code bad;
  if (address.is_v4()) {
    const auto network = ip::make_network_v4(rule, bad);
    if (bad) return false;
    return ip::network_v4(address.to_v4(), network.prefix_length()).canonical() == network.canonical();
  }
  const auto network = ip::make_network_v6(rule, bad);
  if (bad) return false;
  return ip::network_v6(address.to_v6(), network.prefix_length()).canonical() == network.canonical();
}

// "example.org" means itself and what is below; ".example.org" and "*.example.org" only what is below.
bool rule_excepts(std::string rule, const std::string& host, uint16_t port) {
  if (rule == "*") return true;
  boost::system::error_code no_address;
  const auto address = ip::make_address(host, no_address);
  if (!no_address && rule.find('/') != std::string::npos) return inside_network(rule, address);
  if (const auto colon = rule.rfind(':'); colon != std::string::npos && rule.find(':') == colon) {
    if (rule.substr(colon + 1) != std::to_string(port)) return false;
    rule.resize(colon);
  }
  if (rule.starts_with("*.")) rule.erase(0, 1);
  if (rule.starts_with('.')) return host.ends_with(rule);
  return host == rule || (no_address && host.ends_with("." + rule));
}

bool is_loopback(const std::string& host) {
  if (host == "localhost") return true;
  boost::system::error_code no_address;
  const auto address = ip::make_address(host, no_address);
  return !no_address && address.is_loopback();
}
}  // namespace

ProxySettings proxies_of_environment(std::string (*env)(const std::string&)) {
  const auto either = [env](const char* upper, const char* lower) {
    const std::string value = env(upper);
    return value.empty() ? env(lower) : value;
  };
  return {either("HTTP_PROXY", "http_proxy"), either("HTTPS_PROXY", "https_proxy"), either("NO_PROXY", "no_proxy")};
}

std::string proxy_for(const ProxySettings& settings, const std::string& url) {
  const auto parts = parse_url(url);
  if (!parts) return {};
  const std::string& proxy = parts->tls ? settings.https : settings.http;
  const std::string host = lower_case(parts->host);
  if (proxy.empty() || is_loopback(host)) return {};
  std::string_view rest = settings.none;
  while (!rest.empty()) {
    const auto comma = rest.find(',');
    const auto rule = lower_case(without_blanks(rest.substr(0, comma)));
    rest = comma == rest.npos ? std::string_view() : rest.substr(comma + 1);
    if (!rule.empty() && rule_excepts(rule, host, parts->port)) return {};
  }
  return proxy.find("://") == std::string::npos ? "http://" + proxy : proxy;
}

}  // namespace kinglet::net

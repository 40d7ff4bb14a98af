#include "net/crypto.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include <array>

#include "net/internal/openssl.h"

namespace kinglet::net {
namespace {
std::string digest(const EVP_MD* kind, std::string_view data) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out;
  unsigned int size = 0;
  const int done = EVP_Digest(data.data(), data.size(), out.data(), &size, kind, nullptr);
  KL_ASSERT(done == 1, "digest failed");
  return {reinterpret_cast<char*>(out.data()), size};
}

constexpr std::string_view kStandard =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrlSafe =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
enum class Padding { required, none, optional };

std::string encode(std::string_view raw, std::string_view alphabet, Padding padding) {
  std::string out;
  out.reserve((raw.size() + 2) / 3 * 4);
  for (size_t i = 0; i < raw.size(); i += 3) {
    const size_t have = std::min<size_t>(3, raw.size() - i);
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k)
      bits = bits << 8 | (k < have ? static_cast<unsigned char>(raw[i + k]) : 0);
    for (size_t k = 0; k <= have; ++k) out += alphabet[bits >> (18 - 6 * k) & 63];
  }
  if (padding == Padding::required) out.resize((out.size() + 3) / 4 * 4, '=');
  return out;
}

std::array<int8_t, 256> reverse(std::string_view alphabet) {
  std::array<int8_t, 256> table;
  table.fill(-1);
  for (size_t i = 0; i < alphabet.size(); ++i)
    table[static_cast<unsigned char>(alphabet[i])] = static_cast<int8_t>(i);
  return table;
}

Result<std::string> decode(std::string_view text, const std::array<int8_t, 256>& table,
                           Padding padding) {
  const Error bad(Code::bad_request, "illegal base64 data");
  size_t size = text.size();
  if (padding == Padding::required && size % 4 != 0) return bad;
  while (size > 0 && text[size - 1] == '=' && text.size() - size < 2) --size;
  const size_t pad = text.size() - size;
  if (pad > 0 && text.size() % 4 != 0) return bad;
  if (size % 4 == 1) return bad;
  std::string out;
  out.reserve(size / 4 * 3 + 2);
  uint32_t bits = 0;
  int count = 0;
  for (size_t i = 0; i < size; ++i) {
    const int value = table[static_cast<unsigned char>(text[i])];
    if (value < 0) return bad;
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(bits >> count & 0xff);
    }
  }
  // Bits left over must be zero: otherwise two texts would mean the same bytes (and the same
  // token).
  if ((bits & ((1u << count) - 1)) != 0) return bad;
  return out;
}
}  // namespace

std::string sha256(std::string_view data) { return digest(EVP_sha256(), data); }
std::string sha512(std::string_view data) { return digest(EVP_sha512(), data); }

std::string hmac_sha256(std::string_view key, std::string_view data) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out;
  unsigned int size = 0;
  const auto* done =
      HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(data.data()), data.size(), out.data(), &size);
  KL_ASSERT(done, "hmac failed");
  return {reinterpret_cast<char*>(out.data()), size};
}

std::string to_hex(std::string_view raw) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(raw.size() * 2);
  for (const unsigned char c : raw) {
    out += kDigits[c >> 4];
    out += kDigits[c & 15];
  }
  return out;
}

std::string base64(std::string_view raw) { return encode(raw, kStandard, Padding::required); }
std::string base64url(std::string_view raw) { return encode(raw, kUrlSafe, Padding::none); }

Result<std::string> from_base64(std::string_view text) {
  static const auto table = reverse(kStandard);
  return decode(text, table, Padding::required);
}
Result<std::string> from_base64url(std::string_view text) {
  static const auto table = reverse(kUrlSafe);
  return decode(text, table, Padding::optional);
}

bool equal_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

namespace {
EVP_MD_CTX* start_sha256() {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  KL_ASSERT(context && EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1, "sha256 failed");
  return context;
}
}  // namespace

Sha256::Sha256() : context_(start_sha256()) {}
Sha256::~Sha256() { EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context_)); }
void Sha256::update(std::string_view data) {
  const int done = EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_), data.data(), data.size());
  KL_ASSERT(done == 1, "sha256 failed");
}
std::string Sha256::finish() {
  std::array<unsigned char, 32> out;
  const int done = EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(context_), out.data(), nullptr);
  KL_ASSERT(done == 1, "sha256 failed");
  return {reinterpret_cast<char*>(out.data()), out.size()};
}

}  // namespace kinglet::net

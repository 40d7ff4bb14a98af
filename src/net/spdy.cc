#include "net/spdy.h"

#include <zlib.h>

#include <array>

namespace kinglet::net {
namespace {
constexpr size_t kHeadBytes = 8;
constexpr uint16_t kVersion = 3;
enum Type : uint16_t {
  kSynStream = 1,
  kSynReply = 2,
  kReset = 3,
  kPing = 6,
  kGoaway = 7,
  kHeaders = 8
};
constexpr uint8_t kFin = 1;
constexpr uint32_t kStreamMask = 0x7fffffff;

void put(std::string& out, uint32_t value, int bytes) {
  for (int i = bytes; i-- > 0;) out += static_cast<char>(value >> (8 * i) & 0xff);
}
uint32_t get(std::string_view in, size_t at, int bytes) {
  uint32_t value = 0;
  for (int i = 0; i < bytes; ++i)
    value = value << 8 | static_cast<unsigned char>(in[at + static_cast<size_t>(i)]);
  return value;
}

// The dictionary of the specification (2.6.10.1): words with their lengths, then a text. Its
// Adler-32 is e3c6a7c2.
const std::string& dictionary() {
  static const std::string made = [] {
    constexpr std::string_view kWords[] = {"options",
                                           "head",
                                           "post",
                                           "put",
                                           "delete",
                                           "trace",
                                           "accept",
                                           "accept-charset",
                                           "accept-encoding",
                                           "accept-language",
                                           "accept-ranges",
                                           "age",
                                           "allow",
                                           "authorization",
                                           "cache-control",
                                           "connection",
                                           "content-base",
                                           "content-encoding",
                                           "content-language",
                                           "content-length",
                                           "content-location",
                                           "content-md5",
                                           "content-range",
                                           "content-type",
                                           "date",
                                           "etag",
                                           "expect",
                                           "expires",
                                           "from",
                                           "host",
                                           "if-match",
                                           "if-modified-since",
                                           "if-none-match",
                                           "if-range",
                                           "if-unmodified-since",
                                           "last-modified",
                                           "location",
                                           "max-forwards",
                                           "pragma",
                                           "proxy-authenticate",
                                           "proxy-authorization",
                                           "range",
                                           "referer",
                                           "retry-after",
                                           "server",
                                           "te",
                                           "trailer",
                                           "transfer-encoding",
                                           "upgrade",
                                           "user-agent",
                                           "vary",
                                           "via",
                                           "warning",
                                           "www-authenticate",
                                           "method",
                                           "get",
                                           "status",
                                           "200 OK",
                                           "version",
                                           "HTTP/1.1",
                                           "url",
                                           "public",
                                           "set-cookie",
                                           "keep-alive",
                                           "origin"};
    std::string out;
    for (const auto word : kWords) {
      put(out, static_cast<uint32_t>(word.size()), 4);
      out += word;
    }
    return out +
           "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504"
           "505"
           "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request"
           "401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented"
           "503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 "
           "Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,"
           "application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age="
           "gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";
  }();
  return made;
}

const Bytef* bytes_of(std::string_view text) { return reinterpret_cast<const Bytef*>(text.data()); }
}  // namespace

struct SpdyCodec::Zlib {
  z_stream in{}, out{};
  Zlib() {
    // Small windows: headers are short, and both ends of a session hold these.
    const bool made =
        inflateInit(&in) == Z_OK &&
        deflateInit2(&out, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 11, 3, Z_DEFAULT_STRATEGY) == Z_OK &&
        deflateSetDictionary(&out, bytes_of(dictionary()),
                             static_cast<uInt>(dictionary().size())) == Z_OK;
    KL_ASSERT(made, "zlib");
  }
  ~Zlib() {
    inflateEnd(&in);
    deflateEnd(&out);
  }
};

SpdyCodec::SpdyCodec() : zlib_(std::make_unique<Zlib>()) {}
SpdyCodec::~SpdyCodec() = default;

Result<void> SpdyCodec::feed(std::string_view bytes, std::vector<SpdyFrame>& frames) {
  rest_.append(bytes);
  size_t at = 0;
  while (rest_.size() - at >= kHeadBytes) {
    const std::string_view view = std::string_view(rest_).substr(at);
    const size_t length = get(view, 5, 3);
    if (length > kSpdyFrameBytesMax)
      return Error(Code::too_large, "SPDY frame larger than {} bytes", kSpdyFrameBytesMax);
    if (view.size() < kHeadBytes + length) break;
    const std::string_view frame = view.substr(0, kHeadBytes + length);
    at += frame.size();
    if (frame[0] & 0x80) {
      KL_TRY_FN(control, read_control(frame));
      frames.push_back(std::move(control));
    } else {
      SpdyFrame data;
      data.kind = SpdyFrame::Kind::data;
      data.stream = get(frame, 0, 4);
      data.fin = (frame[4] & kFin) != 0;
      data.data = frame.substr(kHeadBytes);
      frames.push_back(std::move(data));
    }
  }
  rest_.erase(0, at);
  return {};
}

Result<SpdyFrame> SpdyCodec::read_control(std::string_view frame) {
  const Error bad(Code::bad_request, "malformed SPDY frame");
  if ((get(frame, 0, 2) & 0x7fff) != kVersion)
    return Error(Code::bad_request, "only SPDY/3 is spoken");
  const uint32_t type = get(frame, 2, 2);
  SpdyFrame out;
  out.fin = (frame[4] & kFin) != 0;
  const std::string_view body = frame.substr(kHeadBytes);
  const bool syn = type == kSynStream;
  if (syn || type == kSynReply || type == kHeaders) {
    const size_t before = syn ? 10 : 4;
    if (body.size() < before) return bad;
    out.kind = syn                 ? SpdyFrame::Kind::syn_stream
               : type == kSynReply ? SpdyFrame::Kind::syn_reply
                                   : SpdyFrame::Kind::other;
    out.stream = get(body, 0, 4) & kStreamMask;
    // HEADERS too: their compression moves the state on, whoever reads them.
    KL_TRY_FN(headers, read_headers(body.substr(before)));
    out.headers = std::move(headers);
  } else if (type == kReset || type == kPing || type == kGoaway) {
    if (body.size() < 4) return bad;
    out.kind = type == kReset  ? SpdyFrame::Kind::reset
               : type == kPing ? SpdyFrame::Kind::ping
                               : SpdyFrame::Kind::goaway;
    out.stream = get(body, 0, 4) & (type == kPing ? 0xffffffff : kStreamMask);
  }
  return out;
}

Result<SpdyHeaders> SpdyCodec::read_headers(std::string_view compressed) {
  std::string block;
  std::array<Bytef, 4096> piece;
  z_stream& z = zlib_->in;
  z.next_in = const_cast<Bytef*>(bytes_of(compressed));
  z.avail_in = static_cast<uInt>(compressed.size());
  for (;;) {
    z.next_out = piece.data();
    z.avail_out = static_cast<uInt>(piece.size());
    int state = inflate(&z, Z_SYNC_FLUSH);
    if (state == Z_NEED_DICT)
      state =
          inflateSetDictionary(&z, bytes_of(dictionary()), static_cast<uInt>(dictionary().size()));
    if (state != Z_OK && state != Z_BUF_ERROR)
      return Error(Code::bad_request, "malformed SPDY headers");
    block.append(reinterpret_cast<char*>(piece.data()), piece.size() - z.avail_out);
    if (block.size() > kSpdyHeaderBytesMax)
      return Error(Code::too_large, "SPDY headers larger than {} bytes", kSpdyHeaderBytesMax);
    if (state == Z_BUF_ERROR || (z.avail_in == 0 && z.avail_out > 0)) break;
  }
  const Error bad(Code::bad_request, "malformed SPDY headers");
  if (block.size() < 4) return bad;
  const uint32_t count = get(block, 0, 4);
  size_t at = 4;
  SpdyHeaders headers;
  const auto text = [&]() -> std::optional<std::string> {
    if (block.size() - at < 4) return std::nullopt;
    const size_t size = get(block, at, 4);
    at += 4;
    if (block.size() - at < size) return std::nullopt;
    at += size;
    return block.substr(at - size, size);
  };
  for (uint32_t i = 0; i < count; ++i) {
    auto name = text();
    auto value = name ? text() : std::nullopt;
    if (!value) return bad;
    headers.emplace_back(std::move(*name), std::move(*value));
  }
  return headers;
}

std::string SpdyCodec::with_headers(uint16_t type, std::string_view before,
                                    const SpdyHeaders& headers) {
  std::string block;
  put(block, static_cast<uint32_t>(headers.size()), 4);
  for (const auto& [name, value] : headers) {
    put(block, static_cast<uint32_t>(name.size()), 4);
    block += name;
    put(block, static_cast<uint32_t>(value.size()), 4);
    block += value;
  }
  z_stream& z = zlib_->out;
  std::string packed(deflateBound(&z, static_cast<uLong>(block.size())) + 64, '\0');
  z.next_in = const_cast<Bytef*>(bytes_of(block));
  z.avail_in = static_cast<uInt>(block.size());
  z.next_out = reinterpret_cast<Bytef*>(packed.data());
  z.avail_out = static_cast<uInt>(packed.size());
  const int done = deflate(&z, Z_SYNC_FLUSH);
  KL_ASSERT(done == Z_OK && z.avail_in == 0 && z.avail_out > 0, "deflate");
  packed.resize(packed.size() - z.avail_out);
  std::string out;
  put(out, 0x8000u | kVersion, 2);
  put(out, type, 2);
  put(out, 0, 1);
  put(out, static_cast<uint32_t>(before.size() + packed.size()), 3);
  return out.append(before).append(packed);
}

std::string SpdyCodec::syn_stream(uint32_t stream, const SpdyHeaders& headers) {
  std::string before;
  put(before, stream, 4);
  put(before, 0, 4);  // no associated stream
  put(before, 0, 2);  // priority, slot
  return with_headers(kSynStream, before, headers);
}

std::string SpdyCodec::syn_reply(uint32_t stream, const SpdyHeaders& headers) {
  std::string before;
  put(before, stream, 4);
  return with_headers(kSynReply, before, headers);
}

std::string SpdyCodec::data(uint32_t stream, std::string_view bytes, bool fin) {
  KL_ASSERT(bytes.size() <= kSpdyFrameBytesMax, "a frame too large");
  std::string out;
  out.reserve(kHeadBytes + bytes.size());
  put(out, stream & kStreamMask, 4);
  put(out, fin ? kFin : 0, 1);
  put(out, static_cast<uint32_t>(bytes.size()), 3);
  return out.append(bytes);
}

namespace {
std::string control(uint16_t type, uint32_t first, std::optional<uint32_t> second) {
  std::string out;
  put(out, 0x8000u | kVersion, 2);
  put(out, type, 2);
  put(out, second ? 8 : 4, 4);
  put(out, first, 4);
  if (second) put(out, *second, 4);
  return out;
}
}  // namespace

std::string SpdyCodec::reset(uint32_t stream, uint32_t status) {
  return control(kReset, stream, status);
}
std::string SpdyCodec::ping(uint32_t number) { return control(kPing, number, std::nullopt); }
std::string SpdyCodec::goaway(uint32_t last_stream) { return control(kGoaway, last_stream, 0); }

}  // namespace kinglet::net

#include "apiserver/internal/body_writer.h"

#include <zlib.h>

#include "base/task.h"

namespace kinglet::apiserver {

struct BodyWriter::Gzip {
  z_stream stream{};
  // Level 1, as upstream: the network is rarely as slow as a better ratio is dear.
  Gzip() {
    constexpr int kWindowBits = 15 + 16;  // gzip framing
    KL_ASSERT(deflateInit2(&stream, 1, Z_DEFLATED, kWindowBits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  }
  ~Gzip() { deflateEnd(&stream); }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  std::string add(std::string& input, bool last) {
    std::string out;
    stream.next_in = reinterpret_cast<Bytef*>(input.data());
    stream.avail_in = static_cast<uInt>(input.size());
    for (;;) {
      constexpr size_t kStep = 64 << 10;
      const size_t before = out.size();
      out.resize(before + kStep);
      stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
      stream.avail_out = kStep;
      const int result = deflate(&stream, last ? Z_FINISH : Z_NO_FLUSH);
      out.resize(before + kStep - stream.avail_out);
      if (result == Z_STREAM_END || (stream.avail_in == 0 && stream.avail_out > 0)) return out;
    }
  }
};

BodyWriter::BodyWriter(net::Exchange& exchange, int status, net::Headers headers, bool gzip)
    : exchange_(exchange), status_(status), headers_(std::move(headers)), gzip_wanted_(gzip) {}
BodyWriter::~BodyWriter() = default;

// What is in the buffer, as it goes over the wire. The buffer keeps its memory for the next chunk.
Bytes BodyWriter::take(bool last) {
  Bytes out = gzip_ ? Bytes(gzip_->add(buffer_, last)) : Bytes(std::string_view(buffer_));
  buffer_.clear();
  return out;
}

Task<Result<void>> BodyWriter::flush() {
  if (!started_) {
    if (gzip_wanted_) {
      gzip_ = std::make_unique<Gzip>();
      headers_.set("Content-Encoding", "gzip");
      headers_.set("Vary", "Accept-Encoding");
    }
    started_ = true;
    KL_CHECK(co_await exchange_.start(status_, std::move(headers_)));
  }
  const Bytes piece = take(false);
  if (piece.empty()) co_return Result<void>();
  co_return co_await exchange_.write(std::span(&piece, 1));
}

Task<Result<void>> BodyWriter::finish() {
  if (!started_ && buffer_.size() < kChunkBytes) {
    std::vector<Bytes> body;
    body.emplace_back(std::string_view(buffer_));
    co_return co_await exchange_.respond(status_, std::move(headers_), std::move(body));
  }
  if (!started_) KL_CHECK(co_await flush());
  const Bytes piece = take(true);
  if (!piece.empty()) KL_CHECK(co_await exchange_.write(std::span(&piece, 1)));
  co_return co_await exchange_.finish();
}

Task<Result<void>> respond_bytes(net::Exchange& exchange, int status, net::Headers headers,
                                 std::vector<Bytes> body, bool gzip) {
  size_t size = 0;
  for (const auto& piece : body) size += piece.size();
  if (!gzip || size < kChunkBytes)
    co_return co_await exchange.respond(status, std::move(headers), std::move(body));
  BodyWriter writer(exchange, status, std::move(headers), true);
  for (const auto& piece : body) writer.buffer() += piece.view();
  co_return co_await writer.finish();
}

Task<Result<void>> respond_bytes(net::Exchange& exchange, int status, net::Headers headers,
                                 Bytes body, bool gzip) {
  std::vector<Bytes> pieces;
  pieces.push_back(std::move(body));
  return respond_bytes(exchange, status, std::move(headers), std::move(pieces), gzip);
}

}  // namespace kinglet::apiserver

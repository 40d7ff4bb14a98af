#include "node/network/nft_apply.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace kinglet::network {
namespace {

constexpr size_t kErrorTextMax = 2000;  // nft repeats the whole line
constexpr size_t kInputBytesMax = 256 << 20;

// The few functions of libnftables (nftables/libnftables.h) that we call.
struct Library {
  struct Context;
  Context* (*create)(uint32_t);
  void (*destroy)(Context*);
  int (*keep_errors)(Context*);
  const char* (*errors)(Context*);
  int (*keep_output)(Context*);
  int (*run)(Context*, const char*);
};

Result<const Library*> library() {
  static Library loaded;
  static std::string problem;
  static const bool ok = [] {
    void* handle = ::dlopen("libnftables.so.1", RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      problem = ::dlerror();
      return false;
    }
    const auto load = [handle](auto& function, const char* name) {
      function = reinterpret_cast<std::decay_t<decltype(function)>>(::dlsym(handle, name));
      if (function == nullptr) problem = std::string("libnftables has no ") + name;
    };
    load(loaded.create, "nft_ctx_new");
    load(loaded.destroy, "nft_ctx_free");
    load(loaded.keep_errors, "nft_ctx_buffer_error");
    load(loaded.errors, "nft_ctx_get_error_buffer");
    load(loaded.keep_output, "nft_ctx_buffer_output");
    load(loaded.run, "nft_run_cmd_from_buffer");
    return problem.empty();
  }();
  if (!ok)
    return Error(Code::unavailable, "Services need libnftables (Debian package libnftables1): {}",
                 problem);
  return &loaded;
}

}  // namespace

Result<void> nft_apply(const std::string& text) {
  if (text.empty()) return {};
  KL_TRY_FN(nft, library());
  const std::unique_ptr<Library::Context, void (*)(Library::Context*)> context(nft->create(0),
                                                                               nft->destroy);
  if (!context) return Error(Code::unavailable, "nftables: out of memory");
  nft->keep_errors(context.get());
  nft->keep_output(context.get());
  if (nft->run(context.get(), text.c_str()) == 0) return {};
  std::string why = nft->errors(context.get());
  if (why.size() > kErrorTextMax) why.resize(kErrorTextMax);
  return Error(Code::invalid, "nftables: {}", why);
}

int nft_apply_main(const std::vector<std::string>&) {
  std::string text;
  char chunk[64 << 10];
  for (;;) {
    const ssize_t n = ::read(STDIN_FILENO, chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0 || text.size() > kInputBytesMax) break;
    text.append(chunk, static_cast<size_t>(n));
  }
  const auto applied = nft_apply(text);
  if (applied) return 0;
  std::fprintf(stderr, "%s\n", applied.error().message().c_str());
  return 1;
}

}  // namespace kinglet::network

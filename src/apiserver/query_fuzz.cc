// Whatever a client writes into path, query and headers: routing keeps to the path, tokens and
// selectors that are taken mean what they say, and nothing crashes.
#include "apiserver/internal/list_query.h"
#include "apiserver/internal/negotiate.h"
#include "apiserver/internal/write_query.h"
#include "apiserver/request_info.h"

using namespace kinglet;             // NOLINT
using namespace kinglet::apiserver;  // NOLINT

// First line: method; second: target; third: Accept; fourth: Content-Type; the rest: body.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const auto line = [&] {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string out(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return out;
  };
  net::Request request;
  request.method = line();
  request.target = line();
  request.headers.add("Accept", line());
  request.headers.add("Content-Type", line());
  if (!net::split_target(request)) return 0;

  const auto info = request_info(request);
  KL_ASSERT(info.rest.empty() || request.path.ends_with(info.rest),
            "the rest is the end of the path");
  KL_ASSERT(!info.resource || info.resource->plural == info.plural,
            "the resource is the one of the path");
  const auto output = negotiate(request, {.list = true, .transforms = true});
  KL_ASSERT(!output || output->transform != Transform::table || output->media != Media::protobuf,
            "a Table has no protobuf form");
  if (info.resource) {
    const auto query = list_query(request, *info.resource, info.verb == "watch");
    if (query && !query->continue_token.empty()) {
      const auto token = parse_continue_token(query->continue_token);
      if (token) {
        const auto again = parse_continue_token(continue_token(*token));
        KL_ASSERT(again && again->after == token->after && again->revision == token->revision,
                  "a token says the same again");
      }
    }
  }
  const auto options = create_options(request, "CreateOptions");
  (void)options;
  (void)delete_query(request);
  (void)body_to_json(request.headers.get("content-type"), std::string(rest), nullptr);
  return 0;
}

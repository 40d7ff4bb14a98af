// From stored bytes to what goes over the wire: splices where it can, decodes where a transform
// needs values.
#pragma once
#include <string>
#include <string_view>

#include "apiserver/internal/lister.h"
#include "apiserver/internal/negotiate.h"
#include "apiserver/registry.h"
#include "base/bytes.h"
#include "base/result.h"
#include "schema/types.h"

namespace kinglet::apiserver {

enum class RowObject : uint8_t {
  none,
  metadata,
  object
};  // of a Table's rows (query includeObject)

class Renderer {
 public:
  Renderer(const Registry& registry, const schema::Resource& resource, Output output,
           RowObject row_object, WallTime now)
      : registry_(registry),
        resource_(resource),
        output_(std::move(output)),
        row_object_(row_object),
        now_(now) {}

  const Output& output() const { return output_; }
  // A whole answer of one object: entry or text in the requested version.
  Result<std::vector<Bytes>> document(const store::EntryRef& entry) const;
  Result<std::vector<Bytes>> document(const Bytes& text) const;

  // A list in JSON text, piece by piece: head, items (separated by commas), tail. Other media
  // render the joined text.
  std::string list_head(const Listing& listing) const;
  Result<void> append_item(std::string& out, const store::EntryRef& entry) const;
  std::string_view list_tail() const { return "]}\n"; }

  // One frame of a watch in two or three pieces, the stored bytes shared.
  Result<void> append_frame(std::vector<Bytes>& out, const WatchItem& item);
  Bytes bookmark_frame(store::Revision revision, bool initial_end);
  Bytes error_frame(const Error& error) const;

 private:
  std::string table_head(std::string_view metadata) const;
  Result<void> append_row(std::string& out, std::string_view text) const;
  Result<std::string> transformed(std::string_view text, bool with_columns) const;
  std::string partial(std::string_view text) const;
  Bytes frame(std::string_view type, std::string_view object_json) const;

  const Registry& registry_;
  const schema::Resource& resource_;
  Output output_;
  RowObject row_object_;
  WallTime now_;
  bool columns_sent_ = false;  // of a watch: the first event alone has them
};

}  // namespace kinglet::apiserver

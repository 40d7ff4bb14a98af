// Lines of a watch. An event that is accepted has an object that parses, with the revision that the
// event tells.
#include "client/object.h"
#include "client/remote_api.h"

using namespace kinglet;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto event = client::decode_watch_event({reinterpret_cast<const char*>(data), size});
  if (!event || event->type == client::WatchEvent::Type::bookmark) return 0;
  const auto object = json::parse(event->object.view());
  KL_ASSERT(object && object->is_object(), "the object of an event does not parse");
  KL_ASSERT(client::revision_of(*object) == event->revision, "the revision is of another object");
  return 0;
}

// StreamBuffer: what streams said and nobody has read yet. Pumps fill it, a session's reader empties it. Loop only.
#pragma once
#include <deque>
#include <memory>

#include "base/signal.h"
#include "base/task_fwd.h"
#include "node/runtime/runtime.h"
#include "node/runtime/unique_fd.h"

namespace kinglet::runtime {

class StreamBuffer {
 public:
  void open() { ++open_; }  // one more stream
  void close() {
    --open_;
    changed_.notify_all();
  }
  // Ends all streams, whoever still holds them open at the other end.
  void finish() {
    finished_ = true;
    changed_.notify_all();
  }
  bool finished() const { return finished_; }
  Task<void> push(Chunk chunk);  // waits for room
  Task<Chunk> pop();             // `end` when nothing will come any more
  Signal& changed() { return changed_; }

 private:
  std::deque<Chunk> chunks_;
  size_t bytes_ = 0;
  int open_ = 0;
  bool finished_ = false;
  Signal changed_;
};

// Reads `fd` to its end into `buffer`. `packets`: each read is one of conmon's packets, whose first byte names the
// stream (2 or 3). Counts as one of the buffer's streams, which open() has announced.
Task<void> pump(UniqueFd fd, Chunk::Stream stream, bool packets, std::shared_ptr<StreamBuffer> buffer);

// Writes everything to a descriptor that does not block. Errors: unavailable (nobody reads any more).
Task<Result<void>> write_fully(int fd, std::string data);

}  // namespace kinglet::runtime

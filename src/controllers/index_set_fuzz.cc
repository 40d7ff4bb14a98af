// Printing what was read and reading it again gives the same set, whose size is that of its members.
#include "base/result.h"
#include "controllers/internal/index_set.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using kinglet::controllers::IndexSet;
  constexpr int kLimit = 1000;
  const auto set = IndexSet::parse({reinterpret_cast<const char*>(data), size}, kLimit);
  KL_ASSERT(IndexSet::parse(set.text(), kLimit) == set, "print then parse changed the set");
  int members = 0;
  IndexSet rebuilt;
  for (int i = kLimit - 1; i >= 0; --i) {
    if (!set.contains(i)) continue;
    ++members;
    rebuilt.add(i);
  }
  KL_ASSERT(members == set.total() && rebuilt == set, "members and runs differ");
  return 0;
}

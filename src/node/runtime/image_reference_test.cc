#include "node/runtime/image_reference.h"

#include <gtest/gtest.h>

#include "node/runtime/images.h"

namespace kinglet::runtime {
namespace {
const std::string kHex(64, 'a');

TEST(ImageReference, is_written_in_full) {
  const std::pair<std::string, std::string> cases[] = {
      {"busybox", "docker.io/library/busybox:latest"},
      {"busybox:1.35", "docker.io/library/busybox:1.35"},
      {"rancher/k3s:v1", "docker.io/rancher/k3s:v1"},
      {"index.docker.io/busybox", "docker.io/library/busybox:latest"},
      {"docker.io/library/busybox:1", "docker.io/library/busybox:1"},
      {"registry.test/a/b__c/d-e", "registry.test/a/b__c/d-e:latest"},
      {"localhost/x", "localhost/x:latest"},
      {"localhost:5000/x:y", "localhost:5000/x:y"},
      {"[fd00::1]:5000/x", "[fd00::1]:5000/x:latest"},
      {"busybox@sha256:" + kHex, "docker.io/library/busybox@sha256:" + kHex},
      {"busybox:1@sha256:" + kHex, "docker.io/library/busybox@sha256:" + kHex},
  };
  for (const auto& [given, full] : cases) {
    const auto got = normalize_reference(given);
    ASSERT_TRUE(got) << given << ": " << got.error().message();
    EXPECT_EQ(*got, full);
    EXPECT_EQ(*normalize_reference(*got), full) << "not stable";
  }
}

TEST(ImageReference, refuses_what_is_none) {
  const std::string cases[] = {
      "",        ":",          "a:",        "Busybox",     "a//b",    "/a",
      "a/",      "a:-x",       "a_-b",      "a..b",        "-a",      "a-",
      "a b",     "x.io:y/a",   "a@sha256:", "a@sha256:zz", "a___b",   "../a",
      "x.io/../a", "a:" + std::string(129, 't'), std::string(300, 'a'), std::string(1000, 'a'),
      "[::1/a",  "[]:5/a",     "[::1]x/a",
  };
  for (const auto& given : cases) {
    const auto got = normalize_reference(given);
    EXPECT_TRUE(got.is(Code::bad_request)) << given;
  }
}
}  // namespace
}  // namespace kinglet::runtime

// Golden files in src/node/testdata: plain text that people review. UPDATE_GOLDEN=1 rewrites them.
#pragma once
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace kinglet::runtime {

inline void expect_golden(const std::string& name, const std::string& text) {
  const std::string path = std::string(KINGLET_TESTDATA) + "/" + name;
  if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(path) << text << "\n";
  std::ifstream in(path);
  EXPECT_EQ(text + "\n", std::string(std::istreambuf_iterator<char>(in), {})) << name;
}

}  // namespace kinglet::runtime

#include "node/runtime/rooted_path.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "node/runtime/testing/temp_dir.h"

namespace kinglet::runtime {
namespace {
namespace fs = std::filesystem;

struct Tree {
  TempDir temp;
  std::string root = temp.path() + "/root";
  Tree() {
    fs::create_directories(root + "/etc/deep");
    std::ofstream(root + "/etc/passwd") << "inside";
    std::ofstream(temp.path() + "/passwd") << "outside";
    fs::create_symlink("/etc", root + "/abs");
    fs::create_symlink("../../../passwd", root + "/etc/up");
    fs::create_symlink("loop", root + "/loop");
    fs::create_symlink("/missing/x", root + "/dangling");
  }
};

TEST(RootedDir, resolves_as_if_the_directory_were_the_root) {
  Tree tree;
  const auto dir = RootedDir::open(tree.root);
  ASSERT_TRUE(dir);
  struct Case {
    const char* path;
    const char* text;  // or part of the error
    bool ok;
  };
  const Case cases[] = {
      {"etc/passwd", "inside", true},
      {"/etc/./deep/../passwd", "inside", true},
      {"../../etc/passwd", "inside", true},
      {"abs/passwd", "inside", true},
      {"etc/up", "up", false},  // the way up ends at the root, where there is no passwd
      {"loop", "too many levels", false},
      {"etc", "not a regular file", false},
      {"etc/passwd/x", "is not a directory", false},
      {"nothing", "No such file", false},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.path);
    const auto text = dir->read_file(c.path, 100);
    EXPECT_EQ(text.has_value(), c.ok);
    if (text)
      EXPECT_EQ(*text, c.text);
    else
      EXPECT_NE(text.error().message().find(c.text), std::string::npos) << text.error().message();
  }
  EXPECT_TRUE(dir->read_file("etc/passwd", 3).is(Code::too_large));
}

TEST(RootedDir, makes_directories_only_inside) {
  Tree tree;
  const auto dir = RootedDir::open(tree.root);
  ASSERT_TRUE(dir);
  ASSERT_TRUE(dir->make_dirs("../a/b"));
  EXPECT_TRUE(fs::is_directory(tree.root + "/a/b"));
  ASSERT_TRUE(dir->make_dirs("dangling/y"));
  EXPECT_TRUE(fs::is_directory(tree.root + "/missing/x/y"));
  EXPECT_FALSE(dir->make_dirs("etc/passwd"));
}
}  // namespace
}  // namespace kinglet::runtime

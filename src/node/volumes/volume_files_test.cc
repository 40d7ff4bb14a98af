#include "node/volumes/volume_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "node/volumes/atomic_writer.h"
#include "node/volumes/mount_points.h"

namespace kinglet::node {
namespace {

class VolumeDir : public ::testing::Test {
 protected:
  VolumeDir() {
    char name[] = "/tmp/kinglet-volume-XXXXXX";
    dir = ::mkdtemp(name);
  }
  ~VolumeDir() override {
    EXPECT_TRUE(unmount_below(dir));
    std::filesystem::remove_all(dir);
  }
  std::string read(const std::string& name) const {
    std::ifstream in(dir + "/" + name);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::string dir;
};

TEST(VolumeFiles, items_choose_and_rename_keys) {
  api::KeyToPath item;
  item.key = "a";
  item.path = "sub/b";
  item.mode = 0400;
  VolumeFiles files;
  ASSERT_TRUE(add_keys(files, {{"a", "1"}, {"c", "2"}}, {item}, 0644, false));
  EXPECT_EQ(files, (VolumeFiles{{"sub/b", {"1", 0400}}}));
  item.key = "missing";
  const auto refused = add_keys(files, {}, {item}, 0644, false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(), "references non-existent config key: missing");
  EXPECT_TRUE(add_keys(files, {}, {item}, 0644, true));
}

TEST(VolumeFiles, paths_stay_below_the_volume) {
  for (const char* bad : {"", "/etc/passwd", "..", "a/../b", "a/.."}) EXPECT_FALSE(check_volume_path(bad)) << bad;
  for (const char* good : {"a", "a/b", "..a", "a..b/c"}) EXPECT_TRUE(check_volume_path(good)) << good;
}

TEST_F(VolumeDir, files_are_replaced_all_at_once) {
  ASSERT_TRUE(write_volume(dir, {{"a", {"1", 0644}}, {"d/b", {"2", 0600}}}, std::nullopt, WallTime{1s}));
  EXPECT_EQ(read("a"), "1");
  EXPECT_EQ(read("d/b"), "2");
  const auto first = std::filesystem::read_symlink(dir + "/..data");
  ASSERT_TRUE(write_volume(dir, {{"a", {"1", 0644}}, {"d/b", {"2", 0600}}}, std::nullopt, WallTime{2s}));
  EXPECT_EQ(std::filesystem::read_symlink(dir + "/..data"), first) << "nothing changed, nothing is written";
  ASSERT_TRUE(write_volume(dir, {{"a", {"3", 0400}}}, std::nullopt, WallTime{3s}));
  EXPECT_EQ(read("a"), "3");
  EXPECT_FALSE(std::filesystem::exists(dir + "/d"));
  EXPECT_FALSE(std::filesystem::exists(dir + "/" + first.string())) << "the old set is gone";
  struct stat info {};
  ASSERT_EQ(::stat((dir + "/a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0400u);
}

TEST_F(VolumeDir, a_half_written_set_goes_with_the_next_change) {
  std::filesystem::create_directories(dir + "/..999/half");
  ASSERT_TRUE(write_volume(dir, {{"a", {"1", 0644}}}, std::nullopt, WallTime{1s}));
  EXPECT_FALSE(std::filesystem::exists(dir + "/..999"));
  EXPECT_EQ(read("a"), "1");
}

TEST_F(VolumeDir, the_group_of_the_pod_may_read) {
  if (::geteuid() != 0) {
    std::puts("SKIPPED: changing groups needs root");
    return;
  }
  ASSERT_TRUE(write_volume(dir, {{"a", {"1", 0400}}}, 2000, WallTime{1s}));
  struct stat info {};
  ASSERT_EQ(::stat((dir + "/a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0440u);
  EXPECT_EQ(info.st_gid, 2000u);
  const auto first = std::filesystem::read_symlink(dir + "/..data");
  ASSERT_TRUE(write_volume(dir, {{"a", {"1", 0400}}}, 2000, WallTime{2s}));
  EXPECT_EQ(std::filesystem::read_symlink(dir + "/..data"), first) << "nothing changed";
  ASSERT_TRUE(mount_tmpfs(dir + "/memory", 1 << 20, 02777, 2000));
  ASSERT_EQ(::stat((dir + "/memory").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 02777u);
  EXPECT_EQ(info.st_gid, 2000u);
}

TEST_F(VolumeDir, a_sub_path_cannot_leave_its_volume) {
  const std::string volume = dir + "/volume", target = dir + "/target";
  std::filesystem::create_directories(volume);
  std::filesystem::create_symlink("/etc", volume + "/evil");
  std::filesystem::create_symlink("../..", volume + "/up");
  for (const char* path : {"evil", "evil/passwd", "up", "up/x", "../x", "/etc"})
    EXPECT_FALSE(bind_sub_path(volume, path, target)) << path;
}

TEST_F(VolumeDir, a_sub_path_is_bound_and_made_when_missing) {
  if (::geteuid() != 0) {
    std::puts("SKIPPED: mounting needs root");
    return;
  }
  const std::string volume = dir + "/volume", target = dir + "/target";
  std::filesystem::create_directories(volume);
  ASSERT_TRUE(bind_sub_path(volume, "a/b", target));
  std::ofstream(target + "/file") << "x";
  EXPECT_EQ(read("volume/a/b/file"), "x");
  ASSERT_TRUE(bind_sub_path(volume, "a/b/file", dir + "/file"));
  EXPECT_EQ(read("file"), "x");
  ASSERT_TRUE(unmount_below(dir));
  EXPECT_EQ(read("file"), "");
}

}  // namespace
}  // namespace kinglet::node

#include "base/files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace kinglet {
namespace {

// Each test of the contract runs on both kinds of disk.
class FilesContract : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (std::string(GetParam()) == "fake") {
      files_ = make_fake_disk();
      dir_ = "/data";
    } else {
      char name[] = "/tmp/kinglet-files-XXXXXX";
      dir_ = ::mkdtemp(name);
      files_ = make_system_files();
    }
    ASSERT_TRUE(files_->make_dirs(dir_ + "/a/b"));
  }
  void TearDown() override {
    if (std::string(GetParam()) == "system") std::filesystem::remove_all(dir_);
  }
  std::unique_ptr<Files> files_;
  std::string dir_;
};
INSTANTIATE_TEST_SUITE_P(Both, FilesContract, ::testing::Values("fake", "system"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(FilesContract, whole_files_are_written_and_read) {
  const std::string path = dir_ + "/a/token";
  EXPECT_TRUE(read_file(*files_, path).is(Code::not_found));
  ASSERT_TRUE(write_file(*files_, path, "one"));
  ASSERT_TRUE(write_file(*files_, path, "two"));
  EXPECT_EQ(*read_file(*files_, path), "two");
  EXPECT_TRUE(read_file(*files_, path, 2).is(Code::too_large));
  EXPECT_EQ(*files_->list(dir_ + "/a"), (std::vector<std::string>{"b", "token"}));
  EXPECT_TRUE(files_->remove(path));
  EXPECT_FALSE(files_->exists(path));
  EXPECT_TRUE(files_->remove(path).is(Code::not_found));
  const std::string large(200'000, 'x');
  ASSERT_TRUE(write_file(*files_, path, large));
  EXPECT_EQ(*read_file(*files_, path), large);
}

TEST_P(FilesContract, open_modes_mean_what_they_say) {
  const std::string path = dir_ + "/f";
  EXPECT_TRUE(files_->open(path, OpenMode::read).is(Code::not_found));
  EXPECT_TRUE(files_->open(path, OpenMode::read_write).is(Code::not_found));
  EXPECT_TRUE(files_->open(path, OpenMode::create));
  EXPECT_TRUE(files_->open(path, OpenMode::create));
  EXPECT_TRUE(files_->open(path, OpenMode::create_new).is(Code::already_exists));
}

TEST_P(FilesContract, files_have_holes_ends_and_sizes) {
  auto file = files_->open(dir_ + "/f", OpenMode::create);
  ASSERT_TRUE(file);
  ASSERT_TRUE((*file)->write_at(4, "data"));
  char out[16] = {};
  EXPECT_EQ(*(*file)->read_at(2, out), 6u);
  EXPECT_EQ(std::string_view(out, 6), std::string_view("\0\0data", 6));
  ASSERT_TRUE((*file)->truncate(5));
  EXPECT_EQ(*(*file)->size(), 5u);
  EXPECT_EQ(*(*file)->read_at(5, out), 0u);
  EXPECT_TRUE((*file)->sync());
}

TEST_P(FilesContract, a_lock_is_held_by_one) {
  auto first = files_->lock(dir_ + "/lock");
  ASSERT_TRUE(first);
  EXPECT_TRUE(files_->lock(dir_ + "/lock").is(Code::unavailable));
  first->reset();
  EXPECT_TRUE(files_->lock(dir_ + "/lock"));
}

std::unique_ptr<File> must_open(Files& files, const std::string& path) {
  auto file = files.open(path, OpenMode::create);
  EXPECT_TRUE(file);
  return std::move(*file);
}

TEST(FakeDisk, forgets_what_was_not_synced) {
  const auto disk = make_fake_disk();
  ASSERT_TRUE(disk->make_dirs("/d"));
  auto file = must_open(*disk, "/d/f");
  ASSERT_TRUE(file->write_at(0, "safe"));
  ASSERT_TRUE(file->sync());
  disk->crash();
  EXPECT_FALSE(disk->exists("/d/f")) << "the bytes were synced, the name was not";
  EXPECT_TRUE(file->write_at(0, "x").is(Code::io)) << "the file was opened before the crash";

  file = must_open(*disk, "/d/f");
  ASSERT_TRUE(file->write_at(0, "safe"));
  ASSERT_TRUE(file->sync());
  ASSERT_TRUE(disk->sync_dir("/d"));
  ASSERT_TRUE(file->write_at(0, "lost"));
  EXPECT_EQ(*read_file(*disk, "/d/f"), "lost");
  disk->crash();
  EXPECT_EQ(*read_file(*disk, "/d/f"), "safe");
}

TEST(FakeDisk, an_atomic_write_is_old_or_new_after_any_crash) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const auto disk = make_fake_disk();
    const auto random = make_seeded_random(seed);
    ASSERT_TRUE(disk->make_dirs("/d"));
    ASSERT_TRUE(write_file(*disk, "/d/f", std::string(3000, 'o')));
    disk->fail_after(static_cast<int>(random->below(8)), ENOSPC);
    const bool written = write_file(*disk, "/d/f", std::string(5000, 'n')).has_value();
    disk->work_again();
    disk->crash_keeping_some(*random);
    const auto text = read_file(*disk, "/d/f");
    ASSERT_TRUE(text) << seed;
    EXPECT_TRUE(*text == std::string(5000, 'n') || (!written && *text == std::string(3000, 'o')))
        << seed;
  }
}

TEST(FakeDisk, fails_when_told_to) {
  const auto disk = make_fake_disk();
  auto file = must_open(*disk, "/f");
  disk->fail_after(2, EIO);
  EXPECT_TRUE(file->write_at(0, "a"));
  EXPECT_TRUE(file->sync().is(Code::io));
  EXPECT_TRUE(file->write_at(0, "b").is(Code::io));
  disk->work_again();
  EXPECT_TRUE(file->sync());
}

}  // namespace
}  // namespace kinglet

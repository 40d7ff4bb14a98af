#include "node/image_keeper.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <fstream>

#include "base/testing.h"
#include "node/runtime/image_store.h"
#include "node/runtime/testing/temp_dir.h"

namespace kinglet::node {
namespace {

TEST(ImageKeeper, frees_a_disk_that_is_nearly_full) {
  struct Case {
    uint64_t capacity, available, wanted;
  };
  const Case cases[] = {{0, 0, 0},       {1000, 500, 0}, {1000, 151, 0},
                        {1000, 150, 50}, {1000, 0, 200}, {1000, 2000, 0}};
  for (const auto& c : cases) {
    DiskUsage disk;
    disk.capacity_bytes = c.capacity;
    disk.available_bytes = c.available;
    EXPECT_EQ(image_bytes_to_free(disk), c.wanted) << c.available;
  }
}

TEST(ImageKeeper, the_oldest_unused_goes_and_what_cannot_come_again_stays) {
  std::vector<runtime::Image> images(4);
  for (size_t i = 0; i < images.size(); ++i) {
    images[i].id = fmt::format("{}", i);
    images[i].size_bytes = 10;
  }
  images[0].pinned = true;
  const auto names = [&](uint64_t bytes) {
    std::string out;
    for (const auto& image : runtime::without_oldest_unused(images, {"1"}, bytes)) out += image.id;
    return out;
  };
  EXPECT_EQ(names(0), "0123");
  EXPECT_EQ(names(5), "013");
  EXPECT_EQ(names(1000), "01");
}

TEST(ImageKeeper, knows_archives_by_their_names) {
  for (const char* name : {"a.tar", "a.tar.gz", "a.tgz", "a.tar.zst", "a.b.tar.xz"})
    EXPECT_TRUE(is_image_archive(name)) << name;
  for (const char* name : {".tar", ".a.tar", "index.json", "layers", "tar", "a.zip"})
    EXPECT_FALSE(is_image_archive(name)) << name;
}

// An image store that only counts.
class CountingImages final : public runtime::Images {
 public:
  std::vector<std::string> imported;
  Task<Result<std::vector<runtime::Image>>> import_archive(std::string path) override {
    imported.push_back(path.substr(path.rfind('/') + 1));
    if (path.ends_with("bad.tar")) co_return Error(Code::invalid, "damaged");
    runtime::Image image;
    image.id = path;
    list_.push_back(image);
    co_return std::vector<runtime::Image>{image};
  }
  Task<Result<runtime::Pulled>> pull(runtime::PullRequest) override {
    co_return Error(Code::internal, "no");
  }
  std::vector<runtime::Image> list() const override { return list_; }
  Result<runtime::Image> find(const std::string& reference) const override {
    for (const auto& image : list_)
      if (image.id == reference) return image;
    return Error(Code::not_found, "no");
  }
  Task<Result<void>> remove(std::string) override { co_return Result<void>(); }
  Task<Result<runtime::ImageGc>> collect(bool) override { co_return runtime::ImageGc(); }
  Task<Result<runtime::ImageGc>> free_space(uint64_t) override { co_return runtime::ImageGc(); }
  void forget() { list_.clear(); }

 private:
  std::vector<runtime::Image> list_;
};

TEST(ImageKeeper, imports_an_archive_once_while_it_and_its_images_stay) {
  runtime::TempDir temp;
  boost::asio::io_context loop;
  CountingImages images;
  const auto start = [&] {
    images.imported.clear();
    kinglet::testing::run_task(loop, import_archives(images, temp.path()));
    return images.imported;
  };
  const auto write = [&](const char* name, const char* text) {
    std::ofstream(temp.path() + "/" + name) << text;
  };
  using Names = std::vector<std::string>;
  write("a.tar", "1");
  write("notes.txt", "1");
  EXPECT_EQ(start(), Names{"a.tar"});
  EXPECT_EQ(start(), Names{});
  write("a.tar", "other content");
  EXPECT_EQ(start(), Names{"a.tar"});
  images.forget();
  EXPECT_EQ(start(), Names{"a.tar"});
  write("bad.tar", "1");
  EXPECT_EQ(start(), Names{"bad.tar"});
  EXPECT_EQ(start(), Names{"bad.tar"});  // tried again at each start
  write("imported.json", "{damaged");
  EXPECT_EQ(start(), (Names{"a.tar", "bad.tar"}));
}

}  // namespace
}  // namespace kinglet::node

#include "node/runtime/image_store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/testing.h"
#include "node/runtime/image_record.h"
#include "node/runtime/runtime.h"
#include "node/runtime/testing/temp_dir.h"
#include "node/runtime/testing/test_image.h"

namespace kinglet::runtime {
namespace {
namespace fs = std::filesystem;
using testing::file;

// This program is its own unpacking child, as kinglet is: `node_test unpack-image DIR ARCHIVE`.
__attribute__((constructor)) void unpack_if_asked(int argc, char** argv) {
  if (argc == 4 && std::strcmp(argv[1], "unpack-image") == 0) std::_Exit(unpack_main({argv[2], argv[3]}));
}

struct StoreTest : ::testing::Test {
  TempDir temp;
  boost::asio::io_context loop;
  std::set<std::string> used;
  std::unique_ptr<ImageStore> store = open();

  std::unique_ptr<ImageStore> open() {
    auto made = make_image_store({temp.path() + "/images", {"/proc/self/exe", "unpack-image"}, [this] { return used; }});
    const auto opened = made->open();
    EXPECT_TRUE(opened);
    return made;
  }
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: unpacking sets owners";
  }
  Result<std::vector<Image>> import(const std::string& tag, const std::string& content) {
    testing::ImageSpec spec{tag, {{file("base", "base")}, {file("f", content)}}};
    const auto path = testing::save(temp.path() + "/a.tar", testing::tar_of(testing::docker_entries(spec)));
    return kinglet::testing::run_task(loop, store->import_archive(path));
  }
  Result<void> remove(const std::string& reference) { return kinglet::testing::run_task(loop, store->remove(reference)); }
  ImageGc collect(bool unused) { return *kinglet::testing::run_task(loop, store->collect(unused)); }
  long layers() const {
    return std::distance(fs::directory_iterator(temp.path() + "/images/layers"), fs::directory_iterator());
  }
};

TEST_F(StoreTest, finds_images_by_every_name) {
  const auto imported = import("app:1", "x");
  ASSERT_TRUE(imported) << imported.error().message();
  const std::string id = imported->front().id;
  for (const auto& name : {std::string("app:1"), std::string("docker.io/library/app:1"), id, id.substr(7, 12), id.substr(0, 20)})
    EXPECT_TRUE(store->find(name)) << name;
  EXPECT_TRUE(store->find("app").is(Code::not_found));
  EXPECT_TRUE(store->find("A B").is(Code::bad_request));
  EXPECT_TRUE(store->find("").is(Code::bad_request));
  store = open();  // a restart
  EXPECT_EQ(store->find("app:1")->id, id);
}

TEST_F(StoreTest, a_tag_moves_and_the_old_image_goes_when_nobody_uses_it) {
  const auto old_id = import("app:1", "old")->front().id;
  used = {old_id};
  const auto new_id = import("app:1", "new")->front().id;
  EXPECT_EQ(store->find("app:1")->id, new_id);
  EXPECT_TRUE(store->find(old_id));
  EXPECT_EQ(layers(), 3);
  EXPECT_EQ(collect(false).images, 0);
  used.clear();
  const auto gone = collect(false);
  EXPECT_EQ(gone.images, 1);
  EXPECT_EQ(gone.layers, 1) << "the base is shared with the new one";
  EXPECT_EQ(layers(), 2);
  EXPECT_EQ(collect(true).images, 1);
  EXPECT_EQ(layers(), 0);
}

TEST_F(StoreTest, refuses_to_remove_what_a_container_uses) {
  const auto id = import("app:1", "x")->front().id;
  ASSERT_TRUE(import("app:2", "x"));
  EXPECT_EQ(store->list().size(), 1u);
  used = {id};
  EXPECT_TRUE(remove("app:1")) << "another name is left";
  EXPECT_TRUE(remove("app:2").is(Code::conflict));
  EXPECT_TRUE(remove(id).is(Code::conflict));
  EXPECT_TRUE(store->find("app:2"));
  used.clear();
  EXPECT_TRUE(remove("app:2"));
  EXPECT_TRUE(remove("app:2").is(Code::not_found));
}

TEST_F(StoreTest, says_what_is_wrong_with_an_archive) {
  const auto path = testing::save(temp.path() + "/bad.tar", "rubbish");
  const auto got = kinglet::testing::run_task(loop, store->import_archive(path));
  ASSERT_TRUE(got.is(Code::invalid));
  EXPECT_NE(got.error().message().find("bad.tar"), std::string::npos) << got.error().message();
  EXPECT_TRUE(kinglet::testing::run_task(loop, store->import_archive("/no/such.tar")).is(Code::not_found));
}

TEST_F(StoreTest, a_damaged_or_newer_index_is_said_plainly) {
  testing::save(temp.path() + "/images/index.json", R"({"version":9,"images":[]})");
  auto other = make_image_store({temp.path() + "/images", {}, [] { return std::set<std::string>(); }});
  auto opened = other->open();
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message().find("newer kinglet"), std::string::npos);
  testing::save(temp.path() + "/images/index.json", R"({"version":1,"images":[{"id":"sha256:../../x"}]})");
  opened = make_image_store({temp.path() + "/images", {}, [] { return std::set<std::string>(); }})->open();
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message().find("damaged"), std::string::npos);
}

TEST_F(StoreTest, clears_away_unfinished_layers_at_start) {
  fs::create_directories(temp.path() + "/images/layers/.unfinished-1-0/fs");
  store = open();
  EXPECT_EQ(layers(), 0);
}
}  // namespace
}  // namespace kinglet::runtime

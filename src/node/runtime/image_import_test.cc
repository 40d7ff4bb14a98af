#include "node/runtime/image_import.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>

#include "node/runtime/layer_writer.h"
#include "node/runtime/testing/temp_dir.h"
#include "node/runtime/testing/test_image.h"

namespace kinglet::runtime {
namespace {
namespace fs = std::filesystem;
using testing::dir;
using testing::file;
using testing::hardlink;
using testing::symlink;

// Owners, whiteouts and set-user-id bits need root.
#define NEED_ROOT() \
  if (::geteuid() != 0) GTEST_SKIP() << "needs root: unpacking sets owners and makes whiteouts"

struct Unpacked {
  TempDir temp;
  std::string root = temp.path() + "/fs";
  Result<void> result;
  explicit Unpacked(const std::vector<testing::Entry>& entries) {
    fs::create_directories(root);
    const std::string path = testing::save(temp.path() + "/layer.tar", testing::tar_of(entries));
    auto source = open_source(path);
    TarReader reader(**source);
    auto writer = LayerWriter::open(root);
    result = writer->unpack(reader);
  }
  struct stat stat_of(const std::string& path) const {
    struct stat info {};
    EXPECT_EQ(::lstat((root + "/" + path).c_str(), &info), 0) << path;
    return info;
  }
  std::string error() const { return result ? "" : result.error().message(); }
};

TEST(LayerWriter, keeps_what_files_are) {
  NEED_ROOT();
  auto su = file("bin/su", "x", 04755);
  su.uid = 0;
  auto home = dir("home/me", 0700);
  home.uid = home.gid = 1000;
  auto ping = file("bin/ping", "y", 0755);
  // cap_net_raw+ep
  ping.xattrs["security.capability"] = std::string("\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
  Unpacked layer({dir("./", 0755), dir("bin"), su, ping, home, symlink("lib", "usr/lib"), dir("usr/lib"),
                  file("lib/libc", "c"), hardlink("bin/su2", "bin/su"), file("tiefe/größe.txt", "ü"),
                  testing::Entry{"run/pipe", "", AE_IFIFO, 0600, ""}, file("bin/su", "newer", 04755)});
  ASSERT_TRUE(layer.result) << layer.error();
  EXPECT_EQ(layer.stat_of("bin/su").st_mode & 07777, 04755u);
  EXPECT_EQ(testing::load(layer.root + "/bin/su"), "newer");
  EXPECT_EQ(testing::load(layer.root + "/bin/su2"), "x");
  EXPECT_EQ(layer.stat_of("home/me").st_uid, 1000u);
  EXPECT_EQ(layer.stat_of("home").st_mode & 07777, 0755u);
  EXPECT_EQ(layer.stat_of("home/me").st_mtim.tv_sec, 1'600'000'000);
  EXPECT_TRUE(S_ISLNK(layer.stat_of("lib").st_mode));
  EXPECT_EQ(testing::load(layer.root + "/usr/lib/libc"), "c") << "through the image's own symlink";
  EXPECT_EQ(testing::load(layer.root + "/tiefe/größe.txt"), "ü");
  EXPECT_TRUE(S_ISFIFO(layer.stat_of("run/pipe").st_mode));
  char value[64];
  EXPECT_EQ(::getxattr((layer.root + "/bin/ping").c_str(), "security.capability", value, sizeof value), 20);
}

TEST(LayerWriter, turns_whiteouts_into_overlay_form) {
  NEED_ROOT();
  Unpacked layer({dir("etc"), file("etc/.wh.passwd", ""), dir("var/cache"), file("var/cache/.wh..wh..opq", ""),
                  file("var/cache/new", "n"), file(".wh..wh.plnk", "")});
  ASSERT_TRUE(layer.result) << layer.error();
  const auto gone = layer.stat_of("etc/passwd");
  EXPECT_TRUE(S_ISCHR(gone.st_mode));
  EXPECT_EQ(gone.st_rdev, 0u);
  char value[4] = {};
  EXPECT_EQ(::getxattr((layer.root + "/var/cache").c_str(), "trusted.overlay.opaque", value, sizeof value), 1);
  EXPECT_EQ(value[0], 'y');
  EXPECT_EQ(testing::load(layer.root + "/var/cache/new"), "n");
  EXPECT_FALSE(fs::exists(layer.root + "/.wh..wh.plnk"));
}

TEST(LayerWriter, writes_nothing_outside) {
  NEED_ROOT();
  struct Case {
    const char* name;
    std::vector<testing::Entry> entries;
    bool refused;
  };
  auto zero = testing::Entry{"dev/zero0", "", AE_IFCHR, 0600, ""};
  const Case cases[] = {
      {"dots", {file("../escaped", "x")}, true},
      {"dots inside", {file("a/../../escaped", "x")}, true},
      {"absolute name", {file("/escaped", "x")}, false},
      {"symlink to the parent", {symlink("up", ".."), file("up/escaped", "x")}, false},
      {"absolute symlink", {symlink("top", "/"), file("top/escaped", "x")}, false},
      {"hard link outside", {hardlink("mine", "../secret")}, true},
      {"hard link through a symlink", {symlink("up", ".."), hardlink("mine", "up/secret")}, true},
      {"whiteout of the parent", {file("a/.wh...", "")}, true},
      {"a whiteout in disguise", {zero}, true},
      {"file as directory", {file("a", "x"), file("a/b", "y")}, true},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    Unpacked layer(c.entries);
    testing::save(layer.temp.path() + "/secret", "s");
    EXPECT_EQ(!layer.result, c.refused) << layer.error();
    EXPECT_FALSE(fs::exists(layer.temp.path() + "/escaped"));
    EXPECT_FALSE(fs::exists("/escaped"));
  }
}

struct Archives : ::testing::Test {
  TempDir temp;
  std::string images = temp.path() + "/images";
  testing::ImageSpec spec{"registry.test/app:1",
                          {{dir("bin"), file("bin/sh", "shell", 0755)}, {file("etc/motd", "hello")}},
                          {{"Cmd", json::Array{"sh"}}, {"Env", json::Array{"A=1"}}, {"User", "nobody"}}};
  Result<std::vector<Image>> import(const std::vector<testing::Entry>& entries,
                                    testing::Compression compression = testing::Compression::none) {
    return import_archive(images, testing::save(temp.path() + "/a.tar", testing::tar_of(entries, compression)));
  }
  int layers() const {
    int count = 0;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(images + "/layers", ignored)) {
      (void)entry;
      ++count;
    }
    return count;
  }
};

TEST_F(Archives, both_formats_give_the_same_image) {
  NEED_ROOT();
  const auto docker = import(testing::docker_entries(spec));
  ASSERT_TRUE(docker) << docker.error().message();
  ASSERT_EQ(docker->size(), 1u);
  const Image& image = docker->front();
  EXPECT_EQ(image.tags, std::vector<std::string>{"registry.test/app:1"});
  EXPECT_EQ(image.config.cmd, std::vector<std::string>{"sh"});
  EXPECT_EQ(image.config.user, "nobody");
  EXPECT_EQ(image.layers.size(), 2u);
  EXPECT_EQ(image.size_bytes, 10u);
  EXPECT_EQ(testing::load(layer_dir(images, image.layers[1]) + "/fs/etc/motd"), "hello");

  for (const auto compression : {testing::Compression::none, testing::Compression::gzip, testing::Compression::zstd}) {
    const auto oci = import(testing::oci_entries(spec, compression), compression);
    ASSERT_TRUE(oci) << oci.error().message();
    EXPECT_EQ(oci->front().id, image.id);
    EXPECT_EQ(oci->front().layers, image.layers);
    ASSERT_EQ(oci->front().digests.size(), 1u);
    EXPECT_TRUE(oci->front().digests[0].starts_with("registry.test/app@sha256:"));
  }
  EXPECT_EQ(layers(), 2);
}

TEST_F(Archives, damaged_ones_leave_nothing_behind) {
  NEED_ROOT();
  const auto good = testing::docker_entries(spec);
  const auto index_of = [&](const char* ending) {
    size_t i = 0;
    while (!good[i].name.ends_with(ending)) ++i;
    return i;
  };
  struct Case {
    const char* name;
    std::function<void(std::vector<testing::Entry>&)> damage;
    const char* says;
  };
  const Case cases[] = {
      {"no manifest", [&](auto& e) { e.pop_back(); }, "neither manifest.json"},
      {"not JSON", [&](auto& e) { e.back().content = "{"; }, "manifest.json"},
      {"a layer is missing", [&](auto& e) { e.erase(e.begin()); }, "is missing"},
      {"the second layer is another", [&](auto& e) { e[1].content = testing::tar_of({file("x", "y")}); }, "damaged"},
      {"the second layer is no tar", [&](auto& e) { e[1].content = std::string(5000, 'x'); }, "layer"},
      {"layer cut short", [&](auto& e) { e[1].content.resize(700); }, "layer"},
      {"configuration missing", [&](auto& e) { e.erase(e.begin() + static_cast<long>(index_of(".json"))); }, "missing"},
      {"bad tag", [&](auto& e) {
         auto& text = e.back().content;
         text.replace(text.find("registry.test"), 13, "REGISTRY TEST");
       }, "invalid reference"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    auto entries = good;
    c.damage(entries);
    const auto got = import(entries);
    ASSERT_FALSE(got);
    EXPECT_NE(got.error().message().find(c.says), std::string::npos) << got.error().message();
    EXPECT_EQ(layers(), 0);
  }
  auto oci = testing::oci_entries(spec);
  oci[1].content[20] ^= 1;
  const auto got = import(oci);
  EXPECT_FALSE(got);
  EXPECT_EQ(layers(), 0);
  EXPECT_TRUE(import_archive(images, temp.path() + "/nothing").is(Code::not_found));
  EXPECT_FALSE(import_archive(images, testing::save(temp.path() + "/t", "this is no archive")));
  EXPECT_FALSE(import_archive(images, testing::save(temp.path() + "/t", "")));
}

TEST_F(Archives, an_archive_cut_anywhere_is_refused) {
  NEED_ROOT();
  const std::string whole = testing::tar_of(testing::docker_entries(spec), testing::Compression::gzip);
  for (size_t size = 1; size + 8 < whole.size(); size += 97) {
    const auto got = import_archive(images, testing::save(temp.path() + "/cut", whole.substr(0, size)));
    EXPECT_FALSE(got) << size;
    EXPECT_EQ(layers(), 0) << size;
  }
}

TEST_F(Archives, images_of_other_machines_are_named) {
  spec.architecture = "s390x";
  const auto got = import(testing::docker_entries(spec));
  ASSERT_FALSE(got);
  EXPECT_NE(got.error().message().find("linux/s390x"), std::string::npos) << got.error().message();
}

TEST(ImportPlan, an_index_of_several_machines_gives_ours) {
  EXPECT_TRUE(runs_on({"linux", "arm", "v6"}, {"linux", "arm", "v7"}));
  EXPECT_FALSE(runs_on({"linux", "arm", "v7"}, {"linux", "arm", "v6"}));
  EXPECT_FALSE(runs_on({"windows", "amd64", ""}, {"linux", "amd64", ""}));
  EXPECT_TRUE(runs_on({"linux", "arm64", "v8"}, {"linux", "arm64", "v8"}));
}
}  // namespace
}  // namespace kinglet::runtime

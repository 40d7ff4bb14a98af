#include "node/volumes/claim_volumes.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace kinglet::node {
namespace {
namespace fs = std::filesystem;

class ClaimVolumes : public ::testing::Test {
 protected:
  ClaimVolumes() {
    char name[] = "/tmp/kinglet-claims-XXXXXX";
    dir_ = ::mkdtemp(name);
  }
  ~ClaimVolumes() override { fs::remove_all(dir_); }
  static json::Value volume(const std::string& yaml) { return json::parse_yaml(yaml).value(); }
  std::string dir_;
};

TEST_F(ClaimVolumes, a_local_path_folder_is_made_for_everybody) {
  const auto path = dir_ + "/storage/pvc-1_default_data";
  const auto made = prepare_volume(volume("{metadata: {annotations: {pv.kubernetes.io/provisioned-by: rancher.io/local-path}}, "
                                          "spec: {hostPath: {type: DirectoryOrCreate, path: " + path + "}}}"));
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_EQ(*made, path);
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0777u);
}

TEST_F(ClaimVolumes, refuses_what_it_cannot_mount) {
  EXPECT_TRUE(prepare_volume(volume("{spec: {local: {path: " + dir_ + "/none}}}")).is(Code::not_found));
  EXPECT_TRUE(prepare_volume(volume("{spec: {nfs: {server: a, path: /b}}}")).is(Code::invalid));
}

TEST_F(ClaimVolumes, removes_its_folders_and_nothing_else) {
  fs::create_directories(dir_ + "/pvc-1_a_b/deep");
  fs::create_directories(dir_ + "/other");
  std::ofstream(dir_ + "/other/file") << "kept";
  fs::create_directory_symlink(dir_ + "/other", dir_ + "/pvc-1_a_b/link");
  EXPECT_TRUE(remove_volume_folder(dir_, dir_ + "/pvc-1_a_b"));
  EXPECT_FALSE(fs::exists(dir_ + "/pvc-1_a_b"));
  EXPECT_TRUE(fs::exists(dir_ + "/other/file")) << "a link leads nowhere";
  EXPECT_TRUE(remove_volume_folder(dir_, dir_ + "/pvc-1_a_b")) << "again";
  for (const char* bad : {"/other", "/pvc-x/../other", "/pvc-1/below", ""})
    EXPECT_FALSE(remove_volume_folder(dir_, dir_ + bad)) << bad;
}

}  // namespace
}  // namespace kinglet::node

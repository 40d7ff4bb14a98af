#include "cli/options.h"

#include <gtest/gtest.h>

namespace kinglet::cli {
namespace {

std::string no_env(const std::string&) { return ""; }
std::string k3s_env(const std::string& name) { return name == "K3S_TOKEN" ? "from-env" : ""; }

TEST(ServerOptions, flags_win_over_environment_and_file) {
  const auto files = make_fake_disk();
  ASSERT_TRUE(files->make_dirs("/etc/kinglet"));
  ASSERT_TRUE(write_file(*files, kDefaultConfigFile,
                         "token: from-file\nnode-name: filed\ntls-san:\n  - a\n  - b\nnode-label: [x=1]\ndebug: true\n"));
  const auto file_only = parse_server_options(*files, {}, no_env);
  ASSERT_TRUE(file_only.run);
  EXPECT_EQ(file_only.options.token, "from-file");
  EXPECT_EQ(file_only.options.tls_san, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(file_only.options.debug);
  const auto all = parse_server_options(*files, {"--node-name", "given", "--tls-san=c"}, k3s_env);
  ASSERT_TRUE(all.run);
  EXPECT_EQ(all.options.token, "from-env");
  EXPECT_EQ(all.options.node_name, "given");
  EXPECT_EQ(all.options.tls_san, std::vector<std::string>{"c"});
}

TEST(ServerOptions, mistakes_end_the_command) {
  const auto files = make_fake_disk();
  const std::vector<std::string> cases[] = {
      {"--no-such-flag"},
      {"--https-listen-port", "99999"},
      {"--cluster-cidr", "10.42.0.0"},
      {"--cluster-cidr", "10.43.0.0/16"},
      {"--cluster-dns", "10.0.0.1"},
      {"--node-ip", "nowhere"},
      {"--node-label", "novalue"},
      {"--write-kubeconfig-mode", "rw"},
      {"--disable", "nothing-known"},
      {"--config", "/does/not/exist"},
  };
  for (const auto& args : cases) {
    SCOPED_TRACE(args.back());
    const auto parsed = parse_server_options(*files, args, no_env);
    EXPECT_FALSE(parsed.run);
    EXPECT_NE(parsed.exit_code, 0);
  }
}

TEST(ServerOptions, help_is_no_mistake) {
  const auto files = make_fake_disk();
  const auto parsed = parse_server_options(*files, {"--help"}, no_env);
  EXPECT_FALSE(parsed.run);
  EXPECT_EQ(parsed.exit_code, 0);
}

TEST(ConfigFile, refuses_what_is_no_flag) {
  EXPECT_FALSE(flags_of_config("just text"));
  EXPECT_FALSE(flags_of_config("a: {b: c}"));
  const auto flags = flags_of_config("https-listen-port: 7443\ndisable-agent: true\nempty:\n");
  ASSERT_TRUE(flags);
  EXPECT_EQ(*flags, (std::vector<std::string>{"--https-listen-port=7443", "--disable-agent=true"}));
}

}  // namespace
}  // namespace kinglet::cli

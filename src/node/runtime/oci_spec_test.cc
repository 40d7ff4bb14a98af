#include "node/runtime/oci_spec.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/files.h"
#include "node/runtime/seccomp_default.h"
#include "node/runtime/testing/golden.h"

namespace kinglet::runtime {
namespace {

SpecInput plain() {
  SpecInput in;
  in.id = "c1";
  in.rootfs = "/run/kinglet/containers/c1/rootfs";
  in.sandbox.hostname = "web-0";
  in.sandbox.netns_path = "/run/netns/p";
  in.ipcns_path = "/run/kinglet/sandboxes/s/ipc";
  in.utsns_path = "/run/kinglet/sandboxes/s/uts";
  in.hosts_file = "/run/kinglet/sandboxes/s/hosts";
  in.resolv_conf_file = "/run/kinglet/sandboxes/s/resolv.conf";
  in.hostname_file = "/run/kinglet/sandboxes/s/hostname";
  in.shm_dir = "/run/kinglet/sandboxes/s/shm";
  in.cgroup_path = "/kubepods/burstable/podp/c1";
  in.container.security.seccomp.type = Seccomp::Type::unconfined;  // the profile has a test of its own
  in.image.entrypoint = {"/app"};
  in.image.cmd = {"serve"};
  in.image.env = {"PATH=/bin", "A=image"};
  in.image.working_dir = "/srv";
  in.user.home = "/root";
  return in;
}

TEST(OciSpec, of_a_plain_container) {
  auto in = plain();
  in.container.env = {{"A", "pod"}, {"B", "2"}};
  in.container.resources = {.cpu_shares = 512, .cpu_quota_us = 50000, .memory_limit_bytes = 64 << 20, .pids_limit = 100};
  in.container.oom_score_adj = 900;
  in.container.mounts = {{"/data/a/b", "/data/sub", true, Mount::Propagation::none},
                         {"/data/a", "/data/", false, Mount::Propagation::host_to_container},
                         {"/own/hosts", "/etc/hosts", true, Mount::Propagation::none}};
  const auto spec = build_spec(in);
  ASSERT_TRUE(spec) << spec.error().message();
  expect_golden("spec_plain.json", json::print_pretty(*spec));
}

TEST(OciSpec, of_a_privileged_container_in_the_hosts_namespaces) {
  auto in = plain();
  in.sandbox = {};
  in.sandbox.host_network = in.sandbox.host_pid = in.sandbox.host_ipc = true;
  in.utsns_path.clear();
  in.cgroup_v2 = true;
  in.container.security.privileged = true;
  in.container.security.seccomp.type = Seccomp::Type::runtime_default;  // privileged goes before it
  in.container.tty = true;
  in.container.oom_score_adj = -997;
  in.oom_score_adj_min = 0;
  in.capabilities_max = {"CAP_SYS_ADMIN", "CAP_CHOWN"};
  in.container.mounts = {{"/mnt", "/mnt", false, Mount::Propagation::bidirectional}};
  in.devices = {{"/dev/fuse", 'c', 10, 229, 0666, 0, 0, "rwm"}};
  const auto spec = build_spec(in);
  ASSERT_TRUE(spec) << spec.error().message();
  expect_golden("spec_privileged.json", json::print_pretty(*spec));
}

TEST(OciSpec, refuses_what_cannot_run) {
  struct Case {
    const char* name;
    std::function<void(SpecInput&)> change;
    const char* says;
  };
  const Case cases[] = {
      {"nothing to run", [](auto& in) { in.image.entrypoint.clear(), in.image.cmd.clear(); }, "no command"},
      {"relative directory", [](auto& in) { in.container.working_dir = "srv"; }, "not absolute"},
      {"relative mount", [](auto& in) { in.container.mounts = {{"/a", "b", false, {}}}; }, "not absolute"},
      {"mount over everything", [](auto& in) { in.container.mounts = {{"/a", "//", false, {}}}; }, "\"/\""},
      {"unknown capability", [](auto& in) { in.container.security.add_capabilities = {"FLY"}; }, "FLY"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    auto in = plain();
    c.change(in);
    const auto spec = build_spec(in);
    ASSERT_FALSE(spec);
    EXPECT_EQ(spec.code(), Code::invalid);
    EXPECT_NE(spec.error().message().find(c.says), std::string::npos) << spec.error().message();
  }
}

TEST(OciSpec, command_and_args_replace_as_kubernetes_says) {
  using Words = std::vector<std::string>;
  struct Case {
    Words command, args, runs;
  };
  const Case cases[] = {{{}, {}, {"/app", "serve"}},
                        {{}, {"x"}, {"/app", "x"}},
                        {{"/other"}, {}, {"/other"}},
                        {{"/other"}, {"x"}, {"/other", "x"}}};
  for (const auto& c : cases) {
    auto in = plain();
    in.container.command = c.command;
    in.container.args = c.args;
    EXPECT_EQ(*command_of(in.container, in.image), c.runs);
  }
}

TEST(Capabilities, add_and_drop) {
  const std::set<std::string> all = all_capabilities();
  const auto with = [&](std::vector<std::string> add, std::vector<std::string> drop) {
    Security security;
    security.add_capabilities = std::move(add);
    security.drop_capabilities = std::move(drop);
    return *capabilities_of(security, all);
  };
  EXPECT_EQ(with({}, {}).size(), 14u);
  EXPECT_EQ(with({"net_admin"}, {"ALL"}), std::set<std::string>{"CAP_NET_ADMIN"});
  EXPECT_EQ(with({"ALL"}, {"CAP_SYS_ADMIN"}).size(), all.size() - 1);
  EXPECT_FALSE(with({}, {"KILL"}).contains("CAP_KILL"));
  EXPECT_EQ(capabilities_of(Security{}, {"CAP_CHOWN"})->size(), 1u) << "not more than we have ourselves";
}

TEST(Exec, process_is_the_containers_with_another_command) {
  const auto spec = build_spec(plain());
  const auto process = exec_process(*spec, {"ls", "-l"}, true);
  EXPECT_EQ(json::print(process.at("args")), R"(["ls","-l"])");
  EXPECT_EQ(process.at("terminal"), true);
  EXPECT_EQ(process.at("cwd"), "/srv");
  EXPECT_NE(json::print(process.at("env")).find("TERM=xterm"), std::string::npos);
  EXPECT_EQ(process.at("capabilities"), spec->at("process").at("capabilities"));
}

TEST(Seccomp, capabilities_open_what_they_are_for) {
  const auto plain_text = json::print(default_seccomp({}));
  const auto admin_text = json::print(default_seccomp({"CAP_SYS_ADMIN"}));
  EXPECT_EQ(plain_text.find("\"unshare\""), std::string::npos);
  EXPECT_NE(admin_text.find("\"unshare\""), std::string::npos);
  EXPECT_EQ(plain_text.find("\"keyctl\""), std::string::npos);
  EXPECT_EQ(plain_text.find("\"bpf\""), std::string::npos);
  EXPECT_EQ(plain_text.find("\"io_uring_setup\""), std::string::npos);
  EXPECT_NE(plain_text.find("\"clone3\""), std::string::npos) << "with ENOSYS, so that libc falls back";
}
}  // namespace
}  // namespace kinglet::runtime

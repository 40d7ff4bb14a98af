#include "node/runtime/image_fetch.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "base/task_group.h"
#include "base/testing.h"
#include "node/runtime/image_store.h"
#include "node/runtime/testing/fake_registry.h"
#include "node/runtime/testing/temp_dir.h"

namespace kinglet::runtime {
namespace {
namespace fs = std::filesystem;
using testing::FakeRegistry;
using testing::file;

std::string read_stdin() {
  std::string out;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(STDIN_FILENO, buffer, sizeof(buffer))) > 0;)
    out.append(buffer, static_cast<size_t>(n));
  return out;
}

// This program is its own fetching child, as kinglet is.
int fetch_main() {
  boost::asio::io_context loop;
  const auto clock = make_system_clock();
  auto request = parse_fetch(read_stdin());
  if (!request) return 2;
  const auto fetched =
      kinglet::testing::run_task(loop, fetch_image(*clock, *std::move(request), {}));
  if (!fetched)
    std::fprintf(stderr, "%s\t%s\n", reason_of(fetched.error().code()),
                 fetched.error().message().c_str());
  else
    std::fputs(print_fetched(*fetched).c_str(), stdout);
  std::fflush(stdout);
  return fetched ? 0 : 1;
}
__attribute__((constructor)) void fetch_if_asked(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "fetch-image") == 0) std::_Exit(fetch_main());
}

struct FetchTest : ::testing::Test {
  TempDir temp;
  boost::asio::io_context loop;
  std::unique_ptr<Clock> clock = make_system_clock();
  std::unique_ptr<Metrics> metrics = make_metrics();
  FakeRegistry registry;
  std::unique_ptr<net::Server> server;

  uint16_t port = 0;

  void SetUp() override { listen(); }
  // A server serves once: each run gets a new one, on the same port.
  void listen() {
    net::ServerOptions options;
    options.address = "127.0.0.1";
    options.port = port;
    server.reset();
    auto made = net::listen(*clock, *metrics, registry, std::move(options));
    ASSERT_TRUE(made) << made.error().message();
    server = *std::move(made);
    port = server->port();
    registry.base = "http://" + host();
  }
  std::string host() const { return fmt::format("127.0.0.1:{}", port); }
  std::string reference(const std::string& name) const { return host() + "/" + name; }

  template <class T>
  static Task<void> keep(Task<T> task, std::optional<T>& out, TaskGroup& group) {
    out.emplace(co_await std::move(task));
    group.cancel();
  }
  // Beside the registry.
  template <class T>
  T run(Task<T> task) {
    std::optional<T> out;
    TaskGroup group;
    group.add("registry", server->run());
    group.add("body", keep<T>(std::move(task), out, group));
    const auto ended = kinglet::testing::run_task(loop, group.run());
    EXPECT_TRUE(ended);
    listen();
    return std::move(*out);
  }

  FetchRequest request_for(const std::string& name) const {
    FetchRequest request;
    request.reference = reference(name);
    request.directory = temp.path() + "/layout";
    request.images_dir = temp.path() + "/images";
    return request;
  }
  Result<Fetched> fetch(FetchRequest request) {
    return run(fetch_image(*clock, std::move(request), {}));
  }
  size_t files() const {
    return static_cast<size_t>(
        std::distance(fs::directory_iterator(temp.path() + "/layout/blobs/sha256"), {}));
  }
};

TEST_F(FetchTest, brings_manifest_configuration_and_layers) {
  const auto manifest = registry.add("team/app:1", {{file("a", "1")}, {file("b", "2")}});
  const auto index = registry.add_index("team/app:multi", manifest);
  auto fetched = fetch(request_for("team/app:multi"));
  ASSERT_TRUE(fetched) << fetched.error().message();
  EXPECT_GT(fetched->bytes, 0u);
  EXPECT_EQ(files(), 4u);
  const auto text = testing::load(temp.path() + "/layout/index.json");
  for (const auto& part : {manifest, reference("team/app:multi"), reference("team/app@" + index)})
    EXPECT_NE(text.find(part), std::string::npos) << text;
  fetched = fetch(request_for("team/app@" + index));
  EXPECT_TRUE(fetched);
}

TEST_F(FetchTest, asks_only_for_the_head_of_what_is_known) {
  auto request = request_for("app:1");
  request.known_digests = {registry.add("app:1", {{file("a", "1")}})};
  auto fetched = fetch(request);
  ASSERT_TRUE(fetched) << fetched.error().message();
  EXPECT_TRUE(fetched->unchanged);
  EXPECT_EQ(registry.log, std::vector<std::string>{"HEAD /v2/app/manifests/1"});
  registry.add("app:1", {{file("a", "new")}});
  fetched = fetch(request);
  ASSERT_TRUE(fetched);
  EXPECT_FALSE(fetched->unchanged);
}

TEST_F(FetchTest, lets_itself_in) {
  registry.add("app:1", {{file("a", "1")}});
  for (const auto auth : {FakeRegistry::Auth::basic, FakeRegistry::Auth::bearer}) {
    registry.auth = auth;
    auto request = request_for("app:1");
    EXPECT_TRUE(fetch(request).is(Code::unauthorized));
    request.credentials = {{"user", "wrong", ""},
                           {"user", "password", ""}};  // the second is let in
    const auto fetched = fetch(request);
    EXPECT_TRUE(fetched) << fetched.error().message();
  }
}

TEST_F(FetchTest, takes_credentials_and_mirrors_from_registries_yaml) {
  registry.auth = FakeRegistry::Auth::basic;
  registry.add("cache/busybox:1", {{file("a", "1")}});
  auto request = request_for("x:1");
  request.reference = "docker.io/library/busybox:1";
  request.registries_file = testing::save(temp.path() + "/registries.yaml", fmt::format(R"yaml(
mirrors:
  docker.io:
    endpoint: ["http://{0}"]
    rewrite: {{"^library/(.*)": "cache/$1"}}
configs:
  "{0}":
    auth: {{username: user, password: password}}
)yaml", host()));
  const auto fetched = fetch(request);
  ASSERT_TRUE(fetched) << fetched.error().message();
  EXPECT_EQ(registry.log.at(0), "GET /v2/cache/busybox/manifests/1");
}

TEST_F(FetchTest, takes_up_a_layer_where_the_connection_broke) {
  std::string noise;
  const auto random = make_seeded_random(1);
  while (noise.size() < 100'000) noise += random->hex(32);
  registry.add("app:1", {{file("a", noise)}}, testing::Compression::none);
  registry.cut_blobs_after = 40'000;
  const auto fetched = fetch(request_for("app:1"));
  ASSERT_TRUE(fetched) << fetched.error().message();
  EXPECT_LE(fetched->bytes, 110'000u);
}

TEST_F(FetchTest, refuses_what_is_damaged_and_keeps_none_of_it) {
  registry.add("app:1", {{file("a", "1")}});
  registry.damage_blobs = true;
  const auto fetched = fetch(request_for("app:1"));
  ASSERT_TRUE(fetched.is(Code::invalid));
  EXPECT_NE(fetched.error().message().find("does not match its content"), std::string::npos);
}

TEST_F(FetchTest, keeps_its_credentials_from_other_hosts) {
  registry.add("app:1", {{file("a", "1")}});
  FakeRegistry storage;
  storage.add("app:1", {{file("a", "1")}});
  net::ServerOptions options;
  options.address = "127.0.0.1";
  options.port = 0;
  auto other = net::listen(*clock, *metrics, storage, std::move(options));
  ASSERT_TRUE(other);
  registry.auth = FakeRegistry::Auth::basic;
  registry.redirect_blobs_to = fmt::format("http://127.0.0.1:{}", (*other)->port());
  auto request = request_for("app:1");
  request.credentials = {{"user", "password", ""}};
  std::optional<Result<Fetched>> out;
  TaskGroup group;
  group.add("registry", server->run());
  group.add("storage", (*other)->run());
  group.add("body", keep<Result<Fetched>>(fetch_image(*clock, std::move(request), {}), out, group));
  const auto ended = kinglet::testing::run_task(loop, group.run());
  EXPECT_TRUE(ended);
  EXPECT_TRUE(*out) << out->error().message();
  EXPECT_EQ(storage.last_authorization, "");
  EXPECT_FALSE(storage.log.empty());
}

TEST_F(FetchTest, says_what_is_not_there) {
  const auto fetched = fetch(request_for("app:2"));
  ASSERT_TRUE(fetched.is(Code::not_found));
  EXPECT_NE(fetched.error().message().find("manifest unknown"), std::string::npos)
      << fetched.error().message();
  auto request = request_for("app:1");
  request.reference = "127.0.0.1:1/app:1";
  EXPECT_TRUE(fetch(request).is(Code::unavailable));
}

TEST_F(FetchTest, a_store_pulls_unpacks_and_remembers) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root: unpacking sets owners";
  ImageStoreOptions options;
  options.directory = temp.path() + "/images";
  options.unpack_command = {"/proc/self/exe", "unpack-image"};
  options.fetch_command = {"/proc/self/exe", "fetch-image"};
  options.used_images = [] { return std::set<std::string>(); };
  const auto store = make_image_store(std::move(options));
  ASSERT_TRUE(store->open());
  const auto manifest =
      registry.add("app:1", {{file("base", "base")}, {file("f", "1")}}, testing::Compression::zstd);
  const auto pull = [&] {
    PullRequest request;
    request.reference = reference("app:1");
    return run(store->pull(std::move(request)));
  };
  auto pulled = pull();
  ASSERT_TRUE(pulled) << pulled.error().message();
  EXPECT_FALSE(pulled->unchanged);
  EXPECT_EQ(pulled->image.digests, std::vector<std::string>{reference("app@" + manifest)});
  EXPECT_TRUE(fs::is_empty(temp.path() + "/images/downloads"));
  EXPECT_TRUE(pull()->unchanged);
  // A new version: the layer that is here already is not fetched again.
  registry.add("app:1", {{file("base", "base")}, {file("f", "2")}}, testing::Compression::zstd);
  registry.log.clear();
  pulled = pull();
  ASSERT_TRUE(pulled) << pulled.error().message();
  EXPECT_FALSE(pulled->unchanged);
  EXPECT_EQ(std::count_if(
                registry.log.begin(), registry.log.end(),
                [](const std::string& line) { return line.find("/blobs/") != std::string::npos; }),
            2);  // the configuration and one layer
  EXPECT_EQ(store->list().size(), 2u);
}

}  // namespace
}  // namespace kinglet::runtime

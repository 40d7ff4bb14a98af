// `kinglet images`: through the running server, or straight on the image store when no server runs.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>

#include "base/task.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "cli/options.h"
#include "json/json.h"
#include "net/client.h"
#include "node/images_api.h"
#include "node/runtime/image_store.h"

namespace kinglet::cli {
namespace {

constexpr Duration kImportTimeout = 30min;  // a slow card or line, and a large image
constexpr const char* kRegistriesFile = "/etc/kinglet/registries.yaml";

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    out += std::isalnum(u) || c == '/' || c == '-' || c == '_' || c == '.' ? std::string(1, c) : fmt::format("%{:02X}", u);
  }
  return out;
}

// Where images are kept, whoever keeps them just now.
class ImageBackend {
 public:
  virtual ~ImageBackend() = default;
  virtual Result<json::Value> list() = 0;
  virtual Result<json::Value> import(const std::string& path) = 0;
  virtual Result<json::Value> pull(const std::string& name) = 0;
  virtual Result<void> remove(const std::string& name) = 0;
};

class RunningServer final : public ImageBackend {
 public:
  RunningServer(Clock& clock, client::HttpApiOptions connection, std::string node)
      : clock_(clock), connection_(std::move(connection)), node_(std::move(node)) {}
  Result<json::Value> list() override { return ask("GET", ""); }
  Result<json::Value> import(const std::string& path) override { return ask("POST", "?path=" + escaped(path)); }
  Result<json::Value> pull(const std::string& name) override { return ask("POST", "?pull=" + escaped(name)); }
  Result<void> remove(const std::string& name) override {
    const auto done = ask("DELETE", "?name=" + escaped(name));
    return done ? Result<void>() : Result<void>(done.error());
  }

 private:
  Result<json::Value> ask(const std::string& method, const std::string& query) {
    net::ClientRequest request;
    request.method = method;
    request.url = fmt::format("{}/api/v1/nodes/{}/proxy/images{}", connection_.server, node_, query);
    request.tls = connection_.tls;
    request.timeout = kImportTimeout;
    const auto response = run_to_end(net::fetch(clock_, std::move(request)));
    if (!response) return response.error();
    if (response->status >= 300) return client::error_of_status(response->status, response->body);
    return json::parse(response->body);
  }
  Clock& clock_;
  client::HttpApiOptions connection_;
  std::string node_;
};

class ImagesOnDisk final : public ImageBackend {
 public:
  ImagesOnDisk(DataDirLock lock, std::unique_ptr<runtime::ImageStore> store)
      : lock_(std::move(lock)), store_(std::move(store)) {}
  Result<json::Value> list() override { return node::image_list_json(store_->list()); }
  Result<json::Value> import(const std::string& path) override {
    const auto imported = run_to_end(store_->import_archive(path));
    if (!imported) return imported.error();
    return node::image_list_json(*imported);
  }
  Result<json::Value> pull(const std::string& name) override {
    auto pulling = store_->pull({name, {}, true});
    const auto pulled = run_to_end(std::move(pulling));
    if (!pulled) return pulled.error();
    return node::image_list_json({pulled->image});
  }
  Result<void> remove(const std::string& name) override {
    auto removed = run_to_end(store_->remove(name));
    if (!removed) return removed;
    const auto collected = run_to_end(store_->collect(false));
    return collected ? Result<void>() : Result<void>(collected.error());
  }

 private:
  DataDirLock lock_;
  std::unique_ptr<runtime::ImageStore> store_;
};

Result<std::unique_ptr<ImageBackend>> find_backend(Files& files, Clock& clock, const std::string& data_dir) {
  auto lock = DataDirLock::take(data_dir);
  if (lock) {
    runtime::ImageStoreOptions options;
    options.directory = data_dir + "/agent/images";
    const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
    options.unpack_command = {self, "unpack-image"};
    options.fetch_command = {self, "fetch-image"};
    options.registries_file = kRegistriesFile;
    KL_CHECK_FN(files.make_dirs(options.directory));
    auto store = runtime::make_image_store(std::move(options));
    KL_CHECK_FN(store->open());
    return std::unique_ptr<ImageBackend>(std::make_unique<ImagesOnDisk>(*std::move(lock), std::move(store)));
  }
  if (!lock.is(Code::conflict)) return lock.error();
  KL_TRY_FN(connection, admin_connection(files, data_dir));
  KL_TRY_FN(node, read_file(files, data_dir + "/agent/node-name"), "this server runs no node");
  return std::unique_ptr<ImageBackend>(std::make_unique<RunningServer>(clock, connection, node));
}

void print_list(const json::Value& list) {
  std::printf("%-60s %-16s %s\n", "IMAGE", "ID", "SIZE");
  for (const auto& item : list.at("items").as_array()) {
    const std::string id(json::text_at(item, {"id"}));
    const double mib = static_cast<double>(json::int_at(item, {"sizeBytes"})) / (1 << 20);
    for (const auto& tag : item.at("tags").as_array())
      std::printf("%-60s %-16s %.1fMiB\n", tag.as_string().c_str(), id.substr(7, 12).c_str(), mib);
    if (item.at("tags").as_array().empty()) std::printf("%-60s %-16s %.1fMiB\n", "<none>", id.substr(7, 12).c_str(), mib);
  }
}

}  // namespace

int images_command(const std::vector<std::string>& args) {
  CLI::App app("Images of this node. Works while the server runs, and without it.", "kinglet images");
  app.require_subcommand(1);
  std::string data_dir = kDefaultDataDir;
  std::vector<std::string> names, archives, wanted;
  app.add_option("-d,--data-dir", data_dir, "the server's data directory")->capture_default_str();
  auto* import = app.add_subcommand("import", "import docker-archive or OCI layout tars (plain, gzip or zstd)");
  import->add_option("ARCHIVE", archives, "files")->required();
  auto* list = app.add_subcommand("ls", "list images")->alias("list");
  auto* pull = app.add_subcommand("pull", "bring images from their registries (registries.yaml counts)");
  pull->add_option("IMAGE", wanted, "names")->required();
  auto* remove = app.add_subcommand("rm", "remove images by name or id")->alias("remove");
  remove->add_option("IMAGE", names, "names or ids")->required();
  for (auto* sub : {import, list, pull, remove}) sub->add_option("-d,--data-dir", data_dir, "the server's data directory");
  try {
    app.parse(std::vector<std::string>(args.rbegin(), args.rend()));
  } catch (const CLI::ParseError& e) {
    return app.exit(e);
  }
  const auto files = make_system_files();
  const auto clock = make_system_clock();
  auto backend = find_backend(*files, *clock, data_dir);
  if (!backend) return fail(backend.error().message());
  if (list->parsed()) {
    const auto images = (*backend)->list();
    if (!images) return fail(images.error().message());
    print_list(*images);
  }
  for (const auto& archive : archives) {
    const auto imported = (*backend)->import(std::filesystem::absolute(archive).string());
    if (!imported) return fail("import " + archive + ": " + imported.error().message());
    for (const auto& item : imported->at("items").as_array())
      for (const auto& tag : item.at("tags").as_array()) std::printf("imported %s\n", tag.as_string().c_str());
  }
  for (const auto& name : wanted) {
    const auto pulled = (*backend)->pull(name);
    if (!pulled) return fail("pull " + name + ": " + pulled.error().message());
    std::printf("pulled %s\n", name.c_str());
  }
  for (const auto& name : names) {
    const auto removed = (*backend)->remove(name);
    if (!removed) return fail("remove " + name + ": " + removed.error().message());
    std::printf("removed %s\n", name.c_str());
  }
  return 0;
}

}  // namespace kinglet::cli

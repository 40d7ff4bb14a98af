#include "cli/connection.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>

#include "json/json.h"
#include "net/crypto.h"

namespace kinglet::cli {

namespace detail {
Task<void> run_and_keep(TaskGroup& group, Result<void>& out) { out = co_await group.run(); }

Result<void> run_group(TaskGroup& group) {
  boost::asio::io_context loop(1);
  Result<void> out;
  std::exception_ptr thrown;
  boost::asio::co_spawn(loop, run_and_keep(group, out), [&](std::exception_ptr error) { thrown = error; });
  loop.run();
  if (thrown) std::rethrow_exception(thrown);
  return out;
}
}  // namespace detail

Result<DataDirLock> DataDirLock::take(const std::string& data_dir) {
  std::error_code bad;
  std::filesystem::create_directories(data_dir, bad);
  const std::string path = data_dir + "/kinglet.lock";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return errno_error(errno, "data directory: " + path);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    char pid[32] = "";
    const ssize_t n = ::pread(fd, pid, sizeof pid - 1, 0);
    ::close(fd);
    if (errno != EWOULDBLOCK && errno != EINTR && n < 0) return errno_error(errno, path);
    std::string who = n > 0 ? std::string(pid, static_cast<size_t>(n)) : "";
    while (!who.empty() && who.back() == '\n') who.pop_back();
    return Error(Code::conflict, "another kinglet{} works on {}: stop it first, or choose another --data-dir",
                 who.empty() ? "" : " (process " + who + ")", data_dir);
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, pid.data(), pid.size(), 0) < 0) {
    const int number = errno;  // a full disk must not stop a server that has started before
    if (number != ENOSPC) {
      ::close(fd);
      return errno_error(number, path);
    }
  }
  return DataDirLock(fd);
}

DataDirLock::~DataDirLock() {
  if (fd_ >= 0) ::close(fd_);
}

std::string admin_kubeconfig_path(const std::string& data_dir) { return data_dir + "/server/cred/admin.kubeconfig"; }

Result<client::HttpApiOptions> admin_connection(Files& files, const std::string& data_dir) {
  const std::string path = admin_kubeconfig_path(data_dir);
  const auto text = read_file(files, path);
  if (!text && text.is(Code::not_found))
    return Error(Code::not_found, "no server has been started on {} yet (`kinglet server` does)", data_dir);
  if (!text) return text.error();
  KL_TRY_FN(config, json::parse_yaml(*text), "{}", path);
  const auto first = [&](const char* list, const char* member, const char* field) -> std::string {
    const json::Value* found = json::find(config, {list});
    if (found == nullptr || !found->is_array() || found->as_array().empty()) return "";
    return std::string(json::text_at(found->as_array()[0], {member, field}));
  };
  client::HttpApiOptions out;
  out.server = first("clusters", "cluster", "server");
  const auto ca = net::from_base64(first("clusters", "cluster", "certificate-authority-data"));
  const auto certificate = net::from_base64(first("users", "user", "client-certificate-data"));
  const auto key = net::from_base64(first("users", "user", "client-key-data"));
  if (out.server.empty() || !ca || !certificate || !key)
    return Error(Code::invalid, "{} is damaged: remove it and start the server again", path);
  out.tls.ca_pem = *ca;
  out.tls.key_pair = {*certificate, *key};
  return out;
}

}  // namespace kinglet::cli

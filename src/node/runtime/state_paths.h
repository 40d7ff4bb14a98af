// Where the runtime keeps what. Below the data directory: what must survive a reboot. Below the run directory: what
// means nothing after one.
#pragma once
#include <string>

namespace kinglet::runtime {

struct StatePaths {
  std::string data;  // <data-dir>/agent
  std::string run;   // /run/kinglet

  std::string images() const { return data + "/images"; }
  std::string sandbox_records() const { return data + "/sandboxes"; }
  std::string sandbox_record(const std::string& id) const { return sandbox_records() + "/" + id + ".json"; }
  std::string containers() const { return data + "/containers"; }
  std::string container(const std::string& id) const { return containers() + "/" + id; }
  std::string container_record(const std::string& id) const { return container(id) + "/record.json"; }
  std::string upper(const std::string& id) const { return container(id) + "/upper"; }
  std::string work(const std::string& id) const { return container(id) + "/work"; }
  std::string trash() const { return data + "/trash"; }

  std::string epoch() const { return run + "/epoch"; }
  std::string sandboxes_run() const { return run + "/sandboxes"; }
  std::string sandbox_run(const std::string& id) const { return sandboxes_run() + "/" + id; }
  std::string bundles() const { return run + "/containers"; }
  std::string bundle(const std::string& id) const { return bundles() + "/" + id; }
  std::string rootfs(const std::string& id) const { return bundle(id) + "/rootfs"; }
  std::string exits() const { return run + "/exits"; }
  std::string exit_file(const std::string& id) const { return exits() + "/" + id; }
  std::string crun_root() const { return run + "/crun"; }
  std::string exec() const { return run + "/exec"; }
};

}  // namespace kinglet::runtime

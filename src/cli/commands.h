// The commands beside `server`. Each takes its arguments without the command's name and returns the exit code; what it
// says goes to stdout, what went wrong to stderr.
#pragma once
#include <string>
#include <vector>

namespace kinglet::cli {

int agent_command(const std::vector<std::string>& args);
int server_command(const std::vector<std::string>& args);
int token_command(const std::vector<std::string>& args);
int images_command(const std::vector<std::string>& args);
int fetch_image_command(const std::vector<std::string>& args);
int check_command(const std::vector<std::string>& args);
int killall_command(const std::vector<std::string>& args);
int version_command(const std::vector<std::string>& args);

// "kinglet: <text>" on stderr; returns 1.
int fail(const std::string& text);

}  // namespace kinglet::cli

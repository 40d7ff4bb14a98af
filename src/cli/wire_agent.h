// An agent, put together: the tunnel, the API that it carries, and the node on top.
#pragma once
#include "base/clock.h"
#include "base/files.h"
#include "base/random.h"
#include "base/task_fwd.h"
#include "cli/agent_options.h"

namespace kinglet::cli {

// Joins if need be, then runs the node until SIGTERM or SIGINT, which leaves its containers
// running. Outages are waited for. Errors: in words for the operator, when trying again would
// change nothing.
Task<Result<void>> run_agent(Files& files, Clock& clock, Random& random,
                             const AgentOptions& options);

}  // namespace kinglet::cli

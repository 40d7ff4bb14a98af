// What controllers of pods share: a selector that matches its template, and a template they may
// use.
#pragma once
#include "apiserver/hooks/rules.h"

namespace kinglet::apiserver {

// The selector is there, is not empty and matches the template's labels.
void validate_workload_selector(const json::Value& spec, std::string_view kind, Causes& causes);
void validate_always_template(const json::Value& spec, Causes& causes);  // restartPolicy Always
void validate_job_spec(const json::Value& spec, const Path& path, Causes& causes);
void validate_cron_schedule(const json::Value& schedule, const Path& path, Causes& causes);

}  // namespace kinglet::apiserver

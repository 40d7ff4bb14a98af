#include "controllers/internal/cron_job.h"

#include <fstream>
#include <sstream>

#include "controllers/internal/testing.h"

namespace kinglet::controllers {
namespace {

int64_t unix_of(const std::string& text) {
  const auto time = parse_rfc3339(text);
  EXPECT_TRUE(time) << text;
  return time ? std::chrono::duration_cast<std::chrono::seconds>(time->since_epoch).count() : 0;
}
std::string text_of(std::optional<int64_t> time) {
  return time ? rfc3339({std::chrono::seconds(*time)}) : "never";
}
// The header and one rule: what a file without listed changes looks like.
std::string zone_file(const std::string& rule) {
  std::string header = "TZif2" + std::string(15, '\0');
  const auto number = [](uint32_t n) { return std::string{char(n >> 24), char(n >> 16), char(n >> 8), char(n)}; };
  for (const uint32_t n : {0, 0, 0, 0, 1, 4}) header += number(n);
  const std::string block = number(0) + std::string(2, '\0') + std::string("UTC\0", 4);
  return header + block + header + block + "\n" + rule + "\n";
}
TimeZone zone(const std::string& rule) {
  auto zone = TimeZone::parse(zone_file(rule));
  EXPECT_TRUE(zone) << rule;
  return zone ? *zone : TimeZone();
}
constexpr char kBerlin[] = "CET-1CEST,M3.5.0,M10.5.0/3";
constexpr char kNewYork[] = "EST5EDT,M3.2.0,M11.1.0";

TEST(CronSchedule, finds_the_next_time) {
  struct Case {
    const char *schedule, *zone, *after, *next;
  };
  const Case cases[] = {
      {"* * * * *", "UTC0", "2024-01-01T00:00:00Z", "2024-01-01T00:01:00Z"},
      {"*/15 * * * *", "UTC0", "2024-01-01T00:14:59Z", "2024-01-01T00:15:00Z"},
      {"30 4 * * *", "UTC0", "2024-01-01T05:00:00Z", "2024-01-02T04:30:00Z"},
      {"0 0 29 2 *", "UTC0", "2024-03-01T00:00:00Z", "2028-02-29T00:00:00Z"},
      {"0 0 30 2 *", "UTC0", "2024-03-01T00:00:00Z", "never"},
      {"0 0 * * mon-fri", "UTC0", "2024-01-05T12:00:00Z", "2024-01-08T00:00:00Z"},
      {"0 0 13 * fri", "UTC0", "2024-01-01T00:00:00Z", "2024-01-05T00:00:00Z"},
      {"0 0 1 JAN,jul *", "UTC0", "2024-01-02T00:00:00Z", "2024-07-01T00:00:00Z"},
      {"5/20 * * * *", "UTC0", "2024-01-01T00:26:00Z", "2024-01-01T00:45:00Z"},
      {"@hourly", "UTC0", "2024-01-01T00:30:00Z", "2024-01-01T01:00:00Z"},
      {"@weekly", "UTC0", "2024-01-01T00:00:00Z", "2024-01-07T00:00:00Z"},
      {"@every 90m", "UTC0", "2024-01-01T00:00:00Z", "2024-01-01T01:30:00Z"},
      {"0 9 * * *", kBerlin, "2024-01-01T00:00:00Z", "2024-01-01T08:00:00Z"},
      {"0 9 * * *", kBerlin, "2024-07-01T00:00:00Z", "2024-07-01T07:00:00Z"},
      {"30 2 * * *", kBerlin, "2024-03-30T12:00:00Z", "2024-04-01T00:30:00Z"},  // the night has no half past two
      {"30 2 * * *", kBerlin, "2024-10-27T00:00:00Z", "2024-10-27T00:30:00Z"},
      {"30 2 * * *", kBerlin, "2024-10-27T00:30:00Z", "2024-10-27T01:30:00Z"},  // and this one has two
      {"0 0 * * *", kNewYork, "2024-03-10T12:00:00Z", "2024-03-11T04:00:00Z"},
      {"0 0 * * *", kNewYork, "2024-11-03T12:00:00Z", "2024-11-04T05:00:00Z"},
      {"0 12 * * *", "<+0530>-5:30", "2024-01-01T00:00:00Z", "2024-01-01T06:30:00Z"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(fmt::format("{} {} after {}", c.schedule, c.zone, c.after));
    const auto schedule = CronSchedule::parse(c.schedule);
    ASSERT_TRUE(schedule) << schedule.error().message();
    EXPECT_EQ(text_of(schedule->next(unix_of(c.after), zone(c.zone))), c.next);
  }
}

TEST(CronSchedule, refuses_what_makes_no_sense) {
  for (const char* text : {"", "* * * *", "60 * * * *", "* * 0 * *", "5-1 * * * *", "*/0 * * * *", "@sometimes", "@every soon", "a * * * *", "* * * * 7"})
    EXPECT_FALSE(CronSchedule::parse(text)) << text;
}

TEST(CronSchedule, finds_what_was_missed_even_after_a_year) {
  const TimeZone utc;
  const auto minutely = CronSchedule::parse("* * * * *").value();
  const int64_t now = unix_of("2024-01-01T00:00:30Z");
  const auto long_ago = minutely.last_between(now - 365 * 86400, now, utc);
  ASSERT_TRUE(long_ago);
  EXPECT_EQ(text_of(long_ago->last), "2024-01-01T00:00:00Z");
  EXPECT_TRUE(long_ago->many);
  const auto recent = minutely.last_between(now - 300, now, utc);
  ASSERT_TRUE(recent);
  EXPECT_FALSE(recent->many);
  EXPECT_FALSE(minutely.last_between(now - 20, now, utc));
  const auto every = CronSchedule::parse("@every 1h").value().last_between(now - 7300, now, utc);
  ASSERT_TRUE(every);
  EXPECT_EQ(every->last, now - 100);
}

TEST(TimeZone, reads_the_files_of_this_system) {
  std::ifstream file("/usr/share/zoneinfo/America/New_York", std::ios::binary);
  if (!file) GTEST_SKIP() << "no time zones here";
  std::stringstream bytes;
  bytes << file.rdbuf();
  const auto listed = TimeZone::parse(bytes.str());
  ASSERT_TRUE(listed);
  const auto ruled = zone(kNewYork);
  for (int64_t when = unix_of("2010-01-01T00:00:00Z"); when < unix_of("2060-01-01T00:00:00Z"); when += 7 * 3600)
    ASSERT_EQ(listed->offset_at(when), ruled.offset_at(when)) << text_of(when);
  EXPECT_EQ(listed->offset_at(unix_of("1960-01-01T00:00:00Z")), -5 * 3600);
}

TEST(TimeZone, refuses_damaged_files_and_strange_names) {
  const auto good = zone_file(kBerlin);
  EXPECT_FALSE(TimeZone::parse(good.substr(0, 50)));
  EXPECT_FALSE(TimeZone::parse("TZif"));
  EXPECT_FALSE(TimeZone::parse(zone_file("CET-1CEST,M13.5.0,M10.5.0")));
  EXPECT_TRUE(is_zone_name("America/Argentina/Buenos_Aires"));
  for (const char* name : {"", "/etc/passwd", "../../etc/passwd", "a b"}) EXPECT_FALSE(is_zone_name(name)) << name;
}

// --- the controller's decision ----------------------------------------------------------------------------------
constexpr char kNow[] = "2024-01-01T00:10:10Z";
Ref<const CronJob> cron(const std::string& spec, const std::string& status = "lastScheduleTime: '2024-01-01T00:05:00Z'") {
  return made<CronJob>(fmt::format(
      "{{metadata: {{name: tick, namespace: default, uid: c, creationTimestamp: '2024-01-01T00:00:00Z'}}, spec: {{schedule: '*/5 * * * *', "
      "{}}}, status: {{{}}}}}",
      spec, status));
}
Ref<const Job> run_of(const std::string& name, const std::string& end, const std::string& created = "2024-01-01T00:00:00Z") {
  const auto conditions = end.empty() ? "" : fmt::format("conditions: [{{type: {}, status: 'True'}}]", end);
  return made<Job>(fmt::format("{{metadata: {{name: {0}, namespace: default, uid: {0}, creationTimestamp: '{1}'}}, status: {{{2}}}}}", name, created, conditions));
}
CronPlan plan(const Ref<const CronJob>& cron, const std::vector<Ref<const Job>>& jobs = {}, const char* now = kNow) {
  return plan_cron_job(*cron, jobs, TimeZone(), *parse_rfc3339(now));
}
std::string told(const CronPlan& plan) {
  std::string text;
  for (const auto& event : plan.events) text += event.reason + " ";
  return text;
}

TEST(PlanCronJob, runs_what_is_due_once) {
  struct Case {
    const char *name, *spec, *status;
    std::vector<Ref<const Job>> jobs;
    const char *run, *events;
  };
  const char* active = "lastScheduleTime: '2024-01-01T00:05:00Z', active: [{name: tick-28401125, namespace: default, uid: x}]";
  const Case cases[] = {
      {"due", "", "lastScheduleTime: '2024-01-01T00:05:00Z'", {}, "2024-01-01T00:10:00Z", ""},
      {"never run before", "", "", {}, "2024-01-01T00:10:00Z", ""},
      {"done already", "", "lastScheduleTime: '2024-01-01T00:10:00Z'", {}, "never", ""},
      {"suspended", "suspend: true", "", {}, "never", ""},
      {"too late", "startingDeadlineSeconds: 5", "", {}, "never", ""},
      {"in time", "startingDeadlineSeconds: 15", "", {}, "2024-01-01T00:10:00Z", ""},
      {"another one runs and may", "", active, {run_of("tick-28401125", "")}, "2024-01-01T00:10:00Z", ""},
      {"another one runs and must not", "concurrencyPolicy: Forbid", active, {run_of("tick-28401125", "")}, "never", "JobAlreadyActive "},
      {"the other one has ended", "concurrencyPolicy: Forbid", active, {run_of("tick-28401125", "Complete")}, "2024-01-01T00:10:00Z", "SawCompletedJob "},
      {"the other one is missing", "concurrencyPolicy: Forbid", active, {}, "2024-01-01T00:10:00Z", "MissingJob "},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const auto p = plan(cron(c.spec, c.status), c.jobs);
    EXPECT_EQ(text_of(p.run), c.run);
    EXPECT_EQ(told(p), c.events);
  }
}

TEST(PlanCronJob, replaces_the_run_before) {
  const auto p = plan(cron("concurrencyPolicy: Replace"), {run_of("tick-1", "")});
  ASSERT_EQ(p.replace.size(), 1u);
  EXPECT_TRUE(p.run);
  EXPECT_TRUE(p.status.active.empty());
}

TEST(PlanCronJob, forgets_the_oldest_runs) {
  const std::vector<Ref<const Job>> jobs = {run_of("a", "Complete", "2024-01-01T00:00:01Z"), run_of("b", "Complete", "2024-01-01T00:00:02Z"),
                                            run_of("c", "Failed", "2024-01-01T00:00:01Z"), run_of("d", "Failed", "2024-01-01T00:00:02Z")};
  const auto p = plan(cron("successfulJobsHistoryLimit: 1, failedJobsHistoryLimit: 0"), jobs);
  std::string names;
  for (const auto& job : p.forget) names += job->meta.name + " ";
  EXPECT_EQ(names, "a c d ");
}

TEST(PlanCronJob, looks_again_when_the_next_run_is_due) {
  const auto p = plan(cron(""));
  ASSERT_TRUE(p.again_after);
  EXPECT_EQ(*p.again_after, Duration(290s + 100ms));
}

TEST(CronRun, is_named_and_stamped_by_its_time) {
  const auto c = made<CronJob>("{metadata: {name: tick, namespace: default, uid: c}, spec: {jobTemplate: {metadata: {labels: {a: b}}, spec: {parallelism: 2}}}}");
  const auto object = cron_run(*c, unix_of("2024-07-01T10:00:00Z"), zone(kBerlin));
  EXPECT_EQ(json::text_at(object, {"metadata", "name"}), "tick-28663800");
  EXPECT_EQ(json::text_at(object, {"metadata", "annotations", kScheduledTimestamp}), "2024-07-01T12:00:00+02:00");
  EXPECT_EQ(json::text_at(object, {"metadata", "labels", "a"}), "b");
  EXPECT_EQ(json::int_at(object, {"spec", "parallelism"}), 2);
}

}  // namespace
}  // namespace kinglet::controllers

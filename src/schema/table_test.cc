#include <gtest/gtest.h>

#include "base/clock.h"
#include "schema/codec.h"

namespace kinglet::schema {
namespace {

constexpr int64_t kNow = 1'700'000'000;  // 2023-11-14T22:13:20Z

// A resource with as many columns as the test needs.
Resource resource(std::string_view group, std::string_view plural, size_t columns) {
  static const Column kColumns[16] = {};
  Resource out{};
  out.group = group;
  out.plural = plural;
  out.columns = std::span(kColumns, columns);
  return out;
}

std::string cells(std::string_view group, std::string_view plural, size_t columns,
                  std::string_view object) {
  return json::print(table_cells(resource(group, plural, columns), *json::parse(object), kNow));
}

TEST(Table, ages_are_short) {
  const std::pair<int64_t, const char*> cases[] = {{-5, "<invalid>"},
                                                   {-1, "0s"},
                                                   {0, "0s"},
                                                   {119, "119s"},
                                                   {120, "2m"},
                                                   {303, "5m3s"},
                                                   {600, "10m"},
                                                   {9000, "150m"},
                                                   {3 * 3600, "3h"},
                                                   {19800, "5h30m"},
                                                   {8 * 3600, "8h"},
                                                   {172799, "47h"},
                                                   {172800, "2d"},
                                                   {86400 * 3 + 18000, "3d5h"},
                                                   {86400 * 8, "8d"},
                                                   {86400 * 729, "729d"},
                                                   {86400 * 730, "2y"},
                                                   {86400 * (3 * 365 + 12), "3y12d"},
                                                   {86400 * 365 * 9, "9y"}};
  for (const auto& [seconds, text] : cases) EXPECT_EQ(short_age(seconds), text) << seconds;
}

TEST(Table, kinds_show_their_cells) {
  struct Case {
    const char *group, *plural;
    size_t columns;
    const char *object, *cells;
  };
  const Case cases[] = {
      {"", "pods", 9,
       R"({"metadata":{"name":"p","creationTimestamp":"2023-11-14T22:12:20Z"},"spec":{"nodeName":"n","containers":[{"name":"a"},{"name":"b"}]},
           "status":{"phase":"Running","podIPs":[{"ip":"10.42.0.2"}],"containerStatuses":[
           {"name":"a","ready":true,"restartCount":2,"state":{"running":{}},"lastState":{"terminated":{"finishedAt":"2023-11-14T22:13:00Z"}}},
           {"name":"b","ready":false,"restartCount":0,"state":{"waiting":{"reason":"CrashLoopBackOff"}}}]}})",
       R"j(["p","1/2","CrashLoopBackOff","2 (20s ago)","60s","10.42.0.2","n","<none>","<none>"])j"},
      {"", "pods", 9,
       R"({"metadata":{"name":"p","deletionTimestamp":"2023-11-14T22:12:20Z"},"spec":{"containers":[{}]},"status":{"phase":"Running"}})",
       R"(["p","0/1","Terminating","0","<unknown>","<none>","<none>","<none>","<none>"])"},
      {"", "pods", 4,
       R"({"metadata":{"name":"p"},"spec":{"initContainers":[{"name":"i"},{"name":"j"}],"containers":[{}]},
        "status":{"phase":"Pending","initContainerStatuses":[{"name":"i","state":{"terminated":{"exitCode":0}}},{"name":"j","state":{"running":{}}}]}})",
       R"(["p","0/1","Init:1/2","0"])"},
      {"", "pods", 3,
       R"({"metadata":{"name":"p"},"spec":{"containers":[{}]},"status":{"phase":"Failed","containerStatuses":[{"state":{"terminated":{"exitCode":3}}}]}})",
       R"(["p","0/1","ExitCode:3"])"},
      {"apps", "deployments", 8,
       R"({"metadata":{"name":"d"},"spec":{"replicas":3,"selector":{"matchLabels":{"a":"b"}},"template":{"spec":{"containers":[{"name":"c","image":"i"}]}}},"status":{"readyReplicas":2}})",
       R"(["d","2/3","0","0","<unknown>","c","i","a=b"])"},
      {"", "services", 7,
       R"({"metadata":{"name":"s"},"spec":{"type":"NodePort","clusterIP":"10.43.0.1","clusterIPs":["10.43.0.1"],"ports":[{"port":80,"nodePort":30080,"protocol":"TCP"},{"port":53,"protocol":"UDP"}]}})",
       R"(["s","NodePort","10.43.0.1","<none>","80:30080/TCP,53/UDP","<unknown>","<none>"])"},
      {"", "services", 5,
       R"({"metadata":{"name":"s"},"spec":{"type":"LoadBalancer","clusterIP":"10.43.0.1"}})",
       R"(["s","LoadBalancer","10.43.0.1","<pending>","<none>"])"},
      {"", "nodes", 6,
       R"({"metadata":{"name":"n","labels":{"node-role.kubernetes.io/master":"","node-role.kubernetes.io/control-plane":""}},
           "spec":{"unschedulable":true},"status":{"conditions":[{"type":"Ready","status":"True"}],"addresses":[{"type":"InternalIP","address":"1.2.3.4"}],"nodeInfo":{"kubeletVersion":"v1"}}})",
       R"(["n","Ready,SchedulingDisabled","control-plane,master","<unknown>","v1","1.2.3.4"])"},
      {"", "endpoints", 2,
       R"({"metadata":{"name":"e"},"subsets":[{"addresses":[{"ip":"1.1.1.1"},{"ip":"1.1.1.2"}],"ports":[{"port":80},{"port":81}]}]})",
       R"(["e","1.1.1.1:80,1.1.1.2:80,1.1.1.1:81 + 1 more..."])"},
      {"discovery.k8s.io", "endpointslices", 4,
       R"({"metadata":{"name":"e"},"addressType":"IPv4","ports":[{"port":80}],"endpoints":[]})",
       R"(["e","IPv4","80","<unset>"])"},
      {"batch", "jobs", 4,
       R"({"metadata":{"name":"j"},"spec":{"completions":2},"status":{"succeeded":1,"startTime":"2023-11-14T22:12:20Z","conditions":[{"type":"Suspended","status":"True"}]}})",
       R"(["j","Suspended","1/2","60s"])"},
      {"", "events", 10,
       R"({"metadata":{"name":"e"},"involvedObject":{"kind":"Pod","name":"p"},"type":"Normal","reason":"Started","message":" hi\n","count":3,
           "lastTimestamp":"2023-11-14T22:13:00Z","firstTimestamp":"2023-11-14T22:12:20Z","source":{"component":"kubelet","host":"n"}})",
       R"(["20s","Normal","Started","pod/p","","kubelet, n","hi","60s","3","e"])"},
      {"", "configmaps", 2,
       R"({"metadata":{"name":"c"},"data":{"a":"b"},"binaryData":{"c":"ZA=="}})", R"(["c","2"])"},
      {"storage.k8s.io", "storageclasses", 5,
       R"({"metadata":{"name":"s","annotations":{"storageclass.kubernetes.io/is-default-class":"true"}},"provisioner":"x"})",
       R"j(["s (default)","x","Delete","Immediate","false"])j"},
      {"", "persistentvolumeclaims", 5,
       R"({"metadata":{"name":"c"},"spec":{"volumeName":"v"},"status":{"phase":"Bound","capacity":{"storage":"1Gi"},"accessModes":["ReadWriteOnce"]}})",
       R"(["c","Bound","v","1Gi","RWO"])"},
      {"rbac.authorization.k8s.io", "rolebindings", 6,
       R"({"metadata":{"name":"b"},"roleRef":{"kind":"Role","name":"r"},"subjects":[{"kind":"User","name":"u"},{"kind":"ServiceAccount","namespace":"n","name":"s"}]})",
       R"(["b","Role/r","<unknown>","u","","n/s"])"},
      {"", "resourcequotas", 3,
       R"({"metadata":{"name":"q"},"status":{"hard":{"pods":"10","limits.cpu":"2"},"used":{"pods":"3"}}})",
       R"(["q","pods: 3/10","limits.cpu: 0/2"])"},
      {"autoscaling", "horizontalpodautoscalers", 3,
       R"({"metadata":{"name":"h"},"spec":{"scaleTargetRef":{"kind":"Deployment","name":"d"},"metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":80}}}]}})",
       R"(["h","Deployment/d","cpu: <unknown>/80%"])"},
      {"rbac.authorization.k8s.io", "roles", 2,
       R"({"metadata":{"name":"r","creationTimestamp":"2023-11-14T22:13:00Z"}})",
       R"(["r","2023-11-14T22:13:00Z"])"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(*json::parse(cells(c.group, c.plural, c.columns, c.object)), *json::parse(c.cells))
        << c.plural;
}

TEST(Table, objects_of_nothing_harm_nobody) {
  for (const auto* plural :
       {"pods", "services", "nodes", "events", "jobs", "secrets", "persistentvolumes"})
    for (const auto* text : {"{}", R"({"metadata":null,"spec":[],"status":"x"})",
                             R"({"status":{"conditions":[1,"x",null]}})"})
      EXPECT_EQ(json::parse(cells("", plural, 5, text))->get_array().size(), 5u) << plural;
}

}  // namespace
}  // namespace kinglet::schema

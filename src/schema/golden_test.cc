// One reviewed file per kind in testdata/: a maximal object in canonical form. UPDATE_GOLDEN=1
// writes them.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "api/apps.h"
#include "api/authentication.h"
#include "api/authorization.h"
#include "api/autoscaling.h"
#include "api/batch.h"
#include "api/certificates.h"
#include "api/coordination.h"
#include "api/core.h"
#include "api/discovery.h"
#include "api/events.h"
#include "api/networking.h"
#include "api/node.h"
#include "api/policy.h"
#include "api/rbac.h"
#include "api/scheduling.h"
#include "api/storage.h"
#include "schema/codec.h"
#include "schema/structs.h"
#include "schema/testing/sample.h"

namespace kinglet::schema {
namespace {

std::vector<const Type*> golden_types() {
  std::vector<const Type*> types;
  for (const Resource* resource : resources()) types.push_back(resource->type);
  for (const char* name :
       {"meta.v1.Status", "meta.v1.DeleteOptions", "meta.v1.Table", "autoscaling.v1.Scale",
        "policy.v1.Eviction", "authentication.v1.TokenRequest", "core.v1.ConfigMapList",
        "admission.v1.AdmissionReview", "metrics.v1beta1.PodMetrics"})
    types.push_back(find_type(name));
  return types;
}

std::string golden_path(const Type& type) {
  return std::string(KINGLET_TESTDATA) + "/" + std::string(type.name) + ".json";
}

json::Value golden(const Type& type) {
  std::ifstream file(golden_path(type));
  std::stringstream text;
  text << file.rdbuf();
  const auto value = json::parse(text.str());
  EXPECT_TRUE(value) << golden_path(type);
  return value ? *value : json::Value();
}

TEST(Golden, every_kind_prints_every_field_in_order) {
  for (const Type* type : golden_types()) {
    SCOPED_TRACE(type->name);
    Unknown unknown;
    const auto value = decode(*type, testing::sample(*type), &unknown);
    ASSERT_TRUE(value) << value.error().message();
    EXPECT_TRUE(unknown.paths.empty()) << unknown.paths.front();
    const std::string text = json::print_pretty(*json::parse(encode(*type, *value)), 1) + "\n";
    if (std::getenv("UPDATE_GOLDEN") != nullptr) {
      std::ofstream(golden_path(*type)) << text;
      continue;
    }
    std::ifstream file(golden_path(*type));
    std::stringstream expected;
    expected << file.rdbuf();
    EXPECT_EQ(text, expected.str());
  }
}

TEST(Golden, decoding_what_was_encoded_changes_nothing) {
  for (const Type* type : golden_types()) {
    SCOPED_TRACE(type->name);
    const json::Value object = golden(*type);
    const auto value = decode(*type, object);
    ASSERT_TRUE(value) << value.error().message();
    EXPECT_EQ(encode(*type, *value), json::print(object));
  }
}

TEST(Golden, protobuf_round_trips) {
  for (const Type* type : golden_types()) {
    if (type->name == "meta.v1.Table") continue;  // has no protobuf form
    SCOPED_TRACE(type->name);
    const json::Value object = golden(*type);
    const auto back = from_protobuf(to_protobuf(object));
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_EQ(json::print_pretty(*json::parse(encode(*type, *back))), json::print_pretty(object));
  }
}

TEST(Protobuf, writes_what_gogo_writes) {
  const auto map = json::parse(
      R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"n"},"data":{"k":"v"},"immutable":false})");
  const std::string bytes = to_protobuf(*map);
  // Envelope; then ObjectMeta with its empty strings, generation and the empty creationTimestamp.
  const std::string meta =
      std::string("\x0a\x01n\x12\x00\x1a\x00\"\x00*\x00\x32\x00\x38\x00\x42\x00", 17);
  const std::string raw = "\x0a" + std::string(1, static_cast<char>(meta.size())) + meta +
                          "\x12\x06\x0a\x01k\x12\x01v" + std::string("\x20\x00", 2);
  const std::string expected =
      std::string("k8s\0", 4) + "\x0a\x0f\x0a\x02v1\x12\x09" + "ConfigMap" + "\x12" +
      std::string(1, static_cast<char>(raw.size())) + raw + std::string("\x1a\x00\x22\x00", 4);
  EXPECT_EQ(bytes, expected);
}

TEST(Protobuf, refuses_what_is_malformed) {
  EXPECT_TRUE(from_protobuf("{}").is(Code::bad_request));
  const std::string good = to_protobuf(golden(*find_type("core.v1.Pod")));
  for (size_t cut = 0; cut < good.size(); cut += 7) {
    const auto value = from_protobuf(std::string_view(good).substr(0, cut));
    if (!value) {
      EXPECT_TRUE(value.is(Code::bad_request));
    }
  }
  EXPECT_TRUE(to_protobuf(json::Object{{"apiVersion", "x/v1"}, {"kind", "Y"}}).empty());
}

// The structs leave out managedFields and selfLink.
void erase_left_out(json::Value& value) {
  if (json::Array* array = value.if_array())
    for (json::Value& item : *array) erase_left_out(item);
  json::Object* object = value.if_object();
  if (object == nullptr) return;
  for (const char* name : {"managedFields", "selfLink"})
    if (const auto it = object->find(name); it != object->end()) object->stable_erase(it);
  for (auto& member : *object) erase_left_out(member.value());
}

template <class T>
void expect_round_trip() {
  const Resource& resource = resource_of<T>();
  SCOPED_TRACE(resource.type->name);
  const json::Value object = golden(*resource.type);
  const auto parsed = parse<T>(json::print(object));
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(from_json<T>(to_json(*parsed)).value(), *parsed);
  EXPECT_FALSE(*parsed == T{});
  if constexpr (std::is_same_v<T, api::StatefulSet>)
    return;  // its claim templates' status is a kind of its own
  json::Value expected = object;
  erase_left_out(expected);
  EXPECT_EQ(json::print_pretty(*json::parse(to_text(*parsed))),
            json::print_pretty(*json::parse(encode(resource, expected))));
  EXPECT_EQ(to_text(T{}), encode(resource, json::Object()));
}

TEST(Structs, hold_everything_their_kind_has) {
  expect_round_trip<api::Pod>();
  expect_round_trip<api::Node>();
  expect_round_trip<api::Namespace>();
  expect_round_trip<api::Service>();
  expect_round_trip<api::Endpoints>();
  expect_round_trip<api::ConfigMap>();
  expect_round_trip<api::Secret>();
  expect_round_trip<api::ServiceAccount>();
  expect_round_trip<api::Event>();
  expect_round_trip<api::PersistentVolume>();
  expect_round_trip<api::PersistentVolumeClaim>();
  expect_round_trip<api::ResourceQuota>();
  expect_round_trip<api::LimitRange>();
  expect_round_trip<api::ReplicationController>();
  expect_round_trip<api::Deployment>();
  expect_round_trip<api::ReplicaSet>();
  expect_round_trip<api::StatefulSet>();
  expect_round_trip<api::DaemonSet>();
  expect_round_trip<api::ControllerRevision>();
  expect_round_trip<api::Job>();
  expect_round_trip<api::CronJob>();
  expect_round_trip<api::EndpointSlice>();
  expect_round_trip<api::Lease>();
  expect_round_trip<api::EventsEvent>();
  expect_round_trip<api::Role>();
  expect_round_trip<api::ClusterRoleBinding>();
  expect_round_trip<api::PodDisruptionBudget>();
  expect_round_trip<api::PriorityClass>();
  expect_round_trip<api::StorageClass>();
  expect_round_trip<api::CSINode>();
  expect_round_trip<api::Ingress>();
  expect_round_trip<api::NetworkPolicy>();
  expect_round_trip<api::HorizontalPodAutoscaler>();
  expect_round_trip<api::CertificateSigningRequest>();
  expect_round_trip<api::TokenReview>();
  expect_round_trip<api::SubjectAccessReview>();
  expect_round_trip<api::RuntimeClass>();
}

TEST(Structs, refuse_wrong_types) {
  EXPECT_TRUE(parse<api::Pod>(R"({"spec":{"containers":[{"name":5}]}})").is(Code::bad_request));
  EXPECT_TRUE(parse<api::Pod>("[]").is(Code::bad_request));
  EXPECT_TRUE(parse<api::Pod>("{").is(Code::bad_request));
  const auto lenient = parse<api::Pod>(R"({"spec":{"containers":[null],"volumes":null,"zzz":1}})");
  ASSERT_TRUE(lenient);
  EXPECT_EQ(lenient->spec.containers.size(), 1u);
}

}  // namespace
}  // namespace kinglet::schema

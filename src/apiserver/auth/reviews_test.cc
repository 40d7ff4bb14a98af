#include "apiserver/auth/reviews.h"

#include "apiserver/testing/secured_world.h"

namespace kinglet::apiserver {
namespace {

using testing::SecuredWorld;

json::Value review(SecuredWorld& world, const std::string& plural, const std::string& kind,
                   const std::string& spec, const std::string& user = "admin", int status = 201) {
  const auto done = world.as(
      user,
      user == "admin" ? std::vector<std::string>{"system:masters"} : std::vector<std::string>{},
      "POST", "/apis/authorization.k8s.io/v1/" + plural,
      fmt::format(R"({{"kind":"{}","apiVersion":"authorization.k8s.io/v1","spec":{}}})", kind,
                  spec));
  EXPECT_EQ(done->status, status) << done->text;
  return done->json();
}

TEST(AccessReviews, answer_for_oneself_and_for_others) {
  SecuredWorld world;
  const std::string pods =
      R"({"resourceAttributes":{"verb":"list","resource":"pods","namespace":"default"}})";
  auto answer = review(world, "selfsubjectaccessreviews", "SelfSubjectAccessReview", pods);
  EXPECT_TRUE(json::bool_at(answer, {"status", "allowed"}));
  answer = review(world, "selfsubjectaccessreviews", "SelfSubjectAccessReview", pods, "jane");
  EXPECT_NE(json::find(answer, {"status", "allowed"}), nullptr) << "false is said";
  EXPECT_FALSE(json::bool_at(answer, {"status", "allowed"}));

  answer = review(
      world, "subjectaccessreviews", "SubjectAccessReview",
      R"({"user":"jane","groups":["system:masters"],"resourceAttributes":{"verb":"*","resource":"*","group":"*"}})");
  EXPECT_TRUE(json::bool_at(answer, {"status", "allowed"}));
  answer = review(
      world, "subjectaccessreviews", "SubjectAccessReview",
      R"({"user":"jane","groups":["system:authenticated"],"nonResourceAttributes":{"verb":"get","path":"/api"}})");
  EXPECT_TRUE(json::bool_at(answer, {"status", "allowed"}));
  review(world, "subjectaccessreviews", "SubjectAccessReview", pods, "jane", 403);
}

TEST(AccessReviews, refuse_questions_that_make_no_sense) {
  SecuredWorld world;
  review(world, "selfsubjectaccessreviews", "SelfSubjectAccessReview", "{}", "admin", 422);
  review(world, "selfsubjectaccessreviews", "SelfSubjectAccessReview",
         R"({"resourceAttributes":{"verb":"get"},"nonResourceAttributes":{"verb":"get"}})", "admin",
         422);
  review(world, "subjectaccessreviews", "SubjectAccessReview",
         R"({"resourceAttributes":{"verb":"get"}})", "admin", 422);
  review(world, "namespaces/default/localsubjectaccessreviews", "LocalSubjectAccessReview",
         R"({"user":"jane","resourceAttributes":{"verb":"get","namespace":"kube-system"}})",
         "admin", 422);
  review(world, "selfsubjectrulesreviews", "SelfSubjectRulesReview", "{}", "admin", 400);
}

TEST(RulesReview, lists_what_one_may) {
  SecuredWorld world;
  const auto answer = review(world, "selfsubjectrulesreviews", "SelfSubjectRulesReview",
                             R"({"namespace":"default"})", "jane");
  EXPECT_FALSE(json::bool_at(answer, {"status", "incomplete"}, true));
  const auto text = json::print(answer.at("status"));
  EXPECT_NE(text.find("selfsubjectaccessreviews"), std::string::npos) << text;
  EXPECT_NE(text.find("/openapi/*"), std::string::npos) << text;
}

TEST(TokenReview, needs_a_token) {
  SecuredWorld world;
  const auto done =
      world.admin("POST", "/apis/authentication.k8s.io/v1/tokenreviews",
                  R"({"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","spec":{}})");
  EXPECT_EQ(done->status, 422);
  EXPECT_EQ(world.admin("GET", "/apis/authentication.k8s.io/v1/tokenreviews")->status, 405);
}

}  // namespace
}  // namespace kinglet::apiserver

#include "coursegate/events/account_linked.hpp"
#include "coursegate/events/audit_requested.hpp"
#include "coursegate/events/grant_issued.hpp"
#include "coursegate/events/sync_requested.hpp"

#include <catch2/catch.hpp>

using namespace coursegate;

TEST_CASE("the subject names as precisely as possible whom an event is about")
{
    const auto user = *base::parse_uuid("0197a1b0-1000-7c33-9a01-a1b2c3d4e5f6");
    events::sync_requested asked;
    asked.course_id = 1;
    asked.stepik_user_id = 2;
    CHECK(asked.subject() == "course/1/student/2");

    events::audit_requested audit;
    audit.course_id = 1;
    CHECK(audit.subject() == "course/1");

    events::account_linked linked;
    linked.user_id = user;
    CHECK(linked.subject() == "user/0197a1b0-1000-7c33-9a01-a1b2c3d4e5f6");

    events::grant_issued issued;
    issued.course_id = 1;
    issued.user_id = user;
    CHECK(issued.subject() == "user/0197a1b0-1000-7c33-9a01-a1b2c3d4e5f6"); // his Stepik id is not known
    issued.stepik_user_id = 2;
    CHECK(issued.subject() == "course/1/student/2");
}

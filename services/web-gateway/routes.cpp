// Start here. Every way in over HTTP, one line each: method, path, use. What goes in and comes out is
// described in proto-schemas/http/openapi.yaml (a test compares the two lists; what is neither below /v1 nor
// /healthz is a page for people and not described there); uses live in handlers/, one file per subject.
#include "routes.hpp"

#include "handlers/app.hpp"
#include "handlers/audit_rows.hpp"
#include "handlers/course_pages.hpp"
#include "handlers/dashboard.hpp"
#include "handlers/identities.hpp"
#include "handlers/lesson.hpp"
#include "handlers/live_grants.hpp"
#include "handlers/media_pages.hpp"
#include "handlers/moves.hpp"
#include "handlers/numbers.hpp"
#include "handlers/own_answers.hpp"
#include "handlers/profile.hpp"
#include "handlers/rule_pages.hpp"
#include "handlers/sign_in.hpp"
#include "handlers/sign_in_links.hpp"
#include "handlers/site.hpp"
#include "handlers/staff.hpp"
#include "handlers/students.hpp"
#include "handlers/trouble.hpp"
#include "handlers/uses.hpp"
#include "handlers/ways.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::web_gateway {
namespace {

async::task<http::response> healthz(http::request&)
{
    co_return http::response::json(200, nlohmann::json{{"status", "ok"}});
}

} // namespace

std::vector<http::route> routes(gateway& g)
{
    const auto admin = [&g](use u) { return for_admin(g, u); };
    const auto open = [&g](async::task<http::response> (*page)(gateway&, http::request&)) -> http::handler {
        return [&g, page](http::request& request) { return page(g, request); };
    };
    return {
        // People
        {"POST", "/v1/users", admin(create_user_route)},
        {"GET", "/v1/users", admin(list_users_route)},
        {"GET", "/v1/users/{id}", admin(get_user_route)},
        {"PATCH", "/v1/users/{id}", admin(change_user_route)},
        {"POST", "/v1/users/{id}/rotate-code", admin(rotate_code_route)},
        {"PUT", "/v1/users/{id}/roles", admin(give_role_route)},
        {"DELETE", "/v1/users/{id}/roles", admin(take_role_route)},

        // Courses: what authors decide
        {"GET", "/v1/courses", admin(list_courses_route)},
        {"GET", "/v1/courses/{course_id}", admin(get_course_route)},
        {"PUT", "/v1/courses/{course_id}", admin(put_course_route)},
        {"PUT", "/v1/courses/{course_id}/subscriptions/{code}", admin(put_subscription_route)},
        {"PUT", "/v1/courses/{course_id}/lessons/{lesson_id}/media", admin(put_lesson_media_route)},
        {"POST", "/v1/courses/{course_id}/media", admin(put_many_media_route)},
        {"PUT", "/v1/courses/{course_id}/rules", admin(put_rule_route)},
        {"DELETE", "/v1/courses/{course_id}/rules", admin(remove_rule_route)},

        // What other daemons are asked to do
        {"POST", "/v1/grants", admin(grant_route)},
        {"POST", "/v1/revokes", admin(revoke_route)},
        {"POST", "/v1/syncs", admin(sync_route)},
        {"POST", "/v1/courses/{course_id}/audits", admin(audit_route)},
        {"GET", "/v1/requests/{request_id}", admin(get_request_route)},

        // Looking
        {"GET", "/v1/grants", admin(list_grants_route)},
        {"GET", "/v1/grants/stream", admin(stream_route)},
        {"GET", "/v1/why", admin(why_route)},
        {"GET", "/v1/courses/{course_id}/numbers", admin(numbers_route)},
        {"GET", "/v1/audit-log", admin(audit_log_route)},

        // A signed-in person, by his session
        {"GET", "/v1/me/dashboard", for_person(g, own_dashboard_route)},

        // Pages
        {"GET", "/", open(home_page)},
        {"GET", "/dashboard", for_visitor(g, dashboard_page)},
        {"GET", "/dashboard/courses", for_visitor(g, courses_part)},
        {"GET", "/dashboard/moves", for_visitor(g, moves_stream)},
        {"POST", "/dashboard/check", for_visitor(g, check_form)},
        {"GET", "/me", for_visitor(g, me_page)},
        {"GET", "/assets/{file}", open(asset_route)},
        {"POST", "/language", open(language_route)},

        // A lesson and its video
        {"GET", "/lessons/{id}", for_visitor(g, lesson_page)},
        {"POST", "/lessons/{id}/watch", for_visitor(g, watch_form)},
        {"GET", "/play/{secret_id}", open(play_route)},

        // What a person decides about himself
        {"GET", "/profile", for_visitor(g, profile_page)},
        {"POST", "/profile", for_visitor(g, profile_form)},
        {"POST", "/profile/notices", for_visitor(g, notices_form)},
        {"GET", "/profile/data", for_visitor(g, own_data_route)},
        {"POST", "/profile/delete", for_visitor(g, delete_account_form)},

        // The admin area: authors and staff
        {"GET", "/admin", for_staff(g, admin_page)},
        {"GET", "/admin/students", for_staff(g, students_page)},
        {"POST", "/admin/students", for_staff(g, create_student_form)},
        {"GET", "/admin/students/{id}", for_staff(g, student_page)},
        {"POST", "/admin/students/{id}/lessons", for_staff(g, student_lessons_form)},
        {"POST", "/admin/students/{id}/code", for_staff(g, student_code_form)},
        {"POST", "/admin/students/{id}/account", for_staff(g, student_account_form)},
        {"POST", "/admin/students/{id}/site", for_staff(g, site_as_student_page)},
        {"GET", "/admin/trouble", for_staff(g, trouble_page)},
        {"GET", "/admin/trouble/failures", for_staff(g, failures_page)},
        {"POST", "/admin/trouble/failures", for_staff(g, retry_form)},
        {"POST", "/admin/trouble/audits", for_staff(g, audit_form)},
        {"GET", "/admin/trouble/parked/{queue}", for_staff(g, parked_page)},
        {"POST", "/admin/trouble/parked/{queue}", for_staff(g, redrive_form)},

        // The Mini App: a shell inside Telegram, and the parts it shows
        {"GET", "/app", open(app_shell)},
        {"GET", "/app/lessons/{id}", open(app_shell)},
        {"GET", "/app/watch/{id}/{part}", open(app_shell)},
        {"GET", "/app/profile", open(app_shell)},
        {"POST", "/app/session", open(app_session_route)},
        {"POST", "/app/session/end", for_app(g, app_sign_out_form)},
        {"GET", "/app/parts/dashboard", for_app(g, app_courses_part)},
        {"GET", "/app/parts/lessons/{id}", for_app(g, app_lesson_part)},
        {"GET", "/app/parts/profile", for_app(g, app_profile_part)},
        {"GET", "/app/moves", for_app(g, moves_stream)},
        {"POST", "/app/dashboard/check", for_app(g, app_check_form)},
        {"POST", "/app/lessons/{id}/watch", for_app(g, app_watch_form)},
        {"POST", "/app/profile", for_app(g, app_language_form)},
        {"GET", "/app/play/{secret_id}", open(app_play_route)},
        // The admin area: watching
        {"GET", "/admin/grants", for_staff(g, live_grants_page)},
        {"GET", "/admin/grants/stream", for_staff(g, live_grants_stream)},
        {"GET", "/admin/numbers", for_staff(g, numbers_page)},
        {"GET", "/admin/numbers/csv", for_staff(g, numbers_csv)},
        {"GET", "/admin/numbers/students", for_staff(g, counted_students_page)},
        {"GET", "/admin/numbers/students/csv", for_staff(g, counted_students_csv)},
        {"GET", "/admin/audit-log", for_staff(g, audit_log_page)},
        {"GET", "/admin/audit-log/csv", for_staff(g, audit_log_csv)},
        // The admin area: a course, its media map and its rules
        {"GET", "/admin/courses", for_staff(g, admin_courses_page)},
        {"GET", "/admin/courses/connect", for_staff(g, connect_page)},
        {"POST", "/admin/courses/connect", for_staff(g, connect_form)},
        {"GET", "/admin/courses/{course_id}", for_staff(g, admin_course_page)},
        {"POST", "/admin/courses/{course_id}", for_staff(g, course_settings_form)},
        {"GET", "/admin/courses/{course_id}/media", for_staff(g, media_page)},
        {"POST", "/admin/courses/{course_id}/media", for_staff(g, media_form)},
        {"POST", "/admin/courses/{course_id}/media/codes", for_staff(g, media_codes_form)},
        {"GET", "/admin/courses/{course_id}/rules", for_staff(g, rules_page)},
        {"POST", "/admin/courses/{course_id}/rules", for_staff(g, rule_form)},

        // Signing in
        {"GET", "/login", open(login_page)},
        {"POST", "/login", open(login_form)},
        {"POST", "/logout", for_visitor(g, logout_form)},
        {"POST", "/profile/sessions/end", for_visitor(g, end_session_form)},
        {"POST", "/profile/sessions/end-all", for_visitor(g, end_all_sessions_form)},

        // Signing in with somebody else's word, and by a link
        {"GET", "/login/google", open(start_way_page)},
        {"GET", "/login/google/callback", open(way_callback_page)},
        {"GET", "/login/telegram", open(start_way_page)},
        {"GET", "/login/telegram/callback", open(way_callback_page)},
        {"GET", "/login/stepik", open(start_way_page)},
        {"GET", "/login/stepik/callback", open(way_callback_page)},
        {"GET", "/login/link", open(link_page)},
        {"POST", "/login/link", open(link_form)},
        {"GET", "/profile/identities", for_visitor(g, identities_page)},
        {"POST", "/profile/identities/{way}/link", for_visitor(g, link_identity_form)},
        {"POST", "/profile/identities/{way}/unlink", for_visitor(g, unlink_identity_form)},
        {"POST", "/v1/sign-in-links", admin(make_link_route)},

        // Open to anybody
        {"GET", "/healthz", healthz},
    };
}

} // namespace coursegate::web_gateway

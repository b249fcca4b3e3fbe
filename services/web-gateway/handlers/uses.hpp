// Every use of the gateway's API, one function each; routes.cpp says under which method and path. Bodies,
// answers and error slugs are described in proto-schemas/http/openapi.yaml.
#pragma once

#include "handlers/boundary.hpp"

namespace coursegate::web_gateway {

// users.cpp
async::task<http::response> create_user_route(gateway& g, call& c);
async::task<http::response> list_users_route(gateway& g, call& c);
async::task<http::response> get_user_route(gateway& g, call& c);
async::task<http::response> change_user_route(gateway& g, call& c);
async::task<http::response> rotate_code_route(gateway& g, call& c);

// roles.cpp
async::task<http::response> give_role_route(gateway& g, call& c);
async::task<http::response> take_role_route(gateway& g, call& c);

// courses.cpp
async::task<http::response> list_courses_route(gateway& g, call& c);
async::task<http::response> get_course_route(gateway& g, call& c);
async::task<http::response> put_course_route(gateway& g, call& c);

// media.cpp
async::task<http::response> put_lesson_media_route(gateway& g, call& c);
async::task<http::response> put_many_media_route(gateway& g, call& c);
async::task<http::response> put_subscription_route(gateway& g, call& c);

// rules.cpp
async::task<http::response> put_rule_route(gateway& g, call& c);
async::task<http::response> remove_rule_route(gateway& g, call& c);

// orders.cpp: what other daemons carry out
async::task<http::response> grant_route(gateway& g, call& c);
async::task<http::response> revoke_route(gateway& g, call& c);
async::task<http::response> sync_route(gateway& g, call& c);
async::task<http::response> audit_route(gateway& g, call& c);
async::task<http::response> get_request_route(gateway& g, call& c);

// numbers.cpp, audit_rows.cpp
async::task<http::response> numbers_route(gateway& g, call& c);
async::task<http::response> audit_log_route(gateway& g, call& c);

// grant_list.cpp, why.cpp, stream.cpp
async::task<http::response> list_grants_route(gateway& g, call& c);
async::task<http::response> why_route(gateway& g, call& c);
async::task<http::response> stream_route(gateway& g, call& c);

} // namespace coursegate::web_gateway

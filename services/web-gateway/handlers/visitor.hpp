// Somebody in front of a browser: who he is, which pages are for him, and what his forms must carry. The
// counterpart of handlers/boundary.hpp, which is for tools with a token.
#pragma once

#include "domain/principal.hpp"
#include "handlers/gateway.hpp"

#include "coursegate/base/uuid.hpp"
#include "coursegate/http/server.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace coursegate::web_gateway {

struct reader;

// Somebody who is signed in on the site.
struct visitor
{
    base::uuid user_id{};
    base::uuid session_id{}; // the one he came with
    std::string email;
    std::string first_name;
    std::string last_name;
    std::string language;                // "ru", "uk", "en"
    std::string time_zone;               // IANA name, "UTC" when unknown
    std::string csrf;                    // for the hidden field "csrf" of every form; bound to the session
    std::set<std::string> roles;         // domain/role.hpp; everybody is a student
    std::set<std::int64_t> authors_of{}; // courses

    bool has_role(std::string_view role) const { return roles.count(std::string(role)) > 0; }
    // What he does, as audit log and events name it.
    act acting(const http::request& request) const;
};

// How pages address him.
reader reader_of(const visitor& who);

// One page, or one form sent from a page. Throws `refused` as uses of the API do; the boundary shows a page.
using page_use = async::task<http::response> (*)(gateway&, http::request&, const visitor&);

// Strangers are sent to /login and come back to where they wanted (302 with `next`; a form they sent is lost:
// 303 without). A form without the session's csrf field is refused (403 page). 503 page while the database is
// away. Pages are never stored by caches. Using a page keeps the session: its expiry moves at most once an
// hour, and the browser's cookie with it. The visitor lives as long as the use: a stream takes a copy.
http::handler for_visitor(gateway& g, page_use u);

// The same for people who have one of `roles`; 403 page for others.
http::handler for_roles(gateway& g, std::vector<std::string_view> roles, page_use u);

// The same for a page of the Mini App, which brings its session's token in a header (Authorization: Bearer)
// instead of a cookie: other sites can't send it, so its forms need no csrf field. The site's sessions are
// none of the Mini App's and the other way round. 404 where there is no Mini App, 401 without a session; what
// else is wrong is said in a part (app_notice) for the app to show.
http::handler for_app(gateway& g, page_use u);

// The Mini App's visitor who asked for a video, by the hash of what stands in its link: a frame sends no
// header. Throws base::dependency_down.
async::task<std::optional<visitor>> find_app_visitor_of_link(gateway& g, std::string link_hash);

// The signed-in visitor of a request, or nothing (for pages open to anybody; also while the database is
// away). Keeps nothing alive: that is for_visitor's.
async::task<std::optional<visitor>> find_visitor(gateway& g, http::request& request);

// The token a request came with, where it looks like one. It opens a session: it goes nowhere but into its
// hash.
std::optional<std::string> token_of(const http::request& request);

} // namespace coursegate::web_gateway

// What the routes work with: made once in main, passed to every use.
#pragma once

#include "domain/course.hpp"

#include "coursegate/base/keyring.hpp"
#include "coursegate/base/secret.hpp"
#include "coursegate/db/pool.hpp"

#include <optional>
#include <string>

namespace coursegate::web_gateway {

class feed_reader;
class pages;
class parked_messages;
struct course_checks;
struct sign_in_ways;

// Everything outlives the HTTP server.
struct gateway
{
    db::pool& db;
    const base::keyring& keys;
    feed_reader& feed;
    const web_gateway::pages& pages;
    base::secret admin_token;                            // ADMIN_API_TOKEN
    std::optional<course_settings> environment_course{}; // the course that STEPIK_COURSE_ID and the rest give
    std::string play_url = "https://play.boomstream.com"; // BOOMSTREAM_PLAY_URL, without a slash at its end
    sign_in_ways* ways = nullptr;                         // beside e-mail and code; nothing: none is set up
    parked_messages* parked = nullptr;                    // nothing: no broker is at hand (tests)
    course_checks* checks = nullptr;                      // asks Stepik and Boomstream about a course's keys
};

} // namespace coursegate::web_gateway
